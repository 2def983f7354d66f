package loadbalancer

import (
	"fmt"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func testPool() pool {
	return pool{netip.MustParsePrefix("10.0.0.0/31"), netip.MustParsePrefix("fd00::f0/127")}
}

func TestAllocate(t *testing.T) {
	const v4, v6 = corev1.IPv4Protocol, corev1.IPv6Protocol
	prefer, require := corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack
	for _, tc := range []struct {
		name      string
		families  []corev1.IPFamily
		policy    *corev1.IPFamilyPolicy
		requested string
		has       []string
		held      map[string]string
		want      string // addresses, or the error
	}{
		{name: "the lowest address first", want: "[10.0.0.0]"},
		{name: "the next one", held: map[string]string{"10.0.0.0": "ns/other"}, want: "[10.0.0.1]"},
		{name: "exhausted", held: map[string]string{"10.0.0.0": "ns/other", "10.0.0.1": "ns/another"}, want: "no available IPs"},
		{name: "keeps what it has", has: []string{"10.0.0.1"}, want: "[10.0.0.1]"},
		{name: "keeps what it holds before its status tells", held: map[string]string{"10.0.0.1": "ns/own"}, want: "[10.0.0.1]"},
		{name: "loses what an older one has", has: []string{"10.0.0.0"}, held: map[string]string{"10.0.0.0": "ns/other"}, want: "[10.0.0.1]"},
		{name: "loses what left the pool", has: []string{"10.9.9.9"}, want: "[10.0.0.0]"},
		{name: "IPv6 only", families: []corev1.IPFamily{v6}, want: "[fd00::f0]"},
		{name: "two families in their order", families: []corev1.IPFamily{v6, v4}, policy: &require, want: "[fd00::f0 10.0.0.0]"},
		{name: "a second family keeps the first", families: []corev1.IPFamily{v4, v6}, policy: &prefer, has: []string{"10.0.0.1"}, want: "[10.0.0.1 fd00::f0]"},
		{name: "prefers two, one left", families: []corev1.IPFamily{v4, v6}, policy: &prefer, held: map[string]string{"fd00::f0": "a/b", "fd00::f1": "a/c"}, want: "[10.0.0.0]"},
		{name: "requires two, one left", families: []corev1.IPFamily{v4, v6}, policy: &require, held: map[string]string{"fd00::f0": "a/b", "fd00::f1": "a/c"}, want: "no available IPs"},
		{name: "requested", requested: "10.0.0.1", want: "[10.0.0.1]"},
		{name: "requested anew", requested: "10.0.0.1", has: []string{"10.0.0.0"}, want: "[10.0.0.1]"},
		{name: "requested outside the pool", requested: "10.9.9.9", want: `"10.9.9.9" is not allowed in config`},
		{name: "requested and taken", requested: "10.0.0.1", held: map[string]string{"10.0.0.1": "ns/other"}, want: `address "10.0.0.1" is already in use by "ns/other"`},
		{name: "requested nonsense", requested: "ten", want: `invalid spec.loadBalancerIP "ten"`},
		{name: "requested of another family", requested: "fd00::f0", want: `"fd00::f0" is not of the Service's IP family IPv4`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &corev1.Service{Spec: corev1.ServiceSpec{IPFamilies: tc.families, IPFamilyPolicy: tc.policy, LoadBalancerIP: tc.requested}}
			for _, a := range tc.has {
				s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: a})
			}
			held := map[netip.Addr]string{}
			for a, owner := range tc.held {
				held[netip.MustParseAddr(a)] = owner
			}
			chosen, err := testPool().allocate("ns/own", s, held)
			got := fmt.Sprint(chosen)
			if err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// A large pool must not be walked through to find one free address.
func TestFreeInALargePool(t *testing.T) {
	large := pool{netip.MustParsePrefix("fd00::/64")}
	held := map[netip.Addr]string{}
	for i := range 100 {
		a, ok := large.free(true, held)
		if !ok {
			t.Fatalf("no free address after %d", i)
		}
		held[a] = "ns/other"
	}
	if len(held) != 100 {
		t.Errorf("%d different addresses, want 100", len(held))
	}
	if _, ok := large.free(false, held); ok {
		t.Error("an IPv4 address came out of an IPv6 pool")
	}
}

func TestStatusSaysVIP(t *testing.T) {
	got := status([]netip.Addr{netip.MustParseAddr("10.0.0.1")})
	if len(got.Ingress) != 1 || got.Ingress[0].IP != "10.0.0.1" || *got.Ingress[0].IPMode != corev1.LoadBalancerIPModeVIP {
		t.Errorf("status %+v", got)
	}
}
