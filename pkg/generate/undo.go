package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
)

// undoDir is in a tree while its files are replaced one after the other. It holds
// what they were, each at its path, and journalFile.
const undoDir = ".svcx-undo"

// journalFile says what is being written: for each path the digest of its new
// content, none for a file to remove.
const journalFile = "journal.json"

// InterruptedError says that a run was killed while it replaced the files of a
// tree, and that the tree waits for them to be put back.
type InterruptedError struct {
	Dir string
	// Edited are files that were changed since, so that the program cannot tell
	// which of them to put back; relative to Dir.
	Edited []string
}

// Error names the tree and the way on.
func (e *InterruptedError) Error() string {
	if len(e.Edited) > 0 {
		return fmt.Sprintf("%s was left half written by a run that was killed, and changed since: %s; nothing was written. "+
			"Take what you need of %s, which holds the files from before, and remove it", e.Dir, inDir(e.Dir, e.Edited), inDir(e.Dir, []string{undoDir}))
	}
	return fmt.Sprintf("%s was left half written by a run that was killed. kubectl svcx generate --dir=%s puts back what was", e.Dir, printable(e.Dir))
}

// Interrupted returns an *InterruptedError when the tree at dir was left half
// written: nobody should build on it.
func Interrupted(dir string) error {
	if info, err := os.Lstat(path.Join(dir, undoDir)); err == nil && info.IsDir() {
		return &InterruptedError{Dir: dir}
	}
	return nil
}

// record keeps what the steps are about to replace. With its last rename the
// record is valid, and the files may be.
func (c *inPlace) record() error {
	temp := temporary(undoDir)
	if err := c.RemoveAll(temp); err != nil {
		return err
	}
	if err := c.Mkdir(temp, 0o777); err != nil {
		return fmt.Errorf("make directory %s: %w", inDir(c.p.dir, []string{temp}), cause(err))
	}
	journal := map[string]string{}
	for _, s := range c.steps {
		if journal[s.path] = ""; s.fate != removed {
			journal[s.path] = digest(s.path, s.data)
		}
		if s.fate == created {
			continue
		}
		keep := path.Join(temp, s.path)
		if _, err := c.makeDirs(keep); err != nil {
			return c.unrecorded(s, err)
		}
		if c.Link(s.path, keep) == nil {
			continue
		}
		f, err := c.create(keep, s.old, s.mode, true) // where the file system has no links
		if f != nil {
			err = errors.Join(err, f.Sync(), f.Close())
		}
		if err != nil {
			return c.unrecorded(s, err)
		}
	}
	data, err := json.Marshal(journal)
	if err != nil {
		return err
	}
	f, err := c.create(path.Join(temp, journalFile), data, 0o666, false)
	if f != nil {
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil {
		err = c.Rename(temp, undoDir)
	}
	if err != nil {
		return c.unrecorded(step{path: undoDir}, err)
	}
	return nil
}

func (c *inPlace) unrecorded(s step, err error) error {
	_ = c.RemoveAll(temporary(undoDir))
	return c.p.writing(s, err)
}

// forget drops the record: what the tree holds is what it is to hold.
func (d *disk) forget() error {
	if err := d.Rename(undoDir, temporary(undoDir)); err != nil {
		return err
	}
	_ = d.RemoveAll(temporary(undoDir))
	return nil
}

// putBack brings back what the record holds, and then drops it; dir is the tree's
// name for errors. It may itself be killed and run again: the record stays whole
// until all is done. A file that is neither what it was nor what it was to be is
// somebody's since, and stops it before it changes anything.
func (d *disk) putBack(dir string) error {
	journal, err := d.journal()
	if err != nil {
		return fmt.Errorf("%s: %w", inDir(dir, []string{path.Join(undoDir, journalFile)}), cause(err))
	}
	var edited, again []string
	for _, name := range slices.Sorted(maps.Keys(journal)) {
		old, was := d.content(path.Join(undoDir, name))
		now, is := d.content(name)
		switch {
		case is == was && bytes.Equal(old, now):
		case is && digest(name, now) == journal[name], !is && journal[name] == "":
			again = append(again, name)
		default:
			edited = append(edited, name)
		}
	}
	if len(edited) > 0 {
		return &InterruptedError{Dir: dir, Edited: edited}
	}
	for _, name := range again {
		if err := d.restore(name); err != nil {
			return fmt.Errorf("put back %s: %w", inDir(dir, []string{name}), cause(err))
		}
	}
	for name := range journal {
		_ = d.Remove(temporary(name))
		for up := path.Dir(name); up != "." && d.Remove(up) == nil; up = path.Dir(up) {
		}
	}
	return d.forget()
}

func (d *disk) restore(name string) error {
	old := path.Join(undoDir, name)
	info, err := d.Lstat(old)
	if errors.Is(err, fs.ErrNotExist) {
		return d.Remove(name) // it was not there
	}
	if err != nil {
		return err
	}
	if _, err := d.makeDirs(name); err != nil {
		return err
	}
	temp := temporary(name)
	if err := d.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if d.Link(old, temp) != nil {
		data, err := d.ReadFile(old)
		if err != nil {
			return err
		}
		f, err := d.create(temp, data, info.Mode(), true)
		if f != nil {
			err = errors.Join(err, f.Sync(), f.Close())
		}
		if err != nil {
			return err
		}
	}
	return d.Rename(temp, name)
}

// journal reads the record, which anybody may have put there: only files that a
// tree has are put back.
func (d *disk) journal() (map[string]string, error) {
	data, err := readBounded(d.Open(path.Join(undoDir, journalFile)))
	if err != nil {
		return nil, err
	}
	journal := map[string]string{}
	if err := json.Unmarshal(data, &journal); err != nil {
		return nil, errors.New("is not what this program writes; remove the folder once the tree is as you want it")
	}
	for name := range journal {
		if ext := path.Ext(name); !fs.ValidPath(name) || ext != ".yaml" && ext != ".yml" {
			return nil, fmt.Errorf("names %q, which this program does not write; remove the folder once the tree is as you want it", shorten(name))
		}
	}
	return journal, nil
}

// content returns what a plain file holds; false when there is none.
func (d *disk) content(name string) ([]byte, bool) {
	info, err := d.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	data, err := readBounded(d.Open(name))
	return data, err == nil
}
