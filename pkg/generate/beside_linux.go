package generate

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const canExchange = true

// exchange gives each of two directories in a folder the other's name, in one step.
func exchange(around *os.File, x, y string) error {
	fd := int(around.Fd())
	return unix.Renameat2(fd, x, fd, y, unix.RENAME_EXCHANGE)
}

// stoodIn tells whether a process that can be seen has its working directory in
// the tree: it would find itself in a directory that is no more.
func stoodIn(dir string) bool {
	if within(dir) {
		return true
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return false // none can be seen
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		if at, err := os.Readlink("/proc/" + name + "/cwd"); err == nil && (at == dir || strings.HasPrefix(at, dir+"/")) {
			return true
		}
	}
	return false
}
