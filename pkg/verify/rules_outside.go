package verify

import (
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// ruleExternalLocal: SVC503. Nodes without an endpoint drop what comes from
// outside. A load balancer's health checks leave such nodes out, so there only
// its own silence counts, where this machine is seen to reach the cluster.
func ruleExternalLocal(c *serviceCase) []finding {
	if c.svc.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
		return nil
	}
	for _, pv := range c.ports {
		empty := c.emptyNodes(pv)
		// What stays inside on its node (SVC408) is another setting than this one.
		if len(pv.usable) == 0 || len(empty) == 0 || c.caused(pv.key, "SVC408") {
			continue
		}
		// No node answers here: the way to them, or something else.
		nodes := c.ev.on(probe.PathNodePort, probe.FromHere, pv.key).reached()
		silent, contrast := c.ev.explored(probe.PathNodePort, pv.key), nodes
		if c.svc.Spec.Type != corev1.ServiceTypeNodePort {
			silent = c.ev.on(probe.PathLoadBalancer, probe.FromHere, pv.key).asked()
			if len(silent.reached()) > 0 || len(c.ev.on(probe.PathPod, "", pv.key).reached()) == 0 || len(c.svc.Spec.LoadBalancerSourceRanges) > 0 {
				continue
			}
			// From inside, the service proxy stands in for the load balancer.
			contrast = slices.Concat(nodes, c.ev.on(probe.PathLoadBalancer, probe.FromHere, pv.key).someAnswers())
		}
		silent = silent.where(probe.ClassTimeout, probe.ClassUnreachable, probe.ClassRefused)
		if len(silent) == 0 || len(contrast) == 0 {
			continue
		}
		return []finding{{port: pv.key, Finding: Finding{ID: "SVC503", Severity: SeverityFailure, Object: c.ref(), Field: "spec.externalTrafficPolicy",
			Message: fmt.Sprintf("%s has externalTrafficPolicy Local, and node %s has no endpoint: what clients send there is dropped.", c.ref(), shortWords(empty)),
			Evidence: []string{
				"nodes without an endpoint: " + shortList(empty, 5),
				fmt.Sprintf("%s: %s", silent[0].outcome.Class, silent.addresses(3)),
				"from here answers: " + contrast.addresses(3),
			},
			Fix: patchFix("use externalTrafficPolicy Cluster, or run a Pod on every node that clients are sent to", c.ref(),
				map[string]any{"spec": map[string]any{"externalTrafficPolicy": "Cluster"}})}}}
	}
	return nil
}

// ruleSourceRanges: SVC507. Without this machine's own address nobody can say that
// the ranges do not hold it.
func ruleSourceRanges(c *serviceCase) []finding {
	ranges := c.svc.Spec.LoadBalancerSourceRanges
	if c.svc.Spec.Type != corev1.ServiceTypeLoadBalancer || len(ranges) == 0 {
		return nil
	}
	for _, pv := range c.ports {
		bad := c.ev.on(probe.PathLoadBalancer, probe.FromHere, pv.key).where(probe.ClassTimeout, probe.ClassUnreachable, probe.ClassRefused)
		if len(bad) == 0 || c.caused(pv.key) || !c.answersBefore(pv) {
			continue
		}
		own, admitted := c.admittedBy(ranges, bad[0])
		if admitted || own == "" {
			continue
		}
		bits := "/32"
		if ip := net.ParseIP(own); ip != nil && ip.To4() == nil {
			bits = "/128"
		}
		f := Finding{ID: "SVC507", Severity: SeverityFailure, Object: c.ref(), Field: "spec.loadBalancerSourceRanges",
			Message: fmt.Sprintf("%s admits only clients from %s to its load balancer, and this machine is none of them.", c.ref(), shortList(ranges, 3)),
			Evidence: []string{
				fmt.Sprintf("load-balancer: %s: %s", bad[0].outcome.Class, bad.addresses(2)),
				"the backends answer on the paths before",
				"this machine's address towards the nodes: " + own,
			},
			Fix: patchFix("add "+own+bits+", if this client is meant to get in", c.ref(),
				map[string]any{"spec": map[string]any{"loadBalancerSourceRanges": append(slices.Clone(ranges), own+bits)}})}
		return []finding{{checks: []string{string(probe.PathLoadBalancer)}, Finding: f}}
	}
	return nil
}

// answersBefore reports whether a port answers on a path before the load balancer's.
func (c *serviceCase) answersBefore(pv portView) bool {
	for _, path := range []probe.Path{probe.PathNodePort, probe.PathClusterIP, probe.PathPod, probe.PathTunnel} {
		if len(c.ev.on(path, "", pv.key).reached()) > 0 {
			return true
		}
	}
	return false
}

// admittedBy reports whether source ranges hold this machine's address, which is ""
// where it is not known. lb is an answer of the load balancer.
func (c *serviceCase) admittedBy(ranges []string, lb answer) (own string, admitted bool) {
	own = c.ownAddress(net.ParseIP(lb.host()))
	return own, slices.ContainsFunc(ranges, func(r string) bool {
		r = strings.TrimSpace(r)
		return strings.HasSuffix(r, "/0") || inCIDR(r, own)
	})
}

