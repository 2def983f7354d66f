package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// selectionRules find why a Service selects no Pods (1xx).
var selectionRules = []rule{ruleHandMadeSlice, ruleNoSelector, ruleTreeRelabels, ruleVolatileLabel, ruleElsewhere, ruleWrongSelector, ruleSeveralWorkloads}

// ruleNoSelector: SVC107.
func ruleNoSelector(c *serviceCase) []finding {
	if c.svc.Spec.Type == corev1.ServiceTypeExternalName || len(c.svc.Spec.Selector) > 0 ||
		c.has("SVC108") || len(c.v.slices[c.key()]) > 0 || c.v.gap("endpointslices", c.svc.Namespace) != nil {
		return nil
	}
	f := Finding{ID: "SVC107", Severity: SeverityFailure, Object: c.ref(), Field: "spec.selector",
		Message:  c.ref().String() + " has neither a selector nor an EndpointSlice: it leads nowhere.",
		Evidence: []string{"spec.selector is empty", "no EndpointSlice carries the label kubernetes.io/service-name=" + c.svc.Name}}
	f.Fix = &Fix{Summary: "add a selector that matches the Pods, or an EndpointSlice with their addresses"}
	if w := c.namesake(); w != nil {
		f.Fix = selectorFix("select the Pods of "+w.ref.String(), c.ref(), nil, w.matchLabels)
	}
	return []finding{{Finding: f}}
}

// serviceSuffix is what many put behind a workload's name to name its Service.
const serviceSuffix = "-svc"

// nameOnly says of a Service's namesake that the Service does not select its Pods.
func (w *workload) nameOnly() string {
	return fmt.Sprintf("%s has the name of the Service and other labels: %s", w.ref, selectorText(w.labels))
}

// namesake returns a workload with the Service's own name, or nil.
func (c *serviceCase) namesake() *workload {
	for i := range c.v.workload {
		w := &c.v.workload[i]
		if w.ref.Namespace == c.svc.Namespace && (w.ref.Name == c.svc.Name || w.ref.Name+serviceSuffix == c.svc.Name) && len(w.matchLabels) > 0 {
			return w
		}
	}
	return nil
}

// selectsNothing reports whether it is known that no Pod here, nor any
// workload's template, matches the selector.
func (c *serviceCase) selectsNothing() bool {
	return c.svc.Spec.Type != corev1.ServiceTypeExternalName && len(c.svc.Spec.Selector) > 0 && len(c.pods) == 0 &&
		c.v.gap("pods", c.svc.Namespace) == nil && len(c.makers) == 0 && len(c.over) == 0
}

// ruleElsewhere: SVC102.
func ruleElsewhere(c *serviceCase) []finding {
	if !c.selectsNothing() || c.has("SVC103", "SVC104") {
		return nil
	}
	found, homes := c.matchElsewhere()
	// Labels that Pods of many namespaces carry say nothing of where these are.
	maps.DeleteFunc(homes, func(ns string, _ int) bool { return found[ns] != nil })
	if len(found) == 0 || len(found)+len(homes) > 2 {
		return nil
	}
	// A selector of common labels may match strangers elsewhere; labels that are
	// near in the same namespace are the likelier cause.
	if c.nearest() != nil || c.missingReplica() != nil {
		return nil
	}
	namespaces := slices.Sorted(maps.Keys(found))
	f := Finding{ID: "SVC102", Severity: SeverityFailure, Object: c.ref(), Field: "metadata.namespace",
		Message: fmt.Sprintf("%s selects Pods in its own namespace %s only, and there are none; the Pods that match are in namespace %s.",
			c.ref(), c.svc.Namespace, listWords(namespaces))}
	f.Evidence = append(f.Evidence, selectorText(c.svc.Spec.Selector)+" matches no Pod in namespace "+c.svc.Namespace)
	for _, ns := range namespaces {
		f.Evidence = append(f.Evidence, "it matches in namespace "+ns+": "+shortList(found[ns], 3))
	}
	f.Fix = &Fix{Summary: fmt.Sprintf("move the Service to namespace %s, or the Pods to %s; clients elsewhere use the name %s.%s",
		namespaces[0], c.svc.Namespace, c.svc.Name, namespaces[0])}
	if len(namespaces) > 1 {
		f.Fix.Summary = fmt.Sprintf("move the Service to the namespace of the Pods that are meant, or these to %s; clients elsewhere use the name %s.NAMESPACE", c.svc.Namespace, c.svc.Name)
	}
	return []finding{{Finding: f}}
}

