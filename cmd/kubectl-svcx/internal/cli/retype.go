package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

type retypeOptions struct {
	appFlags // dir, overwrite and the externalName; the other flags are not declared
	target   string
	dryRun   string
}

func newRetypeCmd(p *program) *cobra.Command {
	o := &retypeOptions{}
	cmd := &cobra.Command{
		Use:     "retype [DIR] --type=TYPE [--overlay=NAME] [flags]",
		Short:   "Give an overlay's Service another type, in the tree",
		GroupID: groupSteps,
		Long: `Give the Service of an overlay another type: svcx.yaml and the overlay's patch are
changed, and fields that only the old type had a use for are taken out of files
that people wrote there: all of these files change, or none. Then it says what the API
server will do with the live Service; with --dry-run too, which writes nothing. Where a
patch by hand would still set such a field, nothing is written. Nothing is applied.

Without --overlay it is the app's own type that changes, which says which overlay
"kubectl svcx up" applies; the overlays of the types stay as they are.`,
		Example: `  # Production gets a load balancer
  kubectl svcx retype redis --overlay=prod --type=LoadBalancer

  # In staging the Service becomes an alias of a host outside
  kubectl svcx retype redis --overlay=staging --type=ExternalName --external-name=redis.example.com`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(args); err != nil {
				return err
			}
			if err := o.validate(cmd); err != nil {
				return err
			}
			return p.runRetype(cmd.Context(), o)
		},
	}
	flagGroup(cmd, "What to change", func(fs *pflag.FlagSet) {
		fs.StringVar(&o.serviceType, "type", "", "The Service's new `TYPE`: ClusterIP, NodePort, LoadBalancer, ExternalName or Headless, in any case")
		fs.StringVar(&o.target, "overlay", "", "The environment (`NAME`) whose Service it is; the app's own type when not given")
		fs.StringVar(&o.externalName, "external-name", "", "The `HOST` that an ExternalName Service stands for")
		o.winFlags.add(fs)
	})
	flagGroup(cmd, flagsOutput, func(fs *pflag.FlagSet) {
		addDryRun(fs, &o.dryRun, "Say what would be written, and write nothing: `MODE` client")
	})
	_ = cmd.RegisterFlagCompletionFunc("type", fixed(typeNames()...))
	return cmd
}

func (o *retypeOptions) complete(args []string) error {
	switch len(args) {
	case 0:
		o.dir = "."
	case 1:
		o.dir = args[0]
	default:
		return fmt.Errorf("unexpected argument %q: one DIR is enough", args[1])
	}
	return nil
}

func (o *retypeOptions) validate(_ *cobra.Command) error {
	if o.serviceType == "" {
		return withHints(errors.New("--type is missing: what is the Service to become?"), "one of "+strings.Join(typeNames(), ", "))
	}
	t, err := generate.ParseServiceType(o.serviceType)
	if err != nil {
		return typeError(err)
	}
	o.typ = t
	if err := o.winFlags.check(); err != nil {
		return err
	}
	if o.externalName != "" && t != generate.ExternalName {
		return withHints(fmt.Errorf("--external-name: a Service of type %s stands for no host", t), "leave it out, or use --type=ExternalName")
	}
	if o.dryRun, err = oneOf("dry-run", o.dryRun, dryRunNone, dryRunClient); err != nil {
		return err
	}
	return nil
}

