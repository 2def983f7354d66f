package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
)

type diffOptions struct {
	from            sourceFlags
	createNamespace bool
	forceConflicts  bool
	output          string
	format          report.Format
}

func newDiffCmd(p *program) *cobra.Command {
	o := &diffOptions{}
	cmd := &cobra.Command{
		Use:     "diff -k DIR | -f FILE [flags]",
		Short:   "Say what apply would change, and what clients would notice",
		GroupID: groupSteps,
		Long: `Ask the API server what applying a kustomization or manifests would change, by a
server-side dry run, and say what a change of a Service's type means for its clients.

Exit codes, as of kubectl diff: 0 no difference, 1 differences, 2 an error.`,
		Example: `  # What would the switch to a load balancer do?
  kubectl svcx diff -k redis/overlays/loadbalancer`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(cmd); err != nil {
				return err
			}
			return p.runDiff(cmd.Context(), o)
		},
	}
	flagGroup(cmd, "What to compare", func(fs *pflag.FlagSet) {
		o.from.add(fs)
		fs.BoolVar(&o.createNamespace, "create-namespace", false, "Count a namespace that does not exist as one that apply would create")
		fs.BoolVar(&o.forceConflicts, "force-conflicts", false, "Count fields that other field managers own as taken over")
	})
	addOutput(cmd, &o.output, report.Formats())
	o.from.complete(cmd)
	return cmd
}

func (o *diffOptions) validate(cmd *cobra.Command) (err error) {
	if err = o.from.validate(cmd); err != nil {
		return err
	}
	o.format, err = parseFormat(o.output, false)
	return err
}

func (p *program) runDiff(ctx context.Context, o *diffOptions) error {
	objs, err := o.from.read(ctx, p)
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	namespace, given := c.Namespace()
	plan, err := c.Plan(ctx, objs, apply.PlanOptions{
		Namespace: namespace, EnforceNamespace: given,
		CreateNamespace: o.createNamespace, ForceConflicts: o.forceConflicts,
	})
	if err != nil {
		if ctx.Err() != nil {
			return &interruptError{stage: "before the comparison was done", err: err}
		}
		return withoutRefused(err, nil, o.from.kustomize, "compare")
	}
	if err := report.Plan(p.Out, plan, p.screen.report(o.format)); err != nil {
		return err
	}
	return planCode(plan)
}
