package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
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

// ruleHandMadeSlice: SVC108. There is an EndpointSlice made by hand for a
// Service without selector, and it does not fit.
func ruleHandMadeSlice(c *serviceCase) []finding {
	if len(c.svc.Spec.Selector) > 0 || c.svc.Spec.Type == corev1.ServiceTypeExternalName || c.v.gap("endpointslices", c.svc.Namespace) != nil {
		return nil
	}
	own := c.v.slices[c.key()]
	if len(own) == 0 {
		if s := c.strayedSlice(); s != nil {
			have := "no label " + discoveryv1.LabelServiceName
			if v, ok := s.Labels[discoveryv1.LabelServiceName]; ok {
				have = fmt.Sprintf("label %s=%s", discoveryv1.LabelServiceName, v)
			}
			ref := ObjectRef{Kind: "EndpointSlice", Namespace: s.Namespace, Name: s.Name}
			return []finding{{Finding: Finding{ID: "SVC108", Severity: SeverityFailure, Object: ref, Field: "metadata.labels",
				Message:  fmt.Sprintf("%s seems meant for %s, but has %s: the Service leads nowhere.", ref, c.ref(), have),
				Evidence: []string{"spec.selector is empty", "no EndpointSlice carries the label " + discoveryv1.LabelServiceName + "=" + c.svc.Name, ref.String() + " has " + have},
				Fix:      patchFix("label the slice for the Service", ref, map[string]any{"metadata": map[string]any{"labels": map[string]any{discoveryv1.LabelServiceName: c.svc.Name}}})}}}
		}
		return nil
	}
	var out []finding
	for _, pv := range c.ports {
		if len(pv.usable) > 0 {
			continue
		}
		s := own[0]
		ref := ObjectRef{Kind: "EndpointSlice", Namespace: s.Namespace, Name: s.Name}
		f := Finding{ID: "SVC108", Severity: SeverityFailure, Object: ref, Field: "ports", Evidence: []string{"ports of " + ref.String() + ": " + slicePortsText(s)}}
		switch {
		case s.AddressType == discoveryv1.AddressTypeFQDN:
			f.Field = "addressType"
			f.Message = fmt.Sprintf("%s holds names (addressType FQDN), which no service proxy uses.", ref)
			f.Fix = &Fix{Summary: "use addresses, or a Service of type ExternalName"}
		case len(pv.noPort) > 0:
			f.Message = fmt.Sprintf("%s has no port %q for %s, as %s calls it: ports are matched by name and protocol.", ref, pv.port.Name, protocolOf(pv.port.Protocol), c.ref())
			f.Fix = &Fix{Summary: fmt.Sprintf("name the slice's port %q", pv.port.Name)}
			if len(s.Ports) == 1 && s.Ports[0].Port != nil && len(own) == 1 {
				f.Fix = sliceFix(f.Fix.Summary, ref, *s.Ports[0].Port, pv.port)
			}
		default:
			continue
		}
		out = append(out, finding{Finding: f, port: pv.key})
	}
	return out
}

// sliceFix names the one port of a slice as the Service does.
func sliceFix(summary string, ref ObjectRef, number int32, p corev1.ServicePort) *Fix {
	return patchFix(summary, ref, map[string]any{"ports": []any{map[string]any{"name": p.Name, "port": number, "protocol": string(protocolOf(p.Protocol))}}})
}

func slicePortsText(s *discoveryv1.EndpointSlice) string {
	var out []string
	for _, p := range s.Ports {
		name, proto, number := "", corev1.ProtocolTCP, int32(0)
		if p.Name != nil {
			name = *p.Name
		}
		if p.Protocol != nil {
			proto = *p.Protocol
		}
		if p.Port != nil {
			number = *p.Port
		}
		out = append(out, fmt.Sprintf("%q %d/%s", name, number, proto))
	}
	if len(out) == 0 {
		return "none"
	}
	return probe.Printable(shortList(out, 6), maxEventText)
}

// strayedSlice returns a slice that belongs to no Service and, by its name or
// label, was meant for this one.
func (c *serviceCase) strayedSlice() *discoveryv1.EndpointSlice {
	for i := range c.v.s.EndpointSlices {
		s := &c.v.s.EndpointSlices[i]
		label := s.Labels[discoveryv1.LabelServiceName]
		if s.Namespace != c.svc.Namespace || label != "" && c.v.service(s.Namespace+"/"+label) != nil {
			continue
		}
		if s.Name == c.svc.Name || strings.HasPrefix(s.Name, c.svc.Name+"-") || label != "" && alikeValues(label, c.svc.Name) {
			return s
		}
	}
	return nil
}