func (p *program) runRetype(ctx context.Context, o *retypeOptions) error {
	app, err := generate.LoadApp(o.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return withHints(fmt.Errorf("%s does not exist", filepath.Join(o.dir, generate.SpecFile)),
			"retype takes the folder of a tree; to make one: kubectl svcx generate NAME --image=IMAGE --dir="+shell.Word(o.dir))
	}
	if err != nil {
		return err
	}
	// What the overlay holds now, to tell what changes when no cluster can be asked.
	before, _ := p.service(filepath.Join(o.dir, filepath.FromSlash(app.OverlayDir(o.target))), app.Spec.Service.Name)
	from, err := app.Retype(o.target, o.typ, o.externalName)
	if err != nil {
		return retypeError(err, o)
	}
	warn(p.ErrOut, app)
	overlay := filepath.Join(o.dir, filepath.FromSlash(app.OverlayDir(o.target)))
	dry := o.dryRun != dryRunNone
	var after *unstructured.Unstructured
	options := o.writeOptions(dry)
	options.Approve = func(_ string, r *generate.WriteResult) (err error) {
		after, err = p.retyped(o, r, overlay, app.Spec.Service.Name)
		return err
	}
	res, removed, err := generate.WriteRetyped(ctx, o.dir, app, o.target, o.typ, options)
	if err != nil {
		return editedHints(err)
	}
	p.line("retyped", "%s  %s → %s", filepath.ToSlash(overlay), from, o.typ)
	for _, l := range p.written(o.dir, res, dry) {
		p.line(l.label, "%s", l.text)
	}
	for _, f := range removed {
		would := ""
		if dry {
			would = " (dry run)"
		}
		p.line("removed", "%s:%d  %s, which a %s Service has no use for%s", filepath.ToSlash(filepath.Join(o.dir, f.File)), f.Line, f.Path, o.typ, would)
	}
	if dry {
		if before == nil {
			p.line("live", "not asked: %s does not build to Service/%s now", filepath.ToSlash(overlay), app.Spec.Service.Name)
			return nil
		}
		p.sayTransition(ctx, before, after, "")
		return nil
	}
	p.sayTransition(ctx, before, after, overlay)
	p.line("next", "kubectl svcx apply -k %s%s", shell.Word(filepath.ToSlash(overlay)), p.sameNamespace()+p.sameCluster())
	return nil
}

func (p *program) line(label, format string, args ...any) {
	fmt.Fprintf(p.Out, "%-*s%s\n", labelWidth, label, fmt.Sprintf(format, args...))
}

// retypeError says which flag helps where the tree lacks something.
func retypeError(err error, o *retypeOptions) error {
	if o.typ == generate.ExternalName && o.externalName == "" && strings.Contains(err.Error(), "externalName: is missing") {
		return withHints(errors.New("--external-name is missing: an ExternalName Service stands for a host"), "such as --external-name=db.example.com")
	}
	return err
}

// service builds an overlay and returns the Service of a name in it.
func (p *program) service(overlay, name string) (*unstructured.Unstructured, error) {
	return builtService(p.fs, overlay, name)
}

// retyped is the Service of a name that an overlay builds to with a change. It is
// refused where somebody has set, in a way that the change leaves, what the Service's
// new type has no use for.
func (p *program) retyped(o *retypeOptions, r *generate.WriteResult, overlay, name string) (*unstructured.Unstructured, error) {
	after, err := builtService(withChanges(p.fs, o.dir, r), overlay, name)
	if err != nil {
		return nil, fmt.Errorf("%w; nothing was written", err)
	}
	return after, stillStale(overlay, after, o.typ)
}

func builtService(fsys filesys.FileSystem, overlay, name string) (*unstructured.Unstructured, error) {
	objs, err := apply.Build(fsys, overlay)
	if err != nil {
		return nil, err
	}
	for _, o := range objs {
		if o.GetKind() == "Service" && o.GetName() == name {
			return o, nil
		}
	}
	return nil, fmt.Errorf("%s builds to no Service/%s; look at its kustomization.yaml", overlay, name)
}

