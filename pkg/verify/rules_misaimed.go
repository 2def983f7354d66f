package verify

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// misaimed tells of a probe, of the kind "readiness", "startup" or "liveness", whose
// question does not get to its container at all: it names another host than the Pod,
// or a port by a name that the container does not declare. Whatever it meets says
// nothing of the application.
func misaimed(owner ObjectRef, p *corev1.Pod, ctr *corev1.Container, kind string, pr *corev1.Probe) (Finding, bool) {
	if pr == nil {
		return Finding{}, false
	}
	how, host, port := aim(pr)
	if how == "" {
		return Finding{}, false
	}
	probeField := kind + "Probe"
	f := Finding{Object: owner, Field: fmt.Sprintf("%s.%s.%s.", containerField(p, ctr.Name), probeField, how)}
	patch := func(summary string, fields map[string]any) *Fix {
		return containersFix(summary, owner, p, map[string]map[string]any{ctr.Name: {probeField: map[string]any{how: fields}}})
	}
	named, name := strconv.Quote(probe.Printable(host, 253)), strconv.Quote(probe.Printable(port.StrVal, 63))
	switch {
	case elsewhere(p, host):
		f.Field += "host"
		where := "not to the Pod"
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			where = "which is the kubelet's node and not the Pod"
		}
		f.Message = fmt.Sprintf("the %s probe of %s goes to host %s, %s.", kind, owner, named, where)
		f.Evidence = []string{f.Field + ": " + named}
		summary := "leave host out, so that the kubelet asks the Pod"
		if how == "httpGet" && strings.Contains(where, "not to") {
			summary += "; what virtual host is meant goes into httpHeaders, as Host"
		}
		f.Fix = patch(summary, map[string]any{"host": nil})
	case port.Type == intstr.String && probePort(ctr, port) == 0:
		f.Field += "port"
		f.Message = fmt.Sprintf("the %s probe of %s asks the port named %s, which container %s does not declare.", kind, owner, name, ctr.Name)
		tcp := slices.DeleteFunc(slices.Clone(ctr.Ports), func(cp corev1.ContainerPort) bool { return protocolOf(cp.Protocol) != corev1.ProtocolTCP })
		f.Evidence = []string{fmt.Sprintf("container %s: ports %s", ctr.Name, portsText(tcp))}
		f.Fix = &Fix{Summary: "ask one of the ports that it declares, or name the one that is meant"}
		if len(tcp) == 1 {
			var to any = tcp[0].ContainerPort
			if tcp[0].Name != "" {
				to = tcp[0].Name
			}
			f.Fix = patch(fmt.Sprintf("ask port %v", to), map[string]any{"port": to})
		}
	default:
		return Finding{}, false
	}
	return f, true
}

// killedAstray is misaimed for the probe that an event tells of, for which the kubelet
// has ended a container.
func killedAstray(owner ObjectRef, p *corev1.Pod, container string, ev *corev1.Event) (Finding, bool) {
	ctr := containerOf(p, container)
	switch {
	case ctr == nil:
		return Finding{}, false
	case strings.HasPrefix(ev.Message, "Startup"):
		return misaimed(owner, p, ctr, "startup", ctr.StartupProbe)
	}
	return misaimed(owner, p, ctr, "liveness", ctr.LivenessProbe)
}

// aim returns how a probe asks, and the host and port that it names; "" for one that
// can name neither.
func aim(pr *corev1.Probe) (how, host string, port intstr.IntOrString) {
	switch {
	case pr.HTTPGet != nil:
		return "httpGet", pr.HTTPGet.Host, pr.HTTPGet.Port
	case pr.TCPSocket != nil:
		return "tcpSocket", pr.TCPSocket.Host, pr.TCPSocket.Port
	}
	return "", "", intstr.IntOrString{}
}

// elsewhere reports whether a host that a probe names is another than its Pod. One on
// its node's network may well be meant by the node's loopback.
func elsewhere(p *corev1.Pod, host string) bool {
	if host == "" || p.Spec.HostNetwork {
		return false
	}
	return !slices.ContainsFunc(partyOf(p).addresses, func(ip string) bool { return sameIP(ip, host) })
}
