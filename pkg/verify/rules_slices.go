package verify

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// ruleHandMadeSlice: SVC108. There is an EndpointSlice made by hand, and it does not
// fit its Service, or leads to where nobody answers.
func ruleHandMadeSlice(c *serviceCase) []finding {
	if c.svc.Spec.Type == corev1.ServiceTypeExternalName || c.v.gap("endpointslices", c.svc.Namespace) != nil {
		return nil
	}
	var out []finding
	if len(c.svc.Spec.Selector) == 0 {
		out = c.misfit()
	}
	for _, pv := range c.ports {
		for _, s := range c.v.slices[c.key()] {
			for _, of := range []func(portView, *discoveryv1.EndpointSlice) (Finding, bool){c.clusterIPs, c.dead} {
				if f, ok := of(pv, s); ok {
					out = append(out, finding{Finding: f, port: pv.key})
				}
			}
		}
	}
	return out
}

// misfit looks for a slice that is not found, or not used, by a Service without
// selector.
func (c *serviceCase) misfit() []finding {
	own := c.v.slices[c.key()]
	if len(own) == 0 {
		return c.misfitLabel()
	}
	var out []finding
	for _, pv := range c.ports {
		if len(pv.usable) > 0 {
			continue
		}
		if f, ok := c.misfitPort(pv, own); ok {
			out = append(out, finding{Finding: f, port: pv.key})
		}
	}
	return out
}

// misfitLabel looks for a slice that does not say that it is the Service's.
func (c *serviceCase) misfitLabel() []finding {
	s := c.strayedSlice()
	if s == nil {
		return nil
	}
	have := "no label " + discoveryv1.LabelServiceName
	if v, ok := s.Labels[discoveryv1.LabelServiceName]; ok {
		have = fmt.Sprintf("label %s=%s", discoveryv1.LabelServiceName, v)
	}
	ref := ObjectRef{Kind: "EndpointSlice", Namespace: s.Namespace, Name: s.Name}
	return []finding{{Finding: Finding{ID: "SVC108", Severity: SeverityFailure, Object: ref, Field: "metadata.labels",
		Message:  fmt.Sprintf("%s seems meant for %s, but has %s: the Service leads nowhere.", ref, c.ref(), have),
		Evidence: []string{"spec.selector is empty", "no EndpointSlice carries the label " + discoveryv1.LabelServiceName + "=" + c.svc.Name, ref.String() + " has " + have},
		Fix:      patchFix("label the slice for the Service", ref, map[string]any{"metadata": map[string]any{"labels": map[string]any{discoveryv1.LabelServiceName: c.svc.Name}}})}}}
}

