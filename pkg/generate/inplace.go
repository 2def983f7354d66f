package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// inPlace replaces the files of a tree one after the other: first everything that
// can fail for want of room or rights, beside the files it is for; then a record
// of what was; then the renames. A kill amid the renames leaves the record, by
// which the next run puts back what was before it does anything else.
func (p *writePlan) inPlace(ctx context.Context, steps []step) error {
	root, err := os.OpenRoot(p.dir)
	if err != nil {
		return fmt.Errorf("directory %s: %w; %s", p.dir, cause(err), p.untouched())
	}
	defer root.Close()
	c := &inPlace{disk: &disk{root, p.halt}, p: p, steps: steps}
	err = c.stage(ctx)
	if err == nil {
		err = c.record()
	}
	if err != nil {
		c.undoStage()
		return fmt.Errorf("%w; %s", err, p.untouched())
	}
	return c.rename()
}

type inPlace struct {
	*disk
	p     *writePlan
	steps []step

	dirs     []string // made
	tempered []string // temporary files made
}

// stage makes the directories and the temporary files.
func (c *inPlace) stage(ctx context.Context) error {
	var files []*os.File
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	for _, s := range c.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := c.stageFile(s)
		if f != nil {
			files = append(files, f)
		}
		if err != nil {
			return c.p.writing(s, err)
		}
	}
	if err := syncAll(files); err != nil {
		return fmt.Errorf("write to %s: %w", c.p.dir, cause(err))
	}
	return ctx.Err()
}

func (c *inPlace) stageFile(s step) (*os.File, error) {
	made, err := c.makeDirs(s.path)
	c.dirs = append(c.dirs, made...)
	if err != nil {
		return nil, err
	}
	if s.fate != created {
		if data, err := readBounded(c.Open(s.path)); err != nil || !bytes.Equal(data, s.old) {
			return nil, c.p.meanwhile(s.path)
		}
	}
	mode := fs.FileMode(0o666)
	if s.fate == updated {
		mode = s.mode
	}
	name := temporary(s.path)
	if err := c.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// For a file to remove it is empty: a directory that lets no file be made lets
	// none be removed either, and better to know now.
	f, err := c.create(name, s.data, mode, s.fate == updated)
	if f != nil {
		c.tempered = append(c.tempered, name)
	}
	return f, err
}

// undoStage removes what stage has made.
func (c *inPlace) undoStage() {
	for _, name := range c.tempered {
		_ = c.Remove(name)
	}
	for _, dir := range slices.Backward(c.dirs) {
		_ = c.Remove(dir)
	}
}

// rename puts the new files in the old ones' places. It does not stop for a
// cancelled context: what remains takes no time, and half a tree helps nobody.
// Should a rename fail all the same, those before it are taken back.
func (c *inPlace) rename() error {
	for _, s := range c.steps {
		err := c.replace(s)
		if err == nil {
			continue
		}
		err = c.p.writing(s, err)
		if back := c.putBack(c.p.dir); back != nil {
			return fmt.Errorf("%w; the tree is now partly changed, as the old files could not be put back: %w; run it again once this is mended", err, back)
		}
		c.undoStage()
		return fmt.Errorf("%w; %s", err, c.p.untouched())
	}
	c.removeEmptyDirs(".", c.steps)
	return c.forget()
}

func (c *inPlace) replace(s step) error {
	if s.fate != removed {
		return c.Rename(temporary(s.path), s.path)
	}
	if err := c.Remove(s.path); err != nil {
		return err
	}
	return c.Remove(temporary(s.path))
}
