package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newCleanupCmd(p *program) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "cleanup [flags]",
		Short:   "Remove probe Pods that a killed run left behind",
		GroupID: groupOther,
		Long: `Remove probe Pods that a killed run left behind. They end by themselves after a few
minutes, and the next run removes them too; this is for those who do not wait.`,
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
		where := "namespace " + namespace
		if all {
			where = "any namespace"
		}
		fmt.Fprintln(p.ErrOut, "no probe Pod is left in "+where)
	}
	return nil
}