// misfitPort says why none of the Service's slices serves a port, where they are why.
func (c *serviceCase) misfitPort(pv portView, own []*discoveryv1.EndpointSlice) (Finding, bool) {
	s := own[0]
	if i := slices.IndexFunc(own, func(s *discoveryv1.EndpointSlice) bool { return !unserved(c.svc, s) }); i >= 0 {
		s = own[i]
	}
	ref, endpoints := madeFrom(s)
	f := Finding{ID: "SVC108", Severity: SeverityFailure, Object: ref, Field: "ports", Evidence: []string{"ports of " + ref.String() + ": " + slicePortsText(s)}}
	switch {
	case s.AddressType == discoveryv1.AddressTypeFQDN:
		f.Field = "addressType"
		f.Message = fmt.Sprintf("%s holds names (addressType FQDN), which no service proxy uses.", ref)
		f.Fix = &Fix{Summary: "use addresses, or a Service of type ExternalName"}
	case unserved(c.svc, s):
		f.Field = "addressType"
		f.Message = fmt.Sprintf("%s has addresses of %s, and %s has a cluster IP of %s only: no service proxy leads from one family to the other.", ref, s.AddressType, c.ref(), c.svc.Spec.IPFamilies[0])
		f.Evidence = []string{"addressType: " + string(s.AddressType), fmt.Sprintf("spec.ipFamilies of %s: %s", c.ref(), c.svc.Spec.IPFamilies[0])}
		f.Fix = &Fix{Summary: fmt.Sprintf("use addresses of %s, or a Service of the other family", c.svc.Spec.IPFamilies[0])}
		if endpoints {
			f.Field = "subsets"
		}
	case len(pv.noPort) > 0:
		f.Message = fmt.Sprintf("%s has no port %q for %s, as %s calls it: ports are matched by name and protocol.", ref, pv.port.Name, protocolOf(pv.port.Protocol), c.ref())
		whose := "the slice's port"
		if endpoints {
			f.Field, whose = "subsets", "the port of the Endpoints"
		}
		f.Fix = &Fix{Summary: fmt.Sprintf("name %s %q", whose, pv.port.Name)}
		if slices.ContainsFunc(s.Ports, func(p discoveryv1.EndpointPort) bool { return p.Name != nil && *p.Name == pv.port.Name }) {
			f.Fix.Summary = fmt.Sprintf("give %s %q the protocol %s", whose, pv.port.Name, protocolOf(pv.port.Protocol))
		}
		if len(s.Ports) == 1 && s.Ports[0].Port != nil && len(own) == 1 {
			f.Fix = sliceFix(f.Fix.Summary, s, []any{portNamed(*s.Ports[0].Port, pv.port)}, nil)
		}
	case len(pv.unready) > 0 && !slices.ContainsFunc(pv.unready, func(e endpoint) bool { return e.podName != "" || e.terminating }):
		f.Field = "endpoints"
		f.Message = fmt.Sprintf("%s says of all its addresses that they are not ready: %s leads nowhere.", ref, c.ref())
		f.Evidence = []string{"conditions.ready: false: " + shortList(addressesOf(pv.unready), 4)}
		f.Fix = &Fix{Summary: "set conditions.ready to true, or leave it out, once they serve"}
		if endpoints {
			f.Field, f.Evidence[0] = "subsets", "notReadyAddresses: "+shortList(addressesOf(pv.unready), 4)
			f.Fix.Summary = "move them from notReadyAddresses to addresses, once they serve"
		}
		if len(own) == 1 {
			all := slices.Clone(s.Endpoints)
			for i := range all {
				all[i].Conditions = discoveryv1.EndpointConditions{}
			}
			f.Fix = sliceFix(f.Fix.Summary, s, nil, all)
		}
	default:
		return f, false
	}
	return f, true
}

// mirroring is who makes slices from Endpoints, and again whenever one is changed.
const mirroring = "endpointslicemirroring-controller.k8s.io"

// madeFrom names what has to be changed for a slice to change; endpoints, that it is
// the Endpoints of the Service, which the slice mirrors.
func madeFrom(s *discoveryv1.EndpointSlice) (ref ObjectRef, endpoints bool) {
	if s.Labels[discoveryv1.LabelManagedBy] == mirroring {
		return ObjectRef{Kind: "Endpoints", Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]}, true
	}
	return ObjectRef{Kind: "EndpointSlice", Namespace: s.Namespace, Name: s.Name}, false
}

func addressesOf(list []endpoint) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.address)
	}
	return out
}

// maxRewritten is how many endpoints a patch writes anew.
const maxRewritten = 20

// portNamed writes the port of a slice as a Service calls it.
func portNamed(number int32, p corev1.ServicePort) any {
	return map[string]any{"name": p.Name, "port": number, "protocol": string(protocolOf(p.Protocol))}
}

