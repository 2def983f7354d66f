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

// workingDirs is our own working directory, and so most likely that of the shell
// that started us; others cannot be seen here. An empty one could not be told.
func workingDirs() []string { return []string{workingDir()} }
