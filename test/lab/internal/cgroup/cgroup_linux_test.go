package cgroup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	hybrid = `tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
`
	unified = `cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0
`
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestHierarchies(t *testing.T) {
	for name, test := range map[string]struct {
		mounts string
		count  int
		v2     int
	}{
		"hybrid": {hybrid, 6, 1},
		"v1":     {strings.ReplaceAll(hybrid, "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n", ""), 5, 0},
		"v2":     {unified, 1, 1},
		"none":   {"proc /proc proc rw 0 0\n", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "mounts")
			write(t, file, test.mounts)
			hs, err := Hierarchies(file)
			if err != nil {
				t.Fatal(err)
			}
			v2 := 0
			for _, h := range hs {
				if h.V2 {
					v2++
				}
			}
			if len(hs) != test.count || v2 != test.v2 {
				t.Errorf("found %d hierarchies, %d of them v2; want %d and %d: %+v", len(hs), v2, test.count, test.v2, hs)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "cgroup.controllers"), "cpuset cpu io memory pids\n")
	if missing, err := Missing([]Hierarchy{{Mount: dir, V2: true}}); err != nil || len(missing) > 0 {
		t.Errorf("v2 with all controllers lacks %v (%v)", missing, err)
	}
	v1 := []Hierarchy{{Controllers: []string{"cpu", "cpuacct"}}, {Controllers: []string{"memory"}}, {Controllers: []string{"pids"}}}
	missing, err := Missing(v1)
	if err != nil || !slices.Equal(missing, []string{"cpuset"}) {
		t.Errorf("v1 without cpuset lacks %v (%v)", missing, err)
	}
}

func TestCreateDelegatesOnV2(t *testing.T) {
	root := t.TempDir()
	path := []string{"", "svcx-lab", "svcx-lab/x", "svcx-lab/x/worker"}
	for _, p := range path {
		write(t, filepath.Join(root, p, "cgroup.controllers"), "cpu memory\n")
		write(t, filepath.Join(root, p, "cgroup.subtree_control"), "")
	}
	// What the machine hands down already is left as it is.
	write(t, filepath.Join(root, "cgroup.subtree_control"), "cpu memory\n")
	if err := Create([]Hierarchy{{Mount: root, V2: true}}, "/svcx-lab/x/worker"); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control")); err != nil || string(data) != "cpu memory\n" {
		t.Errorf("the machine's controllers are now %q (%v)", data, err)
	}
	for _, p := range path[1:] {
		// The kernel adds what is written; a plain file keeps the last.
		data, err := os.ReadFile(filepath.Join(root, p, "cgroup.subtree_control"))
		if err != nil || string(data) != "+memory" {
			t.Errorf("below %q controllers are %q (%v), want them enabled", p, data, err)
		}
	}
}

func TestCreateFillsCPUSetOnV1(t *testing.T) {
	root := t.TempDir()
	for dir, text := range map[string]string{"": "0-1\n", "svcx-lab": "\n", "svcx-lab/x": "\n"} {
		write(t, filepath.Join(root, dir, "cpuset.cpus"), text)
		write(t, filepath.Join(root, dir, "cpuset.mems"), text)
	}
	if err := Create([]Hierarchy{{Mount: root, Controllers: []string{"cpuset"}}}, "/svcx-lab/x"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, "svcx-lab/x/cpuset.cpus"))
	if err != nil || string(data) != "0-1\n" {
		t.Errorf("cpuset.cpus is %q (%v), want the parent's", data, err)
	}
}

func TestRemove(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"svcx-lab/x/worker/kubepods/pod1", "svcx-lab/y"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	hs := []Hierarchy{{Mount: root}}
	if err := Remove(context.Background(), hs, "/svcx-lab/x"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "svcx-lab/y")); err != nil {
		t.Error("another lab's cgroup was removed")
	}
	if err := Remove(context.Background(), hs, "/svcx-lab/y"); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(root); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
	if err := Remove(context.Background(), hs, "/svcx-lab/y"); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
}

// What a lab enabled in the machine's own cgroup goes when the last lab goes, and what was
// enabled before stays.
func TestRemoveTakesBackWhatWasEnabled(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s DID NOT RUN: it needs root, to set a trusted attribute", t.Name())
	}
	root := t.TempDir()
	control := filepath.Join(root, "cgroup.subtree_control")
	write(t, control, "memory pids\n")
	for _, dir := range []string{"svcx-lab/x", "svcx-lab/y"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := remember(filepath.Join(root, "svcx-lab"), []string{"cpuset"}); err != nil {
		t.Fatal(err)
	}
	hs := []Hierarchy{{Mount: root, V2: true}}
	for _, step := range []struct{ remove, want string }{{"/svcx-lab/x", "memory pids\n"}, {"/svcx-lab/y", "-cpuset"}} {
		if err := Remove(t.Context(), hs, step.remove); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(control); err != nil || string(data) != step.want {
			t.Errorf("after %s was removed, %q (%v) is written; want %q", step.remove, data, err, step.want)
		}
	}
}

// In the kernel's own v2 hierarchy, wherever it is mounted: beside v1 it has fewer
// controllers, and the same rules.
func TestCreateAndRemoveInTheKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s DID NOT RUN: it needs root, to make cgroups", t.Name())
	}
	all, err := Hierarchies("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(h Hierarchy) bool { return h.V2 })
	if i < 0 {
		t.Skipf("%s DID NOT RUN: this machine has cgroup v1 only", t.Name())
	}
	// A cgroup that hands nothing down yet stands for the machine's own, which labs that
	// are up may be using.
	real, base := all[i:i+1], fmt.Sprintf("svcx-lab-test-%d/base", os.Getpid())
	t.Cleanup(func() {
		if err := Remove(context.Background(), real, base); err != nil {
			t.Error(err)
		}
	})
	if err := Create(real, base); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(real[0].Mount, base, "machine")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	controllers := func(path ...string) []string {
		data, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(data))
	}
	has := controllers("cgroup.controllers")
	if len(has) == 0 {
		t.Skipf("%s DID NOT RUN: every controller of this machine is on cgroup v1", t.Name())
	}
	machine := []Hierarchy{{Mount: root, V2: true}}
	for _, node := range []string{"/svcx-lab/x/worker", "/svcx-lab/y/worker"} {
		if err := Create(machine, node); err != nil {
			t.Fatal(err)
		}
		if got := controllers(node, subtreeControl); !slices.Equal(got, has) {
			t.Errorf("%s hands down %v; the machine has %v", node, got, has)
		}
	}
	for _, step := range []struct {
		remove string
		left   []string
	}{{"/svcx-lab/x", has}, {"/svcx-lab/y", nil}} {
		if err := Remove(t.Context(), machine, step.remove); err != nil {
			t.Fatal(err)
		}
		if got := controllers(subtreeControl); !slices.Equal(got, step.left) {
			t.Errorf("after %s was removed, the machine hands down %v; want %v", step.remove, got, step.left)
		}
	}
}

func TestRemoveSaysWhatIsBusy(t *testing.T) {
	root := t.TempDir()
	// A file cannot be removed as a directory's entry: it stands for a process.
	write(t, filepath.Join(root, "svcx-lab/x/busy"), "")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := Remove(ctx, []Hierarchy{{Mount: root}}, "/svcx-lab/x")
	if err == nil || !strings.Contains(err.Error(), "svcx-lab/x is still in use") {
		t.Errorf("error is %v", err)
	}
}
