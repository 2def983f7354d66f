package verify

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// strayed returns the workload that a Service is named for, where its selector has the
// Pods of another one instead, which a Service is named for as well: a selector that was
// copied, or exchanged between two. nil otherwise. Names of which one extends the other
// (web and web-v2) may be two releases of one application, of which either can be meant.
func (c *serviceCase) strayed() (own *workload, of ObjectRef) {
	own = c.namesake()
	if own == nil || own.makesFor(c.svc) || own.toEnd() || own.desired() == 0 || own.template == nil || len(c.pods) == 0 {
		return nil, of
	}
	of = c.v.ownerOf(c.pods[0])
	for _, p := range c.pods {
		if c.v.ownerOf(p) != of {
			return nil, of
		}
	}
	if of.Kind == "Pod" || strings.HasPrefix(of.Name, own.ref.Name+"-") || strings.HasPrefix(own.ref.Name, of.Name+"-") {
		return nil, of
	}
	if len(c.othersNamed(of)) == 0 {
		return nil, of
	}
	return own, of
}

// othersNamed returns the other Services of the namespace that are named for a workload.
func (c *serviceCase) othersNamed(w ObjectRef) []*corev1.Service {
	var out []*corev1.Service
	for _, name := range []string{w.Name, w.Name + serviceSuffix} {
		if svc := c.v.service(c.svc.Namespace + "/" + name); svc != nil && svc.Name != c.svc.Name {
			out = append(out, svc)
		}
	}
	return out
}

// exchanged returns the Service that is named for the workload whose Pods this one selects,
// where it selects in turn those of the one that this is named for; nil otherwise.
func (c *serviceCase) exchanged(own *workload, of ObjectRef) *corev1.Service {
	for _, mate := range c.othersNamed(of) {
		if len(mate.Spec.Selector) > 0 && own.makesFor(mate) && !selects(mate, c.pods[0].Labels) {
			return mate
		}
	}
	return nil
}

// ruleCopiedSelector: SVC109. A port that fails is one that the Pods behind the Service do
// not declare, while the workload that it is named for declares them all; or two Services
// each have the Pods of the other's. To point targetPort at what answers would lead clients
// to the wrong application. Where all answer, only an exchange is told of: one Service may
// well lead elsewhere on purpose.
func ruleCopiedSelector(c *serviceCase) []finding {
	own, of := c.strayed()
	if own == nil || c.explained() {
		return nil
	}
	meant, mate := &corev1.Pod{Spec: own.template.Spec}, c.exchanged(own, of)
	var told []string
	declared := true
	for _, pv := range c.ports {
		proto := protocolOf(pv.port.Protocol)
		declared = declared && declares(meant, targetNumber(meant, pv.port), proto)
		got := targetNumber(c.pods[0], pv.port)
		switch a := slices.Concat(c.ev.on(probe.PathPod, "", pv.key).asked(), c.ev.on(probe.PathTunnel, "", pv.key).asked()); {
		case got == 0 && len(pv.usable) == 0 && len(pv.noPort) > 0:
			told = append(told, fmt.Sprintf("port %q: the Pods of %s declare no port named %q", pv.key, of, probe.Printable(pv.port.TargetPort.StrVal, 63)))
		case (mate != nil || !declares(c.pods[0], got, proto)) && wrongPort(a, nil):
			told = append(told, fmt.Sprintf("port %q, sent to %d: %s: %s", pv.key, got, classEvidence(a), a.addresses(2)))
		}
	}
	f := Finding{ID: "SVC109", Severity: SeverityFailure, Object: c.ref(), Field: "spec.selector", Evidence: told}
	selected := fmt.Sprintf("%s selects the Pods of %s (%s)", c.ref(), of, selectorText(c.svc.Spec.Selector))
	switch {
	case mate != nil:
		f.Message = fmt.Sprintf("%s, and Service/%s those of %s, which %s is named for: their selectors are exchanged.", selected, mate.Name, own.ref, c.ref())
		f.Evidence = append(f.Evidence, fmt.Sprintf("Service/%s selects %s", mate.Name, selectorText(mate.Spec.Selector)))
	case declared:
		f.Message = fmt.Sprintf("%s, which do not have its ports; %s, which it is named for, has them and carries %s.", selected, own.ref, selectorText(own.matchLabels))
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s declares %s; the Pods of %s: %s", own.ref, declaredText(meant), of, declaredText(c.pods[0])),
			fmt.Sprintf("%s has a Service of its own name", of))
	}
	switch {
	case len(told) > 0 && f.Message != "":
		f.Fix = selectorFix("select the Pods of "+own.ref.String(), c.ref(), c.svc.Spec.Selector, own.matchLabels)
	case mate != nil:
		f.Severity, f.Fix = SeverityWarning, &Fix{Summary: fmt.Sprintf("select the Pods of %s, unless the exchange is meant", own.ref)}
	default:
		return nil
	}
	return []finding{{Finding: f}}
}

// unlessStrayed takes the patch from a fix that would make a Service at home with another
// application's Pods, where its own is there and it cannot be told which is meant.
func (c *serviceCase) unlessStrayed(f *Finding) {
	own, of := c.strayed()
	if own == nil || f.Fix == nil {
		return
	}
	f.Evidence = append(f.Evidence, own.nameOnly())
	f.Fix = &Fix{Summary: fmt.Sprintf("select the Pods of %s, if these are meant; if those of %s are, %s", own.ref, of, f.Fix.Summary)}
}