// stillStale is the error for fields of the old type that the build has all the
// same, from wherever.
func stillStale(overlay string, service *unstructured.Unstructured, t generate.ServiceType) error {
	data, err := service.MarshalJSON()
	if err != nil {
		return err
	}
	var names []string
	for _, f := range generate.Stale(data, service.GetName(), t) {
		names = append(names, f.Path)
	}
	if len(names) == 0 {
		return nil
	}
	return withHints(fmt.Errorf("%s would still build to a Service with %s, which a %s Service has no use for; nothing was written", filepath.ToSlash(overlay), strings.Join(names, ", "), t),
		"a patch by hand sets it, which is to be taken out first; look for it with: grep -rn "+shell.Word(names[0][strings.LastIndexByte(names[0], '.')+1:])+" "+shell.Word(overlay))
}

// askTimeout bounds how long a cluster may take to tell what it would do; what is
// done to the tree does not depend on it.
const askTimeout = 10 * time.Second

// sayTransition says what the API server will do with the live Service; when it cannot
// be asked, why, and what it would do with one as the overlay made it until now. In a
// dry run there is no overlay to look at yet.
func (p *program) sayTransition(ctx context.Context, before, after *unstructured.Unstructured, overlay string) {
	t, found, err := p.liveTransition(ctx, after)
	switch {
	case err == nil && !found:
		p.line("live", "Service/%s does not exist yet: it is created", after.GetName())
		return
	case err == nil && t == nil:
		p.line("live", "Service/%s stays of the type it has", after.GetName())
		return
	case err == nil:
		p.line("live", "Service/%s  %s", after.GetName(), arrow(t))
	default:
		if t = renderedTransition(before, after); t == nil {
			return
		}
		why, _ := explain(err)
		why, _, _ = strings.Cut(why, "\n")
		p.line("live", "not asked: %s", why)
		p.line("", "a Service as the tree had it:  %s", arrow(t))
	}
	for _, e := range t.Effects {
		p.line("", "%s", e)
	}
	switch {
	case t.Interrupts && overlay == "":
		p.line("", "clients are interrupted")
	case t.Interrupts:
		p.line("", "clients are interrupted: see it first with kubectl svcx diff -k %s%s", shell.Word(filepath.ToSlash(overlay)), p.sameNamespace()+p.sameCluster())
	}
}

func arrow(t *apply.Transition) string {
	if t.Via != "" {
		return fmt.Sprintf("%s → %s, by way of %s", t.From, t.To, t.Via)
	}
	return fmt.Sprintf("%s → %s", t.From, t.To)
}

// liveTransition asks the cluster, by a dry run.
func (p *program) liveTransition(ctx context.Context, service *unstructured.Unstructured) (t *apply.Transition, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c, err := p.connect()
	if err != nil {
		return nil, false, err
	}
	namespace, given := c.Namespace()
	plan, err := c.Plan(ctx, []*unstructured.Unstructured{service}, apply.PlanOptions{Namespace: namespace, EnforceNamespace: given, CreateNamespace: true})
	if err != nil {
		return nil, false, err
	}
	for _, change := range plan.Changes {
		if change.Object.Kind == "Service" {
			return change.Transition, change.Action != apply.ActionCreate, nil
		}
	}
	return nil, false, nil
}

// renderedTransition compares what the overlay built to with what it builds to.
func renderedTransition(before, after *unstructured.Unstructured) *apply.Transition {
	if before == nil {
		return nil
	}
	var from, to corev1.Service
	if runtime.DefaultUnstructuredConverter.FromUnstructured(before.Object, &from) != nil ||
		runtime.DefaultUnstructuredConverter.FromUnstructured(after.Object, &to) != nil {
		return nil
	}
	// What a cluster would have allocated is not in the tree.
	fromType := apply.TypeOf(&from)
	allocated := fromType != apply.ExternalName && fromType != apply.Headless
	if allocated && from.Spec.ClusterIP == "" {
		from.Spec.ClusterIP = "(as allocated)"
	}
	t := apply.TransitionOf(&from, &to)
	if t != nil && (fromType == apply.NodePort || fromType == apply.LoadBalancer) {
		t.Effects = slices.DeleteFunc(t.Effects, func(e string) bool { return strings.Contains(e, "allocated when it is applied") })
	}
	return t
}
