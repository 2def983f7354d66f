package verify

import (
	"fmt"
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// checkService is the check of a Service that only the tree has.
const checkService = "service"

// The default range of node ports; what an API server was started with cannot be read.
const firstNodePort, lastNodePort = 30000, 32767

// ruleRefusedByServer: SVC501, SVC502, SVC508 and SVC604. What the tree wants is
// not in the cluster, and the API server would not take it.
func ruleRefusedByServer(c *serviceCase) []finding {
	want := c.expected()
	if want == nil {
		return nil
	}
	var out []finding
	for _, f := range c.refusedFields(want, c.svc) {
		out = append(out, finding{Finding: f, checks: []string{}})
	}
	return out
}

// judgeAbsent judges a Service that the tree has and the cluster has not:
// SVC802, unless the API server would not take it.
func judgeAbsent(v *view, namespace string, want *corev1.Service) ServiceVerdict {
	want = want.DeepCopy()
	want.Namespace = namespace
	c := &serviceCase{v: v, svc: want, ports: v.ports(want, Checks{})}
	c.add(CheckResult{Name: checkService, State: StateFailed, Summary: "not in namespace " + namespace + "; the tree has it"})
	if want.Spec.Type != corev1.ServiceTypeExternalName {
		for _, f := range c.refusedFields(want, nil) {
			f.Evidence = append(f.Evidence, fmt.Sprintf("namespace %s has no %s", namespace, c.ref()))
			c.findings = append(c.findings, finding{Finding: f})
		}
	}
	if len(c.findings) == 0 {
		c.findings = []finding{{Finding: Finding{ID: "SVC802", Severity: SeverityFailure, Object: c.ref(),
			Message:  fmt.Sprintf("%s is in the tree and not in namespace %s of the cluster: it was not applied there, was refused, or has been deleted since.", c.ref(), namespace),
			Evidence: []string{fmt.Sprintf("namespace %s has no %s", namespace, c.ref())},
			Fix:      &Fix{Summary: "apply the tree (" + shell.Kubectl("svcx apply -k DIR -n %s", namespace) + "), or name the namespace in which it is (-n)"}}}}
	}
	return c.verdict()
}

// refusedFields lists why the API server would not take a Service of the tree in
// place of the live one, nil where there is none.
func (c *serviceCase) refusedFields(want, live *corev1.Service) []Finding {
	return slices.Concat(c.refusedNodePorts(want, live), c.refusedClusterIP(want, live), c.refusedFamilies(want, live))
}

// refusedNodePorts: SVC501 and SVC502.
func (c *serviceCase) refusedNodePorts(want, live *corev1.Service) []Finding {
	var out []Finding
	for i, p := range want.Spec.Ports {
		if p.NodePort == 0 || hasNodePort(live, p) {
			continue
		}
		f := Finding{Severity: SeverityFailure, Object: c.ref(), Field: fmt.Sprintf("spec.ports[%d].nodePort", i),
			Evidence: []string{fmt.Sprintf("the tree asks for node port %d; the cluster's Service does not have it", p.NodePort)}}
		if live == nil {
			f.Evidence[0] = fmt.Sprintf("the tree asks for node port %d", p.NodePort)
		}
		if holder := c.v.nodePortHolder(c.svc, p.NodePort); holder != "" {
			f.ID = "SVC502"
			f.Message = fmt.Sprintf("%s cannot have node port %d: Service/%s has it.", c.ref(), p.NodePort, holder)
			f.Evidence = append(f.Evidence, fmt.Sprintf("Service/%s: node port %d", holder, p.NodePort))
			f.Fix = portFix("leave the node port out, so that a free one is given, or choose another", c.ref(), want, p, map[string]any{"nodePort": nil})
		} else if p.NodePort < firstNodePort || p.NodePort > lastNodePort {
			f.ID = "SVC501"
			f.Message = fmt.Sprintf("node port %d is outside the range of node ports (%d-%d, unless the API server was told otherwise).", p.NodePort, firstNodePort, lastNodePort)
			f.Fix = portFix("leave the node port out, or choose one inside the range", c.ref(), want, p, map[string]any{"nodePort": nil})
		} else {
			continue
		}
		f.Fix.Command = "" // the live Service, if there is one, has another
		out = append(out, f)
	}
	return out
}

// hasNodePort reports whether a Service has a port with its node port.
func hasNodePort(svc *corev1.Service, p corev1.ServicePort) bool {
	return svc != nil && slices.ContainsFunc(svc.Spec.Ports, func(q corev1.ServicePort) bool {
		return numberKey(q) == numberKey(p) && q.NodePort == p.NodePort
	})
}

// nodePortHolder names the other Service that has a node port, as namespace/name.
// Between Services a node port is given once, whatever the protocols are
// (pkg/registry/core/service/portallocator of Kubernetes).
func (v *view) nodePortHolder(svc *corev1.Service, port int32) string {
	for i := range v.s.Services {
		other := &v.s.Services[i]
		if other.Namespace == svc.Namespace && other.Name == svc.Name {
			continue
		}
		if other.Spec.HealthCheckNodePort == port || slices.ContainsFunc(other.Spec.Ports, func(q corev1.ServicePort) bool { return q.NodePort == port }) {
			return other.Namespace + "/" + other.Name
		}
	}
	return ""
}

// refusedClusterIP: SVC508. A manifest that was copied from a cluster names an
// address that another cluster, or another Service, has.
func (c *serviceCase) refusedClusterIP(want, live *corev1.Service) []Finding {
	var have []string
	if live != nil {
		have = clusterIPs(live)
	}
	for _, ip := range clusterIPs(want) {
		if slices.Contains(have, ip) {
			continue
		}
		f := Finding{ID: "SVC508", Severity: SeverityFailure, Object: c.ref(), Field: "spec.clusterIP",
			Evidence: []string{"the tree asks for cluster IP " + ip},
			Fix:      patchFix("leave the address out, so that a free one is given", c.ref(), map[string]any{"spec": map[string]any{"clusterIP": nil, "clusterIPs": nil}})}
		f.Fix.Command = ""
		switch holder := c.v.clusterIPHolder(c.svc, ip); {
		case holder != "":
			f.Message = fmt.Sprintf("%s cannot have cluster IP %s: Service/%s has it.", c.ref(), ip, holder)
			f.Evidence = append(f.Evidence, fmt.Sprintf("Service/%s spec.clusterIPs: %s", holder, ip))
		case len(c.v.s.ServiceCIDRs) > 0 && !slices.ContainsFunc(c.v.s.ServiceCIDRs, func(r string) bool { return inCIDR(r, ip) }):
			f.Message = fmt.Sprintf("%s cannot have cluster IP %s: this cluster gives addresses of %s.", c.ref(), ip, listWords(c.v.s.ServiceCIDRs))
			f.Evidence = append(f.Evidence, "addresses of Services (ServiceCIDR): "+shortList(c.v.s.ServiceCIDRs, 4))
		default:
			continue
		}
		return []Finding{f}
	}
	return nil
}

// clusterIPHolder names the other Service that has an address, as namespace/name.
func (v *view) clusterIPHolder(svc *corev1.Service, ip string) string {
	for i := range v.s.Services {
		other := &v.s.Services[i]
		if (other.Namespace != svc.Namespace || other.Name != svc.Name) && slices.Contains(clusterIPs(other), ip) {
			return other.Namespace + "/" + other.Name
		}
	}
	return ""
}

// refusedFamilies: SVC604.
func (c *serviceCase) refusedFamilies(want, live *corev1.Service) []Finding {
	families, told := c.v.families()
	if len(families) != 1 || live != nil && len(clusterIPs(live)) > 1 {
		return nil
	}
	f := Finding{ID: "SVC604", Severity: SeverityFailure, Object: c.ref(), Evidence: []string{told}}
	for _, asked := range want.Spec.IPFamilies {
		if asked == families[0] {
			continue
		}
		f.Field = "spec.ipFamilies"
		f.Message = fmt.Sprintf("%s asks for %s addresses, and this cluster gives its Services %s only.", c.ref(), asked, families[0])
		f.Evidence = append(f.Evidence, fmt.Sprintf("spec.ipFamilies in the tree: %v", want.Spec.IPFamilies))
		f.Fix = patchFix("leave the families out, or use "+string(families[0]), c.ref(), map[string]any{"spec": map[string]any{"ipFamilies": []any{string(families[0])}}})
	}
	if p := want.Spec.IPFamilyPolicy; p != nil && *p == corev1.IPFamilyPolicyRequireDualStack {
		f.Field = "spec.ipFamilyPolicy"
		f.Message = fmt.Sprintf("%s is to have two address families (RequireDualStack), and this cluster gives its Services %s only.", c.ref(), families[0])
		f.Evidence = append(f.Evidence, "spec.ipFamilyPolicy in the tree: RequireDualStack")
		patch := map[string]any{"ipFamilyPolicy": "PreferDualStack"}
		if len(want.Spec.IPFamilies) > 1 {
			patch["ipFamilies"] = []any{string(families[0])}
		}
		f.Fix = patchFix("use PreferDualStack", c.ref(), map[string]any{"spec": patch})
	}
	if f.Fix == nil {
		return nil
	}
	f.Fix.Command = ""
	return []Finding{f}
}

// families returns the address families that the cluster gives to Services, and
// by what that was told; none where it was not seen. Where the ranges of
// Services may not be read, those of the nodes' Pods stand for them: an API
// server and a controller manager of different families do not work together.
func (v *view) families() (families []corev1.IPFamily, told string) {
	ranges, told := v.s.ServiceCIDRs, "addresses of Services (ServiceCIDR): "
	if len(ranges) == 0 {
		told = "addresses of Pods (podCIDRs of the nodes): "
		for i := range v.s.Nodes {
			ranges = append(ranges, v.s.Nodes[i].Spec.PodCIDRs...)
		}
	}
	for _, r := range ranges {
		family := corev1.IPv4Protocol
		if ip, _, err := net.ParseCIDR(r); err != nil || ip.To4() == nil {
			family = corev1.IPv6Protocol
		}
		if !slices.Contains(families, family) {
			families = append(families, family)
		}
	}
	return families, told + shortList(ranges, 4)
}
