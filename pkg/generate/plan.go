package generate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// fate is what is to become of one file.
type fate int

const (
	unchanged fate = iota
	created
	updated
	kept
	removed
)

// step is one file of a plan.
type step struct {
	path string
	fate fate
	data []byte      // what to write, for created and updated
	old  []byte      // what is there, for updated and removed
	mode fs.FileMode // of what is there
	with bool        // kept for the sake of another file that is
	idle bool        // kept, though no kustomization.yaml names it any more
	hand bool        // updated, though a person has edited it
	held []string    // fields that are generated differently and stay as edited
}

// writePlan is what Write is about to do; making it reads, and writes nothing.
type writePlan struct {
	dir   string
	steps []step

	root     *os.Root    // nil when dir does not exist
	was      fs.FileInfo // dir's, when it was opened
	oneOf    bool        // of several trees that are written
	restored bool        // what a killed run had left half written was put back
	halt     func(change string)
	standing func() []string
	wins     winner
	edited   []string
	whole    []string // of them, those that cannot be merged whoever wins
	diff     bytes.Buffer
	foreign  []string
	unlisted []string
	gone     []Gone
	ours     bool // a file of the tree was found that carries a stamp
	bases    map[string][]byte
}

func planWrite(dir, app string, files []File, o WriteOptions) (*writePlan, error) {
	p := &writePlan{dir: dir, wins: o.winner(), halt: o.halt, standing: o.standing}
	if p.standing == nil {
		p.standing = workingDirs
	}
	generated := files
	if o.generated != nil {
		generated = o.generated
	}
	if err := p.open(); err != nil {
		return nil, err
	}
	if p.root == nil {
		for _, f := range files {
			p.steps = append(p.steps, step{path: f.Path, fate: created, data: f.Data})
		}
		return p, p.remember(generated)
	}
	defer p.root.Close()
	if err := p.recover(o.DryRun); err != nil {
		return nil, err
	}
	if o.generated == nil {
		files = p.selecting(files)
		generated = files
	}
	if err := p.compare(files, app); err != nil {
		return nil, err
	}
	p.obsolete(files)
	p.unlisted = p.notNamed(files)
	p.gone = p.goneFrom(generated)
	if err := p.refused(); err != nil {
		return nil, err
	}
	if o.also != nil {
		o.also(p)
	}
	if err := p.remember(generated); err != nil {
		return nil, err
	}
	slices.SortFunc(p.steps, func(x, y step) int { return strings.Compare(x.path, y.path) })
	return p, nil
}

// open opens the directory, so that nothing outside of it can be reached by
// whatever links it may hold.
func (p *writePlan) open() error {
	info, err := os.Stat(p.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("directory %s: %w; choose another --dir", p.dir, cause(err))
	case !info.IsDir():
		return fmt.Errorf("%s is a file, not a directory; choose another --dir", p.dir)
	}
	p.root, err = os.OpenRoot(p.dir)
	if err == nil {
		p.was, err = p.root.Stat(".")
	}
	if err != nil {
		return fmt.Errorf("directory %s: %w", p.dir, cause(err))
	}
	return nil
}

// recover puts back what a killed run has left half written.
func (p *writePlan) recover(dryRun bool) error {
	err := Interrupted(p.dir)
	if err == nil || dryRun {
		return err
	}
	release, err := p.lock() // it may not have been killed
	if err != nil {
		return err
	}
	defer release()
	p.restored = true
	return (&disk{p.root, p.halt}).putBack(p.dir)
}

