package verify

import (
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// ruleHostAliases: SVC413. The client's own hosts file says where a name of the
// Service leads, and no DNS is asked for it.
func ruleHostAliases(c *serviceCase) []finding {
	cl := c.v.s.Client
	if cl == nil {
		return nil
	}
	for i, a := range cl.HostAliases {
		names := slices.DeleteFunc(slices.Clone(a.Hostnames), func(n string) bool { return !c.calledBy(n, cl.Namespace) })
		if len(names) == 0 || c.leadsTo(a.IP) {
			continue
		}
		for k := range names {
			names[k] = probe.Printable(names[k], 253)
		}
		ip := probe.Printable(a.IP, 64)
		f := Finding{ID: "SVC413", Severity: SeverityFailure, Object: cl.ObjectRef, Field: fmt.Sprintf("spec.hostAliases[%d]", i),
			Message:  fmt.Sprintf("%s in namespace %s does not get to %s by the name %s: its hostAliases lead that to %s.", cl.ObjectRef, cl.Namespace, c.ref(), names[0], ip),
			Evidence: []string{fmt.Sprintf("spec.hostAliases: %s %s", ip, shortList(names, 4))}}
		if ips := clusterIPs(c.svc); len(ips) > 0 {
			f.Evidence = append(f.Evidence, "the Service's address: "+strings.Join(ips, ", "))
		}
		if rolledOut(cl.ObjectRef) {
			f.Field = fmt.Sprintf("spec.template.spec.hostAliases[%d]", i)
		}
		f.Fix = templateFix("remove the Service's names from hostAliases", cl.ObjectRef, map[string]any{"hostAliases": c.otherAliases(cl)})
		return []finding{{Finding: f, checks: []string{string(probe.PathDNS)}}}
	}
	return nil
}

// otherAliases is what is left of a client's hostAliases without the Service's names,
// for a patch; nil when that is nothing.
func (c *serviceCase) otherAliases(cl *Client) any {
	var list []any
	for _, a := range cl.HostAliases {
		names := a.Hostnames
		if !c.leadsTo(a.IP) {
			names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return c.calledBy(n, cl.Namespace) })
		}
		if len(names) > 0 {
			list = append(list, map[string]any{"ip": a.IP, "hostnames": names})
		}
	}
	if len(list) == 0 {
		return nil
	}
	return append([]any{map[string]any{"$patch": "replace"}}, list...)
}

// calledBy reports whether a Pod of a namespace means the Service by a name.
func (c *serviceCase) calledBy(name, namespace string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	return name == c.svc.Name && namespace == c.svc.Namespace || name == c.svc.Name+"."+c.svc.Namespace ||
		name == serviceName(c.svc) || strings.HasPrefix(name, serviceName(c.svc)+".")
}

// leadsTo reports whether an address is one of the Service's own, or of what it
// stands for. Where an alias of another name leads is for DNS to say.
func (c *serviceCase) leadsTo(ip string) bool {
	own := slices.Concat(clusterIPs(c.svc), ingressHosts(c.svc), c.svc.Spec.ExternalIPs)
	for _, pv := range c.ports {
		for _, e := range slices.Concat(pv.usable, pv.unready) {
			own = append(own, e.address)
		}
	}
	return net.ParseIP(ip) == nil || c.svc.Spec.Type == corev1.ServiceTypeExternalName ||
		slices.ContainsFunc(own, func(a string) bool { return sameIP(a, ip) })
}
