package generate

import (
	"context"
	"path"
)

// RemovedField is a field that the new type of a Service has no use for, taken out
// of a file of the tree.
type RemovedField struct {
	File string // relative to the tree
	StaleField
}

// WriteRetyped writes the tree of an App to which Retype has given another type, as
// Write does, and takes out of the files that people wrote in the overlay what the
// Service's new type has no use for. That is one change of the tree: all files change
// or none.
func WriteRetyped(ctx context.Context, dir string, a *App, overlay string, t ServiceType, o WriteOptions) (*WriteResult, []RemovedField, error) {
	files, err := Files(a)
	if err != nil {
		return nil, nil, err
	}
	var removed []RemovedField
	o.also = func(p *writePlan) { removed = p.removeStale(a.OverlayDir(overlay), a.Spec.Service.Name, t) }
	r, err := writeFiles(ctx, dir, a.Metadata.Name, files, o, planWrite)
	if err != nil {
		return nil, nil, err
	}
	return r, removed, nil
}

// removeStale plans to take out of the files in a folder what a type has no use for.
func (p *writePlan) removeStale(dir, service string, t ServiceType) []RemovedField {
	if p.root == nil {
		return nil
	}
	planned := map[string]int{}
	for i, s := range p.steps {
		planned[s.path] = i
	}
	var out []RemovedField
	for _, name := range p.list(dir) {
		file := path.Join(dir, name)
		if ext := path.Ext(name); ext != ".yaml" && ext != ".yml" {
			continue
		}
		s := step{path: file}
		at, there := planned[file]
		if there {
			s = p.steps[at]
		}
		switch {
		case s.fate == removed, s.idle:
			continue
		case s.fate == updated:
		default:
			data, mode, err := p.read(file)
			if err != nil {
				continue // what is no plain file is not written
			}
			s.old, s.data, s.mode = data, data, mode
		}
		data, fields := RemoveStale(s.data, service, t)
		if len(fields) == 0 {
			continue
		}
		s.fate, s.data, s.with = updated, data, false
		if there {
			p.steps[at] = s
		} else {
			p.steps = append(p.steps, s)
		}
		for _, f := range fields {
			out = append(out, RemovedField{file, f})
		}
	}
	return out
}