// sliceFix writes ports or endpoints of a slice anew, nil where they stay: both lists
// are replaced as a whole. So are the subsets of Endpoints, from what mirrors them.
func sliceFix(summary string, s *discoveryv1.EndpointSlice, ports []any, list []discoveryv1.Endpoint) *Fix {
	ref, endpoints := madeFrom(s)
	if !endpoints {
		patch := map[string]any{}
		if ports != nil {
			patch["ports"] = ports
		}
		if list != nil {
			patch["endpoints"] = list
		}
		if len(list) > maxRewritten {
			return &Fix{Summary: summary}
		}
		return patchFix(summary, ref, patch)
	}
	if ports == nil {
		for _, p := range s.Ports {
			ports = append(ports, p)
		}
	}
	if list == nil {
		list = s.Endpoints
	}
	if len(list) > maxRewritten || slices.ContainsFunc(list, func(e discoveryv1.Endpoint) bool { return e.TargetRef != nil }) {
		return &Fix{Summary: summary}
	}
	subset := map[string]any{"ports": ports}
	for field, ready := range map[string]bool{"addresses": true, "notReadyAddresses": false} {
		var of []any
		for _, e := range list {
			if (e.Conditions.Ready == nil || *e.Conditions.Ready) == ready && len(e.Addresses) > 0 {
				a := map[string]any{"ip": e.Addresses[0]}
				if e.Hostname != nil {
					a["hostname"] = *e.Hostname
				}
				if e.NodeName != nil {
					a["nodeName"] = *e.NodeName
				}
				of = append(of, a)
			}
		}
		if of != nil {
			subset[field] = of
		}
	}
	return patchFix(summary, ref, map[string]any{"subsets": []any{subset}})
}

// clusterIPs looks in a slice for addresses of Services: a service proxy sends
// nothing to what it serves itself.
func (c *serviceCase) clusterIPs(pv portView, s *discoveryv1.EndpointSlice) (Finding, bool) {
	state := c.check(string(probe.PathClusterIP), c.linePort(pv))
	if headless(c.svc) || state == StateProven || state == "" {
		return Finding{}, false
	}
	ref, _ := madeFrom(s)
	for _, e := range s.Endpoints {
		if e.TargetRef != nil || len(e.Addresses) == 0 {
			continue
		}
		ip := e.Addresses[0]
		holder := c.v.clusterIPHolder(c.svc, ip)
		if holder == "" && !slices.ContainsFunc(c.v.s.ServiceCIDRs, func(r string) bool { return inCIDR(r, ip) }) {
			continue
		}
		f := Finding{ID: "SVC108", Severity: SeverityFailure, Object: ref, Field: "endpoints",
			Message:  fmt.Sprintf("%s has %s, which is an address of a Service: service proxies send nothing from one Service to another.", ref, ip),
			Evidence: []string{"addresses of Services (ServiceCIDR): " + shortList(c.v.s.ServiceCIDRs, 4)},
			Fix:      &Fix{Summary: "use the addresses of the servers themselves, or a Service of type ExternalName"}}
		if holder != "" {
			f.Evidence = []string{fmt.Sprintf("Service/%s spec.clusterIPs: %s", holder, ip)}
		}
		if state != StateFailed {
			f.Severity = SeverityWarning
		}
		for _, a := range c.ev.on(probe.PathClusterIP, "", pv.key).asked() {
			if !a.good() {
				f.Evidence = append(f.Evidence, fmt.Sprintf("cluster-ip: %s: %s", a.outcome.Class, a.probe.Address))
				break
			}
		}
		return f, true
	}
	return Finding{}, false
}

