package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

type importOptions struct {
	files   []string
	compose string
	dir     string
	dryRun  string
	winFlags
}

func newImportCmd(p *program) *cobra.Command {
	o := &importOptions{}
	cmd := &cobra.Command{
		Use:     "import deploy/NAME svc/NAME... | -f FILE | --compose FILE [SERVICE...] [flags]",
		Short:   "Make a tree of what runs already, or of YAML or Compose files",
		GroupID: groupSteps,
		Long: `Make a tree of a workload and its Services: svcx.yaml says what it is, base/ and the
overlay of the Service's type give it back. What the server, controllers and clients
wrote for themselves is left out (status, defaults, allocated addresses and ports,
managed fields), and so are the comments of files; everything else of manifests is kept,
also what svcx.yaml has no field for: it stands in base/, and generate keeps it as it
keeps edits. Applying the overlay to the same cluster changes nothing but what a note
names. A tree is of one namespace, which -n says where files do not: objects of another
are refused, and so is a folder whose svcx.yaml says something else.
Of a Compose file each field that is not carried over is named; its variables are those
of the environment, then of the .env file beside it.`,
		Example: `  # What runs in the cluster
  kubectl svcx import deploy/redis svc/redis -n shop
  kubectl svcx diff -k redis/overlays/clusterip

  # Manifests that somebody wrote, or a chart makes
  helm template redis | kubectl svcx import -f -

  # A service of a Compose file; without a name all of them, each in a folder of its own
  kubectl svcx import --compose docker-compose.yaml web`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(cmd, args); err != nil {
				return err
			}
			return p.runImport(cmd.Context(), o, args)
		},
	}
	flagGroup(cmd, "What to import", func(fs *pflag.FlagSet) {
		fs.StringArrayVarP(&o.files, "filename", "f", nil, "A YAML `FILE` of manifests, a folder of them, or - for stdin; may be repeated")
		fs.StringVar(&o.compose, "compose", "", "A Compose `FILE`, such as docker-compose.yaml")
	})
	flagGroup(cmd, "Where to write it", func(fs *pflag.FlagSet) {
		fs.StringVar(&o.dir, "dir", "", "The folder (`DIR`) of the tree; ./NAME when not given")
		o.winFlags.add(fs)
		fs.Lookup("overwrite").Usage = "Replace a svcx.yaml that says something else; where a file was edited by hand, let the imported lines win"
		fs.Lookup("keep-edits").Usage = "Where a file was edited by hand, let the edited lines win"
		addDryRun(fs, &o.dryRun, "Say what would be written, and write nothing: `MODE` client")
	})
	_ = cmd.MarkFlagDirname("dir")
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml")
	_ = cmd.MarkFlagFilename("compose", "yaml", "yml")
	return cmd
}

func (o *importOptions) validate(cmd *cobra.Command, args []string) (err error) {
	if o.dryRun, err = oneOf("dry-run", o.dryRun, dryRunNone, dryRunClient); err != nil {
		return err
	}
	if err := o.winFlags.check(); err != nil {
		return err
	}
	switch {
	case len(o.files) > 0 && o.compose != "":
		return errors.New("-f and --compose: one of them at a time")
	case len(o.files) > 0 && len(args) > 0:
		return withHints(fmt.Errorf("unexpected argument %q: what -f names is imported whole", args[0]), "leave it out")
	case len(o.files) == 0 && o.compose == "" && len(args) == 0:
		return withHints(errors.New("what is to be imported?"), "what runs: "+cmd.CommandPath()+" deploy/NAME svc/NAME",
			"or files: "+cmd.CommandPath()+" -f FILE")
	}
	return nil
}

func (p *program) runImport(ctx context.Context, o *importOptions, args []string) error {
	if o.compose != "" {
		return p.importCompose(ctx, o, args)
	}
	var objs []*unstructured.Unstructured
	var err error
	if len(o.files) > 0 {
		if objs, err = p.importedFiles(ctx, o.files); err == nil {
			err = inNamespace(objs, *p.config.Namespace)
		}
	} else {
		objs, err = p.liveObjects(ctx, args)
	}
	if err != nil {
		return err
	}
	imported, err := generate.Import(objs, apply.BuildYAML)
	if err != nil {
		return importError(err)
	}
	if o.dir == "" {
		o.dir = imported.App.Metadata.Name
	}
	dryRun := o.dryRun != dryRunNone
	res, err := generate.WriteImported(ctx, o.dir, imported, o.writeOptions(dryRun))
	if err != nil {
		return editedHints(err)
	}
	p.printImported(o.dir, res, dryRun, imported.Notes)
	if !dryRun {
		p.line("compare", "kubectl svcx diff -k %s%s", shell.Word(filepath.ToSlash(filepath.Join(o.dir, imported.Overlay))), p.sameNamespace()+p.sameCluster())
	}
	return nil
}

