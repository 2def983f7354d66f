package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
)

// walkFlags are the flags of what up and apply have in common: apply, wait, verify.
type walkFlags struct {
	createNamespace bool
	forceConflicts  bool
	yes             bool
	dryRun          string
	timeout         time.Duration
	output          string
	probing         probeFlags
	verdict         bool // what it ends with is a verdict

	// Set by validate.
	format   report.Format
	repeated string // the flags given, for a command that goes on
	asked    string // those of them that say how to verify
}

// The titles of these flags' groups.
const (
	flagsApplied = "What to apply"
	flagsHow     = "How to apply it"
)

func (f *walkFlags) add(cmd *cobra.Command, p *program) {
	flagGroup(cmd, flagsHow, func(fs *pflag.FlagSet) {
		fs.BoolVar(&f.createNamespace, "create-namespace", false, "Create the namespace when it does not exist")
		fs.BoolVarP(&f.yes, "yes", "y", false, "Agree to what interrupts clients, such as most changes of type")
		fs.BoolVar(&f.forceConflicts, "force-conflicts", false, "Take over fields that other field managers own")
		addDryRun(fs, &f.dryRun, "Say what would be done, and do nothing: `MODE` client (no server is asked) or server")
		fs.DurationVar(&f.timeout, "timeout", 5*time.Minute, "How long to wait until it runs (`DURATION`)")
	})
	_ = cmd.RegisterFlagCompletionFunc("dry-run", fixed(dryRunNone, dryRunClient, dryRunServer))
	f.probing.add(cmd, p)
	addOutput(cmd, &f.output, report.VerdictFormats())
}

// addOutput declares -o.
func addOutput(cmd *cobra.Command, v *string, formats []report.Format) {
	names := formatNames(formats)
	flagGroup(cmd, flagsOutput, func(fs *pflag.FlagSet) {
		fs.StringVarP(v, "output", "o", string(report.Text), "The `FORMAT`: "+strings.Join(names, ", "))
	})
	_ = cmd.RegisterFlagCompletionFunc("output", fixed(names...))
}

func formatNames(formats []report.Format) []string {
	var names []string
	for _, f := range formats {
		names = append(names, string(f))
	}
	return names
}

// parseFormat reads -o, of a verdict or of a plan.
func parseFormat(s string, verdict bool) (report.Format, error) {
	names := formatNames(report.VerdictFormats())
	if plan := formatNames(report.Formats()); !verdict {
		if slices.Contains(names, s) && !slices.Contains(plan, s) {
			return "", withHints(fmt.Errorf("-o %s: this is for a verdict, and nothing is verified", s), "one of "+strings.Join(plan, ", "))
		}
		names = plan
	}
	name, err := oneOf("output", s, names...)
	return report.Format(name), err
}

func (f *walkFlags) validate(cmd *cobra.Command) (err error) {
	if f.dryRun, err = oneOf("dry-run", f.dryRun, dryRunNone, dryRunClient, dryRunServer); err != nil {
		return err
	}
	if f.format, err = parseFormat(f.output, f.verdict); err != nil {
		return err
	}
	if err := f.probing.validate(cmd); err != nil {
		return err
	}
	f.repeated = repeated(cmd, []string{flagsApplied, flagsHow, flagsProbe, flagsOutput}, "kustomize", "filename", "recursive")
	f.asked = repeated(cmd, []string{flagsProbe})
	return positive("timeout", f.timeout)
}

func positive(flag string, d time.Duration) error {
	if d <= 0 {
		return withHints(fmt.Errorf("--%s: %s is no time to wait", flag, d), "such as 30s or 5m")
	}
	return nil
}

// What was applied a moment ago takes its time to arrive everywhere: cluster DNS
// serves an old answer for up to 30 s. The verification waits that long, and no longer.
const (
	settleTime    = 35 * time.Second
	verifyTimeout = 2 * time.Minute
)

// walk brings objects to a cluster, one step after the other.
type walk struct {
	*walkFlags
	p      *program
	c      cluster
	g      *progress
	dir    string // the kustomization's folder; empty for manifests
	source string // how the command line says it: -k DIR
	again  string // the command that goes on after an interruption
	wait   bool
	verify bool
	app    *generate.App // what the tree is made of, where flags may change it
	// write, when set, writes the tree that is applied, once its plan is agreed to.
	write func(context.Context) error
}

