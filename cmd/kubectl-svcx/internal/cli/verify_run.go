package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

func (p *program) runVerify(ctx context.Context, o *verifyOptions) error {
	r := &verification{o: o}
	var err error
	switch o.source() {
	case "-k":
		r.expected, err = p.build(o.kustomize)
	case "-f":
		r.expected, err = p.readManifests(ctx, o.files, o.recursive)
	}
	if err != nil {
		return err
	}
	if err := p.consentEphemeral(ctx, &o.probing, o.yes); err != nil {
		return err
	}
	if r.c, err = p.connect(); err != nil {
		return err
	}
	if r.targets, err = o.targets(r.c, r.expected); err != nil {
		return err
	}
	r.g = p.newProgress()
	defer r.g.clear()
	switch {
	case o.watch:
		r.settle = settleAfter
		err = p.watchVerify(ctx, r)
	case o.wait:
		r.settle = settleAfter
		err = p.waitVerify(ctx, r)
	default:
		var v *verify.Verdict
		var records []*verify.Recording
		if v, records, err = r.once(ctx); ctx.Err() != nil {
			err = r.interrupted(ctx, "while verifying", err)
		} else if err == nil {
			err = p.present(o, v, records, r.g)
		}
	}
	r.g.clear()
	return err
}

// verification is what one run of verify works with.
type verification struct {
	o        *verifyOptions
	c        cluster
	targets  []verify.Target
	expected []*unstructured.Unstructured
	settle   time.Duration
	g        *progress
	// unasked: only time has passed, so that how it is done is nothing to tell.
	unasked bool
}

// once verifies all targets; with -o snapshot it brings the evidence too.
func (r *verification) once(ctx context.Context) (*verify.Verdict, []*verify.Recording, error) {
	all := &verify.Verdict{APIVersion: verify.VerdictAPIVersion, Kind: "Verdict"}
	var records []*verify.Recording
	opts := verify.Options{
		InCluster: r.o.inCluster, Timeout: r.o.timeout, Expected: r.expected,
		Progress: r.g.verifying, EndpointsOnly: r.o.until == untilEndpoints, Settle: r.settle,
	}
	if r.unasked {
		opts.Progress = func(e verify.Event) {
			if !e.Done {
				r.g.glance("verifying", e.Message)
			}
		}
	}
	r.o.probing.into(&opts)
	if r.o.output == outputSnapshot {
		opts.Record = func(rec *verify.Recording) { records = append(records, rec) }
	}
	err := verifyEach(ctx, r.c, r.targets, opts, nil, all)
	if err != nil {
		return nil, nil, err
	}
	return all, records, nil
}

// verifyEach verifies one namespace after the other, and adds what comes of it to all.
// What says how to ask has to be heeded in one of them: another may have no use for it.
func verifyEach(ctx context.Context, c cluster, targets []verify.Target, opts verify.Options, begin func(verify.Target), all *verify.Verdict) error {
	verdicts := make([]*verify.Verdict, len(targets))
	each := slices.Repeat([]verify.Options{opts}, len(targets))
	unheeded := map[string]int{} // in how many namespaces
	for slices.Contains(verdicts, nil) {
		for i, t := range targets {
			if verdicts[i] != nil {
				continue
			}
			if begin != nil {
				begin(t)
			}
			v, err := c.Verify(ctx, t, each[i])
			var unused *verify.UnusedError
			if errors.As(err, &unused) {
				what := unused.Flag + " " + unused.Port
				if unheeded[what]++; unheeded[what] < len(targets) {
					each[i] = each[i].Without(unused)
					continue
				}
			}
			if err != nil {
				return err
			}
			verdicts[i] = v
		}
	}
	for _, v := range verdicts {
		merge(all, v)
	}
	return nil
}

// interrupted is the error of a run that the user ended.
func (r *verification) interrupted(ctx context.Context, stage string, err error) error {
	r.g.clear()
	return &interruptError{stage: stage, stays: r.o.whatStays(err), err: errors.Join(ctx.Err(), err)}
}

// present writes the result, and with --fix the tree; its error is the exit code.
func (p *program) present(o *verifyOptions, v *verify.Verdict, records []*verify.Recording, g *progress) error {
	t, err := p.locate(o, v)
	if err != nil {
		return err
	}
	g.clear()
	if o.output == outputSnapshot {
		err = verify.WriteRecordings(p.Out, records)
	} else {
		opts := p.screen.report(o.format)
		opts.FixCommand, opts.Patches, opts.Version = o.fixCommand(t), o.fix, version
		opts.Cluster, opts.Explain = o.cluster, true
		if opts.Help, err = faultHelp(o.format); err != nil {
			return err
		}
		err = report.Verdict(p.Out, v, opts)
	}
	if err != nil {
		return err
	}
	if o.fix && o.kustomize != "" {
		if err := p.writeFixes(o, t, g); err != nil {
			return err
		}
	}
	return verdictCode(v, o.failOn)
}

// whatStays says what an interrupted run has left; err is how it ended.
func (o *verifyOptions) whatStays(err error) []string {
	switch {
	case o.probing.ephemeral:
		return []string{"stays      an ephemeral container, which has ended, in the client's Pod if it was added by then"}
	case o.inCluster:
		return probePods(err, o.cluster)
	}
	return nil
}

// probePods says what became of the probe Pods of a run that was interrupted; same are
// the flags that choose its cluster.
func probePods(err error, same string) []string {
	var left *verify.LeftError
	if !errors.As(err, &left) {
		return []string{"removed    the probe Pod, where there was one"}
	}
	var out []string
	for l := range strings.SplitSeq(left.Error(), "\n") {
		out = append(out, "stays      "+shell.On(l, same))
	}
	return out
}

// targets turns names, workloads, labels and the kustomization into what to verify.
func (o *verifyOptions) targets(c cluster, expected []*unstructured.Unstructured) ([]verify.Target, error) {
	namespace, given := c.Namespace()
	if o.source() != "" {
		return o.treeTargets(expected, namespace, given)
	}
	return []verify.Target{{Namespace: namespace, LabelSelector: o.selector, AllNamespaces: o.allNamespaces, Names: o.names, Workloads: o.workloads}}, nil
}

// where names what -k or -f named, for messages.
func (o *verifyOptions) where() string {
	if o.kustomize != "" {
		return o.kustomize
	}
	return "-f " + strings.Join(o.files, " -f ")
}

// merge adds the verdict of one target to that of all; a Service that several
// targets mean is kept once.
func merge(all, v *verify.Verdict) {
	for i := range v.Services {
		s := v.Services[i]
		known := false
		for j := range all.Services {
			known = known || all.Services[j].Namespace == s.Namespace && all.Services[j].Name == s.Name
		}
		if !known {
			all.Services = append(all.Services, s)
		}
	}
	for _, g := range v.Gaps {
		if !slices.Contains(all.Gaps, g) {
			all.Gaps = append(all.Gaps, g)
		}
	}
	all.Seconds += v.Seconds
	if all.State == "" || worse(v.State, all.State) {
		all.State = v.State
	}
}

// worse orders states: failed, not proven, proven.
func worse(a, b verify.State) bool {
	rank := map[verify.State]int{verify.StateFailed: 2, verify.StateNotProven: 1}
	return rank[a] > rank[b]
}