// compare decides on every file of the new tree.
func (p *writePlan) compare(files []File, app string) error {
	for _, f := range files {
		data, mode, err := p.read(f.Path)
		if errors.Is(err, fs.ErrNotExist) {
			p.steps = append(p.steps, step{path: f.Path, fate: created, data: f.Data})
			continue
		}
		if err != nil {
			return err
		}
		s := step{path: f.Path, old: data, mode: mode}
		if f.Path == SpecFile {
			p.ours = true
			err = p.spec(&s, f, app)
		} else {
			p.generated(&s, f)
		}
		if err != nil {
			return err
		}
		p.steps = append(p.steps, s)
	}
	// What a person has taken out of a kustomization.yaml, file and all, stays away.
	p.steps = slices.DeleteFunc(p.steps, func(s step) bool {
		dir, name := path.Split(s.path)
		return s.fate == created && name != "kustomization.yaml" && !p.names(path.Clean(dir), name)
	})
	return nil
}

// generated decides on a file that is there and is generated.
func (p *writePlan) generated(s *step, f File) {
	was, body := unstamp(s.old)
	now, wanted := unstamp(f.Data)
	switch {
	case was == "":
		// Somebody else's, or its stamp was taken away: then it is theirs now.
		if bytes.Equal(body, wanted) {
			return
		}
		p.foreign = append(p.foreign, f.Path)
		return
	case bytes.Equal(body, wanted):
		if was != now {
			s.fate, s.data = updated, restamp(s.old, now)
		}
	case was == digest(f.Path, body):
		s.fate, s.data = updated, f.Data
	case was == now:
		s.fate = kept
	default:
		p.merged(s, f, body, wanted)
	}
	p.ours = true
}

// merged brings a change of the generated content into an edited file.
func (p *writePlan) merged(s *step, f File, body, wanted []byte) {
	was, _ := unstamp(s.old)
	now, _ := unstamp(f.Data)
	base := p.base(f.Path, was)
	s.hand = true
	if base != nil {
		if text, ok := mergeText(base, body, wanted, p.wins); ok {
			if p.wins == editsWin {
				s.held = heldFields(base, text, wanted)
			}
			text = restamp(stampAs(s.old, f.Path, text), now)
			if bytes.Contains(s.old, []byte("\r\n")) {
				text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
			}
			s.fate, s.data = updated, text
			return
		}
	}
	switch p.wins {
	case editsWin:
		s.fate, s.data, s.held = updated, restamp(s.old, now), heldFields(base, body, wanted)
		return
	case nobodyWins:
		if !mixes(base, body, wanted) {
			p.whole = append(p.whole, f.Path)
		}
	}
	p.conflict(s, f)
}

// mixes reports whether, with a winner, what the other side has changed elsewhere
// stays; else the winner takes the whole file.
func mixes(base, edited, wanted []byte) bool {
	if base == nil {
		return false
	}
	for _, wins := range []winner{generatedWins, editsWin} {
		if _, ok := mergeText(base, edited, wanted, wins); !ok {
			return false
		}
	}
	return true
}

// spec decides on svcx.yaml, which is a person's to edit.
func (p *writePlan) spec(s *step, f File, app string) error {
	name := filepath.Join(p.dir, SpecFile)
	there, err := ParseApp(s.old, name)
	if err != nil {
		return err
	}
	asWritten := *there.copy()
	there.Complete()
	asMeant, err := encode(there)
	if err != nil {
		return err
	}
	_, wanted := unstamp(f.Data)
	was, body := unstamp(s.old)
	unedited := was == digest(SpecFile, body)
	switch {
	case bytes.Equal(asMeant, wanted):
		// The tree is generated from this text from now on.
		if was != "" && !unedited {
			s.fate, s.data = updated, restamp(s.old, digest(SpecFile, body))
		}
	case there.Metadata.Name != app && p.wins != generatedWins:
		return &OtherAppError{Dir: p.dir, Have: there.Metadata.Name, Want: app}
	case unedited && spells(&asWritten, body):
		s.fate, s.data = updated, f.Data
	default:
		text, ok := p.respelled(body, asMeant, wanted)
		if !ok {
			p.conflict(s, f)
			return nil
		}
		s.fate, s.data = updated, text
		if was != "" {
			s.data = stampAs(s.old, SpecFile, text)
		}
	}
	return nil
}

