package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// severalFlags name trees that exist, to be generated again.
type severalFlags struct {
	files     []string
	recursive bool
}

func (f *severalFlags) addSeveral(cmd *cobra.Command) {
	flagGroup(cmd, "Several at once", func(fs *pflag.FlagSet) {
		fs.StringArrayVarP(&f.files, "filename", "f", nil, "Generate again from this svcx.yaml, or the one in this folder (`PATH`); may be repeated")
		fs.BoolVarP(&f.recursive, "recursive", "R", false, "With -f: and from every svcx.yaml in the folders below")
	})
	_ = cmd.MarkFlagFilename("filename", "yaml")
}

// severalWith are the flags that go together with -f: what an app is made of is
// said in its svcx.yaml.
var severalWith = []string{"filename", "recursive", "overwrite", "keep-edits", "dry-run", "diff", "check"}

func (f *severalFlags) validateSeveral(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return withHints(fmt.Errorf("unexpected argument %q: with -f, each svcx.yaml names its app", args[0]), "a folder goes behind -f: -f "+shell.Word(args[0]))
	}
	var other string
	cmd.LocalNonPersistentFlags().VisitAll(func(fl *pflag.Flag) {
		if fl.Changed && other == "" && !slices.Contains(severalWith, fl.Name) {
			other = fl.Name
		}
	})
	if changed(cmd, "namespace") {
		other = "namespace"
	}
	switch other {
	case "":
	case "dir":
		return withHints(errors.New("--dir: with -f, PATH says where the trees are"), "leave one of them out")
	case "output":
		return withHints(errors.New("-o: with -f, nothing is printed of the objects"), "print those of one tree: "+cmd.CommandPath()+" --dir=DIR -o yaml")
	default:
		return withHints(fmt.Errorf("--%s: with -f, what is generated is said in svcx.yaml", other), "change one tree with --dir=DIR --"+other+"=…, or edit its svcx.yaml")
	}
	return nil
}

func (p *program) runSeveral(cmd *cobra.Command, o *generateOptions, args []string) error {
	if len(o.files) == 0 {
		return withHints(errors.New("-R goes together with -f"), "as in: "+cmd.CommandPath()+" -f apps -R")
	}
	if err := o.validateSeveral(cmd, args); err != nil {
		return err
	}
	var err error
	if o.dryRun, err = oneOf("dry-run", o.dryRun, dryRunNone, dryRunClient); err != nil {
		return err
	}
	return p.generateSeveral(cmd.Context(), o)
}

// eachOnce sorts folders and leaves out those that are there under another name.
func eachOnce(dirs []string) ([]string, error) {
	for i := range dirs {
		dirs[i] = filepath.Clean(dirs[i])
	}
	slices.Sort(dirs)
	seen := map[string]bool{}
	var out []string
	for _, dir := range slices.Compact(dirs) {
		real, err := filepath.Abs(dir)
		if err == nil {
			real, err = filepath.EvalSymlinks(real)
		}
		if err != nil {
			return nil, err
		}
		if !seen[real] {
			seen[real] = true
			out = append(out, dir)
		}
	}
	return out, nil
}

// generateSeveral generates trees again, all of them or none.
func (p *program) generateSeveral(ctx context.Context, o *generateOptions) error {
	var dirs []string
	for _, f := range o.files {
		found, err := generate.Specs(ctx, f, o.recursive)
		if err != nil {
			return err
		}
		dirs = append(dirs, found...)
	}
	dirs, err := eachOnce(dirs)
	if err != nil {
		return err
	}
	dry := o.dryRun != dryRunNone || o.diff || o.check
	results, err := generate.Regenerate(ctx, dirs, p.approved(ctx, o.writeOptions(dry)))
	if err != nil {
		var edited *generate.EditedError
		if errors.As(err, &edited) {
			err = withHints(err, "see what with: kubectl svcx generate --diff --dir="+shell.Word(edited.Dir))
		}
		return err
	}
	changed, files := 0, 0
	var idle []string
	for i, r := range results {
		if len(r.Unlisted) > 0 {
			idle = append(idle, inTree(dirs[i], r.Unlisted))
		}
		n := len(r.Created) + len(r.Updated) + len(r.Removed)
		if n == 0 {
			continue
		}
		changed, files = changed+1, files+n
		switch {
		case o.diff:
			fmt.Fprint(p.Out, r.Diff())
		case o.check:
			for _, f := range slices.Concat(r.Created, r.Updated, r.Removed) {
				fmt.Fprintln(p.Out, filepath.ToSlash(filepath.Join(dirs[i], f)))
			}
		default:
			for _, l := range p.written(dirs[i], r, dry) {
				p.line(l.label, "%s", l.text)
			}
		}
	}
	switch {
	case changed == 0 && o.check && len(idle) > 0:
		return unlisted(strings.Join(idle, ", "))
	case changed == 0:
		p.line("generated", "%s, unchanged", counted(len(dirs), "tree"))
	case o.diff || o.check:
		fmt.Fprintf(p.ErrOut, "%s of %s would change\n", counted(files, "file"), counted(changed, "tree"))
		if o.check {
			return &codeError{exitError}
		}
	case dry:
		p.line("generated", "%s, %d would change (dry run)", counted(len(dirs), "tree"), changed)
	default:
		p.line("generated", "%s, %d changed", counted(len(dirs), "tree"), changed)
	}
	return nil
}
