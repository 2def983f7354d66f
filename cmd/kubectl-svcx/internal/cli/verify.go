package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	asked     string // the flags given that apply --verify takes too
	cluster   string // those that say which cluster
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
			o.cluster = p.sameCluster()
			o.asked = repeated(cmd, []string{flagsProbe}, "in-cluster", "yes", "for", "wait", "watch", "timeout")
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
		fs.DurationVar(&o.timeout, "timeout", time.Minute, "How long to take at the most (`DURATION`), in each namespace of -k or -f; with --watch, for each time; with --wait, in all")
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
		if err := o.offlineOnly(cmd); err != nil {
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
	case o.watch && !slices.Contains([]string{string(report.Text), string(report.Wide), string(report.JSON), string(report.YAML)}, o.output):
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
