package verify

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// meshSidecars are the names under which meshes add their proxy to a Pod.
var meshSidecars = []string{"istio-proxy", "linkerd-proxy"}

// meshSidecar names the proxy of a mesh in a Pod; "" where it has none.
func meshSidecar(p *corev1.Pod) string {
	for _, c := range served(p) {
		if slices.Contains(meshSidecars, c.Name) {
			return c.Name
		}
	}
	return ""
}

// meshOnly names the mesh's proxy that may admit no client but those of its mesh
// (mTLS, STRICT): every backend has one, all turn away who asks from outside the
// mesh, and inside the Pods, past the proxy, nothing is wrong. "" otherwise, and
// where a client within its own Pod has asked.
func (c *serviceCase) meshOnly(pv portView) string {
	if cl := c.v.s.Client; cl != nil && cl.Ephemeral || len(pv.usable) == 0 {
		return ""
	}
	name := ""
	for _, e := range pv.usable {
		if e.pod == nil || meshSidecar(e.pod) == "" {
			return ""
		}
		name = meshSidecar(e.pod)
	}
	tunnel := c.ev.on(probe.PathTunnel, "", pv.key).asked()
	if len(tunnel.where(probe.ClassOK)) < len(tunnel) || !turnedAway(c.ev.on(probe.PathPod, "", pv.key)) {
		return ""
	}
	return name
}

// turnedAway reports whether all that was asked was closed without an answer, or
// for want of a client's certificate.
func turnedAway(e evidence) bool {
	asked := e.asked()
	for _, a := range asked {
		if a.outcome.Class != probe.ClassClosed && a.outcome.Facts[probe.FactClientCert] == "" {
			return false
		}
	}
	return len(asked) > 0
}
