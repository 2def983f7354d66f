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

// look records the machine. Other labs may be up and go on working; what belongs to
// them is left out.
func look(t *testing.T, labs ...string) traces {
	t.Helper()
	out := traces{
		"process":  processes(t, labs),
		"mount":    lines(t, "/proc/self/mountinfo"),
		"link":     nil,
		"address":  nil,
		"route":    nil,
		"cgroup":   cgroups(t, labs),
		"file":     files(t, labs),
		"sysctl":   sysctls(t),
		"firewall": lines(t, "/proc/net/ip_tables_names"),
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
		if foreign(l.Attrs().Name, labs) {
			continue
		}
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
		if !foreign(names[r.LinkIndex], labs) {
			out["route"] = append(out["route"], fmt.Sprintf("%v via %v dev %s table %d", r.Dst, r.Gw, names[r.LinkIndex], r.Table))
		}
	}
	for _, list := range out {
		sort.Strings(list)
	}
	return out
}

// foreign says that an interface belongs to a lab that is not under test.
func foreign(link string, labs []string) bool {
	name, ok := strings.CutPrefix(link, "sx-")
	return ok && !slices.Contains(labs, name)
}

// added are the lines that were not there before.
func (after traces) added(before traces) []string {
	var out []string
	for kind, list := range after {
		for _, line := range list {
			if !slices.Contains(before[kind], line) {
				out = append(out, kind+": "+line)
			}
		}
	}
	sort.Strings(out)
	return out
}

// processes are those in a host of one of the labs, and those in a network or process
// namespace that is not the machine's and in no other lab's host.
func processes(t *testing.T, labs []string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	type process struct {
		parent  int
		command string
		foreign bool // in namespaces of its own
	}
	all := map[int]process{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // ended meanwhile
		}
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		p := process{command: string(bytes.ReplaceAll(command, []byte{0}, []byte{' '}))}
		after := stat[bytes.LastIndexByte(stat, ')')+1:]
		var state string
		if _, err := fmt.Sscan(string(after), &state, &p.parent); err != nil {
			t.Fatal(err)
		}
		for _, ns := range []string{"net", "pid", "mnt"} {
			own, _ := os.Readlink("/proc/self/ns/" + ns)
			its, err := os.Readlink(filepath.Join(dir, "ns", ns))
			if err == nil && its != own {
				p.foreign = true
			}
		}
		if state == "Z" {
			p.foreign = false // ended; whoever inherited it will notice
		}
		all[pid] = p
	}
	var out []string
	for pid, p := range all {
		lab := ""
		for at := pid; at > 1; at = all[at].parent {
			if _, rest, ok := strings.Cut(all[at].command, "run host --config=/run/svcx-lab/"); ok {
				lab, _, _ = strings.Cut(rest, "/")
			}
		}
		if slices.Contains(labs, lab) || lab == "" && p.foreign {
			out = append(out, fmt.Sprintf("%d %.100s", pid, p.command))
		}
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

// files lists where Kubernetes, containerd, CNI and the lab itself like to write.
func files(t *testing.T, labs []string) []string {
	t.Helper()
	var out []string
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	roots := []string{"/etc", "/run", "/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd",
		"/var/lib/redis", "/var/log", "/var/run/netns", "/usr/libexec/kubernetes", filepath.Join(home, ".kube/config")}
	for _, lab := range labs {
		roots = append(roots, "/var/lib/svcx-lab/"+lab)
	}
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if filepath.Dir(path) == "/run/svcx-lab" && !slices.Contains(labs, d.Name()) {
				return fs.SkipDir
			}
			if path == "/run/svcx-lab" {
				return nil // stays while another lab is up
			}
			line := path
			if info, err := d.Info(); err == nil && !d.IsDir() && (strings.HasPrefix(path, "/etc/") || root == path) {
				line = fmt.Sprintf("%s %d %s", path, info.Size(), info.ModTime())
			}
			out = append(out, line)
			return nil
		})
	}
	return out
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
