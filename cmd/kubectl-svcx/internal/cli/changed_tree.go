package cli

import (
	"io/fs"
	"os"
	"path/filepath"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
)

// changedTree is the disk as it would be after a change of some files. It
// answers what building a kustomization asks; what the change does not touch,
// wherever it is, comes from the disk.
type changedTree struct {
	filesys.FileSystem
	files   map[string][]byte // by real path
	folders map[string]bool   // that hold one of files
	removed map[string]bool
}

// withChanges is the disk with what res says written to dir.
func withChanges(disk filesys.FileSystem, dir string, res *generate.WriteResult) *changedTree {
	t := &changedTree{FileSystem: disk, files: map[string][]byte{}, folders: map[string]bool{}, removed: map[string]bool{}}
	root := realPath(dir)
	for name, data := range res.Content {
		path := filepath.Join(root, filepath.FromSlash(name))
		t.files[path] = data
		for d := filepath.Dir(path); d != root && len(d) > len(root); d = filepath.Dir(d) {
			t.folders[d] = true
		}
		t.folders[root] = true
	}
	for _, name := range res.Removed {
		t.removed[filepath.Join(root, filepath.FromSlash(name))] = true
	}
	return t
}

// realPath is path, absolute and without links as far as it exists.
func realPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for at := abs; ; at = filepath.Dir(at) {
		if found, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(found, rest)
		}
		if at == filepath.Dir(at) {
			return abs
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// CleanedAbs is the folder and the file's name; that of a folder is empty.
func (t *changedTree) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	at := realPath(path)
	switch {
	case t.folders[at]:
		return filesys.ConfirmedDir(at), "", nil
	case t.files[at] != nil:
		return filesys.ConfirmedDir(filepath.Dir(at)), filepath.Base(at), nil
	}
	return t.FileSystem.CleanedAbs(path)
}

// Exists says whether a file or folder is there.
func (t *changedTree) Exists(path string) bool {
	at := realPath(path)
	return t.folders[at] || t.files[at] != nil || !t.removed[at] && t.FileSystem.Exists(path)
}

// IsDir says whether a folder is there.
func (t *changedTree) IsDir(path string) bool {
	at := realPath(path)
	return t.folders[at] || t.files[at] == nil && t.FileSystem.IsDir(path)
}

// ReadFile returns a file's content.
func (t *changedTree) ReadFile(path string) ([]byte, error) {
	at := realPath(path)
	if t.removed[at] {
		return nil, &os.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if data, ok := t.files[at]; ok {
		return data, nil
	}
	return t.FileSystem.ReadFile(path)
}