// ownAddress returns this machine's address towards the nodes, of the family of
// like; "" when nothing was connected from here.
func (c *serviceCase) ownAddress(like net.IP) string {
	for _, a := range c.ev.on(probe.PathNodePort, probe.FromHere, "").reached() {
		host, _, err := net.SplitHostPort(a.outcome.Facts["local"])
		if ip := net.ParseIP(host); err == nil && (like == nil || ip != nil && (ip.To4() == nil) == (like.To4() == nil)) {
			return host
		}
	}
	return ""
}

// ruleExternalHost: SVC603. The server answers by its own name, and not by the
// Service's.
func ruleExternalHost(c *serviceCase) []finding {
	if c.svc.Spec.Type != corev1.ServiceTypeExternalName {
		return nil
	}
	target := probe.Printable(strings.TrimSuffix(c.svc.Spec.ExternalName, "."), 253)
	for _, pv := range c.ports {
		for _, a := range c.ev.on(probe.PathExternalName, "", pv.key).connecting().where(probe.ClassTLS) {
			if !strings.Contains(a.outcome.Detail, "certificate is") || !c.otherNames(a) {
				continue
			}
			return []finding{{port: pv.key, Finding: Finding{ID: "SVC603", Severity: SeverityFailure, Object: c.ref(), Field: "spec.externalName",
				Message:  fmt.Sprintf("%s stands for %s, whose certificate is for other names: clients refuse it.", c.ref(), target),
				Evidence: []string{"certificate names: " + orNone(a.outcome.Facts["certNames"]), "asked for: " + target, a.outcome.Detail},
				Fix:      &Fix{Summary: "use a name that the certificate is for, or give the server a certificate for this one"}}}}
		}
		for _, a := range c.ev.explored(probe.PathExternalName, pv.key) {
			own := c.ev.on(probe.PathExternalName, "", pv.key).connecting()
			if a.probe.ServerName != serviceName(c.svc) || !a.asked() || a.good() || !own.all(probe.ClassOK) {
				continue
			}
			f := Finding{ID: "SVC603", Severity: SeverityFailure, Object: c.ref(), Field: "spec.externalName",
				Fix: &Fix{Summary: fmt.Sprintf("let clients use the real name, %s, or give the server this one too", target)}}
			switch {
			case a.outcome.Class == probe.ClassTLS && c.otherNames(a):
				f.Message = fmt.Sprintf("the certificate of %s is not for the name of %s: a client that connects by that name refuses it.", target, c.ref())
				f.Evidence = []string{"certificate names: " + orNone(a.outcome.Facts["certNames"]), "the Service's name: " + serviceName(c.svc)}
			case a.outcome.Class == probe.ClassErrorReply && pv.check != probe.CheckTLS:
				f.Message = fmt.Sprintf("the server %s answers to its own name, and not to that of %s: %s.", target, c.ref(), a.outcome.Detail)
				f.Evidence = []string{fmt.Sprintf("Host %s: %s", target, own[0].outcome.Detail), fmt.Sprintf("Host %s: %s", serviceName(c.svc), a.outcome.Detail)}
			default:
				continue
			}
			return []finding{{port: pv.key, Finding: f}}
		}
	}
	return nil
}

// otherNames reports whether a certificate has none of the Service's names.
func (c *serviceCase) otherNames(a answer) bool {
	names := strings.Fields(a.outcome.Facts["certNames"])
	for _, n := range names {
		if n == c.svc.Name || n == c.svc.Name+"."+c.svc.Namespace || strings.HasPrefix(n, serviceName(c.svc)) {
			return false
		}
	}
	return len(names) > 0 && !strings.HasSuffix(a.outcome.Facts["certNames"], "…")
}

// ruleExternalIgnored: SVC605. DNS knows nothing of selectors and target ports.
func ruleExternalIgnored(c *serviceCase) []finding {
	if c.svc.Spec.Type != corev1.ServiceTypeExternalName {
		return nil
	}
	var what []string
	fields := map[string]any{}
	if len(c.svc.Spec.Selector) > 0 {
		what = append(what, "spec.selector: "+selectorText(c.svc.Spec.Selector))
		fields["selector"] = nil
	}
	for i, p := range c.svc.Spec.Ports {
		if t := targetText(p); t != "" && t != fmt.Sprint(p.Port) {
			what = append(what, fmt.Sprintf("spec.ports[%d]: port %d, targetPort %s", i, p.Port, t))
		}
	}
	if len(what) == 0 {
		return nil
	}
	f := Finding{ID: "SVC605", Severity: SeverityNote, Object: c.ref(), Field: "spec",
		Message:  fmt.Sprintf("%s is an alias of a name; its selector and target ports have no effect.", c.ref()),
		Evidence: what, Fix: &Fix{Summary: "remove them; clients use the ports of the server itself"}}
	if len(fields) > 0 {
		f.Fix = patchFix(f.Fix.Summary, c.ref(), map[string]any{"spec": fields})
	}
	return []finding{{Finding: f}}
}
