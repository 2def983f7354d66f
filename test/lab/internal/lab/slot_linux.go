package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
)

// lock takes an exclusive lock on a directory, which it makes if needed. Locking the
// directory itself leaves no lock file behind.
func lock(dir string) (unlock func(), err error) {
	for {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		// Who held the lock before may have removed the directory.
		var held, now unix.Stat_t
		if unix.Fstat(fd, &held) == nil && unix.Stat(dir, &now) == nil && held.Ino == now.Ino && held.Dev == now.Dev {
			return sync.OnceFunc(func() { unix.Close(fd) }), nil
		}
		unix.Close(fd)
	}
}

func recordPath(lab layout.Lab) string { return filepath.Join(lab.RunDir(), "lab.json") }

// Load reads the record of a lab that is up, or was when it was killed.
func Load(name string) (layout.Lab, error) {
	lab := layout.Lab{Name: name}
	data, err := os.ReadFile(recordPath(lab))
	if errors.Is(err, fs.ErrNotExist) {
		return lab, &NotUpError{Name: name}
	}
	if err != nil {
		return lab, err
	}
	if err := json.Unmarshal(data, &lab); err != nil {
		return lab, fmt.Errorf("%s: %w", recordPath(lab), err)
	}
	lab.Name = name
	return lab, nil
}

// NotUpError says that no lab of this name is up.
type NotUpError struct{ Name string }

func (e *NotUpError) Error() string {
	up := "svcx-lab up"
	if e.Name != layout.DefaultName {
		up += " --name " + e.Name
	}
	return fmt.Sprintf("lab %q is not up; start it with: %s", e.Name, up)
}

// claimSlot gives a lab the first addresses that neither another lab nor the machine
// uses, and records them.
func claimSlot(lab layout.Lab) (layout.Lab, error) {
	unlock, err := lock(layout.RunRoot)
	if err != nil {
		return lab, err
	}
	defer unlock()
	taken, err := claimedSlots(lab.Name)
	if err != nil {
		return lab, err
	}
	used, err := machineNetworks()
	if err != nil {
		return lab, err
	}
	slot, ok := freeSlot(taken, used)
	if !ok {
		return lab, fmt.Errorf("no free network among 10.89.0.0/24 to 10.89.%d.0/24: the machine or other labs use them all", layout.Slots-1)
	}
	lab.Slot = slot
	data, err := json.Marshal(lab)
	if err != nil {
		return lab, err
	}
	if err := os.MkdirAll(lab.RunDir(), 0o755); err != nil {
		return lab, err
	}
	return lab, os.WriteFile(recordPath(lab), data, 0o644)
}

func claimedSlots(except string) (map[int]bool, error) {
	entries, err := os.ReadDir(layout.RunRoot)
	if err != nil {
		return nil, err
	}
	taken := map[int]bool{}
	for _, e := range entries {
		if e.Name() == except {
			continue
		}
		if other, err := Load(e.Name()); err == nil {
			taken[other.Slot] = true
		}
	}
	return taken, nil
}

// machineNetworks are the networks that the machine has an address in or a route to.
func machineNetworks() ([]netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var out []netip.Prefix
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		addr, ok := netip.AddrFromSlice(r.Dst.IP)
		ones, _ := r.Dst.Mask.Size()
		if ok && ones > 0 { // not the default route
			out = append(out, netip.PrefixFrom(addr.Unmap(), ones))
		}
	}
	return out, nil
}

// freeSlot prefers addresses that no route covers; a route to a much wider network (a
// VPN's, say) is better than no lab, since the lab's own is more specific.
func freeSlot(taken map[int]bool, used []netip.Prefix) (int, bool) {
	for _, widest := range []int{0, 16} {
		for slot := range layout.Slots {
			if !taken[slot] && !overlaps(layout.Lab{Slot: slot}, used, widest) {
				return slot, true
			}
		}
	}
	return 0, false
}

// overlaps leaves out routes that are wider than a number of bits.
func overlaps(lab layout.Lab, used []netip.Prefix, widest int) bool {
	for _, p := range used {
		if p.Addr().Is4() && p.Bits() < widest {
			continue
		}
		if p.Overlaps(lab.NodeNet4()) || p.Addr().Is6() && p.Bits() > 8 && p.Overlaps(lab.NodeNet6()) {
			return true
		}
	}
	return false
}
