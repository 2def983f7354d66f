package cli

import (
	"context"
	"errors"
	"fmt"
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
