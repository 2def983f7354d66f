package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// workloadRules find why selected Pods are missing or not ready (3xx).
var workloadRules = []rule{ruleScaledToZero, rulePaused, ruleNoNode, ruleCannotCreate, ruleRolloutStuck, ruleTerminating, ruleNotReadyPublished, rulePods, ruleEnded, ruleControllers, ruleStarting}

// maxEventText bounds text that comes from events and container states.
const maxEventText = 300

// workloadSeverity is a failure where nobody serves, and a warning where
// others do.
func (c *serviceCase) workloadSeverity() Severity {
	if anyUsable(c.ports) {
		return SeverityWarning
	}
	return SeverityFailure
}

// servedBeside reports whether an endpoint is usable that is none of the Pods given.
func (c *serviceCase) servedBeside(pods map[string]bool) bool {
	for _, pv := range c.ports {
		if pv.unknown || slices.ContainsFunc(pv.usable, func(e endpoint) bool { return e.pod == nil || !pods[e.pod.Name] }) {
			return true
		}
	}
	return false
}

// publishedWell reports whether Pods answer on all ports although they are not ready,
// and a headless Service gives their addresses to its clients all the same.
func (c *serviceCase) publishedWell(pods map[string]bool) bool {
	if !headless(c.svc) || !c.svc.Spec.PublishNotReadyAddresses {
		return false
	}
	for name := range pods {
		p := c.v.pod(c.svc.Namespace, name)
		if p == nil || podReady(p) || !c.ev.on(probe.PathPod, "", "").ofPod(c.svc.Namespace+"/"+name).all(probe.ClassOK) {
			return false
		}
	}
	return true
}

// ruleScaledToZero: SVC301.
func ruleScaledToZero(c *serviceCase) []finding {
	off := c.stopped()
	if len(off) == 0 || len(c.pods) > 0 || c.v.gap("pods", c.svc.Namespace) != nil {
		return nil
	}
	w := off[0]
	f := Finding{ID: "SVC301", Severity: SeverityFailure, Object: w.ref, Field: "spec.replicas",
		Message:  fmt.Sprintf("%s is scaled to zero, so %s has no Pods to send traffic to.", w.ref, c.ref()),
		Evidence: []string{"spec.replicas is 0"}}
	if w.suspended {
		f.Field, f.Evidence = "spec.suspend", []string{"spec.suspend is true"}
		f.Message = fmt.Sprintf("%s is suspended, so %s has no Pods to send traffic to.", w.ref, c.ref())
		f.Fix = c.resumeFix(w)
	} else {
		f.Fix = c.scaleFix(w)
	}
	if len(off) > 1 {
		f.Evidence = append(f.Evidence, "the same goes for "+shortList(refs(off[1:]), 3))
	}
	return []finding{{Finding: f}}
}

// scaleFix runs one replica of a workload, or as many as there have to be for the
// one Pod that the Service selects.
func (c *serviceCase) scaleFix(w *workload) *Fix {
	replicas, summary := 1, "run at least one replica"
	if n, one := w.ordinal(c.svc.Spec.Selector); one && n > w.start {
		replicas = n - w.start + 1
		summary = fmt.Sprintf("run %d replicas, so that there is a Pod %s-%d", replicas, w.ref.Name, n)
	}
	f := patchFix(summary, w.ref, map[string]any{"spec": map[string]any{"replicas": replicas}})
	f.Command = shell.Kubectl("scale %s %s -n %s --replicas=%s", strings.ToLower(w.ref.Kind), w.ref.Name, w.ref.Namespace, strconv.Itoa(replicas))
	return f
}

// resumeFix lets a Job run. A CronJob then waits for its time, and its Pods end.
func (c *serviceCase) resumeFix(w *workload) *Fix {
	if w.ref.Kind != "Job" {
		return &Fix{Summary: fmt.Sprintf("%s runs Pods to their end, now and then; run what is to serve as a Deployment", w.ref)}
	}
	return patchFix("let the Job run, unless a queue holds it back, which lets it run in its turn", w.ref, map[string]any{"spec": map[string]any{"suspend": false}})
}

// rulePods looks at each selected Pod that is not ready and reports each cause
// once, with the Pods that share it.
func rulePods(c *serviceCase) []finding {
	type cause struct{ id, object string }
	var order []cause
	found := map[cause]finding{}
	pods := map[cause][]string{}
	for _, p := range c.pods {
		if p.DeletionTimestamp != nil || c.accounted(p.Name) {
			continue
		}
		f, ok := finding{}, false
		if podReady(p) {
			// Without a readiness probe a Pod is ready between two crashes.
			f, ok = crashCause(c, p, c.v.ownerOf(p))
		} else {
			f, ok = podCause(c, p)
		}
		if !ok {
			continue
		}
		key := cause{f.ID, f.Object.String()}
		if _, have := found[key]; !have {
			order = append(order, key)
			found[key] = f
		}
		pods[key] = append(pods[key], p.Name)
	}
	// A Pod that shows less of the same trouble is not another fault.
	for _, key := range order {
		for _, better := range sharper[key.id] {
			stronger := cause{better, key.object}
			if _, have := found[stronger]; have {
				pods[stronger] = append(pods[stronger], pods[key]...)
				delete(found, key)
				break
			}
		}
	}
	var out []finding
	for _, key := range order {
		f, have := found[key]
		if !have {
			continue
		}
		f.pods = map[string]bool{}
		for _, name := range pods[key] {
			f.pods[name] = true
		}
		f.Severity = SeverityFailure
		if c.servedBeside(f.pods) || c.publishedWell(f.pods) {
			f.Severity = SeverityWarning
		}
		f.Evidence = append(f.Evidence, "Pods concerned: "+shortList(pods[key], 5))
		out = append(out, f)
	}
	return out
}

