package generate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// commit carries a plan out, all of it or nothing of it.
//
// The new tree is made beside the old one and takes its place in one step of the
// file system (beside.go), so that whoever looks, and whoever comes after a kill,
// finds the one or the other. Where that cannot be, the files are replaced one
// after the other in the tree, with a record of what was (inplace.go, undo.go).
func (p *writePlan) commit(ctx context.Context) error {
	release, err := p.lock()
	if err != nil {
		return err
	}
	defer release()
	return p.carryOut(ctx)
}

// carryOut is commit for a tree that is locked.
func (p *writePlan) carryOut(ctx context.Context) error {
	steps := p.ordered()
	if len(steps) == 0 {
		p.sweep()
		return ctx.Err()
	}
	err := p.beside(ctx, steps)
	if errors.Is(err, errInPlace) {
		err = p.inPlace(ctx, steps)
	}
	return err
}

// untouched ends an error after which the tree is what it was.
func (p *writePlan) untouched() string {
	if p.oneOf {
		return printable(p.dir) + " is as it was"
	}
	return "nothing was changed"
}

// ordered returns the steps that change something: svcx.yaml comes last, so that
// a tree whose writing was cut short is generated anew from what it was asked before.
func (p *writePlan) ordered() []step {
	var out []step
	for _, s := range p.steps {
		if s.fate != unchanged && s.fate != kept && s.path != SpecFile {
			out = append(out, s)
		}
	}
	for _, s := range p.steps {
		if s.fate != unchanged && s.path == SpecFile {
			out = append(out, s)
		}
	}
	return out
}

// disk is where a commit makes its changes, each through one of these methods: a
// test stops before any of them, as a kill would.
type disk struct {
	*os.Root
	halt func(change string)
}

func (d *disk) change(what, name string) {
	if d.halt != nil {
		d.halt(what + " " + name)
	}
}

func (d *disk) Mkdir(name string, mode fs.FileMode) error {
	d.change("mkdir", name)
	return d.Root.Mkdir(name, mode)
}

func (d *disk) Remove(name string) error {
	d.change("remove", name)
	return d.Root.Remove(name)
}

func (d *disk) RemoveAll(name string) error {
	d.change("remove all of", name)
	return d.Root.RemoveAll(name)
}

func (d *disk) Rename(from, to string) error {
	d.change("rename", from)
	return d.Root.Rename(from, to)
}

func (d *disk) Link(from, to string) error {
	d.change("link", to)
	return d.Root.Link(from, to)
}

func (d *disk) Symlink(to, name string) error {
	d.change("symlink", name)
	return d.Root.Symlink(to, name)
}

func (d *disk) Chmod(name string, mode fs.FileMode) error {
	d.change("chmod", name)
	return d.Root.Chmod(name, mode)
}

// create writes a new file; it is open still, for syncing.
func (d *disk) create(name string, data []byte, mode fs.FileMode, exactly bool) (*os.File, error) {
	d.change("create", name)
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	d.change("write", name)
	_, err = f.Write(data)
	if exactly { // whatever the umask
		err = errors.Join(err, f.Chmod(mode))
	}
	return f, err
}

// makeDirs makes the folders that are missing on the way to a file, and returns
// those it has made.
func (d *disk) makeDirs(name string) (made []string, err error) {
	for _, dir := range parents(name) {
		err := d.Mkdir(dir, 0o777)
		if err == nil {
			made = append(made, dir)
		} else if !errors.Is(err, fs.ErrExist) {
			return made, err
		}
	}
	return made, nil
}

// removeEmptyDirs removes the folders below top that removed files have left empty.
func (d *disk) removeEmptyDirs(top string, steps []step) {
	for _, s := range steps {
		if s.fate == removed {
			for dir := path.Dir(s.path); dir != "."; dir = path.Dir(dir) {
				if d.Remove(path.Join(top, dir)) != nil {
					break // not empty
				}
			}
		}
	}
}

// writing words an error about a file of the tree.
func (p *writePlan) writing(s step, err error) error {
	return fmt.Errorf("write %s: %w", inDir(p.dir, []string{s.path}), cause(err))
}

// lock keeps other runs off the tree, where the system knows locks.
func (p *writePlan) lock() (release func(), err error) {
	if p.root == nil {
		return func() {}, nil
	}
	f, err := os.Open(p.dir)
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", p.dir, cause(err))
	}
	here, err := f.Stat()
	there, err2 := os.Stat(p.dir)
	if !tryLock(f) || err != nil || err2 != nil || !os.SameFile(here, there) {
		_ = f.Close()
		return nil, p.busy()
	}
	if !os.SameFile(p.was, here) { // another run has exchanged it since it was read
		_ = f.Close()
		return nil, fmt.Errorf("%s was written by another run of this program meanwhile; %s. Run it again", p.dir, p.untouched())
	}
	return func() { _ = f.Close() }, nil
}

func (p *writePlan) busy() error {
	return fmt.Errorf("%s is being written by another run of this program; %s. Run it again once the other has ended", p.dir, p.untouched())
}

// place tells where the directory that is to appear, or to be exchanged, stands:
// the folder around it, its name there, and the tree's place in it.
func (p *writePlan) place() (around, name, tree string, err error) {
	dir, err := filepath.Abs(p.dir)
	if err != nil {
		return "", "", "", err
	}
	var top string
	if p.root == nil {
		missing := missingDirs(dir)
		if len(missing) == 0 {
			return "", "", "", fmt.Errorf("%s is a symbolic link that leads nowhere; choose another --dir", p.dir)
		}
		top = missing[0]
	} else if top, err = filepath.EvalSymlinks(dir); err != nil {
		return "", "", "", err
	}
	around, name = filepath.Split(top)
	if name == "" {
		return "", "", "", errInPlace // the root of a file system
	}
	tree = "."
	if p.root == nil {
		if tree, err = filepath.Rel(top, dir); err != nil {
			return "", "", "", err
		}
	}
	return around, name, filepath.ToSlash(tree), nil
}

// leftover tells of a name that only a run which was cut short leaves in a tree.
func leftover(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, temporarySuffix)
}
