package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/components"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/lab"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/supervisor"
)

func newStatusCommand(name *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the lab's nodes, components and addresses",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return &usageError{fmt.Errorf("-o %s: only json is known", output)}
			}
			s, err := lab.Inspect(cmd.Context(), *name)
			if err != nil {
				return err
			}
			if output == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(s)
			}
			return printStatus(cmd.OutOrStdout(), s, time.Now())
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, for programs")
	return cmd
}

func printStatus(out io.Writer, s *lab.Status, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	version := s.Version
	if s.Problem != "" {
		version = "API server does not answer: " + s.Problem
	}
	a := s.Addresses
	for _, row := range [][2]string{
		{"lab", s.Name + "  " + version},
		{"kubeconfig", s.Kubeconfig + "  (context " + s.Context + ")"},
		{"API server", a.APIServer},
		{"network", strings.Join(a.Network, ", ") + "  machine " + strings.Join(a.Machine, ", ")},
		{"Pods, Services", strings.Join(a.Pods, ", ") + "  " + strings.Join(a.Services, ", ") + "  DNS " + a.ClusterDNS},
		{"load balancers", strings.Join(a.LoadBalancers, ", ")},
		{"registry", a.Registry + "  with password " + a.PrivateRegistry},
		{a.ExternalHost, strings.Join(a.External, ", ")},
	} {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	fmt.Fprintf(w, "\nNODE\tSTATE\tPODS' MEMORY\tADDRESSES\n")
	for _, n := range s.Nodes {
		state := "NotReady"
		switch {
		case n.Cut:
			state = "cut off"
		case n.PodsCut:
			state = "Pods cut off"
		case n.Ready:
			state = "Ready"
		case s.Problem != "":
			state = "unknown"
		}
		fmt.Fprintf(w, "%s\t%s\t%d MB\t%s\n", n.Name, state, n.MemoryBytes>>20, strings.Join(n.Addresses, ", "))
	}
	fmt.Fprintf(w, "\nCOMPONENT\tSTATE\tFOR\tRESTARTS\tLOG\n")
	for _, c := range s.Components {
		state := string(c.State)
		if c.State == supervisor.Crashed {
			state += ": " + c.Exit
		}
		fmt.Fprintf(w, "%s/%s\t%s\t%s\t%d\t%s\n", c.Host, c.Name, state, now.Sub(c.Since).Round(time.Second), c.Restarts, c.Log)
	}
	return w.Flush()
}

func newKubeconfigCommand(name *string) *cobra.Command {
	var path bool
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the lab's kubeconfig, or its path",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := lab.Load(*name)
			if err != nil {
				return err
			}
			if path {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), l.Kubeconfig())
				return err
			}
			data, err := os.ReadFile(l.Kubeconfig())
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
	cmd.Flags().BoolVar(&path, "path", false, "print the path only")
	return cmd
}

func newPushCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "push [IMAGE=BINARY]",
		Short: "Build the lab's images again and push them to its registry",
		Long: `Build the lab's images again and push them to its registry.
With IMAGE=BINARY, push one image whose only program is that static binary, for example
example/app:v1=./app.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Load(*name)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				image, binary, ok := strings.Cut(args[0], "=")
				if !ok || image == "" || binary == "" {
					return &usageError{fmt.Errorf("%q: write IMAGE=BINARY", args[0])}
				}
				return lab.PushBinary(cmd.Context(), l, image, binary)
			}
			programs, err := ownPrograms()
			if err != nil {
				return err
			}
			return lab.PushImages(cmd.Context(), l, programs)
		},
	}
}

func newStopCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "stop [HOST/]COMPONENT",
		Short: "Stop a component, on one host or wherever it runs",
		Long: "Stop a component until it is started again.\n\nComponents: " + strings.Join(components.Names(), ", ") +
			"\nHosts: " + strings.Join(layout.Hosts(), ", "),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			done, err := lab.Stop(cmd.Context(), *name, args[0])
			for _, d := range done {
				fmt.Fprintln(cmd.ErrOrStderr(), "stopped", d)
			}
			return err
		},
	}
}

func newStartCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "start [HOST/]COMPONENT",
		Short: "Start a stopped component",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			done, err := lab.Start(cmd.Context(), *name, args[0])
			for _, d := range done {
				fmt.Fprintln(cmd.ErrOrStderr(), "started", d)
			}
			return err
		},
	}
}

func newCutCommand(name *string) *cobra.Command {
	var podsOnly bool
	cmd := &cobra.Command{
		Use:   "cut NODE",
		Short: "Take a node off the network, as if its cable was pulled",
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return lab.Cut(*name, args[0], podsOnly) },
	}
	cmd.Flags().BoolVar(&podsOnly, "pods", false, "lose only what its Pods and those of other nodes send each other, as if the overlay of a network plugin was broken")
	return cmd
}

func newHealCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "heal NODE",
		Short: "Join a node to the network again",
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return lab.Heal(*name, args[0]) },
	}
}
