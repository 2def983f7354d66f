package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// prove verifies every Service among the objects, from here and from inside.
func (w *walk) prove(ctx context.Context, objs []*unstructured.Unstructured, plan *apply.Plan) error {
	targets := serviceTargets(plan)
	if len(targets) == 0 {
		return withHints(errors.New("nothing to verify: there is no Service in "+w.dir), "leave --verify out")
	}
	var all *verify.Verdict
	for _, t := range targets {
		w.g.glance("verifying", strings.Join(t.Names, ", "))
		opts := verify.Options{InCluster: true, Expected: objs, Timeout: verifyTimeout, Settle: settleTime, Progress: w.g.verifying}
		w.probing.into(&opts)
		v, err := w.c.Verify(ctx, t, opts)
		w.g.clear()
		if ctx.Err() != nil {
			return w.interrupted("while verifying", plan, errors.Join(ctx.Err(), err))
		}
		if err != nil {
			return err
		}
		all = together(all, v)
	}
	fmt.Fprintln(w.p.ErrOut)
	if err := report.Verdict(w.p.Out, all, w.p.screen.report(w.format)); err != nil {
		return err
	}
	return verdictCode(all, failOnNotProven)
}

// serviceTargets are the Services of a plan, a target a namespace: a tree may
// bring objects to several, and each of its Services has to be proven.
func serviceTargets(plan *apply.Plan) []verify.Target {
	var targets []verify.Target
	for i := range plan.Changes {
		o := plan.Changes[i].Object
		if !isService(o) {
			continue
		}
		at := slices.IndexFunc(targets, func(t verify.Target) bool { return t.Namespace == o.Namespace })
		if at < 0 {
			at = len(targets)
			targets = append(targets, verify.Target{Namespace: o.Namespace})
		}
		if !slices.Contains(targets[at].Names, o.Name) {
			targets[at].Names = append(targets[at].Names, o.Name)
		}
	}
	return targets
}

// isService tells the core Service from what others call one, as Knative does.
func isService(o apply.Ref) bool { return o.Kind == "Service" && o.APIVersion == "v1" }

// together is one verdict of two: as bad as the worse of them.
func together(a, b *verify.Verdict) *verify.Verdict {
	if a == nil {
		return b
	}
	both := *a
	for _, bad := range []verify.State{verify.StateFailed, verify.StateNotProven} {
		if a.State == bad || b.State == bad {
			both.State = bad
			break
		}
	}
	both.Services = slices.Concat(a.Services, b.Services)
	both.Gaps = slices.Concat(a.Gaps, b.Gaps)
	both.Seconds += b.Seconds
	return &both
}
