package generate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// commit carries a plan out: first everything that can fail for want of room or
// rights, beside the files it is for; then, when nothing of it failed, the renames.
func (p *writePlan) commit(ctx context.Context) error {
	c := &commit{dir: p.dir, steps: p.ordered()}
	if len(c.steps) == 0 {
		return ctx.Err()
	}
	if err := c.stage(ctx); err != nil {
		c.undoStage()
		return fmt.Errorf("%w; nothing was changed", err)
	}
	defer c.root.Close()
	if err := c.rename(); err != nil {
		return err
	}
	c.removeEmptyDirs()
	return nil
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

type commit struct {
	dir   string
	steps []step

	root     *os.Root
	outside  []string // directories made above root, and root itself
	inside   []string // directories made within root
	tempered []string // temporary files made
}

// stage makes the directories and the temporary files.
func (c *commit) stage(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, dir := range missingDirs(filepath.Clean(c.dir)) {
		if err := os.Mkdir(dir, 0o777); err != nil {
			return fmt.Errorf("make directory %s: %w", dir, cause(err))
		}
		c.outside = append(c.outside, dir)
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return fmt.Errorf("directory %s: %w", c.dir, cause(err))
	}
	c.root = root
	for _, s := range c.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.stageFile(s); err != nil {
			return fmt.Errorf("write %s: %w", inDir(c.dir, []string{s.path}), cause(err))
		}
	}
	return ctx.Err()
}

func (c *commit) stageFile(s step) error {
	for _, dir := range parents(s.path) {
		err := c.root.Mkdir(dir, 0o777)
		if err == nil {
			c.inside = append(c.inside, dir)
		} else if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	data, mode := s.data, fs.FileMode(0o666)
	if s.fate == updated {
		mode = s.mode
	}
	if s.fate == removed {
		// Nothing to write, but a directory that lets no file be made lets none be
		// removed either: better to know now.
		data = nil
	}
	name := temporary(s.path)
	if err := c.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := c.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	c.tempered = append(c.tempered, name)
	_, err = f.Write(data)
	if s.fate == updated {
		err = errors.Join(err, f.Chmod(mode)) // whatever the umask
	}
	return errors.Join(err, f.Close())
}

// undoStage removes what stage has made.
func (c *commit) undoStage() {
	if c.root != nil {
		for _, name := range c.tempered {
			_ = c.root.Remove(name)
		}
		for _, dir := range slices.Backward(c.inside) {
			_ = c.root.Remove(dir)
		}
		_ = c.root.Close()
	}
	for _, dir := range slices.Backward(c.outside) {
		_ = os.Remove(dir)
	}
}

// rename puts the new files in the old ones' places. It does not stop for a
// cancelled context: what remains takes no time, and half a tree helps nobody.
// Should a rename fail all the same, those before it are taken back.
func (c *commit) rename() error {
	for i, s := range c.steps {
		err := c.place(s)
		if err == nil {
			continue
		}
		err = fmt.Errorf("write %s: %w", inDir(c.dir, []string{s.path}), cause(err))
		if back := c.takeBack(c.steps[:i]); back != nil {
			err = fmt.Errorf("%w; the tree is now partly changed, as the old files could not be put back: %w; run it again once this is mended", err, back)
		} else {
			err = fmt.Errorf("%w; nothing was changed", err)
		}
		c.undoStage()
		return err
	}
	return nil
}

func (c *commit) place(s step) error {
	if s.fate != removed {
		return c.root.Rename(temporary(s.path), s.path)
	}
	if err := c.root.Remove(s.path); err != nil {
		return err
	}
	return c.root.Remove(temporary(s.path))
}

func (c *commit) takeBack(done []step) error {
	var failed error
	for _, s := range slices.Backward(done) {
		err := c.root.Remove(s.path)
		if s.fate == removed {
			err = nil
		}
		if s.fate != created {
			err = c.root.WriteFile(s.path, s.old, s.mode)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// removeEmptyDirs removes the folders that removed files have left empty.
func (c *commit) removeEmptyDirs() {
	for _, s := range c.steps {
		if s.fate == removed {
			for dir := path.Dir(s.path); dir != "."; dir = path.Dir(dir) {
				if c.root.Remove(dir) != nil {
					break // not empty
				}
			}
		}
	}
}
