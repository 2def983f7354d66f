package generate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// OtherSpecError says that the directory holds a tree whose svcx.yaml says other than
// what is imported: it would be lost, and what is generated of it. Nothing was written.
type OtherSpecError struct {
	Dir    string
	Fields []string // of svcx.yaml, in which the two differ
	Lost   []string // the environments that only the tree has
}

// Error names what would be lost and the ways on.
func (e *OtherSpecError) Error() string {
	lost := ""
	if len(e.Lost) > 0 {
		lost = "; its overlays " + someOf(e.Lost) + " would be lost"
	}
	return fmt.Sprintf("%s says other than what is imported, in %s%s; nothing was written. Choose another --dir, or replace the tree with --overwrite",
		inDir(e.Dir, []string{SpecFile}), someOf(e.Fields), lost)
}

// WriteImported writes an imported tree as Write does. Where a tree is there whose
// svcx.yaml says something else, it is an *OtherSpecError, unless it is to be
// overwritten: unlike what flags say, what is imported did not begin with it.
func WriteImported(ctx context.Context, dir string, i *Imported, o WriteOptions) (*WriteResult, error) {
	o.generated = i.generated
	return writeFiles(ctx, dir, i.App.Metadata.Name, i.files, o, planImported)
}

func planImported(dir, app string, files []File, o WriteOptions) (*writePlan, error) {
	p, err := planWrite(dir, app, files, o)
	if o.Overwrite {
		return p, err
	}
	var edited *EditedError
	if errors.As(err, &edited) {
		// That svcx.yaml says something else comes first, as it is why the rest does.
		o.Overwrite, o.KeepEdits, o.DryRun = true, false, true
		if forced, err := planWrite(dir, app, files, o); err == nil {
			if err := forced.sameSpec(); err != nil {
				return nil, err
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return p, p.sameSpec()
}

// sameSpec is an *OtherSpecError for a plan that makes svcx.yaml say something else:
// something of which another tree is generated.
func (p *writePlan) sameSpec() error {
	i := slices.IndexFunc(p.steps, func(s step) bool { return s.path == SpecFile && s.fate == updated })
	if i < 0 {
		return nil
	}
	was, err := ParseApp(p.steps[i].old, SpecFile)
	if err != nil {
		return err
	}
	is, err := ParseApp(p.steps[i].data, SpecFile)
	if err != nil {
		return err
	}
	if generatesSame(was, is) {
		return nil
	}
	e := &OtherSpecError{Dir: p.dir}
	var fields [2]any
	for i, a := range []*App{was, is} {
		a.Complete()
		data, err := json.Marshal(a)
		if err == nil {
			err = json.Unmarshal(data, &fields[i])
		}
		if err != nil {
			return err
		}
	}
	e.Fields = differences(fields[0], fields[1], "")
	for i := range e.Fields {
		e.Fields[i] = strings.TrimPrefix(e.Fields[i], ".")
	}
	for _, o := range was.Spec.Overlays {
		if is.Environment(o.Name) == nil {
			e.Lost = append(e.Lost, o.Name)
		}
	}
	return e
}

// generatesSame reports whether of two Specs the same is generated, beside svcx.yaml.
func generatesSame(x, y *App) bool {
	a, err1 := Files(x)
	b, err2 := Files(y)
	return err1 == nil && err2 == nil && slices.EqualFunc(a, b, func(f, g File) bool {
		return f.Path == g.Path && (f.Path == SpecFile || bytes.Equal(f.Data, g.Data))
	})
}
