package verify

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// missingObject finds the ConfigMap or Secret that a message names as missing.
var missingObject = regexp.MustCompile(`(?i)(configmap|secret) "([^"]+)" not found|couldn't find key (\S+) in (ConfigMap|Secret) (\S+)|references non-existent (?:config|secret) key: (\S+)`)

// missing words what is missing; ok is false when the message names nothing.
func missing(text string) (string, bool) {
	m := missingObject.FindStringSubmatch(text)
	switch {
	case m == nil:
		return "", false
	case m[2] != "":
		return fmt.Sprintf("the %s %q", kindWord(m[1]), m[2]), true
	case m[3] != "":
		return fmt.Sprintf("the key %q of %s %s", m[3], kindWord(m[4]), m[5]), true
	}
	return fmt.Sprintf("the key %q", m[6]), true
}

func kindWord(s string) string {
	if strings.EqualFold(s, "secret") {
		return "Secret"
	}
	return "ConfigMap"
}

// configCause: SVC312 and SVC321. The container's configuration cannot be put together.
func configCause(_ *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	for _, cs := range statuses(p) {
		w := cs.State.Waiting
		if w == nil || (w.Reason != "CreateContainerConfigError" && w.Reason != "CreateContainerError") {
			continue
		}
		text := probe.Printable(w.Message, maxEventText)
		f := Finding{Object: owner, Field: containerField(p, cs.Name),
			Evidence: []string{fmt.Sprintf("Pod/%s container %s %s: %s", p.Name, cs.Name, w.Reason, text)}}
		if what, ok := missing(text); ok {
			f.ID, f.Field = "SVC312", f.Field+".env"
			f.Message = fmt.Sprintf("container %s of %s needs %s, which does not exist.", cs.Name, owner, what)
			f.Fix = &Fix{Summary: "create it in namespace " + p.Namespace + ", or correct the reference"}
			return finding{Finding: f}, true
		}
		f.ID = "SVC321"
		f.Message = fmt.Sprintf("container %s of %s cannot be started as it is configured: %s", cs.Name, owner, text)
		f.Fix = &Fix{Summary: "change the field that the message names"}
		if containsAny(text, "runAsNonRoot", "non-root") {
			f.Field += ".securityContext"
			f.Fix.Summary = "use an image that does not run as root, or give securityContext.runAsUser a number other than 0"
		}
		return finding{Finding: f}, true
	}
	return finding{}, false
}

// missingClaim finds the claim that the scheduler names as missing; its words of a
// claim that is not bound may end with "not found" as well.
var missingClaim = regexp.MustCompile(`persistentvolumeclaim "([^"]+)" not found`)

// claimCause: SVC313.
func claimCause(p *corev1.Pod, owner ObjectRef, evidence, text string) finding {
	var claims []string
	for _, v := range p.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			claims = append(claims, v.PersistentVolumeClaim.ClaimName)
		}
	}
	state, fix := "is not bound", "create the claim, or give it a storage class that this cluster serves, or a volume"
	if m := missingClaim.FindStringSubmatch(text); m != nil {
		claims, state, fix = []string{m[1]}, "does not exist", "create the claim, or correct its name in the volume"
	} else if len(claims) > 0 {
		fix = shell.Advice("give the claim a storage class that this cluster serves, or a volume",
			shell.Kubectl("describe pvc -n %s"+strings.Repeat(" %s", len(claims)), append([]string{p.Namespace}, claims...)...))
	}
	which := "a PersistentVolumeClaim"
	if len(claims) > 0 {
		which = "PersistentVolumeClaim " + shortList(claims, 3)
	}
	return finding{Finding: Finding{ID: "SVC313", Object: owner, Field: "spec.template.spec.volumes",
		Message:  fmt.Sprintf("the Pods of %s wait for their volume: %s %s.", owner, which, state),
		Evidence: []string{"Pod/" + p.Name + " " + evidence},
		Fix:      &Fix{Summary: fix}}}
}

// volumeCause: SVC312 and SVC313, of a Pod whose containers wait for volumes.
func volumeCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	// An image is only pulled when all volumes are there.
	if len(statuses(p)) == 0 || slices.ContainsFunc(statuses(p), func(cs corev1.ContainerStatus) bool { return !creating(cs) }) {
		return finding{}, false
	}
	ev := c.podEvent(p, "FailedMount", "FailedAttachVolume", "FailedMapVolume", "Pulling", "Pulled", "Created")
	if ev == nil || !strings.HasPrefix(ev.Reason, "Failed") {
		return finding{}, false
	}
	if containsAny(ev.Message, "failed to sync configmap cache", "failed to sync secret cache", "no relationship found") {
		return finding{}, false // the kubelet, or what it may read, is late, and it tries again
	}
	said := ev.Message
	// The reason comes after the whole command that was run.
	if output := strings.LastIndex(said, "Output: "); output >= 0 {
		if command := strings.Index(said, "Mounting command: "); command >= 0 && command < output {
			said = strings.TrimSpace(said[:command]) + ": " + said[output+len("Output: "):]
		}
	}
	text := probe.Printable(said, maxEventText)
	evidence := fmt.Sprintf("event %s on Pod/%s: %s", ev.Reason, p.Name, text)
	if what, ok := missing(text); ok {
		return finding{Finding: Finding{ID: "SVC312", Object: owner, Field: "spec.template.spec.volumes",
			Message:  fmt.Sprintf("the Pods of %s mount %s, which does not exist.", owner, what),
			Evidence: []string{evidence},
			Fix:      &Fix{Summary: "create it in namespace " + p.Namespace + ", or correct the volume"}}}, true
	}
	return finding{Finding: Finding{ID: "SVC313", Object: owner, Field: "spec.template.spec.volumes",
		Message:  fmt.Sprintf("a volume of the Pods of %s does not mount: %s", owner, text),
		Evidence: []string{evidence},
		Fix:      &Fix{Summary: "correct the volume that the message names, or what serves it"}}}, true
}

