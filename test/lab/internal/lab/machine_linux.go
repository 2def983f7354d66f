// Package lab brings a whole lab up and down: it checks the machine, makes the hosts,
// starts their components in the right order and waits until the cluster works.
package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/cgroup"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/components"
)

// CannotRunError says that no lab can run on this machine as it is, and what would
// change that.
type CannotRunError struct {
	Reasons []string
	Next    string
	// OnlyPackages: nothing stands in the way but packages that can be installed.
	OnlyPackages bool
}

func (e *CannotRunError) Error() string {
	text := "the lab cannot run on this machine: " + strings.Join(e.Reasons, "; ")
	if e.Next != "" {
		text += "\n" + e.Next
	}
	return text
}

// Programs of Debian's packages that a lab runs, and the package of each.
var programs = []struct{ name, pkg string }{
	{"containerd", "containerd"},
	{"runc", "runc"},
	{"iptables", "iptables"},
	{"ip6tables", "iptables"},
	{"nft", "nftables"},
	// The same program as redis-server, in the package that brings no service.
	{"redis-check-rdb", "redis-tools"},
	{"redis-cli", "redis-tools"},
	{"nsenter", "util-linux"},
	{"mount", "mount"},
}

var plugins = []string{"ptp", "portmap", "loopback", "host-local"}

// Machine is what a lab needs to know of the machine.
type Machine struct {
	Programs    map[string]string // name → path
	Hierarchies []cgroup.Hierarchy
	IPv6        bool
	WhyNoIPv6   string
	Missing     []string // Debian packages
}

// missingPackages lists Debian packages whose programs are not there.
func missingPackages(look func(string) (string, error), pluginsDir string) (paths map[string]string, missing []string) {
	paths = map[string]string{}
	seen := map[string]bool{}
	add := func(pkg string) {
		if !seen[pkg] {
			seen[pkg] = true
			missing = append(missing, pkg)
		}
	}
	for _, p := range programs {
		path, err := look(p.name)
		if err != nil {
			add(p.pkg)
			continue
		}
		paths[p.name] = path
	}
	for _, name := range plugins {
		if _, err := os.Stat(filepath.Join(pluginsDir, name)); err != nil {
			add("containernetworking-plugins")
		}
	}
	return paths, missing
}

// CheckRoot fails with a *CannotRunError for anyone but root.
func CheckRoot() error {
	if os.Geteuid() != 0 {
		return &CannotRunError{Reasons: []string{"it needs root, for namespaces, mounts and cgroups"}, Next: "run it with sudo"}
	}
	return nil
}

// Examine checks that a lab can run on this machine; if it cannot, the error is a
// *CannotRunError, beside which the machine may name the packages that are missing. It
// changes nothing.
func Examine() (*Machine, error) {
	m := &Machine{}
	if err := CheckRoot(); err != nil {
		return nil, err
	}
	var reasons []string
	next, installable := "", false
	paths, missing := missingPackages(lookPath, components.PluginsSource)
	m.Programs, m.Missing = paths, missing
	if len(missing) > 0 {
		reason := "these packages are missing: " + strings.Join(missing, " ")
		next = "install them: " + InstallCommand(missing)
		if _, err := exec.LookPath("apt-get"); err != nil {
			reason += " (" + noAPT + ")"
			next = "it needs Debian or Ubuntu; elsewhere, use a cluster of your own: SVCX_E2E_CONTEXT=NAME make test, or CONTEXT=NAME make demo"
		} else {
			installable = true
		}
		reasons = append(reasons, reason)
	}
	hs, err := cgroup.Hierarchies("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	m.Hierarchies = hs
	without, err := cgroup.Missing(hs)
	if err != nil {
		return nil, err
	}
	if len(without) > 0 {
		reasons = append(reasons, "no cgroup controller "+strings.Join(without, ", "))
	}
	if err := canIsolate(); err != nil {
		reasons = append(reasons, "namespaces cannot be made here ("+err.Error()+"): is this an unprivileged container?")
	} else if len(missing) == 0 {
		lacks, err := kernelLacks(paths)
		if err != nil {
			return nil, err
		}
		if len(lacks) > 0 {
			reasons = append(reasons, "the kernel has no "+strings.Join(lacks, "; no "))
			next = "load the modules, or boot a kernel that has them; what the kernel says of it: dmesg"
		}
	}
	if len(reasons) > 0 {
		return m, &CannotRunError{Reasons: reasons, Next: next, OnlyPackages: installable && len(reasons) == 1}
	}
	m.IPv6, m.WhyNoIPv6 = hasIPv6()
	return m, nil
}

// lookPath also looks where Debian puts programs for root.
func lookPath(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// canIsolate makes the namespaces of a host once, for a program that ends at once.
func canIsolate() error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: hostNamespaces}
	return cmd.Run()
}

// watchers is about how many inotify instances the components of one lab take; counted
// 27.
const watchers = 30

// checkWatchers fails when the kernel has too few inotify instances left for a lab: the
// kubelet of a second node would keep ending with "too many open files". The limit is
// the machine's, so it is left to its owner to raise it.
func checkWatchers() error {
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for range watchers {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if errors.Is(err, unix.EMFILE) {
			return &CannotRunError{
				Reasons: []string{fmt.Sprintf("a lab needs %d inotify instances, and root has %d left", watchers, len(fds))},
				Next:    "take another lab down, or raise the limit: sysctl fs.inotify.max_user_instances=512",
			}
		}
		if err != nil {
			return fmt.Errorf("inotify: %w", err)
		}
		fds = append(fds, fd)
	}
	return nil
}

// hasIPv6 says whether Pods and Services can have IPv6 addresses too, and if not, why.
func hasIPv6() (bool, string) {
	if _, err := os.Stat("/proc/net/if_inet6"); errors.Is(err, fs.ErrNotExist) {
		return false, "the kernel has no IPv6"
	}
	if data, err := os.ReadFile("/proc/sys/net/ipv6/conf/default/disable_ipv6"); err == nil && strings.TrimSpace(string(data)) == "1" {
		return false, "IPv6 is disabled by sysctl net.ipv6.conf.default.disable_ipv6"
	}
	// Without NAT the service proxy cannot serve IPv6 Services.
	cmd := exec.Command("/bin/sh", "-c", "ip6tables -t nat -L -n")
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", noLockFile}
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: hostNamespaces}
	if out, err := cmd.CombinedOutput(); err != nil {
		return false, "IPv6 NAT does not work: " + strings.TrimSpace(string(out))
	}
	return true, ""
}

// snapshotter avoids an overlay on an overlay, which the kernel refuses.
func snapshotter(dir string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil && st.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native"
	}
	return "overlayfs"
}

func fileExists(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}