// spells reports whether a text is what this program writes for an App.
func spells(a *App, text []byte) bool {
	ours, err := encode(a)
	return err == nil && bytes.Equal(ours, text)
}

// respelled changes a person's text of svcx.yaml to say what is wanted, and
// makes sure that it does. Where one field's default follows another's value,
// it takes a second round to write out the default that was. What cannot be
// changed field by field may still be line by line, where the text is much as
// this program writes it.
func (p *writePlan) respelled(text, from, wanted []byte) ([]byte, bool) {
	changed, says := text, from
	for range 3 {
		var ok bool
		if changed, ok = respell(changed, says, wanted, p.wins); !ok {
			break
		}
		if says = meaning(changed); bytes.Equal(says, wanted) {
			return changed, true
		}
	}
	merged, ok := mergeText(from, text, wanted, p.wins)
	return merged, ok && bytes.Equal(meaning(merged), wanted)
}

// meaning is what a text of svcx.yaml says, as this program writes it; nil for nothing.
func meaning(text []byte) []byte {
	a, err := ParseApp(text, SpecFile)
	if err != nil {
		return nil
	}
	a.Complete()
	out, err := encode(a)
	if err != nil {
		return nil
	}
	return out
}

// conflict notes a file whose edits and new content cannot both be had.
func (p *writePlan) conflict(s *step, f File) {
	s.fate, s.data = updated, f.Data
	if p.wins == generatedWins {
		return
	}
	p.edited = append(p.edited, f.Path)
	name := filepath.Join(p.dir, filepath.FromSlash(f.Path))
	p.diff.WriteString(printable(string(diff.Diff(name, s.old, name, f.Data))))
}

// refused returns the error that what was found amounts to.
func (p *writePlan) refused() error {
	if len(p.foreign) > 0 {
		return &ForeignError{Dir: p.dir, Files: p.foreign, Reason: "not written by this program",
			Next: "Move it away, or choose another --dir"}
	}
	if !p.ours {
		if names := visible(p.list(".")); len(names) > 0 {
			return &ForeignError{Dir: p.dir, Files: names, Reason: "the directory has files, and no " + SpecFile + " that would make it a tree of this program",
				Next: "Choose another --dir: one that is empty or does not exist"}
		}
	}
	if len(p.edited) > 0 {
		return &EditedError{Dir: p.dir, Files: p.edited, Whole: p.whole, Diff: p.diff.String()}
	}
	return nil
}

// visible leaves out the names that begin with a dot (.git, .gitignore): they do
// not make a directory one that is in use for something else.
func visible(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, ".") })
}

func (p *writePlan) result() *WriteResult {
	r := &WriteResult{Restored: p.restored, Unlisted: p.unlisted, Content: map[string][]byte{}, dir: p.dir, gone: p.gone}
	lists := map[fate]*[]string{
		created: &r.Created, updated: &r.Updated, unchanged: &r.Unchanged, kept: &r.Kept, removed: &r.Removed,
	}
	for _, s := range p.steps {
		if s.path == lastSpecFile {
			continue // the program's own
		}
		switch {
		case s.with:
			r.KeptWith = append(r.KeptWith, s.path)
			continue
		case s.idle:
			r.Unused = append(r.Unused, s.path)
			continue
		}
		if s.hand {
			r.Edited = append(r.Edited, s.path)
		}
		for _, f := range s.held {
			r.Held = append(r.Held, HeldField{s.path, f})
		}
		*lists[s.fate] = append(*lists[s.fate], s.path)
		if s.fate == created || s.fate == updated {
			r.Content[s.path] = s.data
		}
		if s.fate != unchanged && s.fate != kept {
			r.changes = append(r.changes, s)
		}
	}
	return r
}

// Diff is what changes, in the unified format, without control characters.
func (r *WriteResult) Diff() string {
	var out bytes.Buffer
	for _, s := range r.changes {
		name := filepath.Join(r.dir, filepath.FromSlash(s.path))
		out.Write(diff.Diff(name, s.old, name, s.data))
	}
	return printable(out.String())
}
