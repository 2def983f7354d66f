// Package layout says where everything of a lab is: names, addresses and paths. It only
// computes; nothing here touches the machine.
package layout

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
)

// Roots of everything that a lab keeps on the machine.
const (
	RunRoot    = "/run/svcx-lab"
	StateRoot  = "/var/lib/svcx-lab"
	CgroupRoot = "svcx-lab"
)

// DefaultName is the lab that commands mean when none is named.
const DefaultName = "svcx"

// Names of the lab's hosts. Outside is no node: it is the network around the cluster,
// where the registry and the host server.example.com are.
const (
	ControlPlane = "control-plane"
	Worker       = "worker"
	Outside      = "outside"
)

// Slots is the number of labs that fit side by side on one machine.
const Slots = 64

// ExternalHost is a name that resolves, inside the cluster, to something that answers
// outside it.
const ExternalHost = "server.example.com"

// PrivateRegistry is the registry name that asks for a password.
const PrivateRegistry = "private.lab.example"

// User name and password of the private registry: a lab has no secrets worth keeping.
const (
	PrivateUsername = "lab"
	PrivatePassword = "lab-password"
)

// Fixed addresses inside the cluster. They are the same in every lab, because nothing
// outside a lab's own namespaces has a route to them.
var (
	ServiceRange4  = netip.MustParsePrefix("10.96.0.0/16")
	ServiceRange6  = netip.MustParsePrefix("fd44:96::/112")
	KubernetesIP   = netip.MustParseAddr("10.96.0.1")
	ClusterDNS     = netip.MustParseAddr("10.96.0.10")
	PodRange4      = netip.MustParsePrefix("10.244.0.0/16")
	PodRange6      = netip.MustParsePrefix("fd44:244::/48")
	nodeNumbers    = map[string]byte{ControlPlane: 2, Worker: 3, Outside: 9}
	podNumbers     = map[string]byte{ControlPlane: 0, Worker: 1}
	machineNumber  = byte(1)
	poolNumber     = byte(240)
	validName      = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$`)
	nodeNames      = []string{ControlPlane, Worker}
	hostNames      = []string{Outside, ControlPlane, Worker}
	machineLinkTag = "sx-"
)

// Lab is one lab: its name, its slot among the machine's labs, and whether it has IPv6.
type Lab struct {
	Name string `json:"name"`
	Slot int    `json:"slot"`
	IPv6 bool   `json:"ipv6"`
}

// CheckName says whether a lab may have this name: it becomes part of an interface's
// name, which the kernel limits to 15 bytes.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("lab name %q: use 1 to 12 lower-case letters, digits or '-', starting with a letter", name)
	}
	return nil
}

// Nodes lists the names of the cluster's nodes.
func Nodes() []string { return append([]string(nil), nodeNames...) }

// Hosts lists the nodes and Outside.
func Hosts() []string { return append([]string(nil), hostNames...) }

// RunDir holds sockets, configuration and keys; it goes away with the machine's restart.
func (l Lab) RunDir() string { return filepath.Join(RunRoot, l.Name) }

// StateDir holds what is large: images, containers, logs.
func (l Lab) StateDir() string { return filepath.Join(StateRoot, l.Name) }

// Kubeconfig is the path of the administrator's kubeconfig.
func (l Lab) Kubeconfig() string { return filepath.Join(l.RunDir(), "kubeconfig") }

// Context is the name of the cluster, user and context in that kubeconfig.
func (l Lab) Context() string {
	if l.Name == DefaultName {
		return "svcx-lab"
	}
	return "svcx-lab-" + l.Name
}

// HostRunDir holds the configuration of one host.
func (l Lab) HostRunDir(host string) string { return filepath.Join(l.RunDir(), host) }

// HostVar is what the host sees as /var.
func (l Lab) HostVar(host string) string { return filepath.Join(l.StateDir(), host, "var") }

// Socket is where the host's supervisor listens.
func (l Lab) Socket(host string) string { return filepath.Join(l.HostRunDir(host), "init.sock") }

// Log is the log of one component of a host.
func (l Lab) Log(host, component string) string {
	return filepath.Join(l.StateDir(), "logs", host+"-"+component+".log")
}

// PKI is a file among the lab's keys and certificates.
func (l Lab) PKI(file string) string { return filepath.Join(l.RunDir(), "pki", file) }

// Cgroup is the path of the lab's cgroup, or of a host's below it, from the root of
// every hierarchy.
func (l Lab) Cgroup(host ...string) string {
	return "/" + filepath.Join(append([]string{CgroupRoot, l.Name}, host...)...)
}

// MachineLink is the lab's one interface on the machine.
func (l Lab) MachineLink() string { return machineLinkTag + l.Name }

// NodeNet4 is the network that the machine, the nodes and Outside share.
func (l Lab) NodeNet4() netip.Prefix { return netip.PrefixFrom(l.addr4(0), 24) }

// NodeNet6 is its IPv6 twin.
func (l Lab) NodeNet6() netip.Prefix { return netip.PrefixFrom(l.addr6(0), 64) }

// MachineAddrs are the machine's own addresses on the lab's network.
func (l Lab) MachineAddrs() []netip.Addr { return l.addrs(machineNumber) }

// Addrs are a host's addresses on the lab's network, IPv4 first.
func (l Lab) Addrs(host string) []netip.Addr { return l.addrs(nodeNumbers[host]) }

// Addr4 is a host's IPv4 address on the lab's network.
func (l Lab) Addr4(host string) netip.Addr { return l.addr4(nodeNumbers[host]) }

// Pool are the ranges that the load-balancer controller gives addresses from: eight
// each, few enough to be used up.
func (l Lab) Pool() []netip.Prefix {
	pool := []netip.Prefix{netip.PrefixFrom(l.addr4(poolNumber), 29)}
	if l.IPv6 {
		pool = append(pool, netip.PrefixFrom(l.addr6(poolNumber), 125))
	}
	return pool
}

// PodCIDRs are a node's Pod ranges, IPv4 first.
func (l Lab) PodCIDRs(node string) []netip.Prefix {
	n := podNumbers[node]
	cidrs := []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, n, 0}), 24)}
	if l.IPv6 {
		a := PodRange6.Addr().As16()
		a[7] = n
		cidrs = append(cidrs, netip.PrefixFrom(netip.AddrFrom16(a), 64))
	}
	return cidrs
}

// ServiceRanges are the cluster's Service ranges, IPv4 first.
func (l Lab) ServiceRanges() []netip.Prefix {
	if l.IPv6 {
		return []netip.Prefix{ServiceRange4, ServiceRange6}
	}
	return []netip.Prefix{ServiceRange4}
}

// PodRanges hold every node's Pod range, IPv4 first.
func (l Lab) PodRanges() []netip.Prefix {
	if l.IPv6 {
		return []netip.Prefix{PodRange4, PodRange6}
	}
	return []netip.Prefix{PodRange4}
}

// APIServer is the URL of the cluster's API server.
func (l Lab) APIServer() string { return fmt.Sprintf("https://%s:6443", l.Addr4(ControlPlane)) }

// Registry is the host:port of the public registry.
func (l Lab) Registry() string { return fmt.Sprintf("%s:5000", l.Addr4(Outside)) }

// PrivateRegistryAddr is the host:port of the registry that asks for a password.
func (l Lab) PrivateRegistryAddr() string { return fmt.Sprintf("%s:5001", l.Addr4(Outside)) }

func (l Lab) addrs(n byte) []netip.Addr {
	if l.IPv6 {
		return []netip.Addr{l.addr4(n), l.addr6(n)}
	}
	return []netip.Addr{l.addr4(n)}
}

func (l Lab) addr4(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 89, byte(l.Slot), n}) }

func (l Lab) addr6(n byte) netip.Addr {
	a := [16]byte{0: 0xfd, 1: 0x89, 7: byte(l.Slot), 15: n}
	return netip.AddrFrom16(a)
}