// inNamespace puts the Services of files into the namespace that a flag names, where
// they name none; the rest follows them.
func inNamespace(objs []*unstructured.Unstructured, namespace string) error {
	for _, o := range objs {
		switch of := o.GetNamespace(); {
		case namespace == "" || o.GroupVersionKind().GroupKind() != schema.GroupKind{Kind: "Service"} || of == namespace:
		case of == "":
			o.SetNamespace(namespace)
		default:
			return withHints(fmt.Errorf("Service/%s is in namespace %q, and -n says %q", o.GetName(), of, namespace), "leave -n out, or change the file")
		}
	}
	return nil
}

func (p *program) printImported(dir string, res *generate.WriteResult, dryRun bool, notes []string) {
	for _, l := range p.written(dir, res, dryRun) {
		label := l.label
		if label == "generated" {
			label = "imported"
		}
		p.line(label, "%s", l.text)
	}
	p.notes(notes)
}

func (p *program) notes(notes []string) {
	for _, n := range notes {
		fmt.Fprintf(p.ErrOut, "note: %s\n", printable(n))
	}
}

// importError says where the fields of an invalid Spec come from.
func importError(err error) error {
	var invalid *generate.InvalidError
	if errors.As(err, &invalid) {
		return withHints(fmt.Errorf("what these objects say is not an app that can be generated:\n%w", err), "nothing was written")
	}
	return err
}

// getter reads one object of the cluster; kind is as people write it, such as deploy.
type getter interface {
	Get(ctx context.Context, kind, namespace, name string) (*unstructured.Unstructured, error)
}

// liveObjects reads what KIND/NAME arguments name.
func (p *program) liveObjects(ctx context.Context, args []string) ([]*unstructured.Unstructured, error) {
	type ref struct{ kind, name string }
	var refs []ref
	for _, a := range args {
		kind, name, ok := strings.Cut(a, "/")
		if !ok || kind == "" || name == "" || strings.Contains(name, "/") {
			hints := []string{"such as deploy/redis or svc/redis"}
			if _, err := os.Stat(a); err == nil {
				hints = append(hints, "a file of manifests is named with -f, and a Compose file with --compose")
			}
			return nil, withHints(fmt.Errorf("%q is not KIND/NAME", a), hints...)
		}
		refs = append(refs, ref{kind, name})
	}
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	g, ok := c.(getter)
	if !ok {
		return nil, errors.New("this cluster cannot be read from")
	}
	namespace, _ := c.Namespace()
	var objs []*unstructured.Unstructured
	for _, r := range refs {
		o, err := g.Get(ctx, r.kind, namespace, r.name)
		if err != nil {
			return nil, err
		}
		objs = append(objs, o)
	}
	return objs, nil
}

// Get reads one object.
func (c *realCluster) Get(ctx context.Context, kind, namespace, name string) (*unstructured.Unstructured, error) {
	gvr, err := c.mapper.ResourceFor(schema.ParseGroupResource(strings.ToLower(kind)).WithVersion(""))
	if err != nil {
		if meta.IsNoMatchError(err) {
			return nil, withHints(fmt.Errorf("%q is no kind of this cluster", kind), "such as deploy/redis or svc/redis")
		}
		return nil, c.wrap(err)
	}
	client, err := dynamic.NewForConfig(c.config)
	if err != nil {
		return nil, c.wrap(err)
	}
	o, err := client.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, withHints(fmt.Errorf("%s/%s does not exist in namespace %s", kind, name, namespace), shell.Advice("see what there is", shell.Kubectl("get %s -n %s", gvr.Resource, namespace)))
	}
	if err != nil {
		return nil, c.wrap(fmt.Errorf("%s/%s in namespace %s: %w", gvr.Resource, name, namespace, err))
	}
	return o, nil
}

// openCompose opens a file, or stdin for "-".
func (p *program) openCompose(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.In), nil
	}
	f, err := os.Open(name)
	if err != nil {
		if msg, ok := pathError(err); ok {
			err = errors.New(msg)
		}
		return nil, err
	}
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, fmt.Errorf("%s: is not a plain file", name)
	}
	return f, nil
}
