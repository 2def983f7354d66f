package generate

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const canExchange = true

// exchange gives each of two directories in a folder the other's name, in one step.
func exchange(around *os.File, x, y string) error {
	return unix.RenamexNp(filepath.Join(around.Name(), x), filepath.Join(around.Name(), y), unix.RENAME_SWAP)
}

// stoodIn tells whether this process has its working directory in the tree, and
// with it most likely the shell that started it: it would find itself in a
// directory that is no more. Others cannot be seen here.
func stoodIn(dir string) bool { return within(dir) }
