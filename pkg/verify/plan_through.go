package verify

import (
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// through asks a port through everything that leads to its backends.
func (p *planner) through(svc *corev1.Service, pv portView) {
	attempts := min(max(attemptsPerBackend*len(pv.usable), 2), maxThroughService)
	pr := base(svc, pv)
	for _, ip := range clusterIPs(svc) {
		pr.Path, pr.From, pr.Attempts, pr.Address = probe.PathClusterIP, probe.FromCluster, attempts, hostPort(ip, pv.port.Port)
		p.add(pr)
	}
	pr.Path, pr.From, pr.Attempts = probe.PathDNS, probe.FromCluster, 2
	pr.Address, pr.Resolves = hostPort(serviceName(svc), pv.port.Port), p.v.nameAddresses(svc)
	p.add(pr)
	if pv.port.NodePort != 0 {
		p.nodePorts(svc, pv)
	}
	for _, host := range ingressHosts(svc) {
		for _, from := range []probe.Location{probe.FromHere, probe.FromCluster} {
			pr := base(svc, pv)
			pr.Path, pr.From, pr.Attempts, pr.Address = probe.PathLoadBalancer, from, 2, hostPort(host, pv.port.Port)
			p.add(pr)
		}
	}
}

func (p *planner) nodePorts(svc *corev1.Service, pv portView) {
	local := svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	on := map[string]bool{}
	for _, e := range pv.usable {
		on[e.node] = true
	}
	var nodes, without []*corev1.Node
	for i := range p.v.s.Nodes {
		// With the policy Local only nodes that have a backend answer, by design;
		// a client that asks another one may still not know.
		if n := &p.v.s.Nodes[i]; !local || on[n.Name] {
			nodes = append(nodes, n)
		} else if takesPods(n) {
			without = append(without, n)
		}
	}
	for _, n := range sample(without, maxExplored) {
		for _, addr := range nodeAddresses(n, svc.Spec.IPFamilies) {
			pr := base(svc, pv)
			pr.Path, pr.From, pr.Node, pr.Exploratory, pr.Address = probe.PathNodePort, probe.FromHere, n.Name, true, hostPort(addr, pv.port.NodePort)
			p.add(pr)
		}
	}
	for _, n := range sample(nodes, maxNodes) {
		for _, addr := range nodeAddresses(n, svc.Spec.IPFamilies) {
			for _, from := range []probe.Location{probe.FromHere, probe.FromCluster} {
				pr := base(svc, pv)
				pr.Path, pr.From, pr.Node, pr.Attempts, pr.Address = probe.PathNodePort, from, n.Name, 2, hostPort(addr, pv.port.NodePort)
				p.add(pr)
			}
		}
	}
}

// nodeAddresses returns a node's internal addresses of the families given.
func nodeAddresses(n *corev1.Node, families []corev1.IPFamily) []string {
	var out []string
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && (len(families) == 0 || hasFamily(families, a.Address)) {
			out = append(out, a.Address)
		}
	}
	return out
}

func hasFamily(families []corev1.IPFamily, address string) bool {
	ip := net.ParseIP(address)
	for _, f := range families {
		if (f == corev1.IPv4Protocol) == (ip != nil && ip.To4() != nil) {
			return true
		}
	}
	return false
}

// name asks for the Service's name.
func (p *planner) name(svc *corev1.Service) {
	p.add(probe.Probe{Path: probe.PathDNS, From: probe.FromCluster, Check: probe.CheckDNS,
		Service: svc.Namespace + "/" + svc.Name, Address: serviceName(svc), Resolves: p.v.nameAddresses(svc)})
}

// nameAddresses returns what a Service's name should resolve to: its cluster
// IPs, the ready addresses of a headless one, the name that an alias stands
// for. nil when that is not known, or too much for an answer of DNS.
func (v *view) nameAddresses(svc *corev1.Service) []string {
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		target := strings.TrimSuffix(svc.Spec.ExternalName, ".")
		if target == "" || net.ParseIP(target) != nil {
			return nil
		}
		return []string{target + "."}
	}
	if !headless(svc) {
		return clusterIPs(svc)
	}
	var want []string
	for _, pv := range v.ports(svc, Checks{}) {
		if pv.unknown {
			return nil
		}
		for _, e := range pv.usable {
			if !slices.Contains(want, e.address) {
				want = append(want, e.address)
			}
		}
	}
	if len(want) > maxNameAddresses {
		return nil
	}
	return want
}

// maxNameAddresses bounds what is expected of one answer of DNS, and is below
// what an Outcome keeps of it.
const maxNameAddresses = 50

// externalName asks for the alias, for what it stands for, and connects there
// on the ports that the Service tells.
func (p *planner) externalName(svc *corev1.Service, o PlanOptions) {
	p.name(svc)
	target := strings.TrimSuffix(svc.Spec.ExternalName, ".")
	if target == "" {
		return
	}
	if net.ParseIP(target) == nil {
		// The trailing dot keeps the cluster's search path out of it, as the
		// CNAME record itself does.
		p.add(probe.Probe{Path: probe.PathExternalName, From: probe.FromCluster, Check: probe.CheckDNS,
			Service: svc.Namespace + "/" + svc.Name, Address: target + "."})
	}
	for _, pv := range p.v.ports(svc, o.Checks) {
		pr := base(svc, pv)
		pr.Path, pr.From, pr.Address = probe.PathExternalName, probe.FromCluster, hostPort(target, pv.port.Port)
		if net.ParseIP(target) == nil {
			pr.Address = hostPort(target+".", pv.port.Port)
			pr.ServerName = target
		}
		p.add(pr)
		if pv.check == probe.CheckHTTP || pv.check == probe.CheckHTTPS || pv.check == probe.CheckTLS {
			// What a client meets that connects by the Service's name: DNS leads it
			// there, but the server sees and shows other names.
			pr.ServerName, pr.Exploratory = serviceName(svc), true
			p.add(pr)
		}
	}
}
