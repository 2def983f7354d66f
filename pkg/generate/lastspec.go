package generate

import (
	"errors"
	"io/fs"
)

// lastSpecFile holds the Spec from which a tree was generated last, as svcx.yaml
// may be edited before the next time: what was generated is generated again from
// it, and so a person's edits are told from what is to change.
const lastSpecFile = ".svcx-last.yaml"

const lastSpecHead = "# Written by kubectl svcx: the Spec that this tree was generated from last, to tell edits by hand\n# from generated lines. Commit it, and leave it as it is.\n"

// lastSpec is the content of lastSpecFile for a tree.
func lastSpec(files []File) []byte {
	for _, f := range files {
		if f.Path == SpecFile {
			_, body := unstamp(f.Data)
			return append([]byte(lastSpecHead), body...)
		}
	}
	return nil
}

// base returns what was generated last at a path, as known by its digest; nil
// when it cannot be told.
func (p *writePlan) base(path, was string) []byte {
	if p.bases == nil {
		p.bases = map[string][]byte{}
		for _, name := range []string{SpecFile, lastSpecFile} {
			data, _, err := p.read(name)
			if err != nil {
				continue
			}
			a, err := ParseApp(data, name)
			if err != nil {
				continue
			}
			files, err := Files(a)
			if err != nil {
				continue
			}
			for _, f := range files {
				digest, body := unstamp(f.Data)
				p.bases[f.Path+"\x00"+digest] = body
			}
		}
	}
	return p.bases[path+"\x00"+was]
}

// remember adds the step that keeps lastSpecFile up to date. It follows the
// others: where nothing changes it is not brought in either.
func (p *writePlan) remember(files []File) error {
	wanted := lastSpec(files)
	s := step{path: lastSpecFile, fate: created, data: wanted}
	if p.root != nil {
		data, mode, err := p.read(lastSpecFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case string(data) == string(wanted):
			return nil
		default:
			s.fate, s.old, s.mode = updated, data, mode
		}
	}
	for _, other := range p.steps {
		if other.fate == created || other.fate == updated || other.fate == removed {
			p.steps = append(p.steps, s)
			break
		}
	}
	return nil
}
