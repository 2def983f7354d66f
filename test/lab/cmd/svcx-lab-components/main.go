// Command svcx-lab-components holds every server process of the lab's cluster in
// one program, so that they link once: the first argument names the component to run.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// kubernetesComponents are run the way their own main packages run them.
var kubernetesComponents = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
}

func main() {
	names := append(slices.Sorted(maps.Keys(kubernetesComponents)), "etcd", "coredns")
	if len(os.Args) < 2 {
		fmt.Fprintf(os.Stderr, "usage: svcx-lab-components COMPONENT [flags]\n  COMPONENT is one of %s\n", strings.Join(names, ", "))
		os.Exit(2)
	}
	component := os.Args[1]
	os.Args = os.Args[1:]
	if newCommand, ok := kubernetesComponents[component]; ok {
		os.Exit(cli.Run(newCommand()))
	}
	switch component {
	case "etcd":
		etcdmain.Main(os.Args)
	case "coredns":
		// Plugins answer in this order; the order of the imports above has no meaning.
		registerNXDomain()
		dnsserver.Directives = []string{"reload", "errors", "health", "ready", "cache", "hosts", "kubernetes", "forward", nxdomainName}
		coremain.Run()
	default:
		fmt.Fprintf(os.Stderr, "svcx-lab-components: unknown component %q; one of %s\n", component, strings.Join(names, ", "))
		os.Exit(2)
	}
}
