//go:build linux || darwin

package generate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// workingDir is the working directory, without links; empty when it cannot be told.
func workingDir() string {
	at, err := os.Getwd()
	if err != nil {
		return ""
	}
	if at, err = filepath.EvalSymlinks(at); err != nil {
		return ""
	}
	return at
}

// tryLock takes a lock that ends with the file's last descriptor, so with the
// process too; false when another has it. File systems without locks let all in.
func tryLock(f *os.File) bool {
	return !errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// maxOpenFiles is how many files this process may have open; 0 when it is not known.
func maxOpenFiles() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return limit.Cur
}

// ordinary tells whether a folder can be replaced by one that is made like made:
// this user may write in it and owns what a new one would be owned by, nothing is
// mounted on it, and it carries no access control list or other attribute.
func ordinary(name string, info fs.FileInfo, made *os.File) bool {
	like, err := made.Stat()
	if err != nil {
		return false
	}
	is, ok1 := info.Sys().(*syscall.Stat_t)
	new, ok2 := like.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || is.Dev != new.Dev || is.Uid != new.Uid || is.Gid != new.Gid {
		return false
	}
	if info.Mode().Perm()&0o300 != 0o300 || unix.Faccessat(unix.AT_FDCWD, name, unix.W_OK, unix.AT_EACCESS) != nil {
		return false
	}
	names := make([]byte, 1024)
	n, err := unix.Llistxattr(name, names)
	if err != nil {
		return errors.Is(err, unix.ENOTSUP)
	}
	for _, attribute := range strings.Split(string(names[:n]), "\x00") {
		// The system labels a new directory by itself.
		if attribute != "" && !strings.HasPrefix(attribute, "security.") && !strings.HasPrefix(attribute, "com.apple.") {
			return false
		}
	}
	return true
}
