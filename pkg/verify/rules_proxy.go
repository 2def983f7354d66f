package verify

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Facts that the prober in the cluster adds to its outcomes.
const (
	factNode      = "node"      // where it ran
	factNamespace = "namespace" // and in which namespace
)

// The labels by which the service proxy is told to leave a Service, or an
// EndpointSlice, alone (pkg/proxy/apis/well_known_labels.go of Kubernetes; the
// endpoint slice controller sets the second on the slices of headless Services).
const (
	labelProxyName = "service.kubernetes.io/service-proxy-name"
	labelHeadless  = "service.kubernetes.io/headless"
)

// throughProxy are the paths that a service proxy serves.
var throughProxy = []probe.Path{probe.PathClusterIP, probe.PathNodePort, probe.PathLoadBalancer}

// ruleProxyLabel: SVC406.
func ruleProxyLabel(c *serviceCase) []finding {
	if headless(c.svc) || c.svc.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	key, ref, value := "", c.ref(), ""
	if v, ok := c.svc.Labels[labelProxyName]; ok {
		key, value = labelProxyName, v
	}
	for _, s := range c.v.slices[c.key()] {
		if v, ok := s.Labels[labelHeadless]; ok {
			key, value, ref = labelHeadless, v, ObjectRef{Kind: "EndpointSlice", Namespace: s.Namespace, Name: s.Name}
		}
	}
	if key == "" {
		return nil
	}
	f := Finding{ID: "SVC406", Severity: SeverityFailure, Object: ref, Field: "metadata.labels",
		Message:  fmt.Sprintf("the label %s on %s tells the service proxy to leave it alone: nobody serves the address of %s.", key, ref, c.ref()),
		Evidence: []string{fmt.Sprintf("metadata.labels: %s=%s", key, probe.Printable(value, 63))},
		Fix:      patchFix("remove the label", ref, map[string]any{"metadata": map[string]any{"labels": map[string]any{key: nil}}})}
	var e evidence
	for _, path := range throughProxy {
		e = append(e, c.ev.on(path, "", "")...)
	}
	e = e.asked()
	switch {
	case len(e.where(probe.ClassOK)) > 0:
		return nil // another proxy serves it
	case len(e) == 0:
		f.Severity = SeverityWarning
		f.Message = fmt.Sprintf("the label %s on %s tells the service proxy to leave it alone; whether another proxy serves it was not seen.", key, ref)
	default:
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s: %s", e[0].outcome.Class, e.addresses(3)))
	}
	return []finding{{Finding: f}}
}

// emptyNodes lists the nodes that take Pods and have no endpoint of a port.
func (c *serviceCase) emptyNodes(pv portView) []string {
	on := map[string]bool{}
	for _, e := range pv.usable {
		if e.node == "" {
			return nil
		}
		on[e.node] = true
	}
	var out []string
	for i := range c.v.s.Nodes {
		if n := &c.v.s.Nodes[i]; !on[n.Name] && takesPods(n) {
			out = append(out, n.Name)
		}
	}
	slices.Sort(out)
	return out
}

// takesPods reports whether ordinary Pods can be placed on a node.
func takesPods(n *corev1.Node) bool {
	return !n.Spec.Unschedulable && !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule })
}

// ruleInternalLocal: SVC408.
func ruleInternalLocal(c *serviceCase) []finding {
	p := c.svc.Spec.InternalTrafficPolicy
	if p == nil || *p != corev1.ServiceInternalTrafficPolicyLocal || headless(c.svc) {
		return nil
	}
	for _, pv := range c.ports {
		empty := c.emptyNodes(pv)
		if len(pv.usable) == 0 || len(empty) == 0 || c.caused(pv.key) {
			continue
		}
		f := Finding{ID: "SVC408", Severity: SeverityWarning, Object: c.ref(), Field: "spec.internalTrafficPolicy",
			Message:  fmt.Sprintf("%s serves clients from their own node only (internalTrafficPolicy Local), and node %s has no endpoint: clients there get nothing.", c.ref(), shortWords(empty)),
			Evidence: []string{"nodes without an endpoint: " + shortList(empty, 5)},
			Fix:      patchFix("use internalTrafficPolicy Cluster, or run a Pod on every node", c.ref(), map[string]any{"spec": map[string]any{"internalTrafficPolicy": "Cluster"}})}
		for _, a := range c.ev.on(probe.PathClusterIP, "", pv.key).asked() {
			if !a.good() && (a.outcome.Facts[factNode] == "" || slices.Contains(empty, a.outcome.Facts[factNode])) {
				f.Severity = SeverityFailure
				f.Evidence = append(f.Evidence, fmt.Sprintf("%s from node %s: %s", a.outcome.Class, orNone(a.outcome.Facts[factNode]), a.probe.Address))
				break
			}
		}
		return []finding{{Finding: f}}
	}
	return nil
}

