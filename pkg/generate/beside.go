package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// errInPlace says that the new tree cannot be made beside the old one.
var errInPlace = errors.New("the tree is to be written in place")

// maxMirrored bounds the files that are not ours in a tree of which a second one
// is made: with more (a repository's own root), writing in place is less to do.
const maxMirrored = 2000

// beside makes the new tree next to the old one, out of links to the files that
// stay and of the new ones, and exchanges the two directories; a tree that does
// not exist yet is made the same way and then given its name.
//
// Nothing but a second name is given to the files that stay, a person's own among
// them, so whoever has one open keeps it. The directories are others afterwards,
// which is why this is not done to a tree in which a process stands, nor where a
// directory has what a new one would not have: another owner, an access control
// list, another file system mounted in it.
func (p *writePlan) beside(ctx context.Context, steps []step) error {
	around, name, tree, err := p.place()
	if err != nil {
		return err
	}
	if p.root != nil && (!canExchange || p.stoodIn(filepath.Join(around, name))) {
		return errInPlace
	}
	root, err := os.OpenRoot(around)
	if err != nil {
		if p.root != nil {
			return errInPlace
		}
		return fmt.Errorf("directory %s: %w; %s", around, cause(err), p.untouched())
	}
	defer root.Close()
	b := &beside{
		p: p, disk: &disk{root, p.halt}, steps: steps, around: around,
		name: name, temp: temporary(name), tree: tree, dirs: map[string]bool{}, seen: map[string]fs.FileInfo{},
	}
	defer b.close()
	if err := b.stage(ctx); err != nil {
		b.undo()
		if errors.Is(err, errInPlace) {
			return err
		}
		return fmt.Errorf("%w; %s", err, p.untouched())
	}
	return b.exchange()
}

// stoodIn tells whether a process has its working directory in the tree: it would
// find itself in a directory that is no more.
func (p *writePlan) stoodIn(dir string) bool {
	return slices.ContainsFunc(p.standing(), func(at string) bool {
		return at == "" || at == dir || strings.HasPrefix(at, dir+string(filepath.Separator))
	})
}

type beside struct {
	*disk
	p      *writePlan
	steps  []step
	around string // the folder that holds the tree, and the new one until the exchange
	name   string // of the tree in it, or of the first missing folder on the way to it
	temp   string // of the new one
	tree   string // the tree's place in temp

	made  bool
	dirs  map[string]bool        // folders of the new tree that are there
	seen  map[string]fs.FileInfo // what was in the old tree
	modes map[string]fs.FileMode // of the new tree's folders, for when they are filled
	files []*os.File             // of the new tree, open until synced
	held  *os.File               // the new tree's folder, locked
}

// stage makes the new tree under its temporary name.
func (b *beside) stage(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.take(); err != nil {
		return err
	}
	if b.p.root != nil {
		if err := b.mirror("."); err != nil {
			return err
		}
	}
	for _, s := range b.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.file(s); err != nil {
			return b.p.writing(s, err)
		}
	}
	b.removeEmptyDirs(path.Join(b.temp, b.tree), b.steps)
	for _, dir := range slices.Backward(slices.Sorted(maps.Keys(b.modes))) {
		err := b.Chmod(path.Join(b.temp, dir), b.modes[dir])
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was left empty
			return errInPlace
		}
	}
	if err := b.sync(); err != nil {
		return fmt.Errorf("write to %s: %w", b.p.dir, cause(err))
	}
	return ctx.Err()
}

// take makes the temporary folder, its own until it closes; what a killed run
// has left there goes first.
func (b *beside) take() error {
	for range 3 {
		err := b.Mkdir(b.temp, 0o777)
		switch {
		case err == nil:
			b.made = true
			if b.held, err = b.Open(b.temp); err != nil {
				return err
			}
			if !tryLock(b.held) {
				return b.p.busy()
			}
			return nil
		case errors.Is(err, fs.ErrExist):
			if !b.discard() {
				return b.p.busy()
			}
		case b.p.root != nil:
			return errInPlace
		default:
			return fmt.Errorf("make directory %s: %w", filepath.Join(b.around, b.name), cause(err))
		}
	}
	return b.p.busy()
}

// discard removes what a killed run has left beside the tree; false when the run
// is at work still.
func (b *beside) discard() bool {
	f, err := b.Open(b.temp)
	if err == nil {
		defer f.Close()
		if !tryLock(f) {
			return false
		}
	}
	return b.RemoveAll(b.temp) == nil
}

// sweep removes what a killed run has left, when there is nothing else to do.
func (p *writePlan) sweep() {
	around, name, _, err := p.place()
	if err != nil || p.root == nil {
		return
	}
	root, err := os.OpenRoot(around)
	if err != nil {
		return
	}
	defer root.Close()
	b := &beside{disk: &disk{root, p.halt}, temp: temporary(name)}
	if lexists(root, b.temp) {
		b.discard()
	}
	for _, s := range append(p.steps, step{path: undoDir}) { // of a run in place
		if left := path.Join(name, temporary(s.path)); lexists(root, left) {
			_ = b.RemoveAll(left)
		}
	}
}

func lexists(root *os.Root, name string) bool {
	_, err := root.Lstat(name)
	return err == nil
}

