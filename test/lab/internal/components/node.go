package components

import (
	"fmt"
	"path/filepath"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/supervisor"
)

// PluginsSource is where Debian's package containernetworking-plugins puts its programs.
const PluginsSource = "/usr/lib/cni"

// PolicyPlugin holds a new Pod back until its network policies are in force.
const PolicyPlugin = "svcx-netpol"

// Options are what the configuration of a node depends on besides the lab.
type Options struct {
	Containerd  string // path of the program
	Nft         string
	Snapshotter string // overlayfs, or native where the lab's state is itself on an overlay
}

// ContainerdComponent runs a node's containers.
func ContainerdComponent(lab layout.Lab, node string, o Options) supervisor.Component {
	return component(lab, node, Containerd, o.Containerd, "--config", file(lab, node, "containerd.toml"))
}

// KubeletComponent is the node's agent.
func KubeletComponent(lab layout.Lab, node string) supervisor.Component {
	role := ""
	if node == layout.ControlPlane {
		role = ",svcx-lab/role=control-plane"
	}
	return kubernetes(lab, node, Kubelet,
		"--config="+file(lab, node, "kubelet.yaml"),
		"--kubeconfig="+Kubeconfig(lab, Kubelet+"-"+node),
		"--hostname-override="+node,
		"--node-ip="+joinAddrs(lab.Addrs(node)),
		"--root-dir=/var/lib/kubelet",
		"--cert-dir=/var/lib/kubelet/pki",
		"--node-labels=svcx-lab/name="+lab.Name+role,
	)
}

// KubeProxyComponent is the node's service proxy.
func KubeProxyComponent(lab layout.Lab, node string) supervisor.Component {
	return kubernetes(lab, node, KubeProxy,
		"--config="+file(lab, node, "kube-proxy.yaml"),
		"--hostname-override="+node,
	)
}

// NodeFiles are the configuration files of a node: path → content.
func NodeFiles(lab layout.Lab, node string, o Options) map[string]string {
	certs := file(lab, node, "certs.d")
	files := map[string]string{
		file(lab, node, "containerd.toml"):  containerdConfig(lab, node, o),
		file(lab, node, "kubelet.yaml"):     kubeletConfig(lab, node),
		file(lab, node, "kube-proxy.yaml"):  kubeProxyConfig(lab),
		file(lab, node, "resolv.conf"):      "nameserver " + layout.ClusterDNS.String() + "\n",
		file(lab, node, "node.nft"):         masquerade(lab, node),
		file(lab, node, "cni/lab.conflist"): cniConfig(lab, node),
		ipamFile(lab, node):                 ipamPlugin,
		// Every registry name there is leads to the lab's own, so that image names work
		// exactly as in a tutorial.
		filepath.Join(certs, "_default", "hosts.toml"): hostsFile(lab.Registry()),
	}
	for _, name := range []string{layout.PrivateRegistry, lab.PrivateRegistryAddr()} {
		files[filepath.Join(certs, name, "hosts.toml")] = hostsFile(lab.PrivateRegistryAddr())
	}
	return files
}

// NodePlugins are the programs by which Pods are attached to a node's network: path
// inside the host → path on the machine.
func NodePlugins(lab layout.Lab, node, policyPlugin string) map[string]string {
	out := map[string]string{
		filepath.Join(pluginsDir, "lab-ipam"):   ipamFile(lab, node),
		filepath.Join(pluginsDir, PolicyPlugin): policyPlugin,
	}
	for _, name := range []string{"ptp", "portmap", "loopback", "host-local"} {
		out[filepath.Join(pluginsDir, name)] = filepath.Join(PluginsSource, name)
	}
	return out
}

// ipamFile is a program, and so lies beside what the host has as /var: systemd mounts the
// machine's /run such that nothing there can be executed, however it is bound.
func ipamFile(lab layout.Lab, node string) string {
	return filepath.Join(lab.StateDir(), node, "lab-ipam")
}

// Masquerade is the command, run once in the node, that loads its own nftables rules.
func Masquerade(lab layout.Lab, node string, o Options) []string {
	return []string{o.Nft, "-f", file(lab, node, "node.nft")}
}

func file(lab layout.Lab, node, name string) string {
	return filepath.Join(lab.HostRunDir(node), name)
}

