package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// ruleSeveralWorkloads: SVC105 and SVC106. The selector takes in Pods of
// workloads that have nothing to do with each other.
func ruleSeveralWorkloads(c *serviceCase) []finding {
	var owners []ObjectRef
	first := map[ObjectRef]*corev1.Pod{}
	for _, p := range c.pods {
		if o := c.v.ownerOf(p); first[o] == nil && p.DeletionTimestamp == nil {
			first[o] = p
			owners = append(owners, o)
		}
	}
	if len(owners) < 2 || len(owners) > 16 {
		return nil
	}
	same := c.sameSelector(owners)
	other := c.stranger(owners, first)
	by := c.answersByOwner(owners)
	seen := true
	if other == nil {
		other = c.outsider(by, first)
		seen = by.path == probe.PathPod // inside its Pod a refusal may mean no more than another address bound
	}
	if same == nil && other == nil {
		return nil
	}
	pair := same
	if pair == nil {
		pair = other
	}
	a, b := pair[0], pair[1]
	f := Finding{ID: "SVC105", Severity: SeverityWarning, Object: c.ref(), Field: "spec.selector",
		Message: fmt.Sprintf("%s selects the Pods of unrelated workloads: %s and %s.", c.ref(), a, b),
		Fix:     &Fix{Summary: fmt.Sprintf("add a label to the selector that only the Pods meant carry; it now is %s", selectorText(c.svc.Spec.Selector))}}
	if same != nil {
		f.ID, f.Object = "SVC106", b
		f.Message = fmt.Sprintf("%s and %s have the same selector in one namespace: each takes the other's Pods for its own, and so does %s.", a, b, c.ref())
		f.Evidence = append(f.Evidence, "spec.selector.matchLabels of both: "+selectorText(c.v.named(a).matchLabels))
		f.Fix = &Fix{Summary: "give each workload labels of its own; a workload's selector can be changed only by making it anew"}
	}
	for _, o := range []ObjectRef{a, b} {
		p := first[o]
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s: %s, ports %s", o, shortList(images(p), 2), declaredText(p)))
	}
	if same == nil && b.Kind == "Job" {
		f.Fix.Summary = fmt.Sprintf("give the Pods of %s other labels than %s selects (%s), or add a label to the selector that they lack", b, c.ref(), selectorText(c.svc.Spec.Selector))
	}
	if by.path != "" {
		if seen {
			f.Severity = SeverityFailure
		}
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s: %s from the Pods of %s, and not from those of %s", by.path, by.port.check.Good(), ownerWords(by.good), ownerWords(by.bad)))
	}
	return []finding{{Finding: f}}
}

func ownerWords(list []ObjectRef) string {
	var out []string
	for _, o := range list {
		out = append(out, o.String())
	}
	return listWords(out)
}

// sameSelector returns two of the owners that select the same labels, or nil.
func (c *serviceCase) sameSelector(owners []ObjectRef) []ObjectRef {
	for i, a := range owners {
		for _, b := range owners[i+1:] {
			wa, wb := c.v.named(a), c.v.named(b)
			if wa != nil && wb != nil && len(wa.matchLabels) > 0 && maps.Equal(wa.matchLabels, wb.matchLabels) {
				return []ObjectRef{a, b}
			}
		}
	}
	return nil
}

// stranger returns two of the owners that share no image, or no declared port
// where both declare some; nil when all are of a kind.
func (c *serviceCase) stranger(owners []ObjectRef, first map[ObjectRef]*corev1.Pod) []ObjectRef {
	for i, a := range owners {
		for _, b := range owners[i+1:] {
			pa, pb := first[a], first[b]
			portsA, portsB := declaredPorts(pa, 0), declaredPorts(pb, 0)
			if disjoint(images(pa), images(pb)) || len(portsA) > 0 && len(portsB) > 0 && disjoint(portsA, portsB) && !c.sameTarget(pa, pb) {
				return []ObjectRef{a, b}
			}
		}
	}
	return nil
}

// outsider returns a workload whose Pods serve a port, and another that was never meant
// to: nothing listens there in any of its Pods, and it is a Job, or declares that port
// in none of its containers although the first does.
func (c *serviceCase) outsider(by ownerAnswers, first map[ObjectRef]*corev1.Pod) []ObjectRef {
	serves := func(o ObjectRef) bool {
		return declares(first[o], targetNumber(first[o], by.port.port), protocolOf(by.port.port.Protocol))
	}
	for _, good := range by.good {
		for _, bad := range by.refused {
			if bad.Kind == "Job" && good.Kind != "Job" || serves(good) && !serves(bad) {
				return []ObjectRef{good, bad}
			}
		}
	}
	return nil
}

// sameTarget reports whether two Pods both resolve a named target port: the
// name exists so that the numbers may differ.
func (c *serviceCase) sameTarget(a, b *corev1.Pod) bool {
	for _, pv := range c.ports {
		if pv.port.TargetPort.StrVal == "" || targetNumber(a, pv.port) == 0 || targetNumber(b, pv.port) == 0 {
			return false
		}
	}
	return len(c.ports) > 0
}

// images lists the images of a Pod's containers, without tag and digest: two
// versions of an application are the same one.
func images(p *corev1.Pod) []string {
	var out []string
	for i := range p.Spec.Containers {
		name, _, _ := strings.Cut(p.Spec.Containers[i].Image, "@")
		if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
			name = name[:i]
		}
		out = append(out, probe.Printable(name, 120))
	}
	return out
}

func disjoint[T comparable](a, b []T) bool {
	return !slices.ContainsFunc(a, func(x T) bool { return slices.Contains(b, x) })
}

// ownerAnswers are the workloads behind a port by what their Pods answer: all well, or
// none; refused are those of the bad where nothing listens.
type ownerAnswers struct {
	port               portView
	path               probe.Path
	good, bad, refused []ObjectRef
}

// answersByOwner says which workloads' Pods answer and which do not, for the first
// port where that differs; without a path: for none.
func (c *serviceCase) answersByOwner(owners []ObjectRef) ownerAnswers {
	for _, pv := range c.ports {
		e, path := c.direct(pv.key)
		by := ownerAnswers{port: pv, path: path}
		for _, o := range owners {
			of := c.ofOwner(e, o)
			switch {
			case len(of) == 0:
			case of.all(probe.ClassOK):
				by.good = append(by.good, o)
			case len(of.where(probe.ClassOK)) == 0:
				by.bad = append(by.bad, o)
				if of.all(probe.ClassRefused) {
					by.refused = append(by.refused, o)
				}
			}
		}
		if len(by.good) > 0 && len(by.bad) > 0 {
			return by
		}
	}
	return ownerAnswers{}
}

// ofOwner returns the answers about the Pods of one workload.
func (c *serviceCase) ofOwner(e evidence, o ObjectRef) evidence {
	var of evidence
	for _, p := range c.pods {
		if c.v.ownerOf(p) == o {
			of = append(of, e.ofPod(p.Namespace+"/"+p.Name)...)
		}
	}
	return of
}
