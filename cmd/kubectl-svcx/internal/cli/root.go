package cli

import (
	"github.com/spf13/cobra"
)

// The groups in which the root's help lists the verbs.
const (
	groupWhole = "whole"
	groupSteps = "steps"
	groupOther = "other"
)

// newRootCmd builds the whole command tree.
func newRootCmd(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-svcx",
		Short: "Generate, apply and verify Kubernetes Services",
		Long: `Generate manifests for an app and its Service, apply them, and prove that the
Service can be reached: every backend, along every path that traffic can take.`,
		Example: `  # Redis behind a node port: generate, apply, wait, verify
  kubectl svcx up redis --image=redis:alpine --replicas=2 --port=6379 --type=NodePort

  # Is this Service reachable, and if not, why?
  kubectl svcx verify redis

  # Switch the live Service to another type
  kubectl svcx up --dir redis --type=LoadBalancer`,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl svcx"},
		// The program prints errors itself, with hints; see finish.
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			p.quietLogs()
			return nil
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(writeHelp)
	root.SetUsageFunc(writeUsage)
	root.AddGroup(
		&cobra.Group{ID: groupWhole, Title: "The whole walk:"},
		&cobra.Group{ID: groupSteps, Title: "Its steps:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.SetHelpCommand(newHelpCmd())
	root.SetHelpCommandGroupID(groupOther)
	addGlobalFlags(root, p)
	root.AddCommand(
		newUpCmd(p),
		newGenerateCmd(p),
		newImportCmd(p),
		newApplyCmd(p),
		newRetypeCmd(p),
		newDiffCmd(p),
		newVerifyCmd(p),
		newValidateCmd(p),
		newExplainCmd(p),
		newCleanupCmd(p),
		newCompletionCmd(p),
		newSchemaCmd(p),
		newOptionsCmd(p),
		newVersionCmd(p),
	)
	return root
}

// newHelpCmd prints the help of a verb. cobra's own prints the root's for one that
// does not exist, and ends as if it did.
func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:         "help [COMMAND]",
		Annotations: map[string]string{offline: "none"},
		Short:       "Help about any command",
		GroupID:     groupOther,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, sub := range cmd.Root().Commands() {
				if len(args) == 0 && sub.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			switch {
			case err != nil:
				return err
			case len(rest) > 0:
				return unknownCommand(found, rest[0])
			}
			return found.Help()
		},
	}
}

// newOptionsCmd lists the flags that every verb accepts.
func newOptionsCmd(p *program) *cobra.Command {
	return &cobra.Command{
		Use:         "options",
		Annotations: map[string]string{offline: "none"},
		Short:       "List the flags that every command accepts",
		GroupID:     groupOther,
		Args:        noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writeOptions(cmd, p.Out)
		},
	}
}
