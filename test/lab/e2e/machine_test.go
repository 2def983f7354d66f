//go:build lab

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// traces is everything on the machine that a lab could leave behind, as lines of text by
// kind.
type traces map[string][]string

// look records the tests' own machine. Of the cgroups, which are the real machine's,
// those of the labs under test count.
func look(t *testing.T, labs ...string) traces {
	t.Helper()
	out := traces{
		"process":  processes(t),
		"mount":    lines(t, "/proc/self/mountinfo"),
		"link":     nil,
		"address":  nil,
		"route":    nil,
		"cgroup":   cgroups(t, labs),
		"file":     files(),
		"sysctl":   sysctls(t),
		"firewall": firewall(t),
	}
	if list, ok := controllers(t, labs); ok {
		out["controller"] = list
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
		out["link"] = append(out["link"], l.Attrs().Name)
		addrs, err := netlink.AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			out["address"] = append(out["address"], l.Attrs().Name+" "+a.IPNet.String())
		}
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: 0}, netlink.RT_FILTER_TABLE)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		out["route"] = append(out["route"], fmt.Sprintf("%v via %v dev %s table %d", r.Dst, r.Gw, names[r.LinkIndex], r.Table))
	}
	for _, list := range out {
		sort.Strings(list)
	}
	return out
}

// added are the lines that were not there before, of the kinds that were looked at before.
func (after traces) added(before traces) []string {
	var out []string
	for kind, list := range after {
		if _, ok := before[kind]; !ok {
			continue
		}
		for _, line := range list {
			if !slices.Contains(before[kind], line) {
				out = append(out, kind+": "+line)
			}
		}
	}
	sort.Strings(out)
	return out
}

// processes are all but the tests themselves and their init.
func processes(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == 1 || pid == os.Getpid() {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // ended meanwhile
		}
		if state := stat[bytes.LastIndexByte(stat, ')')+1:]; bytes.HasPrefix(state, []byte(" Z")) {
			continue // ended; init will notice
		}
		command, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		out = append(out, fmt.Sprintf("%d %.100s", pid, bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
	}
	return out
}

func cgroups(t *testing.T, labs []string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // removed meanwhile
		}
		if d.IsDir() && filepath.Base(filepath.Dir(path)) == "svcx-lab" && !slices.Contains(labs, d.Name()) {
			return fs.SkipDir
		}
		if d.IsDir() && (strings.Contains(path, "svcx-lab") || strings.Contains(path, "kubepods")) && filepath.Base(path) != "svcx-lab" {
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// controllers are those that the machine hands down to its cgroups, on cgroup v2. While
// a lab that is not under test is up, they are that lab's business too.
func controllers(t *testing.T, labs []string) (list []string, ok bool) {
	t.Helper()
	others, err := os.ReadDir("/sys/fs/cgroup/svcx-lab")
	for _, other := range others {
		if other.IsDir() && !slices.Contains(labs, other.Name()) {
			return nil, false
		}
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	data, err := os.ReadFile("/sys/fs/cgroup/cgroup.subtree_control")
	if os.IsNotExist(err) {
		return nil, false // v1
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data)), true
}

// files lists where Kubernetes, containerd, CNI and the lab itself like to write; changes
// to /etc and its like are in /run.
func files() []string {
	var out []string
	for _, root := range []string{"/run", "/var/lib", "/usr/libexec/kubernetes"} {
		_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				out = append(out, path)
			}
			return nil
		})
	}
	return out
}

// firewall is what netfilter holds, by either of its interfaces.
func firewall(t *testing.T) []string {
	t.Helper()
	rules, err := command(t.Context(), "nft", "list", "ruleset")
	if err != nil {
		t.Fatal(err)
	}
	out := lines(t, "/proc/net/ip_tables_names")
	return append(out, strings.Split(strings.TrimSpace(rules), "\n")...)
}

// sysctls are the machine-wide settings that Kubernetes likes to change.
func sysctls(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, key := range []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/hostname",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding",
		"net/ipv4/conf/all/route_localnet", "net/ipv4/conf/all/rp_filter", "net/netfilter/nf_conntrack_max",
		"net/ipv4/conf/all/send_redirects", "net/ipv4/icmp_ratelimit", "net/bridge/bridge-nf-call-iptables",
	} {
		if data, err := os.ReadFile(filepath.Join("/proc/sys", key)); err == nil {
			out = append(out, key+" = "+strings.TrimSpace(string(data)))
		}
	}
	return out
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}