// hostsFile names the server twice: without `server`, containerd would fall back to the
// name's real registry, and "not found" would turn into a failed connection.
func hostsFile(addr string) string {
	return fmt.Sprintf("server = \"http://%[1]s\"\n\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", addr)
}

func containerdConfig(lab layout.Lab, node string, o Options) string {
	return fmt.Sprintf(`version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt"]

[grpc]
  address = "/run/containerd/containerd.sock"

[debug]
  level = "warn"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  # Without CAP_SYS_RESOURCE every sandbox would fail.
  restrict_oom_score_adj = true
  # A profile would be loaded into the machine's kernel and stay there.
  disable_apparmor = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = %q
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = %q
`, o.Snapshotter, pluginsDir, filepath.Join(lab.HostRunDir(node), "cni"), file(lab, node, "certs.d"))
}

func kubeletConfig(lab layout.Lab, node string) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true, cacheTTL: 30s}
  x509: {clientCAFile: %q}
authorization:
  mode: Webhook
tlsCertFile: %q
tlsPrivateKeyFile: %q
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: %q
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
evictionHard:
  memory.available: 50Mi
  nodefs.available: "0%%"
  nodefs.inodesFree: "0%%"
  imagefs.available: "0%%"
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
clusterDomain: cluster.local
clusterDNS: [%q]
resolvConf: %q
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 0
kubeAPIQPS: 500
kubeAPIBurst: 1000
nodeStatusUpdateFrequency: 5s
volumePluginDir: /var/lib/kubelet/volume-plugins
shutdownGracePeriod: 0s
`, lab.PKI("ca.crt"), lab.PKI("kubelet-"+node+".crt"), lab.PKI("kubelet-"+node+".key"),
		lab.Cgroup(node), layout.ClusterDNS, file(lab, node, "resolv.conf"))
}

func kubeProxyConfig(lab layout.Lab) string {
	return fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection:
  kubeconfig: %q
clusterCIDR: %q
detectLocalMode: ClusterCIDR
conntrack:
  # 0 leaves the machine's own setting alone.
  maxPerCore: 0
  min: 0
  tcpEstablishedTimeout: 0s
  tcpCloseWaitTimeout: 0s
iptables:
  minSyncPeriod: 100ms
`, Kubeconfig(lab, KubeProxy), joinPrefixes(lab.PodRanges()))
}

// masquerade lets Pods be answered by what has no route to them: the machine would send
// its answers out of its own default route.
func masquerade(lab layout.Lab, node string) string {
	rules := fmt.Sprintf("\t\tip saddr %s ip daddr %s masquerade\n", layout.PodRange4, lab.NodeNet4())
	if lab.IPv6 {
		rules += fmt.Sprintf("\t\tip6 saddr %s ip6 daddr %s masquerade\n", layout.PodRange6, lab.NodeNet6())
	}
	return fmt.Sprintf(`table inet svcx-lab {
	chain postrouting {
		type nat hook postrouting priority srcnat + 5; policy accept;
%s	}
}
`, rules)
}

// cniConfig attaches Pods with point-to-point links instead of a bridge, so that every
// packet between Pods, on one node too, is routed through the node, where the service
// proxy and network policies act on it, whatever the machine's bridge settings are.
func cniConfig(lab layout.Lab, node string) string {
	cidrs := lab.PodCIDRs(node)
	routes := `{"dst": "0.0.0.0/0"}`
	if len(cidrs) > 1 {
		routes += `, {"dst": "::/0"}`
	}
	return fmt.Sprintf(`{
  "cniVersion": "0.4.0",
  "name": "lab",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "lab-ipam",
        "ranges": [%s],
        "routes": [%s],
        "dataDir": "/run/cni-addresses"
      }
    },
    {"type": %q, "socket": %q},
    {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}
  ]
}
`, quoteAll(cidrs, `[{"subnet": "%s"}]`), routes, PolicyPlugin, policySocket)
}

// ipamPlugin stands before host-local: it switches off, in the Pod's namespace, the
// detection of duplicate IPv6 addresses, which would delay every Pod by a second or two.
const ipamPlugin = `#!/bin/sh
if [ "$CNI_COMMAND" = ADD ]; then
	nsenter --net="$CNI_NETNS" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad' 2>/dev/null
fi
exec "$(dirname "$0")/host-local"
`
