package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// The values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

type generateOptions struct {
	appFlags
	dryRun string
	output string
	generateModes
	severalFlags
}

func newGenerateCmd(p *program) *cobra.Command {
	o := &generateOptions{}
	cmd := &cobra.Command{
		Use:     "generate NAME --image=IMAGE [--port=PORT] [--type=TYPE] [flags] [-- COMMAND [ARG...]] | -f PATH [-R]",
		Short:   "Write a kustomize tree for an app and its Service",
		GroupID: groupSteps,
		// The namespace is written into the overlays.
		Annotations: map[string]string{offline: "namespace"},
		Long: `Write a kustomize tree for an app and its Service: a base and an overlay for each
Service type, made for committing. svcx.yaml in it records what was asked; on a
tree that exists, only the flags given change something, and files that were
edited by hand are not written over. With -f, no tree is written unless all can be
planned and locked; should one fail then, the error names those that were written.

A new app of a known image also gets a NetworkPolicy that opens its ports only, a
PodDisruptionBudget and the pull policy Always; svcx.yaml says so, and --set takes
each back.`,
		Example: `  # Redis with two replicas: ./redis with a base and its overlays
  kubectl svcx generate redis --image=redis:alpine --replicas=2 --port=6379

  # Look at what the NodePort overlay holds; nothing is written
  kubectl svcx generate redis --image=redis:alpine --type=NodePort -o yaml

  # Of an image that only the nodes have (kind load, minikube image load)
  kubectl svcx generate redis --image=redis:alpine --set workload.imagePullPolicy=IfNotPresent

  # Only the Deployment and the Service
  kubectl svcx generate redis --image=redis:alpine --set networkPolicy= --set podDisruptionBudget=

  # An alias for a host outside the cluster
  kubectl svcx generate db --external-name=db.example.com --port=5432

  # Environments beside the types: in one the Service is an alias of a host outside
  kubectl svcx generate redis --image=redis:alpine --overlay=dev=ClusterIP,namespace=dev \
    --overlay=prod=ExternalName,namespace=shop,external-name=redis.example.com

  # Generate again, from svcx.yaml, with another image
  kubectl svcx generate --dir redis --image=redis:8-alpine

  # Generate every tree of a repository again, all of them or none; in CI, only look
  kubectl svcx generate -f apps -R
  kubectl svcx generate -f apps -R --check`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(o.files) > 0 || o.recursive {
				return p.runSeveral(cmd, o, args)
			}
			if err := o.complete(cmd, p, args); err != nil {
				return err
			}
			if err := o.validate(cmd); err != nil {
				return err
			}
			return p.runGenerate(cmd.Context(), cmd, o)
		},
	}
	o.add(cmd)
	o.addSeveral(cmd)
	flagGroup(cmd, flagsOutput, func(fs *pflag.FlagSet) {
		addDryRun(fs, &o.dryRun, "Say what would be written, and write nothing: `MODE` client")
		fs.StringVarP(&o.output, "output", "o", "", "Print the objects of the type's overlay, or of the one --overlay, in this `FORMAT` (yaml, json, name); nothing is written")
		o.addModes(fs)
	})
	_ = cmd.RegisterFlagCompletionFunc("output", fixed("yaml", "json", "name"))
	_ = cmd.RegisterFlagCompletionFunc("dry-run", fixed(dryRunNone, dryRunClient))
	return cmd
}

// addDryRun declares --dry-run, which alone means client, as in kubectl.
func addDryRun(fs *pflag.FlagSet, v *string, usage string) {
	fs.StringVar(v, "dry-run", dryRunNone, usage)
	fs.Lookup("dry-run").NoOptDefVal = dryRunClient
}

