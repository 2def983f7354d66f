package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// prove verifies every Service among the objects, from here and from inside;
// answers that may be from before the change are asked again for the time of settle.
func (w *walk) prove(ctx context.Context, objs []*unstructured.Unstructured, plan *apply.Plan, settle time.Duration) error {
	targets := serviceTargets(plan)
	if len(targets) == 0 {
		return withHints(errors.New("nothing to verify: there is no Service in "+w.source), "leave --verify out")
	}
	all := &verify.Verdict{APIVersion: verify.VerdictAPIVersion, Kind: "Verdict"}
	opts := verify.Options{InCluster: true, Expected: objs, Timeout: verifyTimeout, Settle: settle, Progress: w.g.verifying}
	w.probing.into(&opts)
	err := verifyEach(ctx, w.c, targets, opts, func(t verify.Target) { w.g.glance("verifying", strings.Join(t.Names, ", ")) }, all)
	w.g.clear()
	if ctx.Err() != nil {
		return w.interrupted("while verifying", plan, errors.Join(ctx.Err(), err))
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(w.p.ErrOut)
	return w.p.present(w.asVerify(), all, nil, w.g)
}

// asVerify is the verification as the verb verify would be asked for it, so that
// its result is presented in the same way.
func (w *walk) asVerify() *verifyOptions {
	return &verifyOptions{
		kustomize: w.dir, namespace: *w.p.config.Namespace, inCluster: true, probing: w.probing, failOn: failOnNotProven,
		format: w.format, output: string(w.format), asked: w.asked, cluster: w.p.sameCluster(),
	}
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
