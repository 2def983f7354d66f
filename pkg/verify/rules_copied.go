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
	for _, name := range []string{of.Name, of.Name + "-svc"} {
		if name != c.svc.Name && c.v.service(c.svc.Namespace+"/"+name) != nil {
			return own, of
		}
	}
	return nil, of
}

// ruleCopiedSelector: SVC109. A port that fails is one that the Pods behind the Service do
// not declare, while the workload that it is named for declares them all. To point
// targetPort at what answers would lead clients to the wrong application.
func ruleCopiedSelector(c *serviceCase) []finding {
	own, of := c.strayed()
	if own == nil || c.explained() {
		return nil
	}
	meant := &corev1.Pod{Spec: own.template.Spec}
	var told []string
	for _, pv := range c.ports {
		number := targetNumber(meant, pv.port)
		if !declares(meant, number, protocolOf(pv.port.Protocol)) {
			return nil
		}
		got := targetNumber(c.pods[0], pv.port)
		switch a := slices.Concat(c.ev.on(probe.PathPod, "", pv.key).asked(), c.ev.on(probe.PathTunnel, "", pv.key).asked()); {
		case got == 0 && len(pv.usable) == 0 && len(pv.noPort) > 0:
			told = append(told, fmt.Sprintf("port %q: the Pods of %s declare no port named %q", pv.key, of, probe.Printable(pv.port.TargetPort.StrVal, 63)))
		case !declares(c.pods[0], got, protocolOf(pv.port.Protocol)) && wrongPort(a, nil):
			told = append(told, fmt.Sprintf("port %q, which the Pods of %s do not declare: %s: %s", pv.key, of, classEvidence(a), a.addresses(2)))
		}
	}
	if len(told) == 0 {
		return nil
	}
	f := Finding{ID: "SVC109", Severity: SeverityFailure, Object: c.ref(), Field: "spec.selector",
		Message: fmt.Sprintf("%s selects the Pods of %s (%s), which do not have its ports; %s, which it is named for, has them and carries %s.",
			c.ref(), of, selectorText(c.svc.Spec.Selector), own.ref, selectorText(own.matchLabels)),
		Evidence: append(told, fmt.Sprintf("%s declares %s", own.ref, declaredText(meant)), fmt.Sprintf("%s has a Service of its own name", of)),
		Fix:      selectorFix("select the Pods of "+own.ref.String(), c.ref(), c.svc.Spec.Selector, own.matchLabels)}
	return []finding{{Finding: f}}
}

// unlessStrayed takes the patch from a fix that would make a Service at home with another
// application's Pods, where its own is there and it cannot be told which is meant.
func (c *serviceCase) unlessStrayed(f *Finding) {
	own, of := c.strayed()
	if own == nil || f.Fix == nil {
		return
	}
	f.Evidence = append(f.Evidence, fmt.Sprintf("%s has the name of the Service and other labels: %s", own.ref, selectorText(own.labels)))
	f.Fix = &Fix{Summary: fmt.Sprintf("select the Pods of %s, if these are meant; if those of %s are, %s", own.ref, of, f.Fix.Summary)}
}
