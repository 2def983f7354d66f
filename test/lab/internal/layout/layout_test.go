package layout

import (
	"testing"
)

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"svcx": true, "a": true, "e2e": true, "a-b": true, "abcdefghijkl": true,
		"": false, "abcdefghijklm": false, "Svcx": false, "-a": false, "a-": false, "1a": false,
		"a/b": false, "..": false, "a b": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

func TestLinkNameFits(t *testing.T) {
	// IFNAMSIZ is 16 with the closing zero.
	if link := (Lab{Name: "abcdefghijkl"}).MachineLink(); len(link) > 15 {
		t.Errorf("interface name %q has %d bytes, more than 15", link, len(link))
	}
}

func TestAddressesDoNotCollide(t *testing.T) {
	seen := map[string]string{}
	claim := func(addr, by string) {
		if other, ok := seen[addr]; ok {
			t.Errorf("%s belongs to %s and to %s", addr, other, by)
		}
		seen[addr] = by
	}
	for slot := range Slots {
		lab := Lab{Name: "x", Slot: slot, IPv6: true}
		for _, a := range lab.MachineAddrs() {
			claim(a.String(), "machine")
		}
		for _, host := range Hosts() {
			for _, a := range lab.Addrs(host) {
				claim(a.String(), host)
				if !lab.NodeNet4().Contains(a) && !lab.NodeNet6().Contains(a) {
					t.Errorf("%s of %s is outside the lab's network", a, host)
				}
				for _, pool := range lab.Pool() {
					if pool.Contains(a) {
						t.Errorf("%s of %s is in the load balancers' pool %s", a, host, pool)
					}
				}
			}
		}
	}
}

func TestRangesNest(t *testing.T) {
	lab := Lab{Name: "x", IPv6: true}
	for _, node := range Nodes() {
		for i, cidr := range lab.PodCIDRs(node) {
			if !lab.PodRanges()[i].Overlaps(cidr) || lab.PodRanges()[i].Bits() > cidr.Bits() {
				t.Errorf("Pods of %s, %s, are not within %s", node, cidr, lab.PodRanges()[i])
			}
		}
	}
	if !ServiceRange4.Contains(ClusterDNS) || !ServiceRange4.Contains(KubernetesIP) {
		t.Error("the cluster's own Services are outside the Service range")
	}
}

func TestIPv4Only(t *testing.T) {
	lab := Lab{Name: "x"}
	if n := len(lab.Pool()) + len(lab.PodRanges()) + len(lab.ServiceRanges()) + len(lab.PodCIDRs(Worker)) + len(lab.Addrs(Worker)); n != 5 {
		t.Errorf("a lab without IPv6 has %d ranges and addresses, want one of each", n)
	}
}

func TestContext(t *testing.T) {
	if got := (Lab{Name: DefaultName}).Context(); got != "svcx-lab" {
		t.Errorf("context of the default lab is %q", got)
	}
	if got := (Lab{Name: "two"}).Context(); got != "svcx-lab-two" {
		t.Errorf("context of lab two is %q", got)
	}
}