func shortWords(list []string) string {
	if len(list) <= 3 {
		return listWords(list)
	}
	return shortList(list, 3)
}

// ruleServiceProxy: SVC407. Backends answer at their own addresses, and what
// the service proxy of a node stands for does not.
func ruleServiceProxy(c *serviceCase) []finding {
	for _, pv := range c.ports {
		direct := c.ev.on(probe.PathPod, "", pv.key).asked()
		if len(direct.where(probe.ClassOK)) == 0 || c.caused(pv.key) {
			continue
		}
		through := c.ev.on(probe.PathClusterIP, "", pv.key).asked()
		bad := through.where(probe.ClassRefused, probe.ClassTimeout, probe.ClassUnreachable)
		if direct.all(probe.ClassOK) && len(bad) > 0 && noAnswers(bad) {
			if node := bad[0].outcome.Facts[factNode]; node != "" {
				return []finding{{port: pv.key, Finding: c.proxyFinding(node, []string{
					fmt.Sprintf("pod: %s from %d/%d, asked from node %s", pv.check.Good(), len(direct), len(direct), node),
					fmt.Sprintf("cluster-ip, asked from node %s: %s: %s", node, bad[0].outcome.Class, bad.addresses(2))})}}
			}
		}
		if node, ev := c.badNode(pv); node != "" {
			return []finding{{port: pv.key, Finding: c.proxyFinding(node, ev)}}
		}
	}
	return nil
}

func (c *serviceCase) proxyFinding(node string, evidence []string) Finding {
	return Finding{ID: "SVC407", Severity: SeverityFailure, Object: ObjectRef{Kind: "Node", Name: node},
		Message:  fmt.Sprintf("the service proxy of node %s does not serve %s, whose backends answer.", node, c.ref()),
		Evidence: evidence,
		Fix:      &Fix{Summary: "see to the service proxy there: kubectl get pods -n kube-system -o wide --field-selector spec.nodeName=" + node}}
}

// noAnswers reports whether not one attempt was answered.
func noAnswers(e evidence) bool {
	return !slices.ContainsFunc(e, func(a answer) bool { return a.outcome.Answers > 0 })
}

// badNode names the one node whose node port fails while another's answers. A
// refusal comes from the node itself; silence has to be seen from inside too,
// where no firewall outside the cluster can be to blame.
func (c *serviceCase) badNode(pv portView) (string, []string) {
	if c.svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		return "", nil
	}
	here := c.ev.on(probe.PathNodePort, probe.FromHere, pv.key).asked()
	inside := c.ev.on(probe.PathNodePort, probe.FromCluster, pv.key).asked()
	if len(here.where(probe.ClassOK)) == 0 {
		return "", nil
	}
	for _, a := range here {
		if a.good() || a.outcome.Answers > 0 {
			continue
		}
		within := false
		for _, b := range inside {
			within = within || b.probe.Node == a.probe.Node && !b.good() && b.outcome.Answers == 0
		}
		if a.outcome.Class == probe.ClassRefused || within {
			return a.probe.Node, []string{
				fmt.Sprintf("node-port: %s: %s", a.outcome.Class, a.probe.Address),
				fmt.Sprintf("%s: %s", pv.check.Good(), here.where(probe.ClassOK).addresses(3)),
			}
		}
	}
	return "", nil
}
