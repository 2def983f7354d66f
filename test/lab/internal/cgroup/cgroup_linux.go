// Package cgroup makes and removes a lab's cgroups, on cgroup v1, hybrid and v2.
package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Hierarchy is one mounted cgroup hierarchy.
type Hierarchy struct {
	Mount       string
	V2          bool
	Controllers []string // of v1, as its mount options name them
}

// Hierarchies reads the mounted hierarchies from a file in the format of
// /proc/self/mounts.
func Hierarchies(mounts string) ([]Hierarchy, error) {
	f, err := os.Open(mounts)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []Hierarchy
	seen := map[string]bool{}
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		// Containers bind hierarchies elsewhere too.
		if len(fields) < 4 || seen[fields[1]] || !strings.HasPrefix(fields[1], "/sys/fs/cgroup") {
			continue
		}
		switch fields[2] {
		case "cgroup2":
			out = append(out, Hierarchy{Mount: fields[1], V2: true})
		case "cgroup":
			out = append(out, Hierarchy{Mount: fields[1], Controllers: controllers(fields[3])})
		default:
			continue
		}
		seen[fields[1]] = true
	}
	return out, scanner.Err()
}

func controllers(options string) []string {
	var out []string
	for _, o := range strings.Split(options, ",") {
		switch o {
		case "rw", "ro", "relatime", "nosuid", "nodev", "noexec", "xattr", "clone_children":
		default:
			out = append(out, o)
		}
	}
	return out
}

// Missing names the controllers that the kubelet cannot do without and that no hierarchy
// offers.
func Missing(hs []Hierarchy) ([]string, error) {
	have := map[string]bool{}
	for _, h := range hs {
		if !h.V2 {
			for _, c := range h.Controllers {
				have[c] = true
			}
			continue
		}
		data, err := os.ReadFile(filepath.Join(h.Mount, "cgroup.controllers"))
		if err != nil {
			return nil, err
		}
		for _, c := range strings.Fields(string(data)) {
			have[c] = true
			if c == "cpu" {
				have["cpuacct"] = true // v2 accounts by itself
			}
		}
	}
	var missing []string
	for _, c := range needed {
		if !have[c] {
			missing = append(missing, c)
		}
	}
	return missing, nil
}

// Create makes a cgroup in every hierarchy, and on v2 hands its controllers down to it.
func Create(hs []Hierarchy, path string) error {
	for _, h := range hs {
		create := createV1
		if h.V2 {
			create = createV2
		}
		if err := create(h.Mount, strings.Split(strings.Trim(path, "/"), "/")); err != nil {
			return fmt.Errorf("cgroup %s: %w", path, err)
		}
	}
	return nil
}

func createV1(dir string, parts []string) error {
	for _, part := range parts {
		dir = filepath.Join(dir, part)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := inheritCPUs(dir); err != nil {
			return err
		}
	}
	return nil
}

// createV2 remembers which controllers were not handed down by the machine before, so
// that Remove can take them back.
func createV2(dir string, parts []string) error {
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	for i, part := range parts {
		enabled, err := delegate(dir)
		if err != nil {
			return err
		}
		dir = filepath.Join(dir, part)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if i == 0 {
			if err := remember(dir, enabled); err != nil {
				return err
			}
		}
	}
	_, err = delegate(dir)
	return err
}

// needed are the controllers that the kubelet cannot do without; v2 counts CPU time by
// itself and has no cpuacct.
var needed = []string{"cpu", "cpuacct", "cpuset", "memory", "pids"}

// delegate enables, below a v2 cgroup, every controller that it has, and returns those
// that were not enabled before. One that nobody needs may refuse.
func delegate(dir string) ([]string, error) {
	has, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	control := filepath.Join(dir, subtreeControl)
	before, err := os.ReadFile(control)
	if err != nil {
		return nil, err
	}
	var enabled []string
	for _, c := range strings.Fields(string(has)) {
		if slices.Contains(strings.Fields(string(before)), c) {
			continue
		}
		err := os.WriteFile(control, []byte("+"+c), 0o644)
		if err == nil {
			enabled = append(enabled, c)
		} else if slices.Contains(needed, c) {
			return nil, fmt.Errorf("enable controller %s below %s: %w "+
				"(processes in that cgroup itself prevent it: move them into a cgroup of their own)", c, dir, err)
		}
	}
	return enabled, nil
}

const subtreeControl = "cgroup.subtree_control"

// enabledAttr is an attribute of the cgroup that all labs share. It names the controllers
// that a lab enabled in the machine's own cgroup above it, and it goes with that cgroup,
// so it cannot be stale.
const enabledAttr = "trusted.svcx-lab.enabled"

func remember(dir string, enabled []string) error {
	if len(enabled) == 0 {
		return nil
	}
	list := strings.Join(append(remembered(dir), enabled...), " ")
	if err := unix.Setxattr(dir, enabledAttr, []byte(list), 0); err != nil {
		return fmt.Errorf("note the controllers that were enabled above %s: %w", dir, err)
	}
	return nil
}

func remembered(dir string) []string {
	list := make([]byte, 1024)
	n, err := unix.Getxattr(dir, enabledAttr, list)
	if err != nil {
		return nil
	}
	return strings.Fields(string(list[:n]))
}

// lock keeps two labs from making and removing what they share at the same moment.
func lock(dir string) (unlock func(), err error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { unix.Close(fd) }, nil
}

// inheritCPUs fills a new v1 cpuset, which starts empty and then accepts no process.
func inheritCPUs(dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another controller's hierarchy
		}
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(own)) != "" {
			continue
		}
		parent, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), parent, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes a cgroup and all below it from every hierarchy, and its parent when that
// is then empty. A cgroup stays busy for a moment after its last process was killed, so
// Remove tries until ctx ends.
func Remove(ctx context.Context, hs []Hierarchy, path string) error {
	for _, h := range hs {
		dir := filepath.Join(h.Mount, path)
		for {
			err := removeTree(dir)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("cgroup %s is still in use: %w", dir, err)
			case <-time.After(20 * time.Millisecond):
			}
		}
		if err := removeShared(h.Mount, filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// removeShared removes the cgroup that labs share when no lab is left in it, and takes
// back the controllers that they enabled for it.
func removeShared(mount, dir string) error {
	unlock, err := lock(mount)
	if err != nil {
		return err
	}
	defer unlock()
	enabled := remembered(dir)
	if os.Remove(dir) != nil {
		return nil // there is another lab, or was none
	}
	for _, c := range enabled {
		// The kernel refuses where somebody else has come to use it, and rightly.
		_ = os.WriteFile(filepath.Join(filepath.Dir(dir), subtreeControl), []byte("-"+c), 0o644)
	}
	return nil
}

func removeTree(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	sort.Sort(sort.Reverse(sort.StringSlice(dirs)))
	for _, d := range dirs {
		if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// MemoryInUse returns the bytes that the processes of a cgroup and those below it use.
func MemoryInUse(hs []Hierarchy, path string) (int64, bool) {
	for _, h := range hs {
		file := "memory.usage_in_bytes"
		if h.V2 {
			file = "memory.current"
		}
		data, err := os.ReadFile(filepath.Join(h.Mount, path, file))
		if err != nil {
			continue
		}
		var n int64
		if _, err := fmt.Sscan(string(data), &n); err == nil {
			return n, true
		}
	}
	return 0, false
}