func (o *generateOptions) validate(cmd *cobra.Command) error {
	mode, err := oneOf("dry-run", o.dryRun, dryRunNone, dryRunClient, dryRunServer)
	if err != nil {
		return err
	}
	if o.dryRun = mode; mode == dryRunServer {
		return withHints(errors.New("--dry-run=server: generate asks no server"), "kubectl svcx up --dry-run=server does, with the same flags")
	}
	if o.output != "" {
		if o.output, err = oneOf("output", o.output, "yaml", "json", "name"); err != nil {
			return err
		}
	}
	if o.diff || o.check {
		other := "check"
		if o.diff {
			other = "diff"
		}
		switch {
		case o.output != "":
			return withHints(fmt.Errorf("--%s: -o %s prints objects, and compares nothing", other, o.output), "leave one of them out")
		case o.dir == stdoutDir:
			return withHints(fmt.Errorf("--%s: --dir=- prints the tree, and compares nothing", other), "name the tree's folder: --dir=DIR")
		}
	}
	if err := o.appFlags.validate(cmd); err != nil {
		return err
	}
	if o.output != "" {
		return o.oneOverlay()
	}
	return nil
}

func (p *program) runGenerate(ctx context.Context, cmd *cobra.Command, o *generateOptions) error {
	app, err := o.app(cmd)
	if err != nil {
		return err
	}
	warn(p.ErrOut, app)
	if o.output != "" {
		return p.printOverlay(app, o.overlay(), o.output)
	}
	if o.dir == stdoutDir {
		return p.printTree(app)
	}
	if o.diff || o.check {
		return p.compareTree(ctx, o, app)
	}
	res, err := p.writeTree(ctx, &o.appFlags, app, o.dryRun != dryRunNone)
	if err != nil {
		return err
	}
	for _, l := range p.written(o.dir, res, o.dryRun != dryRunNone) {
		p.line(l.label, "%s", l.text)
	}
	return nil
}

// writeTree writes the tree and explains what keeps it from being written.
func (p *program) writeTree(ctx context.Context, f *appFlags, app *generate.App, dryRun bool) (*generate.WriteResult, error) {
	res, err := generate.Write(ctx, f.dir, app, p.approved(ctx, f.writeOptions(dryRun)))
	return res, editedHints(err)
}

// editedHints shows what keeps a tree from being written, where it is a person's edits.
func editedHints(err error) error {
	var edited *generate.EditedError
	if errors.As(err, &edited) {
		return withHints(err, winHint(edited), "this stands against each other:\n"+head(edited.Diff, maxDiffLines))
	}
	return err
}

// maxDiffLines bounds a diff in an error: the error must stay in sight.
const maxDiffLines = 40

// head is the first n lines of s.
func head(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > n {
		lines = append(lines[:n], fmt.Sprintf("and %d more lines", len(lines)-n))
	}
	return strings.Join(lines, "\n")
}

// labelled is a line of progress: what was done, and to what.
type labelled struct{ label, text string }

