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
	kustomize string
	wait      bool
	verify    bool
}

func newApplyCmd(p *program) *cobra.Command {
	o := &applyOptions{}
	cmd := &cobra.Command{
		Use:     "apply -k DIR [flags]",
		Short:   "Apply a kustomization, switching a live Service's type where asked",
		GroupID: groupSteps,
		Long: `Apply a kustomization server-side, under the field manager kubectl-svcx. Changes of
a live Service's type that the API server refuses, or accepts without making them,
are made by a way that works. What interrupts clients is explained first and asked
about; --yes agrees beforehand.

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
		addKustomize(fs, &o.kustomize)
		fs.BoolVar(&o.wait, "wait", false, "Wait until it runs")
		fs.BoolVar(&o.verify, "verify", false, "Wait until it runs, and verify its Services, from inside the cluster too")
	})
	o.add(cmd, p)
	_ = cmd.MarkFlagDirname("kustomize")
	return cmd
}

func addKustomize(fs *pflag.FlagSet, v *string) {
	fs.StringVarP(v, "kustomize", "k", "", "The folder (`DIR`) of a kustomization, such as redis/overlays/nodeport")
}

// needKustomize is the check that -k was given.
func needKustomize(cmd *cobra.Command, dir string) error {
	if dir == "" {
		return withHints(errors.New("-k is missing: which kustomization?"), "such as: "+cmd.CommandPath()+" -k redis/overlays/nodeport")
	}
	return nil
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
	if err := needKustomize(cmd, o.kustomize); err != nil {
		return err
	}
	if o.verify && o.dryRun != dryRunNone {
		return errors.New("--verify: a dry run leaves nothing to verify")
	}
	if name := firstChanged(cmd, flagsProbe); name != "" && !o.verify {
		return withHints(fmt.Errorf("--%s: nothing is verified", name), "add --verify, or leave it out")
	}
	return o.walkFlags.validate(cmd)
}

func (p *program) runApply(ctx context.Context, o *applyOptions) error {
	objs, err := p.build(o.kustomize)
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
		walkFlags: &o.walkFlags, p: p, c: c, g: p.newProgress(), dir: o.kustomize, source: "-k " + quoted(o.kustomize),
		again: "kubectl svcx apply -k " + quoted(o.kustomize), wait: o.wait, verify: o.verify,
	}
	return w.run(ctx, objs)
}
