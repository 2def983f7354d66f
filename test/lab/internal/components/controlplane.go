// Package components says how each process of a lab is run: its arguments, its
// configuration file and the host it belongs to. It only computes; the lab starts them.
package components

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/supervisor"
)

// Paths inside every host where the lab's own programs are.
const (
	Binary    = "/run/svcx-lab-bin/svcx-lab-components"
	LabBinary = "/run/svcx-lab-bin/svcx-lab"
	// RedisServer is named so, because the program does what it is called.
	RedisServer = "/run/svcx-lab-bin/redis-server"
	pluginsDir  = "/run/svcx-lab-bin/cni"
	// policySocket is where the network plugin waits for a new Pod's policies.
	policySocket = "/run/svcx-lab-network-policy.sock"
)

// Names of the components, as users type them.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Containerd        = "containerd"
	Kubelet           = "kubelet"
	KubeProxy         = "kube-proxy"
	NetworkPolicy     = "network-policy"
	Registry          = "registry"
	LoadBalancer      = "load-balancer"
	ExternalHost      = "external-host"
)

const etcdURL = "http://127.0.0.1:2379"

func component(lab layout.Lab, host, name string, args ...string) supervisor.Component {
	return supervisor.Component{Name: name, Args: args, Log: lab.Log(host, name)}
}

func kubernetes(lab layout.Lab, host, name string, flags ...string) supervisor.Component {
	return component(lab, host, name, append([]string{Binary, name}, flags...)...)
}

// EtcdComponent keeps the cluster's state, without waiting for the disk: a lab keeps
// nothing.
func EtcdComponent(lab layout.Lab) supervisor.Component {
	return kubernetes(lab, layout.ControlPlane, Etcd,
		"--name=lab",
		"--data-dir=/var/lib/etcd",
		"--listen-client-urls="+etcdURL,
		"--advertise-client-urls="+etcdURL,
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=lab=http://127.0.0.1:2380",
		"--unsafe-no-fsync=true",
		"--log-level=warn",
	)
}

