package generate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// read returns the content and mode of a file of the tree. A link anywhere on
// the way, or something that is no plain file, is an error: a write there would
// reach something else.
func (p *writePlan) read(name string) ([]byte, fs.FileMode, error) {
	for _, dir := range parents(name) {
		info, err := p.root.Lstat(dir)
		switch {
		case err != nil:
			return nil, 0, p.wrap(dir, err)
		case info.Mode()&fs.ModeSymlink != 0:
			return nil, 0, p.notPlain(dir, "is a symbolic link")
		case !info.IsDir():
			return nil, 0, p.notPlain(dir, "is not a directory")
		}
	}
	info, err := p.root.Lstat(name)
	switch {
	case err != nil:
		return nil, 0, p.wrap(name, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, 0, p.notPlain(name, "is a symbolic link")
	case info.IsDir():
		return nil, 0, p.notPlain(name, "is a directory")
	case !info.Mode().IsRegular():
		return nil, 0, p.notPlain(name, "is not a plain file")
	case info.Size() > maxSpecSize:
		return nil, 0, p.notPlain(name, fmt.Sprintf("is larger than %d KiB", maxSpecSize>>10))
	}
	data, err := readBounded(p.root.Open(name))
	if err != nil {
		return nil, 0, p.wrap(name, err)
	}
	return data, info.Mode().Perm(), nil
}

// parents returns the folders on the way to a file, outermost first.
func parents(name string) []string {
	var out []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		out = append(out, dir)
	}
	slices.Reverse(out)
	return out
}

func (p *writePlan) notPlain(name, reason string) error {
	return &ForeignError{Dir: p.dir, Files: []string{name}, Reason: reason + ", which this program does not write",
		Next: "Move it away, or choose another --dir"}
}

func (p *writePlan) wrap(name string, err error) error {
	return fmt.Errorf("%s: %w", inDir(p.dir, []string{name}), cause(err))
}

// cause takes the path out of an error whose message is about to name it.
func cause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	var linkError *os.LinkError
	if errors.As(err, &linkError) {
		return linkError.Err
	}
	return err
}

// list returns the names in a folder of the tree, sorted; none when it cannot be read.
func (p *writePlan) list(dir string) []string {
	f, err := p.root.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil
	}
	slices.Sort(names)
	return names
}

// temporary is the name under which a file is written before it takes its place.
// It is always the same, so that what a killed run has left is used up by the next.
func temporary(name string) string {
	return path.Join(path.Dir(name), "."+path.Base(name)+temporarySuffix)
}

const temporarySuffix = ".svcx-tmp"

// missingDirs returns dir and those above it that do not exist, outermost first.
func missingDirs(dir string) []string {
	var out []string
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			slices.Reverse(out)
			return out
		}
		out = append(out, dir)
		dir = filepath.Dir(dir)
	}
}
