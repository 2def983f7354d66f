package verify

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// Facts that the prober in the cluster adds to its outcomes.
const (
	factNode      = "node"      // where it ran
	factNamespace = "namespace" // and in which namespace
	factAddresses = "addresses" // and with which, after commas
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
// Those of which it is known that they have clients count whatever their taints.
func (c *serviceCase) emptyNodes(pv portView, clients ...string) []string {
	on := map[string]bool{}
	for _, e := range pv.usable {
		if e.node == "" {
			return nil
		}
		on[e.node] = true
	}
	var out []string
	for i := range c.v.s.Nodes {
		if n := &c.v.s.Nodes[i]; !on[n.Name] && (takesPods(n) || slices.Contains(clients, n.Name)) {
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
		bad := slices.DeleteFunc(c.ev.on(probe.PathClusterIP, "", pv.key).asked(), answer.good)
		empty := c.emptyNodes(pv, bad.askedFrom()...)
		if len(pv.usable) == 0 || len(empty) == 0 || c.caused(pv.key) {
			continue
		}
		f := Finding{ID: "SVC408", Severity: SeverityWarning, Object: c.ref(), Field: "spec.internalTrafficPolicy",
			Message:  fmt.Sprintf("%s serves clients from their own node only (internalTrafficPolicy Local), and node %s has no endpoint: clients there get nothing.", c.ref(), shortWords(empty)),
			Evidence: []string{"nodes without an endpoint: " + shortList(empty, 5)},
			Fix:      patchFix("use internalTrafficPolicy Cluster, or run a Pod on every node", c.ref(), map[string]any{"spec": map[string]any{"internalTrafficPolicy": "Cluster"}})}
		for _, a := range bad {
			if a.outcome.Facts[factNode] == "" || slices.Contains(empty, a.outcome.Facts[factNode]) {
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
			node := bad[0].outcome.Facts[factNode]
			if there := direct.fromNode(node); node != "" && len(there) > 0 {
				return []finding{{port: pv.key, Finding: c.proxyFinding(node, []string{
					fmt.Sprintf("pod: %s from %d/%d, asked from node %s", pv.check.Good(), len(there), len(there), node),
					fmt.Sprintf("cluster-ip, asked from node %s: %s: %s", node, bad[0].outcome.Class, bad.fromNode(node).addresses(2))})}}
			}
		}
		switch node, ev := c.badNode(pv); {
		case node == "":
		case c.v.notReady(node) != "":
			return c.nodeGone(pv, node, append(ev, c.v.notReady(node)))
		default:
			return []finding{{port: pv.key, Finding: c.proxyFinding(node, ev)}}
		}
	}
	return nil
}

// askedFrom lists the nodes that questions were asked from, as far as known.
func (e evidence) askedFrom() []string {
	var out []string
	for _, a := range e {
		if n := a.outcome.Facts[factNode]; n != "" {
			out = append(out, n)
		}
	}
	return out
}

// fromNode returns the answers to what was asked from a node, or from one that
// did not say which it is.
func (e evidence) fromNode(node string) evidence {
	return slices.DeleteFunc(slices.Clone(e), func(a answer) bool { return a.outcome.Facts[factNode] != "" && a.outcome.Facts[factNode] != node })
}

// notReady words the Ready condition of a node that is not; "" where it is, or
// where that is not known.
func (v *view) notReady(name string) string {
	for i := range v.s.Nodes {
		n := &v.s.Nodes[i]
		for _, cond := range n.Status.Conditions {
			if n.Name == name && cond.Type == corev1.NodeReady && cond.Status != corev1.ConditionTrue {
				return fmt.Sprintf("Node/%s Ready %s: %s", n.Name, cond.Status, probe.Printable(cond.Reason+" "+cond.Message, maxEventText))
			}
		}
	}
	return ""
}

// nodeGone: SVC324. The node port of a node that is not ready does not answer;
// where its Pods were missed already, that is one fault.
func (c *serviceCase) nodeGone(pv portView, node string, evidence []string) []finding {
	ref := ObjectRef{Kind: "Node", Name: node}
	for i := range c.findings {
		if f := &c.findings[i]; f.ID == "SVC324" && f.Object == ref {
			f.Severity, f.Evidence = SeverityFailure, append(f.Evidence, evidence[:len(evidence)-1]...)
			return nil
		}
	}
	return []finding{{port: pv.key, checks: []string{string(probe.PathNodePort)}, Finding: Finding{ID: "SVC324", Severity: SeverityFailure, Object: ref, Field: "status.conditions",
		Message:  fmt.Sprintf("node %s is not ready, and does not answer at the node port of %s.", node, c.ref()),
		Evidence: evidence,
		Fix:      &Fix{Summary: "restore the node, or have clients use the others"}}}}
}

func (c *serviceCase) proxyFinding(node string, evidence []string) Finding {
	return Finding{ID: "SVC407", Severity: SeverityFailure, Object: ObjectRef{Kind: "Node", Name: node},
		Message:  fmt.Sprintf("the service proxy of node %s does not serve %s, whose backends answer.", node, c.ref()),
		Evidence: evidence,
		Fix:      &Fix{Summary: shell.Advice("see to the service proxy there", shell.Kubectl("get pods -n kube-system -o wide --field-selector %s", "spec.nodeName="+node))}}
}

// noAnswers reports whether not one attempt was answered.
func noAnswers(e evidence) bool {
	return !slices.ContainsFunc(e, func(a answer) bool { return a.outcome.Answers > 0 })
}

// badNode names the one node whose node port fails while another's answers. A
// refusal comes from the node itself; silence has to be seen from inside too,
// where no firewall outside the cluster can be to blame, or be no wonder. Whatever a
// server says came through the node's proxy, also where it is not what was wanted.
func (c *serviceCase) badNode(pv portView) (string, []string) {
	if c.svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		return "", nil
	}
	here := c.ev.on(probe.PathNodePort, probe.FromHere, pv.key).asked()
	inside := c.ev.on(probe.PathNodePort, probe.FromCluster, pv.key).asked()
	if len(here.where(probe.ClassOK)) == 0 {
		return "", nil
	}
	for _, a := range here.where(probe.ClassRefused, probe.ClassTimeout, probe.ClassUnreachable) {
		if a.outcome.Answers > 0 {
			continue
		}
		within := false
		for _, b := range inside {
			within = within || b.probe.Node == a.probe.Node && !b.good() && b.outcome.Answers == 0
		}
		if a.outcome.Class == probe.ClassRefused || within || c.v.notReady(a.probe.Node) != "" {
			return a.probe.Node, []string{
				fmt.Sprintf("node-port: %s: %s", a.outcome.Class, a.probe.Address),
				fmt.Sprintf("%s: %s", pv.check.Good(), here.where(probe.ClassOK).addresses(3)),
			}
		}
	}
	return "", nil
}
