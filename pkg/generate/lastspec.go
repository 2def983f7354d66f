package generate

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// lastSpecFile holds the Spec from which a tree was generated last, as svcx.yaml
// may be edited before the next time: what was generated is generated again from
// it, and so a person's edits are told from what is to change. Another release may
// generate something else from it: of files that are edited the text is kept too, as
// comments behind the Spec.
const lastSpecFile = ".svcx-last.yaml"

const lastSpecHead = "# Written by kubectl svcx: the Spec that this tree was generated from last, to tell edits by hand\n# from generated lines. Commit it, and leave it as it is.\n"

// The lines of the texts: the file that one is of, and its own.
const (
	lastTextPath = "#: "
	lastTextLine = "#|"
)

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

// lastApp is the App that a tree was generated from last; nil when it cannot be told.
func (p *writePlan) lastApp() *App {
	data, _, err := p.read(lastSpecFile)
	if err != nil {
		return nil
	}
	a, err := ParseApp(data, lastSpecFile)
	if err != nil {
		return nil
	}
	return a
}

// specIsAsLast reports whether files come from the Spec that the tree was generated from
// last, to the letter: nothing follows that in lastSpecFile but comments.
func (p *writePlan) specIsAsLast(files []File) bool {
	data, _, err := p.read(lastSpecFile)
	spec := lastSpec(files)
	return err == nil && spec != nil && bytes.HasPrefix(data, spec) &&
		!slices.ContainsFunc(lines(data[len(spec):]), func(line string) bool { return !strings.HasPrefix(line, "#") })
}

// lastTexts is the part of lastSpecFile that keeps what is generated for the files
// that are edited once the steps so far are done.
func (p *writePlan) lastTexts(files []File) []byte {
	there := map[string][]byte{}
	for _, s := range p.steps {
		there[s.path] = s.old
		if s.fate == created || s.fate == updated {
			there[s.path] = s.data
		}
	}
	var out []byte
	for _, f := range files {
		was, body := unstamp(there[f.Path])
		now, text := unstamp(f.Data)
		if f.Path == SpecFile || was == "" || was == digest(f.Path, body) || now != digest(f.Path, text) {
			continue
		}
		out = append(out, lastTextPath+f.Path+"\n"...)
		for _, line := range lines(text) {
			out = append(out, lastTextLine+line...)
		}
	}
	return out
}

// readLastTexts finds in lastSpecFile what lastTexts wrote, by path.
func readLastTexts(data []byte) map[string][]byte {
	out, path := map[string][]byte{}, ""
	for _, line := range lines(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))) {
		if name, ok := strings.CutPrefix(line, lastTextPath); ok {
			path = strings.TrimSuffix(name, "\n")
		} else if text, ok := strings.CutPrefix(line, lastTextLine); ok {
			out[path] = append(out[path], text...)
		}
	}
	return out
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
			if name == lastSpecFile {
				for path, body := range readLastTexts(data) {
					p.bases[path+"\x00"+digest(path, body)] = body
				}
			}
			a, err := ParseApp(data, name)
			if err != nil {
				continue
			}
			files, err := Files(a)
			if err != nil {
				continue
			}
			for _, f := range append(files, p.selecting(files)...) {
				digest, body := unstamp(f.Data)
				p.bases[f.Path+"\x00"+digest] = body
			}
		}
	}
	return p.bases[path+"\x00"+was]
}

// remember adds the step that keeps lastSpecFile up to date. It follows the
// others: where nothing changes it is not brought in either, unless a file was edited
// since. What that came from is to be known by the time another release comes.
func (p *writePlan) remember(files []File) error {
	wanted := lastSpec(files)
	if texts := p.lastTexts(files); len(wanted)+len(texts) <= maxSpecSize {
		wanted = append(wanted, texts...)
	}
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
	sameTexts := maps.EqualFunc(readLastTexts(s.old), readLastTexts(wanted), bytes.Equal)
	if !sameTexts || len(p.ordered()) > 0 {
		p.steps = append(p.steps, s)
	}
	return nil
}
