package netpol

import (
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// The world of the tests. Every Pod listens on TCP 8080 and 9090 and on UDP 5353. web
// and api are in namespace shop, tool in ops; they are on the node under test, far (of
// shop) is on another node, and world is no Pod at all. node is the node itself.
const testNode = "node"

var worldAddrs = map[string][]string{
	"web":   {"10.244.0.10", "fd44::10"},
	"api":   {"10.244.0.11", "fd44::11"},
	"tool":  {"10.244.0.12", "fd44::12"},
	"far":   {"10.244.1.13", "fd44::1:13"},
	"world": {"10.89.9.2", "fd89::2"},
	"node":  {"10.89.9.1", "fd89::1"},
}

func worldPods() []*corev1.Pod {
	pod := func(namespace, name, app, node string, httpPort int32) *corev1.Pod {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}},
			Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
				{Name: "http", ContainerPort: httpPort},
				{Name: "dns", ContainerPort: 5353, Protocol: corev1.ProtocolUDP},
			}}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning},
		}
		for _, a := range worldAddrs[name] {
			p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: a})
		}
		return p
	}
	ended := pod("shop", "web", "api", testNode, 8080) // its address belongs to web now
	ended.Name, ended.Status.Phase = "ended", corev1.PodSucceeded
	onHost := pod("shop", "node", "web", testNode, 8080)
	onHost.Spec.HostNetwork = true
	return []*corev1.Pod{
		pod("shop", "web", "web", testNode, 8080), pod("shop", "api", "api", testNode, 9090),
		pod("ops", "tool", "tool", testNode, 8080), pod("shop", "far", "api", "another", 8080), ended, onHost,
	}
}

func worldNamespaces() []*corev1.Namespace {
	return []*corev1.Namespace{
		{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"kubernetes.io/metadata.name": "shop"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "ops", Labels: map[string]string{"kubernetes.io/metadata.name": "ops", "team": "ops"}}},
	}
}

// flow is "from to port": the port is http (TCP 8080), alt (TCP 9090) or dns (UDP 5353).
type flow struct{ from, to, port string }

func (f flow) protocolPort() (string, uint16) {
	switch f.port {
	case "alt":
		return "tcp", 9090
	case "dns":
		return "udp", 5353
	}
	return "tcp", 8080
}

type policyCase struct {
	name     string
	policies []string // the spec of each, in namespace shop
	allowed  []flow
	denied   []flow
}

