package tree

import (
	"os"
	"path/filepath"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// OnDisk is the disk, written so that a file has its old content or its new one
// whenever the writing ends: on a full disk, or by a kill.
func OnDisk() filesys.FileSystem { return disk{filesys.MakeFsOnDisk()} }

type disk struct{ filesys.FileSystem }

// WriteFile puts new content in the place of a file, or makes one.
func (d disk) WriteFile(path string, data []byte) error {
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return d.FileSystem.WriteFile(path, data)
	}
	if err != nil {
		return err
	}
	return Replace(path, data, info.Mode())
}

// Replace puts new content in the place of a file, or leaves it as it is. A link
// stays one: what it leads to is replaced.
func Replace(path string, data []byte, mode os.FileMode) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	next := path + ".svcx-new"
	if err = writeSynced(next, data, mode.Perm()); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		_ = os.Remove(next)
	}
	return err
}

// writeSynced writes a file whose content is on the disk before it gets its name.
func writeSynced(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if err = f.Chmod(mode); err == nil { // the umask has taken some of it away
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