// dead looks in a slice for addresses that are of no Pod and at which nobody
// answers, while the Pods behind the Service do.
func (c *serviceCase) dead(pv portView, s *discoveryv1.EndpointSlice) (Finding, bool) {
	all := c.ev.on(probe.PathPod, "", pv.key).asked()
	if slices.ContainsFunc(all, func(a answer) bool { return a.probe.Pod != "" && !a.good() }) {
		return Finding{}, false
	}
	var bad evidence
	var left []discoveryv1.Endpoint
	number := slicePort(s, pv.port)
	for _, e := range s.Endpoints {
		var of evidence
		if e.TargetRef == nil && len(e.Addresses) > 0 {
			of = slices.DeleteFunc(slices.Clone(all), func(a answer) bool { return a.probe.Address != hostPort(e.Addresses[0], number) })
		}
		if of.all(probe.ClassRefused, probe.ClassTimeout, probe.ClassUnreachable) && !c.mayBeKept(of, pv) {
			bad = append(bad, of[0])
		} else {
			left = append(left, e)
		}
	}
	if len(bad) == 0 {
		return Finding{}, false
	}
	ref, _ := madeFrom(s)
	good := all.where(probe.ClassOK)
	f := Finding{ID: "SVC108", Severity: SeverityFailure, Object: ref, Field: "endpoints",
		Message: fmt.Sprintf("%s leads %s to %s, where nobody answers; it names no Pod there.", ref, c.ref(), bad.addresses(3)),
		Fix:     &Fix{Summary: "correct the address or the port, or see to the server there"}}
	for _, a := range sample(bad, 3) {
		f.Evidence = append(f.Evidence, fmt.Sprintf("pod: %s: %s", a.outcome.Class, a.probe.Address))
	}
	if len(good) == 0 {
		return f, true
	}
	f.Evidence = append(f.Evidence, fmt.Sprintf("%s: %s", pv.check.Good(), good.addresses(3)))
	f.Fix.Summary = "take out the address, or correct it"
	switch {
	case len(left) > 0:
		f.Fix = sliceFix(f.Fix.Summary, s, nil, left)
	case s.Labels[discoveryv1.LabelManagedBy] == "":
		f.Fix.Summary = "delete the slice, or correct its address"
		f.Fix.Command = shell.Kubectl("delete endpointslice %s -n %s", s.Name, s.Namespace)
	}
	return f, true
}

// mayBeKept reports whether a policy may be why nothing comes back from an address.
func (c *serviceCase) mayBeKept(e evidence, pv portView) bool {
	if e.all(probe.ClassRefused) {
		return false
	}
	from, to := c.client(), party{addresses: []string{e[0].host()}}
	for _, pod := range c.v.pods {
		if slices.ContainsFunc(pod.Status.PodIPs, func(ip corev1.PodIP) bool { return ip.IP == e[0].host() }) {
			to = partyOf(pod)
		}
	}
	out, _ := c.v.egress(from, to, portNumber(e[0]), pv.port.Protocol)
	in, _, _ := c.v.ingress(from, to, portNumber(e[0]), pv.port.Protocol)
	return len(out)+len(in) > 0
}

func slicePortsText(s *discoveryv1.EndpointSlice) string {
	var out []string
	for _, p := range s.Ports {
		name, proto, number := "", corev1.ProtocolTCP, int32(0)
		if p.Name != nil {
			name = *p.Name
		}
		if p.Protocol != nil {
			proto = *p.Protocol
		}
		if p.Port != nil {
			number = *p.Port
		}
		out = append(out, fmt.Sprintf("%q %d/%s", name, number, proto))
	}
	if len(out) == 0 {
		return "none"
	}
	return probe.Printable(shortList(out, 6), maxEventText)
}

// strayedSlice returns a slice that belongs to no Service and, by its name or
// label, was meant for this one.
func (c *serviceCase) strayedSlice() *discoveryv1.EndpointSlice {
	for i := range c.v.s.EndpointSlices {
		s := &c.v.s.EndpointSlices[i]
		label := s.Labels[discoveryv1.LabelServiceName]
		if s.Namespace != c.svc.Namespace || label != "" && c.v.service(s.Namespace+"/"+label) != nil {
			continue
		}
		if s.Name == c.svc.Name || strings.HasPrefix(s.Name, c.svc.Name+"-") || label != "" && alikeValues(label, c.svc.Name) {
			return s
		}
	}
	return nil
}