// matchElsewhere returns the Pods of other namespaces that the selector would match,
// by namespace, and how many there are that a Service of their own namespace has: an
// application that is complete where it is is not missing here.
func (c *serviceCase) matchElsewhere() (found map[string][]string, homes map[string]int) {
	found, homes = map[string][]string{}, map[string]int{}
	for ns, pods := range c.v.byNS {
		if ns == c.svc.Namespace {
			continue
		}
		for _, p := range pods {
			switch {
			case !selects(c.svc, p.Labels) || ended(p):
			case c.v.hasService(p):
				homes[ns]++
			default:
				found[ns] = append(found[ns], p.Name)
			}
		}
	}
	return found, homes
}

// ruleWrongSelector: SVC101.
func ruleWrongSelector(c *serviceCase) []finding {
	if !c.selectsNothing() || c.has("SVC102", "SVC103", "SVC104") {
		return nil
	}
	if w := c.missingReplica(); w != nil {
		return c.selectsMissingReplica(w)
	}
	w := c.nearest()
	if w == nil {
		return nil
	}
	want := w.matchLabels
	if len(want) == 0 {
		want = closestLabels(c.svc.Spec.Selector, w.labels)
	}
	f := Finding{ID: "SVC101", Severity: SeverityFailure, Object: c.ref(), Field: "spec.selector",
		Message: fmt.Sprintf("%s selects %s, which no Pod carries; the Pods of %s carry %s.", c.ref(), selectorText(c.svc.Spec.Selector), w.ref, selectorText(want)),
		Evidence: []string{
			fmt.Sprintf("%s matches 0 of %s in namespace %s", selectorText(c.svc.Spec.Selector), plural(len(c.v.byNS[c.svc.Namespace]), "Pod"), c.svc.Namespace),
			fmt.Sprintf("labels of %s: %s", w.ref, selectorText(w.labels)),
		},
		Fix: selectorFix("select the Pods of "+w.ref.String(), c.ref(), c.svc.Spec.Selector, want)}
	if onePod(c.svc.Spec.Selector) {
		// One Pod was meant, as a database's primary is; all of them are another thing.
		f.Fix = &Fix{Summary: "name a Pod that is there, or select the Pods of " + w.ref.String()}
	}
	return []finding{{Finding: f}}
}

// missingReplica returns a StatefulSet of which the selector means one Pod by a number
// that it does not have, or nil.
func (c *serviceCase) missingReplica() *workload {
	for i := range c.v.workload {
		w := &c.v.workload[i]
		if _, one := w.ordinal(c.svc.Spec.Selector); one && w.ref.Namespace == c.svc.Namespace && !w.makesFor(c.svc) {
			return w
		}
	}
	return nil
}

// selectsMissingReplica: SVC101 of a Pod's own name or number.
func (c *serviceCase) selectsMissingReplica(w *workload) []finding {
	n, _ := w.ordinal(c.svc.Spec.Selector)
	have, last := fmt.Sprintf("%s-%d", w.ref.Name, w.start), w.start+w.desired()-1
	if last > w.start {
		have += fmt.Sprintf(" to %s-%d", w.ref.Name, last)
	}
	f := Finding{ID: "SVC101", Severity: SeverityFailure, Object: c.ref(), Field: "spec.selector",
		Message: fmt.Sprintf("%s selects the Pod %s-%d alone, and there is none: %s has %s (%s).", c.ref(), w.ref.Name, n, w.ref, plural(w.desired(), "replica"), have),
		Evidence: []string{
			fmt.Sprintf("%s matches no Pod in namespace %s", selectorText(c.svc.Spec.Selector), c.svc.Namespace),
			fmt.Sprintf("%s spec.replicas is %d", w.ref, w.desired()),
		},
		Fix: &Fix{Summary: "select a Pod that is there"}}
	if n > last {
		f.Fix.Summary = fmt.Sprintf("run %d replicas of %s, or select a Pod that is there", n-w.start+1, w.ref)
	}
	return []finding{{Finding: f}}
}