// sharper maps a cause to those that say more of the same trouble.
var sharper = map[string][]string{
	"SVC307": {"SVC308", "SVC319", "SVC323", "SVC330"},
	"SVC303": {"SVC302", "SVC205", "SVC207", "SVC323"},
	"SVC325": {"SVC323", "SVC308", "SVC319", "SVC307"},
}

// podCause returns the reason for which one Pod is not ready.
func podCause(c *serviceCase, p *corev1.Pod) (finding, bool) {
	owner := c.v.ownerOf(p)
	for _, look := range []func(*serviceCase, *corev1.Pod, ObjectRef) (finding, bool){unscheduled, heldBackCause, volumeCause, sandboxCause, imageCause, configCause, nodeCause, hookCause, crashCause, initCause, startupCause, readinessCause, gateCause} {
		if f, ok := look(c, p, owner); ok {
			return f, true
		}
	}
	return finding{}, false
}

// unscheduled: SVC314.
func unscheduled(_ *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	cond := podCondition(p, corev1.PodScheduled)
	if cond == nil || cond.Status != corev1.ConditionFalse || cond.Reason != corev1.PodReasonUnschedulable {
		return finding{}, false
	}
	text := probe.Printable(cond.Message, maxEventText)
	if strings.Contains(strings.ToLower(text), "persistentvolumeclaim") {
		return claimCause(p, owner, "PodScheduled False: "+text, text), true
	}
	return finding{Finding: Finding{ID: "SVC314", Object: owner, Field: "spec.template.spec",
		Message:  fmt.Sprintf("no node takes the Pods of %s: %s", owner, text),
		Evidence: append([]string{"Pod/" + p.Name + " PodScheduled False: " + text}, hostPorts(p, text)...),
		Fix:      &Fix{Summary: unscheduledFix(text)}}}, true
}

// noFreePorts is the scheduler's word for a port of the node that another Pod has.
const noFreePorts = "free ports for the requested pod ports"

func unscheduledFix(text string) string {
	if strings.Contains(text, noFreePorts) {
		return "leave hostPort out, which a Service has no need of, or run no more Pods than there are nodes where the port is free"
	}
	return "change the requests, selector, affinity or tolerations that rule the nodes out, or add a node"
}

// hostPorts lists the node's ports that a Pod asks for, where a node lacks one.
func hostPorts(p *corev1.Pod, text string) []string {
	var ports []string
	for _, ctr := range served(p) {
		for _, cp := range ctr.Ports {
			if cp.HostPort != 0 {
				ports = append(ports, fmt.Sprintf("%s %d/%s", ctr.Name, cp.HostPort, protocolOf(cp.Protocol)))
			}
		}
	}
	if len(ports) == 0 || !strings.Contains(text, noFreePorts) {
		return nil
	}
	return []string{"hostPort: " + shortList(ports, 4)}
}

// ruleNoNode: SVC314 of a DaemonSet, which makes no Pods for nodes that cannot take them.
func ruleNoNode(c *serviceCase) []finding {
	if len(c.pods) > 0 || c.v.gap("pods", c.svc.Namespace) != nil {
		return nil
	}
	i := slices.IndexFunc(c.makers, func(w *workload) bool {
		if w.ref.Kind != "DaemonSet" || w.unseen {
			return false
		}
		d := objectOf(c.v.s.DaemonSets, w.ref.Namespace, w.ref.Name)
		return d != nil && d.Status.ObservedGeneration > 0 && d.Status.DesiredNumberScheduled == 0
	})
	if i < 0 {
		return nil
	}
	w := c.makers[i]
	f := Finding{ID: "SVC314", Severity: SeverityFailure, Object: w.ref, Field: "spec.template.spec",
		Message:  fmt.Sprintf("%s has no Pods, since no node is one that they may run on.", w.ref),
		Evidence: []string{"status.desiredNumberScheduled is 0"},
		Fix:      &Fix{Summary: "change the selector, affinity or tolerations that rule the nodes out, or add a node"}}
	sel := w.template.Spec.NodeSelector
	carried := slices.ContainsFunc(c.v.s.Nodes, func(n corev1.Node) bool { return labels.SelectorFromSet(sel).Matches(labels.Set(n.Labels)) })
	if len(sel) > 0 && !carried && c.v.gap("nodes", "") == nil {
		f.Field += ".nodeSelector"
		f.Message = fmt.Sprintf("%s has no Pods, since no node carries the labels of its nodeSelector: %s.", w.ref, probe.Printable(selectorText(sel), maxEventText))
		f.Evidence = append(f.Evidence, fmt.Sprintf("none of %s matches", plural(len(c.v.s.Nodes), "node")))
		f.Fix.Summary = "correct the nodeSelector, or label the nodes that are meant"
	}
	return []finding{{Finding: f}}
}

// statuses returns the states of a Pod's init and app containers.
func statuses(p *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
}

func containsAny(s string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}
