package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/components"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/loadbalancer"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/netpol"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/registry"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/supervisor"
)

// newRunCommand holds the processes of a lab that are this program itself; the lab
// starts them, people do not.
func newRunCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "run", Short: "Run one of the lab's own processes", Hidden: true}
	cmd.AddCommand(newRunHostCommand(), newRunRegistryCommand(), newRunLoadBalancerCommand(), newRunNetworkPolicyCommand())
	return cmd
}

func newRunHostCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:  "host",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var config supervisor.Config
			if err := json.Unmarshal(data, &config); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			return supervisor.Run(config)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration of the host")
	return cmd
}

func newRunRegistryCommand() *cobra.Command {
	config := registry.Config{Log: os.Stderr}
	cmd := &cobra.Command{
		Use:  components.Registry,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return registry.Serve(cmd.Context(), config) },
	}
	f := cmd.Flags()
	f.StringVar(&config.Listen, "listen", "", "host:port of the public registry")
	f.StringVar(&config.PrivateListen, "private-listen", "", "host:port of the registry that asks for a password")
	f.StringVar(&config.Username, "username", "", "user of the private registry")
	f.StringVar(&config.Password, "password", "", "password of the private registry")
	f.StringVar(&config.Dir, "dir", "", "where images are kept")
	return cmd
}

func newRunLoadBalancerCommand() *cobra.Command {
	var kubeconfig, class string
	var pool, nodes []string
	cmd := &cobra.Command{
		Use:  components.LoadBalancer,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return err
			}
			c := loadbalancer.Config{Class: class}
			for _, text := range pool {
				prefix, err := netip.ParsePrefix(text)
				if err != nil {
					return err
				}
				c.Pool = append(c.Pool, prefix)
			}
			if c.Nodes, err = parseNodes(nodes); err != nil {
				return err
			}
			return loadbalancer.Run(cmd.Context(), config, c)
		},
	}
	f := cmd.Flags()
	f.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig of the controller")
	f.StringVar(&class, "class", "svcx-lab", "loadBalancerClass that is served besides none")
	f.StringSliceVar(&pool, "pool", nil, "ranges to give addresses from")
	f.StringArrayVar(&nodes, "node", nil, "NAME=ADDRESS,… of a node that addresses may lead to")
	return cmd
}

// parseNodes reads "worker=10.89.0.3,fd89::3".
func parseNodes(list []string) (map[string][]netip.Addr, error) {
	out := map[string][]netip.Addr{}
	for _, text := range list {
		name, addrs, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("--node=%s: write NAME=ADDRESS", text)
		}
		for _, a := range strings.Split(addrs, ",") {
			addr, err := netip.ParseAddr(a)
			if err != nil {
				return nil, fmt.Errorf("--node=%s: %w", text, err)
			}
			out[name] = append(out[name], addr)
		}
	}
	return out, nil
}

func newRunNetworkPolicyCommand() *cobra.Command {
	var kubeconfig, node, socket string
	cmd := &cobra.Command{
		Use:  components.NetworkPolicy,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return err
			}
			return netpol.Run(cmd.Context(), config, netpol.Config{Node: node, Socket: socket})
		},
	}
	f := cmd.Flags()
	f.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig of the controller")
	f.StringVar(&socket, "socket", "", "where the network plugin tells of new Pods")
	f.StringVar(&node, "node", "", "the node whose Pods it guards")
	return cmd
}
