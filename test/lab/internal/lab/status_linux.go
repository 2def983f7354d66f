package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/cgroup"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/components"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/network"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/supervisor"
)

// Status is what a lab is and how it is.
type Status struct {
	Name       string            `json:"name"`
	Kubeconfig string            `json:"kubeconfig"`
	Context    string            `json:"context"`
	Version    string            `json:"version,omitempty"` // of the API server
	Problem    string            `json:"problem,omitempty"` // why the API server does not answer
	Addresses  Addresses         `json:"addresses"`
	Nodes      []NodeStatus      `json:"nodes"`
	Components []ComponentStatus `json:"components"`
}

// Addresses of a lab that people and tests use.
type Addresses struct {
	Network         []string `json:"network"`
	Machine         []string `json:"machine"`
	APIServer       string   `json:"apiServer"`
	ClusterDNS      string   `json:"clusterDNS"`
	Registry        string   `json:"registry"`
	PrivateRegistry string   `json:"privateRegistry"`
	Pods            []string `json:"pods"`
	Services        []string `json:"services"`
	LoadBalancers   []string `json:"loadBalancers"`
	External        []string `json:"external"`
	ExternalHost    string   `json:"externalHost"`
}

// NodeStatus is one node.
type NodeStatus struct {
	Name        string   `json:"name"`
	Addresses   []string `json:"addresses"`
	PodCIDRs    []string `json:"podCIDRs"`
	Ready       bool     `json:"ready"`
	Cut         bool     `json:"cut"`
	PodsCut     bool     `json:"podsCut"`               // from those of other nodes
	MemoryBytes int64    `json:"memoryBytes,omitempty"` // of its Pods
}

// ComponentStatus is one process of a host.
type ComponentStatus struct {
	Host string `json:"host"`
	supervisor.Status
}

// Inspect looks at a lab that is up.
func Inspect(ctx context.Context, name string) (*Status, error) {
	lab, err := Load(name)
	if err != nil {
		return nil, err
	}
	hosts, err := findHosts(lab)
	if err != nil {
		return nil, err
	}
	if len(hosts) < len(layout.Hosts()) {
		return nil, fmt.Errorf("lab %q was killed; \"svcx-lab up\" brings it up again, \"svcx-lab down\" clears its remains away", name)
	}
	s := &Status{Name: name, Kubeconfig: lab.Kubeconfig(), Context: lab.Context(), Addresses: addresses(lab)}
	for _, host := range layout.Hosts() {
		list, err := supervisor.NewClient(host, lab.Socket(host)).List(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			s.Components = append(s.Components, ComponentStatus{Host: host, Status: c})
		}
	}
	hs, err := cgroup.Hierarchies("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	for _, node := range layout.Nodes() {
		joined, err := network.LinkIsUp(hostPID(hosts, layout.Outside), node)
		if err != nil {
			return nil, err
		}
		podsJoined, err := network.PodsAreJoined(hostPID(hosts, node))
		if err != nil {
			return nil, err
		}
		n := NodeStatus{Name: node, Cut: !joined, PodsCut: !podsJoined, Addresses: texts(lab.Addrs(node)), PodCIDRs: texts(lab.PodCIDRs(node))}
		n.MemoryBytes, _ = cgroup.MemoryInUse(hs, lab.Cgroup(node))
		s.Nodes = append(s.Nodes, n)
	}
	s.askAPI(ctx, lab)
	return s, nil
}

// askAPI fills in what only the API server knows; a lab whose API server is stopped has
// a status too.
func (s *Status) askAPI(ctx context.Context, lab layout.Lab) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_, client, err := connect(lab)
	if err != nil {
		s.Problem = err.Error()
		return
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		s.Problem = err.Error()
		return
	}
	for i := range list.Items {
		for j := range s.Nodes {
			if s.Nodes[j].Name == list.Items[i].Name {
				s.Nodes[j].Ready = nodeReady(&list.Items[i])
			}
		}
	}
	if v, err := client.Discovery().ServerVersion(); err == nil {
		s.Version = v.GitVersion
	}
}

