package verify

import (
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// externalRules find what is wrong outside the cluster: load balancers and
// external names (5xx, 6xx).
var externalRules = []rule{rulePendingLoadBalancer, ruleExternalLocal, ruleSourceRanges, ruleExternalAddress, ruleExternalUnknown, ruleExternalHost, ruleAliasInside, ruleExternalIgnored}

// nobodyServes is what shows that nobody makes a load balancer.
const nobodyServes = "no event and no controller's finalizer on the Service"

// rulePendingLoadBalancer: SVC504, SVC505 and SVC506.
func rulePendingLoadBalancer(c *serviceCase) []finding {
	if c.svc.Spec.Type != corev1.ServiceTypeLoadBalancer || c.check(string(probe.PathLoadBalancer), "") != StateFailed || len(ingressHosts(c.svc)) > 0 {
		return nil
	}
	f := Finding{Severity: SeverityFailure, Object: c.ref(), Field: "status.loadBalancer", Evidence: []string{"status.loadBalancer.ingress is empty"}}
	class := ""
	if c.svc.Spec.LoadBalancerClass != nil {
		class = *c.svc.Spec.LoadBalancerClass
	}
	switch text := c.serviceEvent(); {
	case text != "":
		f.ID = "SVC505"
		f.Message = fmt.Sprintf("%s gets no load balancer: %s", c.ref(), text)
		f.Evidence = append(f.Evidence, "event: "+text)
		f.Fix = &Fix{Summary: "extend the load balancer's address pool or rights, as the event says"}
	case c.takenUp() != "":
		f.Message = fmt.Sprintf("%s has been given no address, although a controller has taken it up; the controller's log says why.", c.ref())
		f.Evidence = append(f.Evidence, c.takenUp())
	case c.v.gap("events", c.svc.Namespace) != nil:
		f.Message = fmt.Sprintf("%s has been given no address; why is not known, since events could not be read.", c.ref())
	case class != "":
		f.ID, f.Field = "SVC506", "spec.loadBalancerClass"
		f.Message = fmt.Sprintf("%s asks for the load balancer class %q, which no controller of this cluster serves.", c.ref(), class)
		f.Evidence = append(f.Evidence, nobodyServes)
		f.Fix = &Fix{Summary: "use a class that is served; it can be changed only by making the Service anew"}
	case c.othersServed():
		f.Message = fmt.Sprintf("%s has been given no address, although this cluster serves other load balancers; its controller's log says why.", c.ref())
	default:
		f.ID = "SVC504"
		f.Message = fmt.Sprintf("no controller of this cluster serves load balancers: %s waits for an address that nobody will give.", c.ref())
		f.Evidence = append(f.Evidence, nobodyServes)
		f.Fix = &Fix{Summary: "install a load-balancer controller, or use type NodePort or ClusterIP"}
	}
	return []finding{{Finding: f, checks: []string{string(probe.PathLoadBalancer)}}}
}

// othersServed reports whether a load balancer without a class has an address.
func (c *serviceCase) othersServed() bool {
	return slices.ContainsFunc(c.v.s.Services, func(s corev1.Service) bool {
		return s.Spec.LoadBalancerClass == nil && len(ingressHosts(&s)) > 0
	})
}

// ruleExternalAddress: SVC601.
func ruleExternalAddress(c *serviceCase) []finding {
	if c.svc.Spec.Type != corev1.ServiceTypeExternalName {
		return nil
	}
	ip := net.ParseIP(strings.TrimSuffix(c.svc.Spec.ExternalName, "."))
	if ip == nil {
		return nil
	}
	f := Finding{ID: "SVC601", Severity: SeverityFailure, Object: c.ref(), Field: "spec.externalName",
		Message:  fmt.Sprintf("%s has the IP address %s as externalName: DNS treats it as a name, which does not exist.", c.ref(), ip),
		Evidence: []string{"spec.externalName: " + ip.String()},
		Fix:      &Fix{Summary: "use a headless Service without selector, and an EndpointSlice with that address"}}
	if l := nameLookup(c.ev.on(probe.PathDNS, "", "")); l != nil && l.asked() && !l.good() {
		f.Evidence = append(f.Evidence, fmt.Sprintf("dns: %s: %s", serviceName(c.svc), l.outcome.Class))
	}
	return []finding{{Finding: f}}
}

// ruleExternalUnknown: SVC602. The name has to be missing by the word of DNS;
// a DNS that does not answer proves nothing.
func ruleExternalUnknown(c *serviceCase) []finding {
	if c.svc.Spec.Type != corev1.ServiceTypeExternalName || c.has("SVC601", "SVC404") {
		return nil
	}
	l := nameLookup(c.ev.on(probe.PathExternalName, "", ""))
	if l == nil || l.outcome == nil || l.outcome.Class != probe.ClassNameUnknown {
		return nil
	}
	name := probe.Printable(c.svc.Spec.ExternalName, 253)
	if by := c.v.circle(c.svc); len(by) > 0 {
		return []finding{{Finding: Finding{ID: "SVC602", Severity: SeverityFailure, Object: c.ref(), Field: "spec.externalName",
			Message:  fmt.Sprintf("%s stands for %s, which leads back to it: aliases in a circle are no name at all.", c.ref(), name),
			Evidence: []string{"external-name: DNS inside the cluster says that " + name + " does not exist", "it leads to " + strings.Join(by, ", then to ")},
			Fix:      &Fix{Summary: "let one of them stand for a name of something else"}}}}
	}
	if whole := c.wholeName(); whole != "" {
		return []finding{{Finding: Finding{ID: "SVC602", Severity: SeverityFailure, Object: c.ref(), Field: "spec.externalName",
			Message:  fmt.Sprintf("%s stands for %s, a name that does not exist: DNS completes the names that clients ask for, and not that of an alias.", c.ref(), name),
			Evidence: []string{"external-name: DNS inside the cluster says that " + name + " does not exist"},
			Fix:      patchFix("use the whole name, "+whole, c.ref(), map[string]any{"spec": map[string]any{"externalName": whole}})}}}
	}
	return []finding{{Finding: Finding{ID: "SVC602", Severity: SeverityFailure, Object: c.ref(), Field: "spec.externalName",
		Message:  fmt.Sprintf("%s stands for %s, a name that does not exist.", c.ref(), name),
		Evidence: []string{"external-name: DNS inside the cluster says that " + name + " does not exist"},
		Fix:      &Fix{Summary: "correct spec.externalName"}}}}
}

// wholeName completes the name of an alias that names a Service of the cluster as its
// Pods may and an alias may not; empty where it is no such name, or the cluster's domain
// is not known.
func (c *serviceCase) wholeName() string {
	name := strings.TrimSuffix(c.svc.Spec.ExternalName, ".")
	words := strings.Split(name, ".")
	namespace := c.svc.Namespace
	if len(words) > 1 {
		namespace = words[1]
	}
	switch to := c.v.service(namespace + "/" + words[0]); {
	case len(words) == 3 && words[2] == "svc": // no domain of the world outside
	case len(words) > 2 || to == nil || to == c.svc:
		return ""
	}
	l := nameLookup(c.cluster)
	if l == nil || !l.good() {
		return ""
	}
	domain, ok := strings.CutPrefix(l.outcome.Facts["canonical"], "kubernetes.default.svc.")
	if !ok {
		return ""
	}
	return probe.Printable(words[0]+"."+namespace+".svc."+domain, 253)
}

// ruleAliasInside: SVC606. The name of a Service of the cluster resolves, whether it
// has the port that is asked for or anybody to serve it, or not.
func ruleAliasInside(c *serviceCase) []finding {
	to := c.aliased()
	if to == nil {
		return nil
	}
	ref := ObjectRef{Kind: "Service", Namespace: to.Namespace, Name: to.Name}
	if len(c.ports) == 0 && c.v.leadsNowhere(to) {
		// Nothing is asked of an alias without ports but its name.
		return []finding{{Finding: Finding{ID: "SVC606", Severity: SeverityFailure, Object: ref,
			Message:  fmt.Sprintf("%s stands for %s, which has no endpoints.", c.ref(), ref),
			Evidence: []string{fmt.Sprintf("external-name: it resolves to %s, the address of %s of namespace %s", shortList(clusterIPs(to), 2), ref, ref.Namespace), "no EndpointSlice of that has an address that is ready"},
			Fix:      &Fix{Summary: shell.Advice("see why", shell.Kubectl("svcx verify %s -n %s", to.Name, to.Namespace))}}}}
	}
	for _, pv := range c.ports {
		e := c.ev.on(probe.PathExternalName, "", pv.key).connecting().asked()
		if c.failure(pv.key) || !e.all(probe.ClassRefused, probe.ClassTimeout, probe.ClassUnreachable) {
			continue
		}
		f := finding{port: pv.key, Finding: Finding{ID: "SVC606", Severity: SeverityFailure, Object: c.ref(), Field: portField(pv, "port"),
			Evidence: []string{fmt.Sprintf("external-name: %s: %s", e[0].outcome.Class, e[0].probe.Address)}}}
		all := c.v.ports(to, Checks{})
		at := slices.IndexFunc(all, func(p portView) bool { return numberKey(p.port) == numberKey(pv.port) })
		switch {
		case at < 0:
			var have []string
			for _, p := range to.Spec.Ports {
				have = append(have, numberKey(p))
			}
			f.Message = fmt.Sprintf("%s stands for %s, which has no port %s; it has %s.", c.ref(), ref, numberKey(pv.port), listWords(have))
			f.Fix = &Fix{Summary: "use a port that it has, here and in the clients, or give it this one"}
			if len(to.Spec.Ports) == 1 {
				number := to.Spec.Ports[0].Port
				f.Fix = portsFix(fmt.Sprintf("use port %d, here and in the clients, or give %s this one", number, ref), c.svc, pv.index,
					map[string]any{"port": number, "targetPort": number})
			}
		case len(all[at].usable) == 0 && !all[at].unknown:
			f.Object, f.Field = ref, ""
			f.Message = fmt.Sprintf("%s stands for %s, which has no endpoints for port %s.", c.ref(), ref, numberKey(pv.port))
			f.Fix = &Fix{Summary: shell.Advice("see why", shell.Kubectl("svcx verify %s -n %s", to.Name, to.Namespace))}
		default:
			continue
		}
		return []finding{f}
	}
	return nil
}

// aliased returns the Service of this cluster that an alias stands for, by its name
// and what that resolves to; nil where it is none, or cannot be seen.
func (c *serviceCase) aliased() *corev1.Service {
	to, l := c.v.aliasOf(c.svc), nameLookup(c.ev.on(probe.PathExternalName, "", ""))
	for n := 0; to != nil && to.Spec.Type == corev1.ServiceTypeExternalName && n < maxAliases; n++ {
		to = c.v.aliasOf(to)
	}
	if to == nil || l == nil || !l.good() {
		return nil
	}
	for _, ip := range clusterIPs(to) {
		if slices.ContainsFunc(l.outcome.Resolved, func(r string) bool { return sameIP(r, ip) }) {
			return to
		}
	}
	return nil
}

// leadsNowhere reports whether a Service is known to have no endpoints for any port.
// One whose EndpointSlices were not seen may have them.
func (v *view) leadsNowhere(svc *corev1.Service) bool {
	all := v.ports(svc, Checks{})
	return len(all) > 0 && len(v.slices[svc.Namespace+"/"+svc.Name]) > 0 &&
		!slices.ContainsFunc(all, func(p portView) bool { return p.unknown || len(p.usable) > 0 })
}

// maxAliases bounds how many aliases are followed; a DNS server follows no more.
const maxAliases = 8

// aliasOf returns the Service that an alias names, nil where it names none that was seen.
func (v *view) aliasOf(svc *corev1.Service) *corev1.Service {
	words := strings.Split(svc.Spec.ExternalName, ".")
	if svc.Spec.Type != corev1.ServiceTypeExternalName || len(words) < 3 || words[2] != "svc" {
		return nil
	}
	return v.service(words[1] + "/" + words[0])
}

// circle returns the aliases by way of which an alias leads back to itself; none where
// it does not.
func (v *view) circle(svc *corev1.Service) []string {
	var by []string
	for to := v.aliasOf(svc); to != nil && len(by) < maxAliases; to = v.aliasOf(to) {
		by = append(by, "Service/"+to.Name+" of namespace "+to.Namespace)
		if to == svc {
			return by
		}
	}
	return nil
}
