package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// rules use what the service proxy and the network policies use of netfilter, so that a
// kernel without one of its modules is found before anything is brought up.
var rules = []struct{ what, command string }{
	{"nftables (module nf_tables)", "nft add table inet svcx-lab-check"},
	{"NAT in nftables (module nft_masq)", "nft add table ip svcx-lab-nat; add chain ip svcx-lab-nat c { type nat hook postrouting priority 100; }; add rule ip svcx-lab-nat c masquerade"},
	{"NAT in iptables (module nf_nat; with iptables-nft also nft_compat)", "iptables -t nat -A POSTROUTING -j MASQUERADE"},
	{"the iptables matches comment, mark and addrtype (modules xt_comment, xt_mark, xt_addrtype)",
		"iptables -t nat -A PREROUTING -m comment --comment check -m mark --mark 1 -m addrtype --dst-type LOCAL -j MARK --set-mark 2"},
	{"the iptables matches statistic and conntrack (modules xt_statistic, xt_conntrack)",
		"iptables -t filter -A FORWARD -m conntrack --ctstate NEW -m statistic --mode random --probability 0.5 -j DROP"},
}

// kernelLacks tries what a node needs of the kernel's network, in a namespace that is
// thrown away, and names what the kernel does not have.
func kernelLacks(programs map[string]string) (lacks []string, err error) {
	err = inNewNetwork(func() {
		for what, link := range map[string]netlink.Link{
			"interfaces of type veth (module veth)":     &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "v0"}, PeerName: "v1"},
			"interfaces of type bridge (module bridge)": &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "b0"}},
		} {
			if err := netlink.LinkAdd(link); err != nil {
				lacks = append(lacks, fmt.Sprintf("%s: %v", what, err))
			}
		}
		for _, rule := range rules {
			name, rest, _ := strings.Cut(rule.command, " ")
			args := strings.Fields(rest)
			if name == "nft" {
				args = []string{rest}
			}
			cmd := exec.Command(programs[name], args...)
			cmd.Env = append(os.Environ(), noLockFile)
			if out, err := cmd.CombinedOutput(); err != nil {
				lacks = append(lacks, fmt.Sprintf("%s: %s", rule.what, firstLine(out)))
			}
		}
	})
	return lacks, err
}

// inNewNetwork runs f in a new network namespace and comes back from it. Leaving it to the
// thread to end would not do: the process's first thread never ends, and where that one is,
// the kernel takes the whole process to be.
func inNewNetwork(f func()) error {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("this thread's network namespace: %w", err)
	}
	defer home.Close()
	ns, err := netns.New()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("make a network namespace: %w", err)
	}
	defer ns.Close()
	f()
	// A thread that is not back stays locked, so that nothing else runs on it.
	if err := netns.Set(home); err != nil {
		return fmt.Errorf("leave the network namespace that was made: %w", err)
	}
	runtime.UnlockOSThread()
	return nil
}

// noLockFile keeps iptables, where it is not the one over nftables, from leaving its lock
// in the machine's /run.
const noLockFile = "XTABLES_LOCKFILE=" + os.DevNull

func firstLine(out []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}
