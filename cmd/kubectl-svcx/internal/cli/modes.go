package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// winFlags say whose lines stay where a person and the generator have changed the same.
type winFlags struct {
	overwrite bool
	keepEdits bool
}

func (f *winFlags) add(fs *pflag.FlagSet) {
	fs.BoolVar(&f.overwrite, "overwrite", false, "Where a file was edited by hand and is generated differently now, let the generated lines win")
	fs.BoolVar(&f.keepEdits, "keep-edits", false, "Where a file was edited by hand and is generated differently now, let the edited lines win")
}

// winHint says how to have one side win.
func winHint(e *generate.EditedError) string {
	if slices.Contains(e.Files, generate.SpecFile) {
		// Which has to say what is asked: what was written in it cannot win over that.
		return generate.SpecFile + ": write the change into it by hand and run kubectl svcx generate; --overwrite lets the generated lines win, and may take its comments"
	}
	return "--overwrite lets the generated lines win, --keep-edits those of the file"
}

func (f *winFlags) check() error {
	if f.overwrite && f.keepEdits {
		return errors.New("--overwrite and --keep-edits: only one side can win")
	}
	return nil
}

func (f *winFlags) writeOptions(dryRun bool) generate.WriteOptions {
	return generate.WriteOptions{Overwrite: f.overwrite, KeepEdits: f.keepEdits, DryRun: dryRun}
}

// stdoutDir is the --dir that means stdout.
const stdoutDir = "-"

// generateModes are the ways to generate without writing.
type generateModes struct {
	diff  bool
	check bool
}

func (m *generateModes) addModes(fs *pflag.FlagSet) {
	fs.BoolVar(&m.diff, "diff", false, "Print what would change, as a diff; nothing is written")
	fs.BoolVar(&m.check, "check", false, "End with 1 and name the files when something would change; nothing is written. For CI")
}

// printTree prints the files of the tree, each after its name, as one YAML stream.
func (p *program) printTree(app *generate.App) error {
	files, err := generate.Files(app)
	if err != nil {
		return err
	}
	for _, f := range files {
		if _, err := fmt.Fprintf(p.Out, "---\n# %s/%s\n%s", app.Metadata.Name, f.Path, f.Data); err != nil {
			return err
		}
	}
	return nil
}

// unlisted is the error for files that are generated and have no effect.
func unlisted(files string) error {
	return withHints(fmt.Errorf("%s: named by no kustomization.yaml, so that what svcx.yaml says of it has no effect", files),
		"list it in its folder's kustomization.yaml, in the place of a copy of another name; an object that is not wanted is left out by a patch with $patch: delete")
}

// compareTree says what generating would change.
func (p *program) compareTree(ctx context.Context, o *generateOptions, app *generate.App) error {
	res, err := generate.Write(ctx, o.dir, app, p.approved(ctx, o.writeOptions(true)))
	var edited *generate.EditedError
	if errors.As(err, &edited) {
		if o.diff {
			fmt.Fprint(p.Out, edited.Diff)
		}
		return withHints(err, winHint(edited))
	}
	if err != nil {
		return err
	}
	var changes []string
	for _, files := range [][]string{res.Created, res.Updated, res.Removed} {
		for _, f := range files {
			changes = append(changes, filepath.ToSlash(filepath.Join(o.dir, f)))
		}
	}
	if o.diff {
		fmt.Fprint(p.Out, res.Diff())
	}
	switch {
	case len(changes) == 0 && o.check && len(res.Unlisted) > 0:
		return unlisted(inTree(o.dir, res.Unlisted))
	case len(changes) == 0:
		for _, l := range p.written(o.dir, res, false) {
			p.line(l.label, "%s", l.text)
		}
		return nil
	case !o.check:
		return nil
	case !o.diff:
		for _, f := range changes {
			fmt.Fprintln(p.Out, f)
		}
	}
	fmt.Fprintf(p.ErrOut, "%s would change; kubectl svcx generate --dir=%s writes them\n", counted(len(changes), "file"), shell.Word(o.dir))
	return &codeError{exitError}
}
