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
// before stays a person's to mend. What would be taken and does nothing beside edits, such
// as a policy for labels that the Pods were given others of, is told.
func (p *program) approve(ctx context.Context, dir string, r *generate.WriteResult) error {
	if len(r.Edited)+len(r.Kept) == 0 || len(r.Created)+len(r.Updated)+len(r.Removed) == 0 {
		return nil
	}
	after := withChanges(p.fs, dir, r)
	told := map[string]bool{}
	for _, file := range slices.Concat(r.Created, r.Updated, r.Unchanged, r.Kept, r.KeptWith) {
		if path.Base(file) != "kustomization.yaml" {
			continue
		}
		at := filepath.Join(dir, filepath.FromSlash(path.Dir(file)))
		if err := addedTwice(after, dir, at, r.Created); err != nil {
			return err
		}
		wrong, idle, err := built(ctx, after, at)
		if err != nil {
			return err
		}
		if len(wrong)+len(idle) == 0 {
			continue
		}
		wrongBefore, idleBefore, err := built(ctx, p.fs, at)
		if err != nil {
			return err
		}
		for _, f := range wrong {
			if slices.Contains(wrongBefore, f) {
				continue
			}
			return withHints(fmt.Errorf("%s would be refused with the edits of %s and what is generated now: %s; nothing was written",
				filepath.ToSlash(at), inTree(dir, editedFor(path.Dir(file), r)), f),
				"edit the file so that both go together and generate again, or move it away and have all of it generated")
		}
		for _, f := range idle {
			if !told[f] && !slices.Contains(idleBefore, f) {
				told[f] = true
				fmt.Fprintf(p.ErrOut, "warning: %s: %s\n", filepath.ToSlash(filepath.Clean(dir)), f)
			}
		}
	}
	return nil
}

// editedFor are the files with edits that a folder's kustomization most probably has
// its trouble from: those that change now and its own, else all.
func editedFor(folder string, r *generate.WriteResult) []string {
	files := slices.Clone(r.Edited)
	for _, f := range r.Kept {
		if path.Dir(f) == folder {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return r.Kept
	}
	return files
}

func inTree(dir string, files []string) string {
	var out []string
	for _, f := range files {
		out = append(out, filepath.ToSlash(filepath.Join(dir, f)))
	}
	return strings.Join(out, ", ")
}

// idleRules are those by which something is taken, and does not do what it says.
var idleRules = []string{"selects-nothing", "disk"}

// built are the errors of what a kustomization builds to, or that of building it, and
// what does nothing in it.
func built(ctx context.Context, fsys filesys.FileSystem, dir string) (wrong, idle []string, err error) {
	data, err := apply.BuildYAML(fsys, dir)
	if err != nil {
		return []string{err.Error()}, nil, nil //nolint:nilerr // it is what was asked for
	}
	r, err := validate.Files(ctx, []string{"-"}, bytes.NewReader(data))
	if err != nil {
		return nil, nil, err
	}
	for _, f := range r.Findings {
		says := fmt.Sprintf("%s %s: %s", f.Object, f.Field, f.Message)
		switch {
		case f.Severity == validate.Error:
			wrong = append(wrong, says)
		case slices.Contains(idleRules, f.Rule):
			idle = append(idle, says+"; "+f.Next)
		}
	}
	return wrong, idle, nil
}