func addresses(lab layout.Lab) Addresses {
	a := Addresses{
		Machine:         texts(lab.MachineAddrs()),
		APIServer:       lab.APIServer(),
		ClusterDNS:      layout.ClusterDNS.String(),
		Registry:        lab.Registry(),
		PrivateRegistry: lab.PrivateRegistryAddr(),
		Pods:            texts(lab.PodRanges()),
		Services:        texts(lab.ServiceRanges()),
		LoadBalancers:   texts(lab.Pool()),
		External:        texts(lab.Addrs(layout.Outside)),
		ExternalHost:    layout.ExternalHost,
		Network:         []string{lab.NodeNet4().String()},
	}
	if lab.IPv6 {
		a.Network = append(a.Network, lab.NodeNet6().String())
	}
	return a
}

// Stop ends a component until it is started again. The name may say on which host:
// "worker/kubelet"; else it is stopped wherever it runs.
func Stop(ctx context.Context, lab, name string) ([]string, error) {
	return eachComponent(lab, name, func(c *supervisor.Client, component string) error {
		return c.Stop(ctx, component)
	})
}

// Start starts a stopped component.
func Start(ctx context.Context, lab, name string) ([]string, error) {
	return eachComponent(lab, name, func(c *supervisor.Client, component string) error {
		return c.Start(ctx, supervisor.Component{Name: component})
	})
}

func eachComponent(labName, name string, do func(*supervisor.Client, string) error) ([]string, error) {
	lab, err := Load(labName)
	if err != nil {
		return nil, err
	}
	hosts, component, err := resolveComponent(name)
	if err != nil {
		return nil, err
	}
	var done []string
	for _, host := range hosts {
		if err := do(supervisor.NewClient(host, lab.Socket(host)), component); err != nil {
			return done, err
		}
		done = append(done, host+"/"+component)
	}
	return done, nil
}

// resolveComponent reads "kubelet" or "worker/kubelet".
func resolveComponent(name string) (hosts []string, component string, err error) {
	host, component, qualified := strings.Cut(name, "/")
	if !qualified {
		host, component = "", name
	}
	hosts = components.Where(component)
	if hosts == nil {
		return nil, "", fmt.Errorf("no component %q; one of %s", component, strings.Join(components.Names(), ", "))
	}
	if !qualified {
		return hosts, component, nil
	}
	if !slices.Contains(hosts, host) {
		return nil, "", fmt.Errorf("%s does not run on %q; it runs on %s", component, host, strings.Join(hosts, ", "))
	}
	return []string{host}, component, nil
}

// Cut takes a node off the lab's network, or only its Pods from those of other nodes.
func Cut(labName, node string, podsOnly bool) error {
	lab, hosts, err := withNode(labName, node)
	if err != nil {
		return err
	}
	if podsOnly {
		return network.SetPods(lab, hosts, node, false)
	}
	return network.SetLink(hostPID(hosts, layout.Outside), node, false)
}

// Heal undoes all that Cut does to a node.
func Heal(labName, node string) error {
	lab, hosts, err := withNode(labName, node)
	if err != nil {
		return err
	}
	if err := network.SetPods(lab, hosts, node, true); err != nil {
		return err
	}
	return network.SetLink(hostPID(hosts, layout.Outside), node, true)
}

// withNode finds a lab that is up and has the node.
func withNode(labName, node string) (layout.Lab, []network.Host, error) {
	lab, err := Load(labName)
	if err != nil {
		return lab, nil, err
	}
	if !slices.Contains(layout.Nodes(), node) {
		return lab, nil, fmt.Errorf("no node %q; one of %s", node, strings.Join(layout.Nodes(), ", "))
	}
	hosts, err := findHosts(lab)
	if err == nil && hostPID(hosts, layout.Outside) == 0 {
		err = &NotUpError{Name: labName}
	}
	return lab, hosts, err
}

func hostPID(hosts []network.Host, name string) int {
	for _, h := range hosts {
		if h.Name == name {
			return h.PID
		}
	}
	return 0
}

func texts[T fmt.Stringer](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, v.String())
	}
	return out
}