// mirror links the files of a folder of the old tree into the new one, but for
// those that change.
func (b *beside) mirror(dir string) error {
	info, err := b.Lstat(path.Join(b.name, dir))
	if err != nil {
		return err
	}
	old, new := path.Join(b.name, dir), path.Join(b.temp, dir)
	if !ordinary(filepath.Join(b.around, old), info, b.held) {
		return errInPlace
	}
	if dir != "." {
		if err := b.Mkdir(new, 0o777); err != nil {
			return err
		}
	}
	if b.modes == nil {
		b.modes = map[string]fs.FileMode{}
	}
	b.modes[dir] = info.Mode()
	f, err := b.Open(old)
	if err != nil {
		return errInPlace
	}
	entries, err := f.ReadDir(maxMirrored + 1)
	_ = f.Close()
	if len(b.seen)+len(entries) > maxMirrored || err != nil && len(entries) > 0 {
		return errInPlace
	}
	for _, e := range entries {
		if err := b.entry(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (b *beside) entry(file string) error {
	old, new := path.Join(b.name, file), path.Join(b.temp, file)
	info, err := b.Lstat(old)
	if err != nil {
		return err
	}
	b.seen[file] = info
	if i := slices.IndexFunc(b.steps, func(s step) bool { return s.path == file }); i >= 0 {
		if data, err := readBounded(b.Open(old)); err != nil || !bytes.Equal(data, b.steps[i].old) {
			return b.p.meanwhile(file)
		}
		return nil
	}
	switch {
	case leftover(path.Base(file)):
		return nil
	case info.IsDir():
		return b.mirror(file)
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := b.Readlink(old)
		if err == nil {
			err = b.Symlink(to, new)
		}
		if err != nil {
			return errInPlace
		}
		return nil
	case !info.Mode().IsRegular():
		return errInPlace
	}
	if err := b.Link(old, new); err != nil {
		return errInPlace
	}
	return nil
}

// file writes a new file into the new tree.
func (b *beside) file(s step) error {
	if s.fate == removed {
		return nil
	}
	name := path.Join(b.temp, b.tree, s.path)
	if dir := path.Dir(name); !b.dirs[dir] {
		if _, err := b.makeDirs(name); err != nil {
			return err
		}
		b.dirs[dir] = true
	}
	mode := fs.FileMode(0o666)
	if s.fate == updated {
		mode = s.mode
	}
	f, err := b.create(name, s.data, mode, s.fate == updated)
	if f != nil {
		b.files = append(b.files, f)
	}
	return err
}

// sync brings the new files to the disk before anything that was is given up, so
// that not even a machine that stops loses both. Where nothing is given up, such as
// for a tree that is new, it waits for no disk.
func (b *beside) sync() error {
	loses := func(s step) bool { return s.fate == updated || s.fate == removed }
	if !slices.ContainsFunc(b.steps, loses) {
		return b.closeFiles()
	}
	return errors.Join(syncAll(b.files), b.closeFiles())
}

// syncAll waits for all at once: that takes as long as one.
func syncAll(files []*os.File) error {
	failed := make([]error, len(files))
	var wait sync.WaitGroup
	for i, f := range files {
		wait.Go(func() { failed[i] = f.Sync() })
	}
	wait.Wait()
	return errors.Join(failed...)
}

func (b *beside) closeFiles() error {
	var failed error
	for _, f := range b.files {
		failed = errors.Join(failed, f.Close())
	}
	b.files = nil
	return failed
}

// exchange is the moment from which on the new tree is there, and the old one not.
func (b *beside) exchange() error {
	if b.p.root == nil {
		if err := b.Rename(b.temp, b.name); err != nil {
			b.undo()
			return fmt.Errorf("make directory %s: %w; %s", b.p.dir, cause(err), b.p.untouched())
		}
		return nil
	}
	if err := b.swap(); err != nil {
		b.undo()
		return errInPlace
	}
	if file := b.changed("."); file != "" {
		if err := b.swap(); err != nil {
			return fmt.Errorf("%s was changed by somebody else while it was written; it stands as it was in %s: %w",
				inDir(b.p.dir, []string{file}), filepath.Join(b.around, b.temp), err)
		}
		b.undo()
		return fmt.Errorf("%w; %s", b.p.meanwhile(file), b.p.untouched())
	}
	b.undo() // what is under the temporary name now
	return nil
}

func (b *beside) swap() error {
	b.change("exchange", b.name)
	around, err := b.Open(".")
	if err != nil {
		return err
	}
	defer around.Close()
	return exchange(around, b.name, b.temp)
}

func (p *writePlan) meanwhile(file string) error {
	return fmt.Errorf("%s was changed by somebody else while the tree was written; run it again", inDir(p.dir, []string{file}))
}

// changed returns a file of the old tree, now under the temporary name, that is
// not what it was when the new tree was made.
func (b *beside) changed(dir string) string {
	f, err := b.Open(path.Join(b.temp, dir))
	if err != nil {
		return dir
	}
	defer f.Close()
	entries, _ := f.ReadDir(-1)
	left := map[string]bool{}
	for file := range b.seen {
		left[file] = path.Dir(file) == dir
	}
	for _, e := range entries {
		file := path.Join(dir, e.Name())
		left[file] = false
		was, there := b.seen[file]
		now, err := b.Lstat(path.Join(b.temp, file))
		switch {
		case !there || err != nil || !os.SameFile(was, now):
			return file
		case now.IsDir():
			if leftover(e.Name()) {
				continue
			}
			if deeper := b.changed(file); deeper != "" {
				return deeper
			}
		case was.Size() != now.Size() || !was.ModTime().Equal(now.ModTime()):
			return file
		}
	}
	for file, missing := range left {
		if missing {
			return file
		}
	}
	return ""
}

// undo removes what is under the temporary name.
func (b *beside) undo() {
	if b.made {
		_ = b.closeFiles() // some systems remove no open file
		_ = b.RemoveAll(b.temp)
	}
}

func (b *beside) close() {
	_ = b.closeFiles()
	if b.held != nil {
		_ = b.held.Close()
	}
}
