package verify

import (
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// usualPorts are where servers of a protocol usually listen; asked only on a
// Pod that refuses the port it should answer on.
var usualPorts = map[probe.Check][]int32{
	probe.CheckRedis: {6379, 6380, 6381, 7000, 26379},
	probe.CheckHTTP:  {80, 8080, 8000, 3000, 5000, 8081, 9090},
	probe.CheckHTTPS: {443, 8443, 9443},
	probe.CheckGRPC:  {50051, 9000, 9090, 8080},
}

// PlanExploration derives a second round from what the first one saw: where
// Pods refuse the target port inside the tunnel, which port would answer. It is
// pure. Its questions go through the tunnel and need nothing in the cluster.
func PlanExploration(s *Snapshot, probes []probe.Probe, outcomes []probe.Outcome) []probe.Probe {
	v := newView(s)
	class := map[string]probe.Class{}
	for _, o := range outcomes {
		class[o.Probe] = o.Class
	}
	p := &planner{v: v, seen: map[string]bool{}}
	explored := map[string]int{}
	for _, pr := range probes {
		p.seen[pr.ID] = true
		pr.Settle = 0 // what led here has had its time
		_, port, err := net.SplitHostPort(pr.Address)
		if err != nil || pr.From != probe.FromTunnel || pr.Check == probe.CheckExec || !telling(class[pr.ID]) && !mute(class[pr.ID]) {
			continue
		}
		pod := v.pods[pr.Pod]
		if pod == nil || v.transportOf(&pr) == corev1.ProtocolUDP {
			continue // the tunnel carries TCP, and has asked the port itself by that
		}
		if explored[pr.Service+pr.Port]++; explored[pr.Service+pr.Port] > maxExplored {
			continue
		}
		number, _ := strconv.Atoi(port)
		if mute(class[pr.ID]) {
			// A server that waits for a TLS handshake may close, or stay silent.
			ask := pr
			ask.Check, ask.Exploratory, ask.HTTPPath, ask.HTTPHost = probe.CheckTLS, true, "", ""
			ask.SNI = sniFor(&ask)
			if pr.Check != probe.CheckTCP && pr.Check != probe.CheckTLS && pr.Check != probe.CheckHTTPS && !pr.TLS {
				p.add(ask)
			}
			if pr.Check == probe.CheckHTTP || pr.Check == probe.CheckGRPC {
				ask.Check, ask.TLS = probe.CheckRedis, false // which hangs up on HTTP, as on an attack
				p.add(ask)
			}
			if pr.TLS {
				// Or one without TLS, who waits for more; no password goes there.
				ask.Check, ask.TLS, ask.SNI = pr.Check, false, ""
				ask.UsernameEnv, ask.PasswordEnv, ask.PasswordFrom = "", "", ""
				p.add(ask)
			}
			continue
		}
		for _, n := range append(declaredPorts(pod, int32(number)), usualPorts[pr.Check]...) {
			if int(n) == number {
				continue
			}
			ask := pr
			ask.Address, ask.Exploratory = hostPort(pr.Pod, n), true
			p.add(ask)
		}
	}
	return p.probes
}

// transportOf returns the protocol of the Service port that a probe is about.
func (v *view) transportOf(pr *probe.Probe) corev1.Protocol {
	if svc := v.service(pr.Service); svc != nil {
		for _, p := range svc.Spec.Ports {
			if PortKey(p) == pr.Port {
				return protocolOf(p.Protocol)
			}
		}
	}
	return corev1.ProtocolTCP
}

// telling reports whether an outcome says that this is the wrong port.
func telling(c probe.Class) bool {
	return c == probe.ClassRefused || c == probe.ClassProtocol || c == probe.ClassTLS
}

// mute reports whether the peer was connected to and said nothing.
func mute(c probe.Class) bool { return c == probe.ClassClosed || c == probe.ClassNoAnswer }

// probePort resolves the port of a container's health probe.
func probePort(c *corev1.Container, port intstr.IntOrString) int32 {
	if port.Type == intstr.Int {
		return port.IntVal
	}
	for _, cp := range c.Ports {
		if cp.Name == port.StrVal {
			return cp.ContainerPort
		}
	}
	return 0
}
