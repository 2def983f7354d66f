package verify

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// ruleTransport: SVC208. The number is right, TCP or UDP is not.
func ruleTransport(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		e, path := c.direct(pv.key)
		want := protocolOf(pv.port.Protocol)
		if want == corev1.ProtocolUDP {
			e, path = c.ev.on(probe.PathPod, "", pv.key).asked(), probe.PathPod
			// Who answers on TCP may serve UDP beside it, as DNS servers do.
			if len(e) == 0 || c.alsoTCP(pv) {
				continue
			}
		}
		// Who answers, be it in another protocol, listens.
		if c.failure(pv.key) || want == corev1.ProtocolSCTP || len(pv.usable) == 0 || len(e.reached()) > 0 && want == corev1.ProtocolUDP || len(e.where(probe.ClassOK)) > 0 {
			continue
		}
		other, check := corev1.ProtocolUDP, probe.CheckUDP
		if want == corev1.ProtocolUDP {
			other, check = corev1.ProtocolTCP, probe.CheckTCP
		}
		number := pv.usable[0].port
		_, pod := c.backendOwner(pv)
		tcpOnly := pod != nil && declares(pod, number, corev1.ProtocolTCP) && !declares(pod, number, corev1.ProtocolUDP)
		if lost, _ := c.lost(pv); want == corev1.ProtocolUDP && len(lost.where(probe.ClassNoAnswer)) > 0 && !tcpOnly {
			continue // a policy may admit the one and not the other
		}
		var proof []string
		for _, p := range []probe.Path{probe.PathPod, probe.PathTunnel} {
			for _, a := range c.ev.explored(p, pv.key) {
				if a.good() && a.probe.Check == check && targetOf(pv, a) {
					proof = append(proof, fmt.Sprintf("%s: %s answers on %s", p, a.probe.Address, other))
				}
			}
		}
		// A declaration stands for an answer where the Service's protocol is refused in words.
		if pod != nil && declares(pod, number, other) && !declares(pod, number, want) && e.all(probe.ClassRefused) {
			proof = append(proof, fmt.Sprintf("Pod/%s declares %d for %s", pod.Name, number, other))
		}
		if len(proof) == 0 || want == corev1.ProtocolTCP && !e.all(probe.ClassRefused) {
			continue
		}
		f := finding{port: pv.key, Finding: Finding{ID: "SVC208", Severity: SeverityFailure, Object: c.ref(), Field: portField(pv, "protocol"),
			Message:  fmt.Sprintf("%s sends %s to port %d, where its Pods listen for %s.", c.ref(), want, number, other),
			Evidence: proof}}
		if len(e) > 0 {
			f.Evidence = append(f.Evidence, fmt.Sprintf("%s, %s: %s", path, want, classWords(e[0].outcome.Class, fmt.Sprintf("%d/%d", len(e), len(e)), e[0])))
		}
		f.Fix = protocolFix(c.svc, pv.index, other)
		out = append(out, f)
	}
	return out
}

// alsoTCP reports whether the Service sends TCP to the same number.
func (c *serviceCase) alsoTCP(udp portView) bool {
	return slices.ContainsFunc(c.ports, func(pv portView) bool {
		if protocolOf(pv.port.Protocol) != corev1.ProtocolTCP {
			return false
		}
		return pv.port.TargetPort == udp.port.TargetPort ||
			len(pv.usable) > 0 && len(udp.usable) > 0 && pv.usable[0].port == udp.usable[0].port
	})
}

// udpSilence reports whether answers about a UDP port prove nothing: a server
// may take a datagram that means nothing to it and stay silent.
func udpSilence(pv portView, e, direct evidence) bool {
	return protocolOf(pv.port.Protocol) == corev1.ProtocolUDP && !mustAnswer(pv, e) && len(direct.where(probe.ClassOK)) == 0 && len(e.asked()) > 0 &&
		!slices.ContainsFunc(e.asked(), func(a answer) bool {
			return a.outcome.Class != probe.ClassNoAnswer && a.outcome.Class != probe.ClassTimeout && !a.good()
		})
}

// mustAnswer reports whether the datagrams sent mean something to the server that the
// port is said to have: a question of DNS, or what the user has said is answered.
func mustAnswer(pv portView, e evidence) bool {
	return len(e) > 0 && (pv.check == probe.CheckDNSServer && !e[0].probe.Guessed || e[0].probe.Expect != "")
}

// ruleHeadlessPort: SVC210. No proxy stands before a headless Service, so its
// clients connect to the port number on the Pods themselves.
func ruleHeadlessPort(c *serviceCase) []finding {
	if !headless(c.svc) {
		return nil
	}
	var out []finding
	for _, pv := range c.ports {
		direct := c.ev.on(probe.PathPod, "", pv.key)
		byName := c.ev.on(probe.PathDNS, "", pv.key).connecting()
		if len(pv.usable) == 0 || pv.usable[0].port == pv.port.Port || !direct.all(probe.ClassOK) || !byName.all(probe.ClassRefused) {
			continue
		}
		target := pv.usable[0].port
		out = append(out, finding{port: pv.key, Finding: Finding{ID: "SVC210", Severity: SeverityFailure, Object: c.ref(), Field: portField(pv, "port"),
			Message: fmt.Sprintf("%s is headless, so its targetPort is not applied: clients connect to port %d on the Pods, which listen on %d.",
				c.ref(), pv.port.Port, target),
			Evidence: []string{"connect refused: " + byName.addresses(2), fmt.Sprintf("%s: %s", pv.check.Good(), direct.addresses(3))},
			Fix: portsFix(fmt.Sprintf("use port %d in the Service and its clients, or a cluster IP", target), c.svc, pv.index,
				map[string]any{"port": target, "targetPort": target})}})
	}
	return out
}