// run plans, asks for consent where it takes any, applies, waits and verifies.
func (w *walk) run(ctx context.Context, objs []*unstructured.Unstructured) error {
	defer w.g.clear()
	plan, err := w.plan(ctx, objs)
	if err != nil {
		return err
	}
	if w.dryRun == dryRunServer {
		w.g.clear()
		return report.Plan(w.p.Out, plan, w.p.screen.report(w.format))
	}
	if err := w.p.consent(ctx, w.g, plan, w.yes); err != nil {
		return err
	}
	if w.verify {
		if err := w.p.consentEphemeral(ctx, &w.probing, w.yes); err != nil {
			return err
		}
	}
	if w.write != nil {
		if err := w.write(ctx); err != nil {
			return err
		}
	}
	if err := w.apply(ctx, plan); err != nil {
		return err
	}
	var notRunning error
	if w.wait || w.verify {
		// After Ctrl-C, the wait that was cut short says nothing about the app.
		notRunning = w.await(ctx, plan)
		if notRunning != nil && (ctx.Err() != nil || !w.verify || !failedToRun(notRunning)) {
			return notRunning
		}
	}
	if !w.verify {
		return nil
	}
	if notRunning == nil {
		return w.prove(ctx, objs, plan, settleTime)
	}
	// What does not run is the answer already; the verdict says why, in every
	// format, and whether what ran before still serves.
	w.g.clear()
	w.p.reportError(notRunning)
	var code *codeError
	if err := w.prove(ctx, objs, plan, settleAfter); err != nil && !errors.As(err, &code) {
		return err
	}
	return &codeError{exitFailed}
}

func (w *walk) plan(ctx context.Context, objs []*unstructured.Unstructured) (*apply.Plan, error) {
	namespace, given := w.c.Namespace()
	w.g.glance("planning", "asking the API server what would change")
	plan, err := w.c.Plan(ctx, objs, apply.PlanOptions{
		Namespace: namespace, EnforceNamespace: given,
		CreateNamespace: w.createNamespace, ForceConflicts: w.forceConflicts,
	})
	if err != nil && ctx.Err() != nil {
		return nil, &interruptError{stage: "before anything was applied", err: err}
	}
	return plan, withoutRefused(err, w.app, w.dir, "apply it")
}

func (w *walk) apply(ctx context.Context, plan *apply.Plan) error {
	said := w.notes(plan)
	w.g.glance("applying", objectList(plan))
	err := w.c.Apply(ctx, plan, func(e apply.Event) {
		w.g.glance("applying", strings.TrimSpace(e.Object.String()+" "+e.Message))
	})
	w.warnings(plan, said)
	if err != nil && ctx.Err() != nil {
		return w.interrupted("while applying", plan, err)
	}
	if err != nil {
		return withoutRefused(err, w.app, w.dir, "apply it")
	}
	// What apply prints as its result belongs to stdout; before a verdict it is
	// only a step on the way.
	if !w.verify && w.format != report.Text && w.format != report.Wide {
		w.g.clear()
		opts := w.p.screen.report(w.format)
		opts.Unchanged = true
		return report.Plan(w.p.Out, plan, opts)
	}
	if w.verify {
		w.g.step("applied", "%s", w.applied(plan))
		return nil
	}
	w.g.clear()
	for _, ns := range plan.NewNamespaces() {
		fmt.Fprintln(w.p.Out, "Namespace/"+ns+" created")
	}
	for i := range plan.Changes {
		c := &plan.Changes[i]
		fmt.Fprintln(w.p.Out, c.Object.String()+" "+w.what(c))
	}
	return nil
}

// notes says what a reader of the plan should know, and returns what was said of
// it: a plan that took consent was shown whole.
func (w *walk) notes(plan *apply.Plan) map[string]bool {
	said := map[string]bool{}
	if plan.Interrupts() {
		for i := range plan.Changes {
			for _, text := range plan.Changes[i].Warnings {
				said[text] = true
			}
		}
		return said
	}
	for _, n := range plan.Notes {
		w.remark("note: ", n)
	}
	return said
}

// warnings prints the API server's own, of the plan and of applying it, but for
// those that were said.
func (w *walk) warnings(plan *apply.Plan, said map[string]bool) {
	for i := range plan.Changes {
		for _, text := range plan.Changes[i].Warnings {
			if !said[text] {
				w.remark("warning: ", text)
			}
			said[text] = true
		}
	}
}

func (w *walk) remark(head, text string) {
	w.g.clear()
	fmt.Fprintln(w.p.ErrOut, w.p.screen.paintErr("33", strings.TrimSuffix(head, " "))+" "+probe.Printable(text, maxMessage))
}

