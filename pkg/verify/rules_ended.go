package verify

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// ruleEnded: SVC332. The selected Pods have run to their end, and nobody replaces
// them, or those that do end at once, too.
func ruleEnded(c *serviceCase) []finding {
	if c.svc.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	if len(c.over) == 0 {
		return c.betweenRuns()
	}
	replaced := false
	for _, w := range c.makers {
		if w.toEnd() {
			continue
		}
		replaced = true
		if f := c.endAtOnce(w); f != nil {
			return f
		}
	}
	if replaced || len(c.pods) > 0 || c.has("SVC301") {
		return nil
	}
	owner := c.v.ownerOf(c.over[0])
	f := Finding{ID: "SVC332", Severity: SeverityFailure, Object: owner, Field: "spec.restartPolicy",
		Message: fmt.Sprintf("all %s that %s selects have ended, and nobody replaces them: %s.", plural(len(c.over), "Pod"), c.ref(), endText(c.over[0])),
		Fix:     &Fix{Summary: "run the application as a Deployment, which replaces Pods that end"}}
	if len(c.over) == 1 {
		f.Message = fmt.Sprintf("the only Pod that %s selects has ended, and nobody replaces it: %s.", c.ref(), endText(c.over[0]))
	}
	if owner.Kind != "Pod" {
		f.Fix.Summary = fmt.Sprintf("%s runs Pods to their end; run what is to serve as a Deployment", owner)
	}
	for _, p := range sample(c.over, 3) {
		f.Evidence = append(f.Evidence, "Pod/"+p.Name+": "+endText(p))
	}
	return []finding{{Finding: f}}
}

// betweenRuns finds a Job that has ended, or a CronJob that waits for its time, and
// nothing else that would make Pods for the Service.
func (c *serviceCase) betweenRuns() []finding {
	if len(c.makers) == 0 || len(c.pods) > 0 || c.has("SVC301") || c.v.gap("pods", c.svc.Namespace) != nil ||
		slices.ContainsFunc(c.makers, func(w *workload) bool { return !w.idle }) {
		return nil
	}
	return []finding{{Finding: Finding{ID: "SVC332", Severity: SeverityFailure, Object: c.makers[0].ref, Field: "spec.template.spec.restartPolicy",
		Message:  fmt.Sprintf("%s, whose Pods %s selects, runs them to their end, and has none now.", c.makers[0].ref, c.ref()),
		Evidence: []string{selectorText(c.svc.Spec.Selector) + " matches the template of " + listWords(refs(c.makers)) + ", and no Pod"},
		Fix:      &Fix{Summary: fmt.Sprintf("%s runs Pods to their end; run what is to serve as a Deployment", c.makers[0].ref)}}}}
}

// endAtOnce finds Pods that a node does not accept, which their workload makes anew
// time after time. In between, one may wait for its end.
func (c *serviceCase) endAtOnce(w *workload) []finding {
	if anyUsable(c.ports) || slices.ContainsFunc(c.pods, running) || c.explained() {
		return nil
	}
	f := finding{pods: map[string]bool{}, Finding: Finding{ID: "SVC332", Severity: SeverityFailure, Object: w.ref, Field: "spec.template.spec"}}
	refused := 0
	for _, p := range c.over {
		if p.Status.Phase != corev1.PodFailed || p.Status.Reason == "" || c.v.ownerOf(p) != w.ref {
			continue
		}
		if refused++; refused == 1 {
			f.Message = fmt.Sprintf("the Pods of %s end as soon as they are made: %s.", w.ref, endText(p))
			f.Fix = &Fix{Summary: "mend what the node says of them"}
		}
		if refused <= 3 {
			f.Evidence = append(f.Evidence, "Pod/"+p.Name+": "+endText(p))
		}
	}
	if refused < 2 {
		return nil
	}
	for _, p := range c.pods {
		f.pods[p.Name] = true
	}
	f.Evidence = append(f.Evidence, plural(refused, "Pod")+" have ended so")
	return []finding{f}
}

// endText says how a Pod has ended.
func endText(p *corev1.Pod) string {
	text := string(p.Status.Phase)
	if p.Status.Reason != "" {
		return probe.Printable(strings.TrimSuffix(text+": "+p.Status.Reason+": "+p.Status.Message, ": "), maxEventText)
	}
	for _, cs := range statuses(p) {
		t := cs.State.Terminated
		if t == nil || p.Status.Phase == corev1.PodFailed && t.ExitCode == 0 {
			continue
		}
		text += fmt.Sprintf(", container %s with exit code %d", cs.Name, t.ExitCode)
		if words := lastLine(t.Message); words != "" {
			text += ": " + words
		}
		break
	}
	return probe.Printable(text, maxEventText)
}