var policyCases = []policyCase{
	{
		name:    "no policy",
		allowed: []flow{{"api", "web", "http"}, {"tool", "web", "dns"}, {"far", "web", "alt"}, {"world", "web", "http"}, {"web", "world", "http"}, {"node", "web", "http"}},
	},
	{
		name:     "deny all ingress",
		policies: []string{`{podSelector: {}}`},
		allowed:  []flow{{"node", "web", "http"}, {"node", "api", "dns"}, {"web", "tool", "http"}, {"web", "world", "http"}, {"web", "far", "http"}, {"web", "web", "http"}},
		denied:   []flow{{"api", "web", "http"}, {"tool", "web", "dns"}, {"far", "web", "alt"}, {"world", "web", "http"}, {"web", "api", "http"}},
	},
	{
		name:     "allow all ingress",
		policies: []string{`{podSelector: {}, ingress: [{}]}`},
		allowed:  []flow{{"api", "web", "http"}, {"tool", "web", "dns"}, {"world", "web", "alt"}},
	},
	{
		name:     "Pods of the policy's own namespace",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}]}]}`},
		allowed:  []flow{{"api", "web", "http"}, {"far", "web", "dns"}, {"tool", "api", "http"}, {"node", "web", "http"}},
		denied:   []flow{{"tool", "web", "http"}, {"world", "web", "http"}},
	},
	{
		name:     "a podSelector does not reach into another namespace",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: tool}}}]}]}`},
		denied:   []flow{{"tool", "web", "http"}, {"api", "web", "http"}},
	},
	{
		name:     "a whole namespace",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}]}`},
		allowed:  []flow{{"tool", "web", "http"}},
		denied:   []flow{{"api", "web", "http"}, {"world", "web", "http"}},
	},
	{
		name:     "namespace and Pod selector in one peer: both must match",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: tool}}}]}]}`},
		allowed:  []flow{{"tool", "web", "http"}},
		denied:   []flow{{"api", "web", "http"}},
	},
	{
		name:     "namespace and Pod selector in two peers: either suffices",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: api}}}]}]}`},
		allowed:  []flow{{"tool", "web", "http"}, {"api", "web", "http"}, {"far", "web", "http"}},
		denied:   []flow{{"world", "web", "http"}},
	},
	{
		name: "two policies: what either allows",
		policies: []string{
			`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8080}]}]}`,
			`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}], ports: [{port: 9090}]}]}`,
		},
		allowed: []flow{{"api", "web", "http"}, {"tool", "web", "alt"}, {"tool", "api", "alt"}},
		denied:  []flow{{"api", "web", "alt"}, {"tool", "web", "http"}, {"web", "api", "http"}},
	},
	{
		name:     "deny all beside an allowing one does not take away",
		policies: []string{`{podSelector: {}}`, `{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 8080}]}]}`},
		allowed:  []flow{{"api", "web", "http"}, {"world", "web", "http"}},
		denied:   []flow{{"api", "web", "alt"}, {"web", "api", "http"}},
	},
	{
		name: "ipBlock with exceptions",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [
			{ipBlock: {cidr: 10.244.0.0/16, except: [10.244.0.12/32, 10.244.0.0/28, 10.244.0.8/29]}},
			{ipBlock: {cidr: "fd44::/64", except: ["fd44::10/124"]}}]}]}`},
		allowed: []flow{{"far", "web", "http"}},
		denied:  []flow{{"tool", "web", "http"}, {"api", "web", "http"}, {"world", "web", "http"}},
	},
	{
		name:     "ipBlock of everything",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.244.0.0/24]}}, {ipBlock: {cidr: "::/0", except: ["fd44::/112"]}}]}]}`},
		allowed:  []flow{{"far", "web", "http"}, {"world", "web", "http"}},
		denied:   []flow{{"tool", "web", "http"}},
	},
	{
		name:     "ports: a protocol left out is TCP",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 8080}, {port: 5353}]}]}`},
		allowed:  []flow{{"api", "web", "http"}},
		denied:   []flow{{"api", "web", "alt"}, {"api", "web", "dns"}},
	},
	{
		name:     "ports: UDP, ranges that overlap",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 5000, endPort: 5400, protocol: UDP}, {port: 9000, endPort: 9090}, {port: 9050, endPort: 9100}]}]}`},
		allowed:  []flow{{"api", "web", "dns"}, {"world", "web", "alt"}},
		denied:   []flow{{"api", "web", "http"}},
	},
	{
		name:     "ports: a whole protocol",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{protocol: UDP}, {protocol: SCTP, port: 1}]}]}`},
		allowed:  []flow{{"api", "web", "dns"}},
		denied:   []flow{{"api", "web", "http"}},
	},
	{
		name:     "a named port is each Pod's own",
		policies: []string{`{podSelector: {}, ingress: [{ports: [{port: http}, {port: dns, protocol: UDP}]}]}`},
		allowed:  []flow{{"tool", "web", "http"}, {"tool", "api", "alt"}, {"api", "web", "dns"}},
		denied:   []flow{{"tool", "web", "alt"}, {"tool", "api", "http"}},
	},
	{
		name:     "a port name of the other protocol, or of nobody",
		policies: []string{`{podSelector: {}, ingress: [{ports: [{port: dns}, {port: nosuch}]}]}`},
		denied:   []flow{{"tool", "web", "http"}, {"tool", "web", "dns"}},
	},
	{
		name:     "deny all egress",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}`},
		allowed:  []flow{{"api", "web", "http"}, {"world", "web", "http"}, {"node", "web", "http"}, {"web", "web", "http"}, {"api", "far", "http"}},
		denied:   []flow{{"web", "api", "http"}, {"web", "far", "dns"}, {"web", "world", "http"}, {"web", "node", "http"}},
	},
	{
		name:     "egress to Pods and ports",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: http}]}, {to: [{namespaceSelector: {}}], ports: [{port: 5353, protocol: UDP}]}]}`},
		allowed:  []flow{{"web", "far", "http"}, {"web", "api", "alt"}, {"web", "api", "dns"}, {"web", "tool", "dns"}},
		denied:   []flow{{"web", "api", "http"}, {"web", "far", "alt"}, {"web", "tool", "http"}, {"web", "world", "dns"}},
	},
	{
		name:     "egress to a block, the node",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, egress: [{to: [{ipBlock: {cidr: 10.89.9.1/32}}, {ipBlock: {cidr: "fd89::1/128"}}]}], ingress: [{}]}`},
		allowed:  []flow{{"web", "node", "http"}, {"api", "web", "http"}},
		denied:   []flow{{"web", "world", "http"}, {"web", "api", "http"}},
	},
	{
		name:     "egress rules without policyTypes also isolate ingress",
		policies: []string{`{podSelector: {matchLabels: {app: web}}, egress: [{}]}`},
		allowed:  []flow{{"web", "api", "http"}, {"web", "world", "http"}},
		denied:   []flow{{"api", "web", "http"}},
	},
	{
		name: "both ends must agree",
		policies: []string{
			`{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]}`,
			`{podSelector: {matchLabels: {app: api}}, ingress: [{ports: [{port: 9090}]}]}`,
		},
		allowed: []flow{{"web", "api", "alt"}, {"tool", "api", "alt"}, {"web", "far", "http"}},
		denied:  []flow{{"web", "api", "http"}, {"web", "tool", "http"}},
	},
	{
		name:     "a policy that selects nobody",
		policies: []string{`{podSelector: {matchLabels: {app: nosuch}}}`},
		allowed:  []flow{{"tool", "web", "http"}},
	},
}

// policies parses the case's policies.
func (c policyCase) objects(t *testing.T) []*networkingv1.NetworkPolicy {
	t.Helper()
	var out []*networkingv1.NetworkPolicy
	for i, text := range c.policies {
		p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "policy-" + string(rune('a'+i))}}
		if err := yaml.UnmarshalStrict([]byte(text), &p.Spec); err != nil {
			t.Fatalf("policy %d: %v", i, err)
		}
		out = append(out, p)
	}
	return out
}

func (c policyCase) ruleset(t *testing.T) *ruleset {
	t.Helper()
	r, err := compute(testNode, worldPods(), worldNamespaces(), c.objects(t))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// allows judges a flow by the ruleset alone, the way the node's chains do.
func (r *ruleset) allows(f flow, address int) bool {
	src, dst := netip.MustParseAddr(worldAddrs[f.from][address]), netip.MustParseAddr(worldAddrs[f.to][address])
	if src == dst || f.from == "node" {
		return true
	}
	protocol, port := f.protocolPort()
	for _, g := range r.groups {
		own, peer := dst, src
		if g.direction == egress {
			own, peer = src, dst
		}
		if !slices.Contains(g.pods, own) {
			continue
		}
		if !slices.ContainsFunc(r.policies, func(p policyRules) bool {
			return slices.Contains(g.policies, p.name) && slices.ContainsFunc(p.rules, func(r rule) bool {
				return r.matchesPeer(peer) && r.matchesPort(dst, protocol, port)
			})
		}) {
			return false
		}
	}
	return true
}

func (r rule) matchesPeer(a netip.Addr) bool {
	return r.anyPeer || slices.Contains(r.peers, a) || slices.ContainsFunc(r.blocks, func(b block) bool {
		return b.cidr.Contains(a) && !slices.ContainsFunc(b.except, func(p netip.Prefix) bool { return p.Contains(a) })
	})
}

func (r rule) matchesPort(dst netip.Addr, protocol string, port uint16) bool {
	return r.anyPort || slices.Contains(r.named, endpoint{dst, protocol, port}) || slices.ContainsFunc(r.ports, func(p portRange) bool {
		return p.protocol == protocol && p.from <= port && port <= p.to
	})
}