// applied sums up what was done to each object, in one line.
func (w *walk) applied(plan *apply.Plan) string {
	var parts []string
	done := map[string][]string{}
	for _, ns := range plan.NewNamespaces() {
		done["created"] = append(done["created"], "Namespace/"+ns)
	}
	for i := range plan.Changes {
		c := &plan.Changes[i]
		name, what := c.Object.String(), w.what(c)
		if c.Transition != nil && c.Transition.From != c.Transition.To {
			parts = append(parts, name+" "+what)
			continue
		}
		done[what] = append(done[what], name)
	}
	for _, what := range []string{"created", "changed", "unchanged"} {
		if len(done[what]) > 0 {
			parts = append(parts, series(done[what])+" "+what)
		}
	}
	return w.overlayName() + strings.Join(parts, ", ")
}

// series is "a", "a and b", "a, b and c".
func series(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// what says in a word or two what was done to an object.
func (w *walk) what(c *apply.Change) string {
	switch {
	case c.Transition != nil && c.Transition.From != c.Transition.To:
		arrow := "→"
		if w.p.screen.ascii {
			arrow = "->"
		}
		return fmt.Sprintf("%s %s %s", c.Transition.From, arrow, c.Transition.To)
	case c.Action == apply.ActionCreate:
		return "created"
	case c.Action == apply.ActionUnchanged:
		return "unchanged"
	}
	return "changed"
}

// overlayName is the end of the folder's path, as "overlays/nodeport ".
func (w *walk) overlayName() string {
	dir := filepath.ToSlash(w.dir)
	if i := strings.LastIndex(dir, "overlays/"); i >= 0 {
		return dir[i:] + "  "
	}
	return ""
}

func (w *walk) await(ctx context.Context, plan *apply.Plan) error {
	limited, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	var awaited []string
	for i := range plan.Changes {
		if ch := &plan.Changes[i]; ch.Awaited() {
			awaited = append(awaited, ch.Object.String())
		}
	}
	if len(awaited) > 0 {
		w.g.update("waiting", "for "+listed(awaited))
	}
	last := map[string]string{}
	var order []string
	err := w.c.Wait(limited, plan, func(e apply.Event) {
		name := e.Object.String()
		if _, seen := last[name]; !seen {
			order = append(order, name)
		}
		last[name] = e.Message
		w.g.update("waiting", name+"  "+e.Message)
	})
	switch {
	case err == nil:
		var parts []string
		for _, name := range order {
			parts = append(parts, strings.TrimSpace(name+" "+last[name]))
		}
		if len(parts) > 0 {
			w.g.step("ready", "%s", probe.Printable(strings.Join(parts, ", "), maxMessage))
		}
		return nil
	case ctx.Err() != nil:
		return w.interrupted("while waiting", plan, err)
	case limited.Err() != nil:
		err = fmt.Errorf("not ready after %s (--timeout): %w", w.timeout, err)
	}
	if w.verify {
		return err
	}
	return withHints(err, w.whyNot(plan)...)
}

// whyNot names the command that looks for the cause.
func (w *walk) whyNot(plan *apply.Plan) []string {
	for i := range plan.Changes {
		if o := plan.Changes[i].Object; isService(o) {
			return []string{"what was applied stays; look for the cause: kubectl svcx verify " + o.Name + " -n " + o.Namespace + " --in-cluster" + w.p.sameCluster()}
		}
	}
	return nil
}

// interrupted says what stays behind when the user ends the walk.
func (w *walk) interrupted(stage string, plan *apply.Plan, err error) error {
	stays := []string{"stays      " + objectList(plan) + where(plan)}
	var incomplete *apply.IncompleteError
	if errors.As(err, &incomplete) {
		var names []string
		for _, r := range incomplete.Applied {
			names = append(names, r.String())
		}
		stays = []string{"applied    " + listed(names) + where(plan)}
	}
	for _, l := range halfSwitched(err) {
		stays = append(stays, "but        "+l)
	}
	if stage == "while verifying" {
		stays = append(stays, probePods(err, w.p.sameCluster())...)
	}
	same := w.p.sameNamespace() + w.p.sameCluster()
	stays = append(stays, "go on      "+w.again+w.repeated+same, "remove it  kubectl delete "+w.source+same)
	return &interruptError{stage: stage, stays: stays, err: err}
}

// where says which namespaces a plan's objects are in.
func where(plan *apply.Plan) string {
	var names []string
	for i := range plan.Changes {
		if ns := plan.Changes[i].Object.Namespace; ns != "" && !slices.Contains(names, ns) {
			names = append(names, ns)
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " in namespace " + names[0]
	}
	return " in namespaces " + series(names)
}

// objectList names the objects of a plan.
func objectList(plan *apply.Plan) string {
	names := make([]string, 0, len(plan.Changes))
	for i := range plan.Changes {
		names = append(names, plan.Changes[i].Object.String())
	}
	return listed(names)
}
