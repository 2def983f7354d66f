package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ruleTreeRelabels: SVC103. In the tree itself the selector does not match the
// labels of any template: something, an overlay most often, changes one side.
func ruleTreeRelabels(c *serviceCase) []finding {
	want := c.expected()
	if want == nil || len(want.Spec.Selector) == 0 || want.Spec.Type == corev1.ServiceTypeExternalName || onePod(want.Spec.Selector) || !c.selectsNothing() {
		return nil
	}
	var best *workload
	list := c.v.s.Expected.workloads(c.svc.Namespace)
	lasting := maps.Clone(want.Spec.Selector)
	maps.DeleteFunc(lasting, func(k, _ string) bool { return slices.Contains(hashLabels, k) })
	for i := range list {
		if len(lasting) > 0 && within(lasting, list[i].labels) {
			return nil // the rest, if there is one, is SVC104
		}
		if best == nil || c.nearness(&list[i]) > c.nearness(best) {
			best = &list[i]
		}
	}
	if best == nil {
		return nil // the Pods are not the tree's
	}
	labels := best.matchLabels
	if len(labels) == 0 {
		labels = closestLabels(want.Spec.Selector, best.labels)
	}
	return []finding{{Finding: Finding{ID: "SVC103", Severity: SeverityFailure, Object: c.ref(), Field: "spec.selector",
		Message: fmt.Sprintf("the tree labels one side only: it renders the selector of %s as %s, and the Pods of %s with %s.",
			c.ref(), selectorText(want.Spec.Selector), best.ref, selectorText(best.labels)),
		Evidence: []string{"rendered selector: " + selectorText(want.Spec.Selector), fmt.Sprintf("rendered template labels of %s: %s", best.ref, selectorText(best.labels))},
		Fix:      selectorFix("select what the tree's Pods carry, or label both sides alike", c.ref(), want.Spec.Selector, labels)}}}
}

// hashLabels are labels that a controller gives to each revision of a workload.
var hashLabels = []string{"pod-template-hash", "controller-revision-hash"}

// versionLabels are labels whose value changes with a release, by custom.
var versionLabels = []string{"version", "app.kubernetes.io/version", "helm.sh/chart", "chart", "build", "commit", "revision", "git-sha", "image-tag"}

// ruleVolatileLabel: SVC104. The selector holds a label that the next rollout
// changes, or that the last one has changed.
func ruleVolatileLabel(c *serviceCase) []finding {
	if len(c.svc.Spec.Selector) == 0 || c.svc.Spec.Type == corev1.ServiceTypeExternalName || c.v.gap("pods", c.svc.Namespace) != nil {
		return nil
	}
	rest := maps.Clone(c.svc.Spec.Selector)
	var volatile []string
	for k := range c.svc.Spec.Selector {
		if slices.Contains(hashLabels, k) || slices.Contains(versionLabels, k) {
			volatile = append(volatile, k)
			delete(rest, k)
		}
	}
	if len(volatile) == 0 {
		return nil
	}
	slices.Sort(volatile)
	var w *workload
	for i := range c.v.workload {
		cand := &c.v.workload[i]
		if cand.ref.Namespace == c.svc.Namespace && within(rest, cand.labels) && (len(rest) > 0 || c.ownsHash(cand)) {
			w = cand
			break
		}
	}
	if w == nil {
		return nil
	}
	// A label that the workload itself is selected by stays as long as it does.
	volatile = slices.DeleteFunc(volatile, func(k string) bool { _, own := w.matchLabels[k]; return own })
	if len(volatile) == 0 {
		return nil
	}
	if len(rest) == 0 {
		rest = w.matchLabels
	}
	f := Finding{ID: "SVC104", Severity: SeverityFailure, Object: c.ref(), Field: "spec.selector",
		Evidence: []string{fmt.Sprintf("%s selects by %s; the selector of %s itself does not (%s)", c.ref(), listWords(volatile), w.ref, selectorText(w.matchLabels))},
		Fix:      selectorFix("leave "+listWords(volatile)+" out of the selector", c.ref(), c.svc.Spec.Selector, rest)}
	current := 0
	for _, p := range c.pods {
		if c.current(p, w) {
			current++
		}
	}
	hash := slices.ContainsFunc(volatile, func(k string) bool { return slices.Contains(hashLabels, k) })
	switch {
	case len(c.pods) == 0:
		f.Message = fmt.Sprintf("%s selects by %s, which a rollout has changed: no Pod carries that value any more.", c.ref(), pairs(c.svc.Spec.Selector, volatile))
	case current == 0:
		f.Severity = SeverityWarning
		f.Message = fmt.Sprintf("%s selects by %s, which only old Pods carry: it sends nothing to the newest revision of %s.", c.ref(), pairs(c.svc.Spec.Selector, volatile), w.ref)
	case hash:
		f.Severity = SeverityWarning
		f.Message = fmt.Sprintf("%s selects by %s, which the next rollout of %s changes: it will then match no Pod.", c.ref(), pairs(c.svc.Spec.Selector, volatile), w.ref)
	default:
		return nil
	}
	return []finding{{Finding: f}}
}

// ownsHash reports whether a selector of nothing but a hash means this workload.
func (c *serviceCase) ownsHash(w *workload) bool {
	for _, rs := range c.v.replicaSetsOf(w.ref) {
		if h := c.svc.Spec.Selector["pod-template-hash"]; h != "" && (rs.Labels["pod-template-hash"] == h || strings.HasSuffix(rs.Name, "-"+h)) {
			return true
		}
	}
	return false
}

// current reports whether a Pod is of a workload's newest revision, as far as
// its template's labels and its ReplicaSets tell.
func (c *serviceCase) current(p *corev1.Pod, w *workload) bool {
	if !within(w.labels, p.Labels) {
		return false
	}
	sets := c.v.replicaSetsOf(w.ref)
	if len(sets) == 0 {
		return true
	}
	return podsOfSet([]*corev1.Pod{p}, sets[0])[p.Name]
}

func within(part, whole map[string]string) bool {
	for k, v := range part {
		if got, ok := whole[k]; !ok || got != v {
			return false
		}
	}
	return true
}

func pairs(set map[string]string, keys []string) string {
	var out []string
	for _, k := range keys {
		out = append(out, k+"="+set[k])
	}
	return listWords(out)
}