// APIServerComponent serves the Kubernetes API, with RBAC, node authorization and Pod
// Security admission.
func APIServerComponent(lab layout.Lab) supervisor.Component {
	return kubernetes(lab, layout.ControlPlane, APIServer,
		"--advertise-address="+lab.Addr4(layout.ControlPlane).String(),
		"--secure-port=6443",
		"--etcd-servers="+etcdURL,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction,PodSecurity",
		"--service-cluster-ip-range="+joinPrefixes(lab.ServiceRanges()),
		"--client-ca-file="+lab.PKI("ca.crt"),
		"--tls-cert-file="+lab.PKI("apiserver.crt"),
		"--tls-private-key-file="+lab.PKI("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+lab.PKI("service-account.crt"),
		"--service-account-signing-key-file="+lab.PKI("service-account.key"),
		"--kubelet-certificate-authority="+lab.PKI("ca.crt"),
		"--kubelet-client-certificate="+lab.PKI("apiserver-kubelet.crt"),
		"--kubelet-client-key="+lab.PKI("apiserver-kubelet.key"),
		// Otherwise exec and logs look the node's name up in the machine's DNS.
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file="+lab.PKI("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+lab.PKI("front-proxy-client.crt"),
		"--proxy-client-key-file="+lab.PKI("front-proxy-client.key"),
		"--allow-privileged=true",
		"--profiling=false",
	)
}

// ControllerManagerComponent runs the controllers. The nodes' Pod ranges are fixed by the
// lab, so it allocates none.
func ControllerManagerComponent(lab layout.Lab) supervisor.Component {
	return apiClient(lab, ControllerManager,
		"--allocate-node-cidrs=false",
		"--use-service-account-credentials=true",
		"--root-ca-file="+lab.PKI("ca.crt"),
		"--service-account-private-key-file="+lab.PKI("service-account.key"),
		"--cluster-signing-cert-file="+lab.PKI("ca.crt"),
		"--cluster-signing-key-file="+lab.PKI("ca.key"),
	)
}

// SchedulerComponent gives Pods their nodes.
func SchedulerComponent(lab layout.Lab) supervisor.Component {
	return apiClient(lab, Scheduler)
}

// apiClient is a component of the control plane that works through the API server.
func apiClient(lab layout.Lab, name string, flags ...string) supervisor.Component {
	config := Kubeconfig(lab, name)
	return kubernetes(lab, layout.ControlPlane, name, append([]string{
		"--kubeconfig=" + config,
		"--authentication-kubeconfig=" + config,
		"--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		// The default of 20 requests a second makes controllers start 5 s later.
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
		"--profiling=false",
	}, flags...)...)
}

// RegistryComponent serves images, publicly and with a password.
func RegistryComponent(lab layout.Lab) supervisor.Component {
	return component(lab, layout.Outside, Registry, LabBinary, "run", Registry,
		"--listen="+lab.Registry(),
		"--private-listen="+lab.PrivateRegistryAddr(),
		"--username="+layout.PrivateUsername,
		"--password="+layout.PrivatePassword,
		"--dir=/var/lib/registry",
	)
}

// LoadBalancerComponent gives Services of type LoadBalancer their addresses, and leads
// each address to a node that serves it.
func LoadBalancerComponent(lab layout.Lab) supervisor.Component {
	args := []string{LabBinary, "run", LoadBalancer,
		"--kubeconfig=" + Kubeconfig(lab, LoadBalancer),
		"--pool=" + joinPrefixes(lab.Pool()),
	}
	for _, node := range layout.Nodes() {
		args = append(args, "--node="+node+"="+joinAddrs(lab.Addrs(node)))
	}
	return component(lab, layout.Outside, LoadBalancer, args...)
}

// ExternalHostComponent is what answers at server.example.com: a Redis outside the
// cluster.
func ExternalHostComponent(lab layout.Lab) supervisor.Component {
	args := []string{RedisServer,
		"--port", "6379",
		"--protected-mode", "no",
		"--save", "",
		"--appendonly", "no",
		"--dir", "/var/tmp",
		"--daemonize", "no",
		"--bind",
	}
	for _, addr := range lab.Addrs(layout.Outside) {
		args = append(args, addr.String())
	}
	return component(lab, layout.Outside, ExternalHost, args...)
}

// NetworkPolicyComponent enforces NetworkPolicies on one node.
func NetworkPolicyComponent(lab layout.Lab, node string) supervisor.Component {
	return component(lab, node, NetworkPolicy, LabBinary, "run", NetworkPolicy,
		"--kubeconfig="+Kubeconfig(lab, NetworkPolicy),
		"--node="+node,
		"--socket="+policySocket,
	)
}

// Kubeconfig is the path of a component's kubeconfig.
func Kubeconfig(lab layout.Lab, name string) string { return lab.PKI(name + ".kubeconfig") }

// Where says on which hosts a component runs; none for an unknown name.
func Where(name string) []string {
	switch name {
	case Etcd, APIServer, ControllerManager, Scheduler:
		return []string{layout.ControlPlane}
	case Containerd, Kubelet, KubeProxy, NetworkPolicy:
		return layout.Nodes()
	case Registry, LoadBalancer, ExternalHost:
		return []string{layout.Outside}
	}
	return nil
}

// Names lists every component.
func Names() []string {
	return []string{Etcd, APIServer, ControllerManager, Scheduler, Containerd, Kubelet,
		KubeProxy, NetworkPolicy, Registry, LoadBalancer, ExternalHost}
}

func joinPrefixes(prefixes []netip.Prefix) string {
	var out []string
	for _, p := range prefixes {
		out = append(out, p.String())
	}
	return strings.Join(out, ",")
}

func joinAddrs(addrs []netip.Addr) string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return strings.Join(out, ",")
}

func quoteAll(prefixes []netip.Prefix, format string) string {
	var out []string
	for _, p := range prefixes {
		out = append(out, fmt.Sprintf(format, p))
	}
	return strings.Join(out, ", ")
}
