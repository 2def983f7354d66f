package verify

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ruleNamedPort: SVC201, SVC202 and SVC203. The EndpointSlices say it: ready
// endpoints in a slice without the port.
func ruleNamedPort(c *serviceCase) []finding {
	if c.has("SVC109") {
		return nil
	}
	var out []finding
	for _, pv := range c.ports {
		if len(pv.noPort) == 0 || pv.port.TargetPort.Type != intstr.String {
			continue
		}
		name := pv.port.TargetPort.StrVal
		f := finding{port: pv.key, Finding: Finding{ID: "SVC201", Severity: SeverityFailure, Object: c.ref(), Field: portField(pv, "targetPort")}}
		f.Evidence = []string{fmt.Sprintf("%s ready, in an EndpointSlice without port %q", plural(len(pv.noPort), "endpoint"), pv.key)}
		var pod *corev1.Pod
		for _, e := range pv.noPort {
			if e.pod != nil {
				pod = e.pod
				break
			}
		}
		who := "no container of its Pods"
		switch {
		case len(pv.usable) > 0:
			f.ID, f.Severity = "SVC203", SeverityWarning
			f.Message = fmt.Sprintf("only %d of %d Pods behind %s declare a port named %q: the others get no traffic.",
				len(pv.usable), len(pv.usable)+len(pv.noPort), c.ref(), name)
			f.Fix = &Fix{Summary: fmt.Sprintf("declare the port %q in all of them", name)}
			if pod != nil {
				f.Object = c.v.ownerOf(pod)
				f.Field = "spec.template.spec.containers[].ports"
				f.Fix = declareFix(f.Fix.Summary, f.Object, pod, name, pv.usable[0].port, pv.port.Protocol)
			}
		case pod != nil && otherProtocol(pod, name, pv.port.Protocol) != "":
			other := otherProtocol(pod, name, pv.port.Protocol)
			f.ID = "SVC202"
			f.Field = portField(pv, "protocol")
			f.Message = fmt.Sprintf("%s sends %s to the target port %q, which its Pods declare for %s.", c.ref(), protocolOf(pv.port.Protocol), name, other)
			f.Fix = &Fix{Summary: fmt.Sprintf("use protocol %s, or declare the container port for %s", other, protocolOf(pv.port.Protocol))}
		default:
			f.Message = fmt.Sprintf("%s sends port %q to the target port named %q, which %s declares.", c.ref(), pv.key, name, who)
			f.Fix = c.namedPortFix(pv, pod)
		}
		if pod != nil {
			f.Evidence = append(f.Evidence, "ports that Pod/"+pod.Name+" declares: "+declaredText(pod))
		}
		if f.ID == "SVC201" {
			c.unlessStrayed(&f.Finding)
		}
		out = append(out, f)
	}
	return out
}

// declareFix names a container's port as the other Pods behind the Service do:
// that of the same number, which need not be declared yet where the Pod has one
// container only.
func declareFix(summary string, owner ObjectRef, pod *corev1.Pod, name string, number int32, proto corev1.Protocol) *Fix {
	for _, ctr := range served(pod) {
		ports := slices.Clone(ctr.Ports)
		at := slices.IndexFunc(ports, func(p corev1.ContainerPort) bool {
			return p.ContainerPort == number && protocolOf(p.Protocol) == protocolOf(proto)
		})
		switch {
		case at >= 0:
			ports[at].Name = name
		case len(served(pod)) == 1:
			ports = append(ports, corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: proto})
		default:
			continue
		}
		return containersFix(summary, owner, pod, map[string]map[string]any{ctr.Name: {"ports": containerPorts(ports)}})
	}
	return &Fix{Summary: summary}
}

// namedPortFix proposes the one port that can be meant.
func (c *serviceCase) namedPortFix(pv portView, pod *corev1.Pod) *Fix {
	if pod != nil {
		if cp := likelyPort(pod, pv.port); cp != nil {
			var target any = cp.ContainerPort
			if leadsTo(pod, pv.port, cp.Name, cp.ContainerPort) {
				target = cp.Name
			}
			return portFix(fmt.Sprintf("point targetPort at %v", target), c.ref(), c.svc, pv.port, map[string]any{"targetPort": target})
		}
	}
	return &Fix{Summary: fmt.Sprintf("name the container's port %q, or use its number as targetPort", pv.port.TargetPort.StrVal)}
}

// likelyPort returns the container port that a Service port was meant for: the
// one with its number, the one with a name that means the same, or the only one.
func likelyPort(pod *corev1.Pod, sp corev1.ServicePort) *corev1.ContainerPort {
	var all, same []*corev1.ContainerPort
	for _, ctr := range served(pod) {
		for j := range ctr.Ports {
			cp := &ctr.Ports[j]
			if protocolOf(cp.Protocol) != protocolOf(sp.Protocol) {
				continue
			}
			all = append(all, cp)
			if sameMeaning(cp.Name, sp.TargetPort.StrVal) && !standsBeside(cp.Name, sp.TargetPort.StrVal) {
				same = append(same, cp)
			}
		}
	}
	for _, cp := range all {
		if cp.ContainerPort == sp.Port {
			return cp
		}
	}
	if len(same) == 1 {
		return same[0]
	}
	if len(all) == 1 {
		return all[0]
	}
	return nil
}

// leadsTo reports whether a name as targetPort leads to a port of a Pod: of several
// containers that declare the name, the first counts.
func leadsTo(pod *corev1.Pod, sp corev1.ServicePort, name string, number int32) bool {
	sp.TargetPort = intstr.FromString(name)
	return name != "" && targetNumber(pod, sp) == number
}

// otherProtocol returns the other protocol under which a Pod declares a port of this name.
func otherProtocol(pod *corev1.Pod, name string, not corev1.Protocol) corev1.Protocol {
	for _, ctr := range served(pod) {
		for _, cp := range ctr.Ports {
			if cp.Name == name && protocolOf(cp.Protocol) != protocolOf(not) {
				return protocolOf(cp.Protocol)
			}
		}
	}
	return ""
}

func declaredText(pod *corev1.Pod) string {
	var ports []corev1.ContainerPort
	for _, ctr := range served(pod) {
		ports = append(ports, ctr.Ports...)
	}
	return portsText(ports)
}

func portsText(ports []corev1.ContainerPort) string {
	var out []string
	for _, cp := range ports {
		s := fmt.Sprintf("%d/%s", cp.ContainerPort, protocolOf(cp.Protocol))
		if cp.Name != "" {
			s = cp.Name + " " + s
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return "none"
	}
	return shortList(out, 6)
}