// written words what Write did.
func (p *program) written(dir string, r *generate.WriteResult, dryRun bool) []labelled {
	would := ""
	if dryRun {
		would = " (dry run)"
	}
	shown := filepath.ToSlash(filepath.Clean(dir)) + "/"
	all := slices.Concat(r.Created, r.Updated, r.Unchanged, r.Kept, r.KeptWith, r.Unused)
	var lines []labelled
	if r.Restored {
		lines = append(lines, labelled{"restored", shown + "  a run that was killed had left it half written"})
	}
	switch {
	case len(r.Created)+len(r.Updated)+len(r.Removed) == 0:
		lines = append(lines, labelled{"generated", fmt.Sprintf("%s  %s, unchanged", shown, parts(all))})
	case len(r.Created) == len(all) && len(r.Removed) == 0:
		text := fmt.Sprintf("%s  %s%s", shown, parts(all), would)
		if !dryRun {
			text += "   commit it: git add " + shell.Word(strings.TrimSuffix(shown, "/"))
		}
		lines = append(lines, labelled{"generated", text})
	default:
		var changes []string
		for _, c := range []struct {
			word  string
			files []string
		}{{"created", r.Created}, {"updated", r.Updated}, {"removed", r.Removed}} {
			if len(c.files) > 0 {
				changes = append(changes, c.word+" "+strings.Join(c.files, ", "))
			}
		}
		lines = append(lines, labelled{"generated", fmt.Sprintf("%s  %s%s", shown, strings.Join(changes, "; "), would)})
	}
	for _, g := range r.Gone() {
		same := ""
		if g.Namespace != "" {
			same = " -n " + shell.Word(g.Namespace)
		}
		lines = append(lines, labelled{"live", fmt.Sprintf("%s  in the tree no more, and stays where it was applied until it is deleted: kubectl delete %s%s", shown, words(g.Objects), same+p.sameCluster())})
		if other := *p.config.Namespace; other != "" && g.Namespace != "" && len(r.Gone()) == 1 && !dryRun {
			lines = append(lines, labelled{"live", fmt.Sprintf("%s  or, to have it in %s too, make that an environment: kubectl svcx generate --dir=%s --overlay=%s", shown, g.Namespace, shell.Word(filepath.ToSlash(dir)), shell.Word(g.Namespace+",namespace="+g.Namespace))})
		}
	}
	if len(r.Kept) > 0 {
		lines = append(lines, labelled{"kept", fmt.Sprintf("%s  edited by hand: %s", shown, strings.Join(r.Kept, ", "))})
	}
	if len(r.Unused) > 0 {
		lines = append(lines, labelled{"kept", fmt.Sprintf("%s  edited by hand, and no longer used: %s", shown, strings.Join(r.Unused, ", "))})
	}
	if len(r.KeptWith) > 0 {
		lines = append(lines, labelled{"kept", fmt.Sprintf("%s  generated no longer, and used by what was edited: %s", shown, strings.Join(r.KeptWith, ", "))})
	}
	for _, f := range r.Held {
		what := f.Field
		if what == "" {
			what = "all of it"
		}
		lines = append(lines, labelled{"kept", fmt.Sprintf("%s  as edited by hand, and generated differently: %s  %s", shown, f.File, what)})
	}
	if len(r.Unlisted) > 0 {
		lines = append(lines, labelled{"unused", fmt.Sprintf("%s  generated, and named by no kustomization.yaml: %s", shown, strings.Join(r.Unlisted, ", "))})
	}
	return lines
}

// words are the words of a command.
func words(list []string) string {
	var out []string
	for _, w := range list {
		out = append(out, shell.Word(w))
	}
	return strings.Join(out, " ")
}

// parts counts a tree's folders: "base + 4 overlays".
func parts(files []string) string {
	overlays := map[string]bool{}
	for _, f := range files {
		if d := path.Dir(f); strings.HasPrefix(d, "overlays/") {
			overlays[d] = true
		}
	}
	if len(overlays) == 1 {
		return "base + 1 overlay"
	}
	return fmt.Sprintf("base + %d overlays", len(overlays))
}

// memoryTree generates app's files into memory and returns the path there of the
// overlay of a name or, with none, of its type.
func memoryTree(app *generate.App, overlay string) (filesys.FileSystem, string, error) {
	files, err := generate.Files(app)
	if err != nil {
		return nil, "", err
	}
	const root = "/tree"
	fsys := filesys.MakeFsInMemory()
	for _, f := range files {
		if err := fsys.WriteFile(path.Join(root, f.Path), f.Data); err != nil {
			return nil, "", fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return fsys, path.Join(root, app.OverlayDir(overlay)), nil
}

// printOverlay prints the objects that an overlay holds.
func (p *program) printOverlay(app *generate.App, overlay, format string) error {
	fsys, dir, err := memoryTree(app, overlay)
	if err != nil {
		return err
	}
	if format == "yaml" {
		data, err := apply.BuildYAML(fsys, dir)
		if err != nil {
			return err
		}
		_, err = p.Out.Write(data)
		return err
	}
	objs, err := apply.Build(fsys, dir)
	if err != nil {
		return err
	}
	if format == "name" {
		return printNames(p.Out, objs)
	}
	list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for _, o := range objs {
		list.Items = append(list.Items, *o)
	}
	data, err := list.MarshalJSON()
	if err != nil {
		return fmt.Errorf("writing the objects as JSON: %w", err)
	}
	return printJSON(p.Out, data)
}
