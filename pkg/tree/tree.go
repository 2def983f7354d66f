// Package tree finds where in a kustomize tree a field of a built object is
// said, and changes it there.
//
// It does not guess: a change counts only when the tree, built again, holds the
// object as it was wanted and every other object as it was.
package tree

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
)

// Ref names an object of the tree. Namespace may be empty on either side.
type Ref struct{ Kind, Namespace, Name string }

// String returns Kind/name.
func (r Ref) String() string { return r.Kind + "/" + r.Name }

// Place is a line of a file; the path is spelled as the tree's folder was.
type Place struct {
	File string
	Line int // from 1
}

// Edit is one file's change.
type Edit struct {
	Place        // the first line that changes, as numbered before
	Diff  string // the changed lines only, each led by "-" or "+"
}

// Tree is a kustomization that can be built, with the changes made so far.
// Nothing reaches the disk before Write.
type Tree struct {
	dir  string
	fs   *edited
	objs []*unstructured.Unstructured
}

// UnlocatedError says why a change has no place in the tree.
type UnlocatedError struct {
	Dir    string
	Object Ref
	Reason string
	// Said is true when the tree says so already: applying it is what is missing.
	Said bool
}

// Error names the object and the tree.
func (e *UnlocatedError) Error() string {
	return fmt.Sprintf("%s in %s: %s", e.Object, e.Dir, e.Reason)
}

// Open builds the kustomization in dir.
func Open(fsys filesys.FileSystem, dir string) (*Tree, error) {
	t := &Tree{dir: dir, fs: &edited{FileSystem: fsys, files: map[string]file{}}}
	var err error
	t.objs, err = apply.Build(t.fs, dir)
	return t, err
}

// object finds a built object.
func object(objs []*unstructured.Unstructured, ref Ref) *unstructured.Unstructured {
	for _, o := range objs {
		if o.GetKind() == ref.Kind && o.GetName() == ref.Name &&
			(o.GetNamespace() == "" || ref.Namespace == "" || o.GetNamespace() == ref.Namespace) {
			return o
		}
	}
	return nil
}

// Write puts the changed files on the disk and returns their paths. A file that
// somebody else has changed since it was read is left alone, and is an error.
func (t *Tree) Write() ([]string, error) {
	var paths []string
	for key := range t.fs.files {
		paths = append(paths, key)
	}
	slices.Sort(paths)
	for _, key := range paths {
		f := t.fs.files[key]
		now, err := t.fs.FileSystem.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", f.path, err)
		}
		if string(now) != string(f.before) {
			return nil, fmt.Errorf("writing %s: it was changed meanwhile; run it again", f.path)
		}
	}
	var written []string
	for _, key := range paths {
		f := t.fs.files[key]
		if err := t.fs.FileSystem.WriteFile(f.path, f.after); err != nil {
			return written, fmt.Errorf("writing %s: %w", f.path, err)
		}
		written = append(written, f.path)
	}
	return written, nil
}

// file is a changed file.
type file struct {
	path          string // as it is printed
	before, after []byte
}

// edited is a file system with changes that are not written yet.
type edited struct {
	filesys.FileSystem
	files map[string]file // by absolute path
}

// ReadFile returns the changed content where there is one.
func (e *edited) ReadFile(path string) ([]byte, error) {
	if f, ok := e.files[e.key(path)]; ok {
		return f.after, nil
	}
	return e.FileSystem.ReadFile(path)
}

// with returns a copy in which one more file is changed.
func (e *edited) with(path string, after []byte) (*edited, error) {
	next := &edited{FileSystem: e.FileSystem, files: map[string]file{}}
	for k, f := range e.files {
		next.files[k] = f
	}
	key := e.key(path)
	f, ok := next.files[key]
	if !ok {
		before, err := e.FileSystem.ReadFile(path)
		if err != nil {
			return nil, err
		}
		f = file{path: path, before: before}
	}
	f.after = after
	next.files[key] = f
	return next, nil
}

// key is the path under which kustomize asks for the same file.
func (e *edited) key(path string) string {
	dir, name, err := e.CleanedAbs(path)
	if err != nil {
		return filepath.Clean(path)
	}
	return dir.Join(name)
}

// text is a value in a form that compares: JSON, whose maps are sorted.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
