package netpol

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/knftables"
)

func TestPolicyCasesByTheRuleset(t *testing.T) {
	for _, c := range policyCases {
		t.Run(c.name, func(t *testing.T) {
			r := c.ruleset(t)
			for address, family := range []string{"IPv4", "IPv6"} {
				for _, f := range c.allowed {
					if !r.allows(f, address) {
						t.Errorf("%s %+v is denied, want allowed", family, f)
					}
				}
				for _, f := range c.denied {
					if r.allows(f, address) {
						t.Errorf("%s %+v is allowed, want denied", family, f)
					}
				}
			}
		})
	}
}

// Equal states must compare equal whatever the order of listing, so that nothing is
// applied for nothing.
func TestComputeDoesNotDependOnOrder(t *testing.T) {
	c := policyCases[slices.IndexFunc(policyCases, func(c policyCase) bool { return len(c.policies) > 1 })]
	pods, namespaces, policies := worldPods(), worldNamespaces(), c.objects(t)
	slices.Reverse(pods)
	slices.Reverse(namespaces)
	slices.Reverse(policies)
	got, err := compute(testNode, pods, namespaces, policies)
	if err != nil {
		t.Fatal(err)
	}
	if want := c.ruleset(t); !reflect.DeepEqual(got, want) {
		t.Errorf("reversed lists gave\n%+v\nwant\n%+v", got, want)
	}
}

func TestNoPodIsTouchedWithoutAPolicy(t *testing.T) {
	if r := policyCases[0].ruleset(t); len(r.groups) != 0 || len(r.policies) != 0 {
		t.Errorf("ruleset without a policy: %+v", r)
	}
}

// A rule for many Pods stays one rule: they are in a set.
func TestManyPodsAreOneRule(t *testing.T) {
	c := policyCase{policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 8080}]}]}`}}
	fake := knftables.NewFake(knftables.InetFamily, table)
	if err := apply(t.Context(), fake, c.ruleset(t)); err != nil {
		t.Fatal(err)
	}
	var rules []string
	for line := range strings.Lines(fake.Dump()) {
		if strings.Contains(line, "peers") && strings.Contains(line, "add rule") {
			rules = append(rules, strings.TrimSpace(line))
		}
	}
	name := policyName(c.objects(t)[0], ingress)
	want := []string{
		"add rule inet svcx-netpol " + name + " ip saddr @" + name + "-0-peers4 tcp dport { 8080 } accept",
		"add rule inet svcx-netpol " + name + " ip6 saddr @" + name + "-0-peers6 tcp dport { 8080 } accept",
	}
	if !slices.Equal(rules, want) {
		t.Errorf("rules %q, want %q", rules, want)
	}
}

func TestMergeRanges(t *testing.T) {
	got := mergeRanges([]portRange{
		{"tcp", 9050, 9100}, {"udp", 1, 2}, {"tcp", 9000, 9060}, {"tcp", 80, 80}, {"tcp", 81, 81}, {"tcp", 90, 80}, {"tcp", 65535, 65535},
	}, "tcp")
	want := []portRange{{"tcp", 80, 81}, {"tcp", 9000, 9100}, {"tcp", 65535, 65535}}
	if !slices.Equal(got, want) {
		t.Errorf("mergeRanges = %v, want %v", got, want)
	}
}

func TestOutermost(t *testing.T) {
	p := netip.MustParsePrefix
	got := outermost([]netip.Prefix{p("10.0.0.8/29"), p("10.0.0.0/28"), p("10.0.1.0/28"), p("10.0.0.0/28")})
	if want := []netip.Prefix{p("10.0.0.0/28"), p("10.0.1.0/28")}; !slices.Equal(got, want) {
		t.Errorf("outermost = %v, want %v", got, want)
	}
}
