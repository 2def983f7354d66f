package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/lab"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func newRootCommand() *cobra.Command {
	var name string
	root := &cobra.Command{
		Use:   "svcx-lab",
		Short: "A real Kubernetes cluster on one Linux machine",
		Long: `svcx-lab runs a Kubernetes cluster of two nodes on this machine, in namespaces of its own.
It leaves the machine's kubeconfig, containerd, iptables and /etc alone, nothing in it can
reach beyond the machine, and "svcx-lab down" leaves nothing behind.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return lab.CheckRoot()
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.PersistentFlags().StringVar(&name, "name", layout.DefaultName, "name of the lab; several can run side by side")
	root.AddCommand(newUpCommand(&name), newCheckCommand(), newDownCommand(&name), newStatusCommand(&name), newKubeconfigCommand(&name),
		newPushCommand(&name), newStopCommand(&name), newStartCommand(&name), newCutCommand(&name), newHealCommand(&name), newRunCommand())
	return root
}

func newUpCommand(name *string) *cobra.Command {
	var (
		noInstall bool
		ipv4Only  bool
		timeout   time.Duration
	)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the lab up, over whatever is left of an earlier one",
		Long: `Bring the lab up, over whatever is left of an earlier one of that name.
Debian packages that it needs and that are missing are installed, without starting their
services. Exits with 4 when no lab can run on this machine as it is, and says why.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if timeout <= 0 {
				return &usageError{fmt.Errorf("--timeout=%s: give a duration above 0, such as 2m", timeout)}
			}
			programs, err := ownPrograms()
			if err != nil {
				return err
			}
			start := time.Now()
			progress := func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			l, err := lab.Up(cmd.Context(), lab.Options{Name: *name, Programs: programs, Install: !noInstall, IPv4Only: ipv4Only, Timeout: timeout, Progress: progress})
			if err != nil {
				return err
			}
			progress(fmt.Sprintf("lab %s is up after %.1f s: export KUBECONFIG=%s", l.Name, time.Since(start).Seconds(), l.Kubeconfig()))
			return nil
		},
	}
	cmd.Flags().BoolVar(&noInstall, "no-install", false, "name missing packages instead of installing them")
	cmd.Flags().BoolVar(&ipv4Only, "ipv4-only", false, "give Pods and Services no IPv6 addresses, also where the machine has them")
	cmd.Flags().DurationVar(&timeout, "timeout", lab.DefaultTimeout, "how long to wait for each step; raise it on a slow machine")
	return cmd
}

func newCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say whether a lab can run on this machine",
		Long: `Say whether a lab can run on this machine, and change nothing.
Packages that "up" would install are only named. Exits with 4 when no lab can run here.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			machine, err := lab.Examine()
			var cannot *lab.CannotRunError
			if errors.As(err, &cannot) && cannot.OnlyPackages {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "a lab can run here, once these packages are installed:", strings.Join(machine.Missing, " "))
				return err
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "a lab can run here")
			return err
		},
	}
}

// ownPrograms finds the lab's programs beside this one.
func ownPrograms() (lab.Programs, error) {
	self, err := os.Executable()
	if err != nil {
		return lab.Programs{}, err
	}
	return lab.FindPrograms(self)
}

func newDownCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Take the lab down and leave nothing of it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return lab.Down(cmd.Context(), *name)
		},
	}
}
