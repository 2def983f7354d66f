package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
)

type applyOptions struct {
	walkFlags
	from   sourceFlags
	wait   bool
	verify bool
}

func newApplyCmd(p *program) *cobra.Command {
	o := &applyOptions{}
	cmd := &cobra.Command{
		Use:     "apply -k DIR | -f FILE [flags]",
		Short:   "Apply a kustomization or manifests, switching a live Service's type where asked",
		GroupID: groupSteps,
		Long: `Apply a kustomization or manifests server-side, under the field manager
kubectl-svcx. Changes of a live Service's type that the API server refuses, or
accepts without making them, are made by a way that works. A change of type that
interrupts clients is explained first and asked about; --yes agrees beforehand.

--wait is for Deployments, StatefulSets and DaemonSets, and for the addresses of
load balancers; it does not look at Jobs, single Pods, ReplicaSets or custom kinds.

Exit codes: 0 applied (with --verify: verified), 1 an error, 2 it does not run or
verification failed, 3 not proven.`,
		Example: `  # Apply one overlay
  kubectl svcx apply -k redis/overlays/nodeport

  # Apply, wait until it runs, and prove that it can be reached
  kubectl svcx apply -k redis/overlays/nodeport --verify

  # In a pipeline
  kubectl svcx apply -k redis/overlays/nodeport -n shop --yes --verify -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(cmd); err != nil {
				return err
			}
			return p.runApply(cmd.Context(), o)
		},
	}
	flagGroup(cmd, flagsApplied, func(fs *pflag.FlagSet) {
		o.from.add(fs)
		fs.BoolVar(&o.wait, "wait", false, "Wait until its Deployments, StatefulSets and DaemonSets run")
		fs.BoolVar(&o.verify, "verify", false, "Wait until it runs, and verify its Services, from inside the cluster too")
	})
	o.add(cmd, p)
	o.from.complete(cmd)
	return cmd
}

// build builds a kustomization, unless it is of a tree that a killed run has left
// half written.
func (p *program) build(dir string) ([]*unstructured.Unstructured, error) {
	for _, tree := range []string{".", "..", "../.."} { // of a base or an overlay
		if err := generate.Interrupted(filepath.Join(dir, tree)); err != nil {
			return nil, err
		}
	}
	return apply.Build(p.fs, dir)
}

func (o *applyOptions) validate(cmd *cobra.Command) error {
	if err := o.from.validate(cmd); err != nil {
		return err
	}
	if o.verify && o.dryRun != dryRunNone {
		return errors.New("--verify: a dry run leaves nothing to verify")
	}
	if name := firstChanged(cmd, flagsProbe); name != "" && !o.verify {
		return withHints(fmt.Errorf("--%s: nothing is verified", name), "add --verify, or leave it out")
	}
	o.verdict = o.verify
	return o.walkFlags.validate(cmd)
}

func (p *program) runApply(ctx context.Context, o *applyOptions) error {
	objs, err := o.from.read(ctx, p)
	if err != nil {
		return err
	}
	if o.dryRun == dryRunClient {
		if isMachine(o.format) {
			return p.printObjects(objs, o.format)
		}
		for _, obj := range objs {
			fmt.Fprintf(p.Out, "%s/%s (dry run)\n", obj.GetKind(), obj.GetName())
		}
		return nil
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	w := &walk{
		walkFlags: &o.walkFlags, p: p, c: c, g: p.newProgress(), dir: o.from.kustomize, source: o.from.String(),
		again: "kubectl svcx apply " + o.from.String(), wait: o.wait, verify: o.verify,
	}
	return w.run(ctx, objs)
}