// closestLabels takes for each key of a selector the label that was meant.
func closestLabels(sel, labels map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range sel {
		if got, ok := labels[k]; ok {
			out[k] = got
			continue
		}
		for lk, lv := range labels {
			if lv == v {
				out[lk] = lv
			}
		}
	}
	if len(out) == 0 {
		return labels
	}
	return out
}

// nearest returns the workload, or the Pods of none that is known, whose labels come closest to
// the selector: one key or value apart and alike, or with the name and port of
// the Service. nil when none is near.
func (c *serviceCase) nearest() *workload {
	var best *workload
	bestScore := 0
	consider := func(w *workload) {
		if s := c.nearness(w); s > bestScore {
			best, bestScore = w, s
		}
	}
	for i := range c.v.workload {
		if w := &c.v.workload[i]; w.ref.Namespace == c.svc.Namespace {
			consider(w)
		}
	}
	for _, p := range c.v.byNS[c.svc.Namespace] {
		o := c.v.ownerOf(p)
		if ended(p) || slices.ContainsFunc(c.v.workload, func(w workload) bool { return w.ref == o }) {
			continue
		}
		// What makes it may not be read, or is of a kind of its own: its labels tell,
		// without those that each revision or Pod gets.
		labels := p.Labels
		if o.Kind != "Pod" {
			labels = maps.Clone(labels)
			maps.DeleteFunc(labels, func(k, _ string) bool { return slices.Contains(hashLabels, k) || slices.Contains(podLabels, k) })
		}
		consider(&workload{ref: o, labels: labels, template: &corev1.PodTemplateSpec{ObjectMeta: p.ObjectMeta, Spec: p.Spec}})
	}
	return best
}

// nearness scores how likely a selector was meant for a workload; 0: not at all.
func (c *serviceCase) nearness(w *workload) int {
	equal, apart, alike := 0, 0, 0
	for k, v := range c.svc.Spec.Selector {
		got, ok := w.labels[k]
		switch {
		case ok && got == v:
			equal++
		case ok && alikeValues(v, got):
			apart, alike = apart+1, alike+1
		case !ok && hasAlikeKey(k, v, w.labels):
			apart, alike = apart+1, alike+1
		default:
			apart++
		}
	}
	if len(w.labels) == 0 {
		return 0
	}
	// Evidence beside the labels, for a selector that shares nothing with them.
	named := 0
	if w.ref.Name == c.svc.Name || strings.HasPrefix(c.svc.Name, w.ref.Name+"-") || strings.HasPrefix(w.ref.Name, c.svc.Name+"-") {
		named = 1
	}
	if w.template != nil {
		pod := &corev1.Pod{Spec: w.template.Spec}
		for _, sp := range c.svc.Spec.Ports {
			if n := targetNumber(pod, sp); n != 0 && slices.Contains(declaredPorts(pod, 0), n) {
				named++
				break
			}
		}
	}
	switch {
	case apart == alike, apart == 1 && equal > 0, named == 2:
		return 1 + 10*equal + 5*alike + named
	}
	return 0
}

// alikeValues tells a slip from another thing: a few letters apart, or one
// inside the other.
func alikeValues(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	la, lb := strings.ToLower(a), strings.ToLower(b)
	return strings.Contains(la, lb) || strings.Contains(lb, la) || nearest.Distance(la, lb) <= max(1, min(len(a), len(b))/3)
}

// hasAlikeKey reports whether the labels hold the value under another key, or
// a value alike under a key alike ("app" and "app.kubernetes.io/name").
func hasAlikeKey(key, value string, labels map[string]string) bool {
	for k, v := range labels {
		if v == value || (alikeValues(k, key) && alikeValues(v, value)) {
			return true
		}
	}
	return false
}
