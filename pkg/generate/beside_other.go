//go:build !linux && !darwin

package generate

import (
	"errors"
	"io/fs"
	"os"
)

// No way is known to exchange two directories in one step.
const canExchange = false

func exchange(*os.File, string, string) error { return errors.ErrUnsupported }

func workingDirs() []string { return nil }

func tryLock(*os.File) bool { return true }

func maxOpenFiles() uint64 { return 0 }

func ordinary(string, fs.FileInfo, *os.File) bool { return false }
