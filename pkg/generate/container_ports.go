package generate

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// containerPort identifies a port of the container.
type containerPort struct {
	number   int32
	protocol corev1.Protocol
}

// target is the port of the container that a port of the Service leads to; its
// number is 0 when the name it is given is that of no port.
func (a *App) target(p ServicePort) containerPort {
	return containerPort{a.targetNumber(p), p.Protocol}
}

// targetNumber resolves targetPort: a name is that of a port of the workload, or
// of a port of the Service that leads to a number.
func (a *App) targetNumber(p ServicePort) int32 {
	if p.TargetPort.Type == intstr.Int {
		return p.TargetPort.IntVal
	}
	if a.Spec.Workload != nil {
		for _, c := range a.Spec.Workload.Ports {
			if c.Name == p.TargetPort.StrVal && protocolOf(c) == p.Protocol {
				return c.ContainerPort
			}
		}
	}
	for _, s := range a.Spec.Service.Ports {
		if s.Name == p.TargetPort.StrVal && s.TargetPort.Type == intstr.Int && s.Protocol == p.Protocol {
			return s.TargetPort.IntVal
		}
	}
	return 0
}

// defaultProtocol is that of a port which says none.
const defaultProtocol = corev1.ProtocolTCP

func protocolOf(p corev1.ContainerPort) corev1.Protocol { return cmp.Or(p.Protocol, defaultProtocol) }

// Same reports whether two ports have one number and protocol, by which a Service tells
// its ports apart.
func (p ServicePort) Same(other ServicePort) bool {
	return p.Port == other.Port && strings.EqualFold(string(cmp.Or(p.Protocol, defaultProtocol)), string(cmp.Or(other.Protocol, defaultProtocol)))
}

// containerPorts are the ports of the container: those that the workload names,
// and those that the Service leads to, in the order in which it first does, each
// called as the Service's port is where a container's may be.
func (a *App) containerPorts() []corev1.ContainerPort {
	var out []corev1.ContainerPort
	seen := map[containerPort]bool{}
	if a.Spec.Workload != nil {
		for _, c := range a.Spec.Workload.Ports {
			c.Protocol = protocolOf(c)
			seen[containerPort{c.ContainerPort, c.Protocol}] = true
			out = append(out, c)
		}
	}
	for _, p := range a.Spec.Service.Ports {
		key := a.target(p)
		if !seen[key] {
			seen[key] = true
			c := corev1.ContainerPort{Name: p.Name, ContainerPort: key.number, Protocol: p.Protocol}
			if portNameReason(c.Name) != "" {
				c.Name = ""
			}
			out = append(out, c)
		}
	}
	return out
}

// targetPorts says how the Service refers to each port of the container: by its
// name, or by its number when it has none.
func (a *App) targetPorts() map[containerPort]intstr.IntOrString {
	out := map[containerPort]intstr.IntOrString{}
	for _, c := range a.containerPorts() {
		key := containerPort{c.ContainerPort, c.Protocol}
		if _, twice := out[key]; twice {
			continue
		}
		out[key] = intstr.FromInt32(c.ContainerPort)
		if c.Name != "" {
			out[key] = intstr.FromString(c.Name)
		}
	}
	return out
}

// probeTarget is how a probe refers to a port of the container.
func probeTarget(p corev1.ContainerPort) intstr.IntOrString {
	if p.Name == "" {
		return intstr.FromInt32(p.ContainerPort)
	}
	return intstr.FromString(p.Name)
}

// probedPort is the container's port that its probes ask: the one that is asked
// for, the one that speaks the image's protocol, else the first TCP port. A
// container without one (UDP only) is not probed.
func (a *App) probedPort(known preset) (corev1.ContainerPort, bool) {
	if c := a.Spec.Workload.Check; c != nil && c.Port != (intstr.IntOrString{}) {
		for _, p := range a.containerPorts() {
			if p.Protocol == corev1.ProtocolTCP && (c.Port.Type == intstr.String && p.Name == c.Port.StrVal || c.Port.Type == intstr.Int && p.ContainerPort == c.Port.IntVal) {
				return p, true
			}
		}
		return corev1.ContainerPort{ContainerPort: c.Port.IntVal, Protocol: corev1.ProtocolTCP}, c.Port.Type == intstr.Int
	}
	var first *ServicePort
	for i, p := range a.Spec.Service.Ports {
		if p.Protocol != corev1.ProtocolTCP {
			continue
		}
		if first == nil {
			first = &a.Spec.Service.Ports[i]
		}
		if known.appProtocol != "" && p.AppProtocol == known.appProtocol {
			first = &a.Spec.Service.Ports[i]
			break
		}
	}
	if first == nil {
		return corev1.ContainerPort{}, false
	}
	want := a.target(*first)
	for _, p := range a.containerPorts() {
		if p.ContainerPort == want.number && p.Protocol == want.protocol {
			return p, true
		}
	}
	return corev1.ContainerPort{}, false
}
