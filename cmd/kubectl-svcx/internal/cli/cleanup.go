package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

func newCleanupCmd(p *program) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "cleanup [flags]",
		Short:   "Remove probe Pods that a killed run left behind",
		GroupID: groupOther,
		Long: `Remove probe Pods that a killed run left behind. They end by themselves after a few
minutes; from then on this, or the next run, removes them. One that a run elsewhere
may still be waiting for is left alone.`,
		Example: `  # In the current namespace
  kubectl svcx cleanup

  # Everywhere
  kubectl svcx cleanup -A`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all && changed(cmd, "namespace") {
				return errors.New("-A: all namespaces and -n exclude each other")
			}
			return p.runCleanup(cmd.Context(), all)
		},
	}
	flagGroup(cmd, "What to clean up", func(fs *pflag.FlagSet) {
		fs.BoolVarP(&all, "all-namespaces", "A", false, "In all namespaces")
	})
	return cmd
}

func (p *program) runCleanup(ctx context.Context, all bool) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	namespace, _ := c.Namespace()
	removed, err := c.Cleanup(ctx, namespace, all)
	for _, r := range removed {
		fmt.Fprintf(p.Out, "%s removed from namespace %s\n", r, r.Namespace)
	}
	if err != nil {
		return err
	}
	if len(removed) == 0 {
		where, flag := "namespace "+namespace, "-n "+shell.Word(namespace)
		if all {
			where, flag = "any namespace", "-A"
		}
		// One that is not past its deadline may belong to a run that goes on
		// elsewhere; only the run itself knows, so nothing is claimed about it.
		fmt.Fprintf(p.ErrOut, "no probe Pod in %s is past its deadline: nothing was removed\n"+
			"those that a run may still need: kubectl get pods %s -l %s%s\n", where, flag, verify.LabelProbe, p.sameCluster())
	}
	return nil
}
