package generate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain says which tests could not run here, and why, also when go test is
// not asked for every test's name.
func TestMain(m *testing.M) {
	code := m.Run()
	if len(notRun) > 0 {
		fmt.Fprintf(os.Stderr, "%d tests of pkg/generate did not run:\n", len(notRun))
		for _, line := range notRun {
			fmt.Fprintln(os.Stderr, "  "+line)
		}
	}
	os.Exit(code)
}

var notRun []string

// tmpfs mounts a file system on a new directory for the time of the test.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		notRun = append(notRun, fmt.Sprintf("%s: cannot mount a tmpfs: %v", t.Name(), err))
		t.Skipf("cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Whatever little room is left, a full disk leaves the old tree, or none, and no
// temporary file.
func TestFullDisk(t *testing.T) {
	changed := redisApp()
	changed.Metadata.Namespace = "shop"
	changed.Spec.Workload.Replicas = int32p(3)
	changed.Spec.Service.ExternalName = "" // a file to remove as well
	for _, existing := range []bool{false, true} {
		t.Run(fmt.Sprintf("existing=%v", existing), func(t *testing.T) {
			root := tmpfs(t, "size=4m")
			dir := filepath.Join(root, "a", "redis")
			var before map[string]string
			ballast := func(free int64) {
				var s syscall.Statfs_t
				if err := syscall.Statfs(root, &s); err != nil {
					t.Fatal(err)
				}
				put(t, root, "ballast", strings.Repeat("x", max(0, int(int64(s.Bavail)*s.Bsize-free*s.Bsize))))
			}
			if existing {
				mustWrite(t, dir, redisApp())
			}
			failed := 0
			for pages := int64(0); ; pages++ {
				if err := os.RemoveAll(filepath.Join(root, "ballast")); err != nil {
					t.Fatal(err)
				}
				ballast(pages)
				before = readTree(t, root)
				_, err := Write(t.Context(), dir, changed, WriteOptions{})
				if err == nil {
					break
				}
				failed++
				if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), "nothing was changed") {
					t.Fatalf("error is %v", err)
				}
				wantTree(t, root, before)
			}
			if failed < 5 {
				t.Errorf("failed only %d times before there was room", failed)
			}
			tree := readTree(t, dir)
			for _, f := range mustFiles(t, changed) {
				if tree[f.Path] != string(f.Data) {
					t.Errorf("%s is not the new one", f.Path)
				}
			}
		})
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	root := tmpfs(t, "size=4m")
	dir := filepath.Join(root, "redis")
	mustWrite(t, dir, redisApp())
	before := readTree(t, root)
	if err := syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"a tree": dir, "a new one": filepath.Join(root, "other", "redis")} {
		app := redisApp()
		app.Spec.Workload.Replicas = int32p(3)
		_, err := write(t, target, app, WriteOptions{})
		if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "read-only file system; nothing was changed") || !strings.Contains(err.Error(), root) {
			t.Errorf("%s: error is %v", name, err)
		}
		wantTree(t, root, before)
	}
	// To find that nothing is to be done takes no right to write.
	if _, err := write(t, dir, redisApp(), WriteOptions{}); err != nil {
		t.Error(err)
	}
}

// A folder in the tree that may not be written fails before anything changes, as
// the first does. Root may write everywhere, so the test gives that right up.
func TestFolderWithoutPermission(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "redis")
	mustWrite(t, dir, redisApp())
	locked := filepath.Join(dir, "overlays", "nodeport")
	if err := os.Chmod(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(locked, 0o755); err != nil {
			t.Error(err)
		}
	})
	before := readTree(t, dir)
	app := redisApp()
	app.Metadata.Namespace = "shop"
	asNobody(t, dir, func() {
		_, err := write(t, dir, app, WriteOptions{})
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("error is %v", err)
		}
	})
	wantTree(t, dir, before)
}