// podEvent returns the newest event on a Pod with one of the reasons, or nil.
func (c *serviceCase) podEvent(p *corev1.Pod, reasons ...string) *corev1.Event {
	var last *corev1.Event
	for i := range c.v.s.Events {
		ev := &c.v.s.Events[i]
		if ev.InvolvedObject.Kind != "Pod" || ev.InvolvedObject.Name != p.Name || ev.Namespace != p.Namespace ||
			(ev.InvolvedObject.UID != "" && ev.InvolvedObject.UID != p.UID) {
			continue
		}
		for _, r := range reasons {
			if ev.Reason == r && (last == nil || !eventTime(ev).Before(eventTime(last))) {
				last = ev
			}
		}
	}
	return last
}

// nodeCause: SVC324. The Pod is not ready since its node is gone.
func nodeCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	there := p.Spec.NodeName == "" || len(c.v.s.Nodes) == 0 || c.v.gap("nodes", "") != nil
	for i := range c.v.s.Nodes {
		n := &c.v.s.Nodes[i]
		if n.Name != p.Spec.NodeName {
			continue
		}
		there = true
		for _, cond := range n.Status.Conditions {
			if cond.Type != corev1.NodeReady || cond.Status == corev1.ConditionTrue {
				continue
			}
			return finding{Finding: Finding{ID: "SVC324", Object: ObjectRef{Kind: "Node", Name: n.Name}, Field: "status.conditions",
				Message:  fmt.Sprintf("node %s is not ready, and the Pods on it with it.", n.Name),
				Evidence: []string{fmt.Sprintf("Node/%s Ready %s: %s", n.Name, cond.Status, probe.Printable(cond.Reason+" "+cond.Message, maxEventText))},
				Fix:      &Fix{Summary: shell.Advice("restore the node, or move the Pods", shell.Kubectl("drain %s --ignore-daemonsets", n.Name))}}}, true
		}
	}
	if !there {
		node := probe.Printable(p.Spec.NodeName, 253)
		return finding{Finding: Finding{ID: "SVC324", Object: owner, Field: "spec.template.spec.nodeName",
			Message:  fmt.Sprintf("node %s, which the Pods of %s are bound to, does not exist.", node, owner),
			Evidence: []string{fmt.Sprintf("Pod/%s spec.nodeName is %s, which is none of %s", p.Name, node, plural(len(c.v.s.Nodes), "node"))},
			Fix:      &Fix{Summary: "leave nodeName to the scheduler, or restore the node"}}}, true
	}
	return finding{}, false
}

// initGrace is how long an init container may run before it is a cause.
const initGrace = 20 * time.Second

// initCause: SVC322. An init container runs and does not end.
func initCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	for i, cs := range p.Status.InitContainerStatuses {
		if cs.State.Running == nil || i >= len(p.Spec.InitContainers) {
			continue
		}
		if sidecar(&p.Spec.InitContainers[i]) {
			continue // a sidecar runs on purpose
		}
		age := c.v.s.Taken.Sub(cs.State.Running.StartedAt.Time)
		if age < initGrace {
			continue
		}
		return finding{Finding: Finding{ID: "SVC322", Object: owner, Field: fmt.Sprintf("spec.template.spec.initContainers[name=%s]", cs.Name),
			Message:  fmt.Sprintf("init container %s of %s has been running for %.0f s; until it ends the application does not start.", cs.Name, owner, age.Seconds()),
			Evidence: []string{fmt.Sprintf("Pod/%s init container %s: running, not ended", p.Name, cs.Name)},
			Fix:      &Fix{Summary: shell.Advice("see what it waits for", shell.Kubectl("logs %s -n %s -c %s", p.Name, p.Namespace, cs.Name))}}}, true
	}
	return finding{}, false
}

// gateCause: SVC304. The containers are ready, the Pod is not.
func gateCause(_ *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	for _, cs := range servedStatuses(p) {
		if !cs.Ready {
			return finding{}, false
		}
	}
	for _, g := range p.Spec.ReadinessGates {
		state := "absent"
		if cond := podCondition(p, g.ConditionType); cond != nil {
			state = string(cond.Status)
		}
		if state == string(corev1.ConditionTrue) {
			continue
		}
		gate := probe.Printable(string(g.ConditionType), 120)
		return finding{Finding: Finding{ID: "SVC304", Object: owner, Field: "spec.template.spec.readinessGates",
			Message:  fmt.Sprintf("the Pods of %s wait for the readiness gate %q, which nobody has set to True; their containers are ready.", owner, gate),
			Evidence: []string{fmt.Sprintf("Pod/%s condition %s: %s", p.Name, gate, state)},
			Fix:      &Fix{Summary: "restore the controller that sets this condition, or remove the gate"}}}, true
	}
	return finding{}, false
}
