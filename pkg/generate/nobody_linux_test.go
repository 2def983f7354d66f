package generate

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs f on a thread that has no more rights over dir than its owner,
// when the test runs as root, whom no permission stops.
func asNobody(t *testing.T, dir string, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
	for up := filepath.Dir(dir); up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	// setfsuid returns the user before, also where it changes nothing.
	if before, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0); before != 0 {
		t.Fatalf("this thread was user %d, not root", before)
	}
	defer func() {
		if before, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0); before != nobody {
			t.Errorf("this thread was user %d, not %d", before, nobody)
			return // locked, so that nothing else runs on it
		}
		runtime.UnlockOSThread()
	}()
	f()
}
