package cli

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/validate"
)

// approved has each change of a tree looked at before it is made.
func (p *program) approved(ctx context.Context, o generate.WriteOptions) generate.WriteOptions {
	o.Approve = func(dir string, r *generate.WriteResult) error { return p.approve(ctx, dir, r) }
	return o
}

// approve refuses a change that brings generated lines into edited files where that
// makes a kustomization of the tree build to what an API server refuses: a mount of a
// volume that was edited away, a port of a name that is no more. What was refused
// before stays a person's to mend.
func (p *program) approve(ctx context.Context, dir string, r *generate.WriteResult) error {
	if len(r.Edited) == 0 {
		return nil
	}
	after := withChanges(p.fs, dir, r)
	for _, file := range slices.Concat(r.Created, r.Updated, r.Unchanged, r.Kept, r.KeptWith) {
		if path.Base(file) != "kustomization.yaml" {
			continue
		}
		at := filepath.Join(dir, filepath.FromSlash(path.Dir(file)))
		wrong, err := builtErrors(ctx, after, at)
		if err != nil {
			return err
		}
		if len(wrong) == 0 {
			continue
		}
		before, err := builtErrors(ctx, p.fs, at)
		if err != nil {
			return err
		}
		for _, f := range wrong {
			if !slices.Contains(before, f) {
				return withHints(fmt.Errorf("%s would be refused with the edits of %s and what is generated now: %s; nothing was written",
					filepath.ToSlash(at), inTree(dir, r.Edited), f),
					"edit the file so that both go together and generate again, or move it away and have all of it generated")
			}
		}
	}
	return nil
}

func inTree(dir string, files []string) string {
	var out []string
	for _, f := range files {
		out = append(out, filepath.ToSlash(filepath.Join(dir, f)))
	}
	return strings.Join(out, ", ")
}

// builtErrors are the errors of what a kustomization builds to, or that of building it.
func builtErrors(ctx context.Context, fsys filesys.FileSystem, dir string) ([]string, error) {
	data, err := apply.BuildYAML(fsys, dir)
	if err != nil {
		return []string{err.Error()}, nil //nolint:nilerr // it is what was asked for
	}
	r, err := validate.Files(ctx, []string{"-"}, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range r.Findings {
		if f.Severity == validate.Error {
			out = append(out, fmt.Sprintf("%s %s: %s", f.Object, f.Field, f.Message))
		}
	}
	return out, nil
}
