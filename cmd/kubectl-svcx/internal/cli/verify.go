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

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// The values of --fail-on: how bad it has to be for an exit code other than 0.
const (
	failOnFailure   = "failure"
	failOnNotProven = "not-proven"
	failOnWarning   = "warning"
)

type verifyOptions struct {
	selector      string
	allNamespaces bool
	kustomize     string
	files         []string
	recursive     bool
	inCluster     bool
	yes           bool
	timeout       time.Duration
	failOn        string
	output        string
	probing       probeFlags
	snapshot      string
	fix           bool
	watch         bool
	wait          bool
	until         string

	// Set by complete and validate.
	names     []string
	workloads []verify.Workload
	namespace string
	format    report.Format
}

func newVerifyCmd(p *program) *cobra.Command {
	o := &verifyOptions{}
	cmd := &cobra.Command{
		Use:     "verify [NAME | svc/NAME | deploy/NAME]... [flags]",
		Short:   "Prove that Services can be reached, or say why not",
		GroupID: groupSteps,
		Long: `Verify Services: what they select, their endpoints, and every path that traffic can
take, asking every backend in its own protocol. A workload stands for the Services
that send to it. Without a name, all Services of the namespace are verified.

Nothing is created in the cluster unless --in-cluster is given: then one probe Pod
runs for a few seconds and is removed. Without it, the paths that exist only inside
the cluster are "not proven".

Exit codes: 0 verified, 1 an error, 2 verification failed, 3 not proven, 130 interrupted.`,
		Example: `  # One Service, from here only; nothing is created
  kubectl svcx verify redis

  # Every path, from inside the cluster too
  kubectl svcx verify redis --in-cluster

  # All Services of a namespace, as a table
  kubectl svcx verify -n shop

  # Whatever sends to a Deployment, as JSON
  kubectl svcx verify deploy/redis -o json

  # The Services of an overlay, compared with what the tree says; write the fixes into it
  kubectl svcx verify -k redis/overlays/nodeport --fix

  # The Services of manifests, as they are rendered elsewhere
  helm template shop ./chart | kubectl svcx verify -f - -n shop

  # In a script: wait until every port has a ready endpoint
  kubectl svcx verify redis --for=endpoints --wait --timeout=2m

  # Keep the evidence, and judge it again elsewhere
  kubectl svcx verify redis -o snapshot >redis.json
  kubectl svcx verify --snapshot redis.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(args); err != nil {
				return err
			}
			if err := o.validate(cmd); err != nil {
				return err
			}
			if changed(cmd, "namespace") {
				o.namespace = *p.config.Namespace
			}
			if o.snapshot != "" {
				return p.judgeAgain(o)
			}
			return p.runVerify(cmd.Context(), o)
		},
		ValidArgsFunction: p.completeServices,
	}
	flagGroup(cmd, "What to verify", func(fs *pflag.FlagSet) {
		fs.StringVarP(&o.selector, "selector", "l", "", "Services whose `LABELS` match, such as app=redis,tier!=test")
		fs.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "Services of all namespaces")
		fs.StringVarP(&o.kustomize, "kustomize", "k", "", "The Services of the kustomization in `DIR`, compared with what it says")
		fs.StringArrayVarP(&o.files, "filename", "f", nil, "The Services of the manifests in `FILE`, a folder or - for stdin, compared with what they say; may be repeated")
		fs.BoolVarP(&o.recursive, "recursive", "R", false, "With -f: folders within folders too")
		fs.StringVar(&o.snapshot, "snapshot", "", "Judge again, offline, what -o snapshot wrote to `FILE` (- for stdin)")
	})
	flagGroup(cmd, "How to verify it", func(fs *pflag.FlagSet) {
		fs.BoolVar(&o.inCluster, "in-cluster", false, "Probe from inside the cluster too, with a Pod that is removed again")
		fs.BoolVarP(&o.yes, "yes", "y", false, "Agree to what --ephemeral leaves behind")
		fs.StringVar(&o.until, "for", untilVerified, "What to look for (`WHAT`): verified, or only ready endpoints, without probing (endpoints)")
		fs.BoolVar(&o.wait, "wait", false, "Verify again at every change until it is good, or --timeout is over")
		fs.BoolVarP(&o.watch, "watch", "w", false, "Verify again at every change, and print what becomes different; Ctrl-C ends it")
		fs.DurationVar(&o.timeout, "timeout", time.Minute, "How long to take at the most (`DURATION`); with --watch, for each time")
	})
	o.probing.add(cmd, p)
	flagGroup(cmd, flagsOutput, func(fs *pflag.FlagSet) {
		fs.BoolVar(&o.fix, "fix", false, "Write the fixes into the tree of -k, and show them; without -k, print the patches")
		fs.StringVarP(&o.output, "output", "o", string(report.Text), "How to print the result (`FORMAT`): "+strings.Join(verifyFormats(), ", "))
		fs.StringVar(&o.failOn, "fail-on", failOnNotProven, "The least `STATE` for an exit code other than 0: failure, not-proven, warning (the strictest)")
	})
	_ = cmd.RegisterFlagCompletionFunc("output", fixed(verifyFormats()...))
	_ = cmd.RegisterFlagCompletionFunc("for", fixed(untilVerified, untilEndpoints))
	_ = cmd.MarkFlagFilename("snapshot")
	_ = cmd.RegisterFlagCompletionFunc("fail-on", fixed(failOnFailure, failOnNotProven, failOnWarning))
	_ = cmd.MarkFlagDirname("kustomize")
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	return cmd
}

// kinds maps what people write before the slash to a kind.
var kinds = map[string]string{
	"svc": "Service", "service": "Service", "services": "Service",
	"deploy": "Deployment", "deployment": "Deployment", "deployments": "Deployment",
	"sts": "StatefulSet", "statefulset": "StatefulSet", "statefulsets": "StatefulSet",
	"ds": "DaemonSet", "daemonset": "DaemonSet", "daemonsets": "DaemonSet",
	"rs": "ReplicaSet", "replicaset": "ReplicaSet", "replicasets": "ReplicaSet",
	"po": "Pod", "pod": "Pod", "pods": "Pod",
}

// complete sorts the arguments into Services and workloads. As with kubectl, a
// kind may also stand before the names: "svc redis db".
func (o *verifyOptions) complete(args []string) error {
	kind := "Service"
	if len(args) > 1 {
		if k, ok := kinds[kindWord(args[0])]; ok && !strings.Contains(args[0], "/") {
			kind, args = k, args[1:]
		}
	}
	for _, a := range args {
		k, name := kind, a
		if prefix, rest, found := strings.Cut(a, "/"); found {
			var ok bool
			if k, ok = kinds[kindWord(prefix)]; !ok {
				msg := fmt.Sprintf("unknown kind %q in %q", prefix, a)
				if n := nearest.Name(prefix, []string{"service", "deployment", "statefulset", "daemonset", "replicaset", "pod"}); n != "" {
					msg += "; did you mean " + n + "?"
				}
				return withHints(errors.New(msg), "one of svc, deploy, sts, ds, rs, pod")
			}
			name = rest
		}
		if name == "" || strings.ContainsAny(name, "/ ") {
			return withHints(fmt.Errorf("%q names nothing", a), "such as: kubectl svcx verify svc/redis")
		}
		if k == "Service" {
			o.names = append(o.names, name)
		} else {
			o.workloads = append(o.workloads, verify.Workload{Kind: k, Name: name})
		}
	}
	return nil
}

// kindWord takes the group off a kind: "deployments.apps".
func kindWord(s string) string {
	word, _, _ := strings.Cut(strings.ToLower(s), ".")
	return word
}

func (o *verifyOptions) validate(cmd *cobra.Command) (err error) {
	named := len(o.names)+len(o.workloads) > 0
	switch {
	case named && o.selector != "":
		return errors.New("-l: choose Services by name or by label, not both")
	case named && o.allNamespaces:
		return errors.New("-A: a name is one Service of one namespace; leave out -A, or the name")
	case o.kustomize != "" && len(o.files) > 0:
		return errors.New("-f: the Services come from -k already")
	case o.recursive && len(o.files) == 0:
		return errors.New("-R: which folder? -f is missing")
	case o.source() != "" && o.selector != "":
		return fmt.Errorf("-l: the Services come from %s already", o.source())
	case o.source() != "" && o.allNamespaces:
		return fmt.Errorf("-A: the namespace comes from %s, or from -n", o.source())
	case o.source() != "" && len(o.workloads) > 0:
		return fmt.Errorf("%s: give the names of its Services beside it, or none", o.source())
	}
	if o.failOn, err = oneOf("fail-on", o.failOn, failOnFailure, failOnNotProven, failOnWarning); err != nil {
		return err
	}
	if o.until, err = oneOf("for", o.until, untilVerified, untilEndpoints); err != nil {
		return err
	}
	if o.output, err = oneOf("output", o.output, verifyFormats()...); err != nil {
		return err
	}
	if o.format = report.Format(o.output); o.snapshot != "" {
		if err := o.offlineOnly(); err != nil {
			return err
		}
	}
	switch {
	case o.watch && o.wait:
		return errors.New("--wait: with --watch it would never end; choose one")
	case o.probing.ephemeral && (o.watch || o.wait):
		return errors.New("--ephemeral: each time would leave a container; leave out --watch and --wait")
	case o.watch && o.fix:
		return errors.New("--fix: choose it or --watch")
	case o.watch && !contains([]string{string(report.Text), string(report.Wide), string(report.JSON), string(report.YAML)}, o.output):
		return fmt.Errorf("-o %s: --watch prints text, wide, json or yaml", o.output)
	case o.until == untilEndpoints && o.inCluster:
		return errors.New("--in-cluster: --for=endpoints asks nothing of the network")
	case o.until == untilEndpoints && o.output == outputSnapshot:
		return errors.New("-o snapshot: leave out --for=endpoints; a snapshot holds what was asked")
	}
	if err := o.probing.validate(cmd); err != nil {
		return err
	}
	o.inCluster = o.inCluster || o.probing.from != ""
	return positive("timeout", o.timeout)
}

// source is the flag that says which Services there should be, "" for none.
func (o *verifyOptions) source() string {
	switch {
	case o.kustomize != "":
		return "-k"
	case len(o.files) > 0:
		return "-f"
	}
	return ""
}

// verifyFormats are the values of -o.
func verifyFormats() []string {
	var names []string
	for _, f := range report.VerdictFormats() {
		names = append(names, string(f))
	}
	return append(names, outputSnapshot)
}

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
}

// once verifies all targets; with -o snapshot it brings the evidence too.
func (r *verification) once(ctx context.Context) (*verify.Verdict, []*verify.Recording, error) {
	all := &verify.Verdict{APIVersion: verify.VerdictAPIVersion, Kind: "Verdict"}
	var records []*verify.Recording
	opts := verify.Options{
		InCluster: r.o.inCluster, Timeout: r.o.timeout, Expected: r.expected,
		Progress: r.g.verifying, EndpointsOnly: r.o.until == untilEndpoints, Settle: r.settle,
	}
	r.o.probing.into(&opts)
	if r.o.output == outputSnapshot {
		opts.Record = func(rec *verify.Recording) { records = append(records, rec) }
	}
	for _, t := range r.targets {
		v, err := r.c.Verify(ctx, t, opts)
		if err != nil {
			return nil, nil, err
		}
		merge(all, v)
	}
	return all, records, nil
}

// interrupted is the error of a run that the user ended.
func (r *verification) interrupted(ctx context.Context, stage string, err error) error {
	r.g.clear()
	return &interruptError{stage: stage, stays: r.o.nothingStays(), err: errors.Join(ctx.Err(), err)}
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
		opts.Explain = true
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

// nothingStays says what an interrupted run has left.
func (o *verifyOptions) nothingStays() []string {
	switch {
	case o.probing.ephemeral:
		return []string{"stays      an ephemeral container, which has ended, in the client's Pod"}
	case o.inCluster:
		return []string{"removed    the probe Pod"}
	}
	return nil
}

// targets turns names, workloads, labels and the kustomization into what to verify.
func (o *verifyOptions) targets(c cluster, expected []*unstructured.Unstructured) ([]verify.Target, error) {
	namespace, given := c.Namespace()
	base := verify.Target{Namespace: namespace, LabelSelector: o.selector, AllNamespaces: o.allNamespaces}
	if o.source() != "" {
		return o.treeTargets(expected, namespace, given)
	}
	var targets []verify.Target
	if len(o.names) > 0 || len(o.workloads) == 0 {
		t := base
		t.Names = o.names
		targets = append(targets, t)
	}
	for i := range o.workloads {
		t := base
		t.Workload = &o.workloads[i]
		targets = append(targets, t)
	}
	return targets, nil
}

// where names what -k or -f named, for messages.
func (o *verifyOptions) where() string {
	if o.kustomize != "" {
		return o.kustomize
	}
	return "-f " + strings.Join(o.files, " -f ")
}

// treeTargets are the Services that a kustomization or manifests hold, a target a namespace.
func (o *verifyOptions) treeTargets(objs []*unstructured.Unstructured, namespace string, given bool) ([]verify.Target, error) {
	var targets []verify.Target
	at := map[string]int{}
	held := map[string]bool{}
	for _, obj := range objs {
		if obj.GetKind() != "Service" || obj.GroupVersionKind().Group != "" {
			continue
		}
		held[obj.GetName()] = true
		if len(o.names) > 0 && !contains(o.names, obj.GetName()) {
			continue
		}
		ns := obj.GetNamespace()
		switch {
		case ns == "":
			ns = namespace
		case given && ns != namespace:
			return nil, withHints(fmt.Errorf("-n: %s says namespace %q for Service/%s, not %q", o.where(), ns, obj.GetName(), namespace),
				"leave -n out")
		}
		i, seen := at[ns]
		if !seen {
			i = len(targets)
			at[ns] = i
			targets = append(targets, verify.Target{Namespace: ns})
		}
		targets[i].Names = append(targets[i].Names, obj.GetName())
	}
	for _, n := range o.names {
		if !held[n] {
			return nil, withHints(fmt.Errorf("%s has no Service %q", o.where(), n), "leave the name out to verify all that it has")
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("%s has no Service", o.where())
	}
	return targets, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
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
		known := false
		for _, have := range all.Gaps {
			known = known || have == g
		}
		if !known {
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
