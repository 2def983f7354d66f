package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/validate"
)

type validateOptions struct {
	files  []string
	output string
	strict bool
}

func newValidateCmd(p *program) *cobra.Command {
	o := &validateOptions{}
	cmd := &cobra.Command{
		Use:         "validate DIR | -f FILE [flags]",
		Short:       "Check manifests or a kustomize tree, offline",
		GroupID:     groupSteps,
		Annotations: map[string]string{offline: "none"},
		Long: `Check any kustomize tree, or plain YAML files, without a cluster and without a
download: every field against the schema of Kubernetes, unknown and duplicate fields,
and what no schema knows: names, labels, ports and other values that an API server
refuses, selectors that match nothing, target ports that no container has, fields of
another Service type, ports that collide, patches that silently do nothing, and
budgets, policies and autoscalers of nothing. Each svcx.yaml is checked for what
generate takes. Kustomizations are checked as written and as built; each finding names
its file and line, and a note says what was not built or not checked: what is fetched
from elsewhere, or made by helm or a plugin. What only a cluster knows is not checked:
its ranges of addresses and node ports, its own kinds, and whether a change of what
runs is allowed.

Exit codes: 0 nothing wrong, 1 errors (with --strict: or warnings).`,
		Example: `  # A tree: its base, overlays and patches
  kubectl svcx validate redis

  # Files, or what another tool prints
  kubectl svcx validate -f deployment.yaml -f service.yaml
  helm template redis | kubectl svcx validate -f -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs, err := o.complete(cmd, args)
			if err != nil {
				return err
			}
			return p.runValidate(cmd.Context(), o, dirs)
		},
	}
	flagGroup(cmd, "What to check", func(fs *pflag.FlagSet) {
		fs.StringArrayVarP(&o.files, "filename", "f", nil, "A YAML `FILE` of manifests, - for stdin; may be repeated")
		fs.BoolVar(&o.strict, "strict", false, "Count warnings as errors")
	})
	flagGroup(cmd, flagsOutput, func(fs *pflag.FlagSet) {
		fs.StringVarP(&o.output, "output", "o", "", "Print the findings in this `FORMAT` (json)")
	})
	_ = cmd.RegisterFlagCompletionFunc("output", fixed("json"))
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml")
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return cmd
}

// complete tells folders from files.
func (o *validateOptions) complete(cmd *cobra.Command, args []string) (dirs []string, err error) {
	if o.output != "" {
		if o.output, err = oneOf("output", o.output, "json"); err != nil {
			return nil, err
		}
	}
	if len(args)+len(o.files) == 0 {
		return nil, withHints(errors.New("what is to be checked?"), "a folder, as in: "+cmd.CommandPath()+" redis", "or files: "+cmd.CommandPath()+" -f service.yaml")
	}
	var files []string
	for _, name := range append(append([]string{}, args...), o.files...) {
		if name == "-" {
			files = append(files, name)
			continue
		}
		info, err := os.Stat(name)
		switch {
		case err != nil:
			if msg, ok := pathError(err); ok {
				err = errors.New(msg)
			}
			return nil, err
		case info.IsDir():
			dirs = append(dirs, name)
		default:
			files = append(files, name)
		}
	}
	o.files = files
	return dirs, nil
}

func (p *program) runValidate(ctx context.Context, o *validateOptions, dirs []string) error {
	all := &validate.Result{Findings: []validate.Finding{}}
	keep := func(r *validate.Result) {
		all.Files, all.Objects, all.Overlays = all.Files+r.Files, all.Objects+r.Objects, all.Overlays+r.Overlays
		all.Findings = append(all.Findings, r.Findings...)
	}
	for _, dir := range dirs {
		options := validate.Options{Build: func(dir string) ([]byte, error) { return apply.BuildYAML(p.fs, dir) }}
		trees, _ := generate.Specs(ctx, dir, true) // a folder that cannot be read is told of below
		for _, tree := range trees {
			file := filepath.Join(tree, generate.SpecFile)
			options.Checked = append(options.Checked, file)
			_, err := generate.LoadApp(tree)
			keep(specFindings(file, err))
		}
		r, err := validate.Dir(ctx, dir, options)
		if err != nil {
			return err
		}
		keep(r)
	}
	stdin := p.In
	if slices.Contains(o.files, "-") {
		stdin = bufio.NewReaderSize(p.In, maxSpec)
	}
	var manifests []string
	for _, name := range o.files {
		if r := specIn(name, stdin); r != nil {
			keep(r)
			continue
		}
		manifests = append(manifests, name)
	}
	if len(manifests) > 0 {
		r, err := validate.Files(ctx, manifests, stdin)
		if err != nil {
			return err
		}
		keep(r)
	}
	if o.output == "json" {
		data, err := json.Marshal(all)
		if err == nil {
			err = printJSON(p.Out, data)
		}
		if err != nil {
			return err
		}
	} else {
		p.printFindings(all)
	}
	if all.Count(validate.Error) > 0 || o.strict && all.Count(validate.Warning) > 0 {
		return &codeError{exitError}
	}
	return nil
}

// maxSpec is how much is read to see whether it is a svcx.yaml: more than one may be long.
const maxSpec = 1<<20 + 1

// specIn checks a file that is a svcx.yaml, by its name or by what it says of itself;
// of any other it returns nil.
func specIn(name string, stdin io.Reader) *validate.Result {
	if filepath.Base(name) == generate.SpecFile {
		_, err := generate.LoadApp(filepath.Dir(name))
		return specFindings(name, err)
	}
	var data []byte // what cannot be read is told of with the manifests
	if in, ok := stdin.(*bufio.Reader); ok && name == "-" {
		name = "stdin"
		data, _ = in.Peek(maxSpec)
	} else if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Size() < maxSpec {
		data, _ = os.ReadFile(name)
	}
	if !generate.IsApp(data) {
		return nil
	}
	_, err := generate.CheckApp(data, name)
	return specFindings(name, err)
}

// specFindings is what is wrong with a svcx.yaml.
func specFindings(file string, err error) *validate.Result {
	r := &validate.Result{Files: 1}
	var invalid *generate.InvalidError
	switch {
	case err == nil:
	case errors.As(err, &invalid):
		for _, problem := range invalid.Problems {
			message := problem.Reason
			if problem.Value != "" {
				message = fmt.Sprintf("%q %s", problem.Value, message)
			}
			r.Findings = append(r.Findings, validate.Finding{File: file, Line: problem.Line, Field: problem.Field,
				Severity: validate.Error, Rule: "spec", Message: message, Next: problem.Next})
		}
	default:
		r.Findings = append(r.Findings, validate.Finding{File: file, Severity: validate.Error, Rule: "spec", Message: err.Error()})
	}
	return r
}

func (p *program) printFindings(r *validate.Result) {
	for _, f := range r.Findings {
		fmt.Fprintln(p.Out, f)
	}
	errs, warnings := r.Count(validate.Error), r.Count(validate.Warning)
	verdict := "valid"
	if errs > 0 {
		verdict = counted(errs, "error")
	}
	if warnings > 0 {
		verdict += ", " + counted(warnings, "warning")
	}
	what := counted(r.Objects, "object") + " in " + counted(r.Files, "file")
	if r.Overlays > 0 {
		what += ", " + counted(r.Overlays, "kustomization") + " built"
	}
	fmt.Fprintf(p.Out, "%s: %s\n", verdict, what)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
