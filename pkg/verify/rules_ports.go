package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// portRules find why ready Pods do not answer on a Service's target port (2xx).
var portRules = []rule{ruleCopiedSelector, ruleNamedPort, ruleTransport, ruleOneFamily, ruleListening, ruleHeadlessPort}

func portField(pv portView, name string) string {
	return fmt.Sprintf("spec.ports[%d].%s", pv.index, name)
}

// ruleListening: SVC204, SVC205, SVC206 and SVC207, from the pattern of what
// answers inside the Pod (A, the tunnel) and at its address (B).
func ruleListening(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		if len(pv.usable) == 0 || c.failure(pv.key) {
			continue
		}
		if lost, _ := c.lost(pv); len(lost) > 0 && lost.all(probe.ClassRefused) {
			continue // a policy refuses, see ruleBlocked
		}
		a, b := c.ev.on(probe.PathTunnel, "", pv.key), c.ev.on(probe.PathPod, "", pv.key)
		aAsked, bAsked := a.asked(), b.asked()
		switch {
		case bAsked.all(probe.ClassRefused) && len(aAsked.where(probe.ClassOK)) > 0:
			out = append(out, c.loopbackOnly(pv, aAsked, bAsked))
		case aAsked.all(probe.ClassRefused) && bAsked.all(probe.ClassOK):
			out = append(out, c.podAddressOnly(pv, aAsked))
		case aAsked.all(probe.ClassRefused) && c.keptFrom(pv, bAsked):
			// Nothing that is asked of the address tells, and the inside does.
			if other := c.otherPort(pv); other != nil {
				out = append(out, c.wrongTarget(pv, *other, aAsked, nil))
			}
		case wrongPort(aAsked, bAsked):
			if other := c.otherPort(pv); other != nil {
				out = append(out, c.wrongTarget(pv, *other, aAsked, bAsked))
				out = append(out, c.alsoWrong(pv, *other)...)
			} else if len(aAsked) == 0 || len(bAsked) > 0 || c.check(string(probe.PathTunnel), c.linePort(pv)) == StateFailed {
				if refusedAll(aAsked) && refusedAll(bAsked) {
					out = append(out, c.nothingListens(pv, aAsked, bAsked))
				}
			}
		}
	}
	return out
}

// wrongPort reports whether everything asked says that this is the wrong port:
// refused everywhere, or answered by something else.
func wrongPort(a, b evidence) bool {
	all := slices.Concat(a, b)
	return all.all(probe.ClassRefused, probe.ClassProtocol, probe.ClassTLS)
}

func refusedAll(e evidence) bool { return len(e) == 0 || e.all(probe.ClassRefused) }

// backendOwner returns the Pod of which the first of some answers tells, or else the
// first behind a port, and what it belongs to.
func (c *serviceCase) backendOwner(pv portView, told ...answer) (ObjectRef, *corev1.Pod) {
	if len(told) > 0 && c.v.pods[told[0].probe.Pod] != nil {
		pod := c.v.pods[told[0].probe.Pod]
		return c.v.ownerOf(pod), pod
	}
	for _, e := range pv.usable {
		if e.pod != nil {
			return c.v.ownerOf(e.pod), e.pod
		}
	}
	return c.ref(), nil
}

func (c *serviceCase) wrongTarget(pv portView, other answer, a, b evidence) finding {
	bad := b
	if len(bad) == 0 {
		bad = a
	}
	port, _ := strconv.Atoi(other.port())
	_, backend := c.backendOwner(pv, other)
	f := finding{port: pv.key, Finding: Finding{ID: "SVC204", Severity: SeverityFailure, Object: c.ref(), Field: portField(pv, "targetPort"),
		Message: fmt.Sprintf("%s sends port %q to targetPort %s, where %s; %s %s on %d.",
			c.ref(), pv.key, bad[0].port(), wrongPortWords(bad), whoAnswers(backend, int32(port)), does(other), port)}}
	f.Evidence = append(f.Evidence, fmt.Sprintf("%s: %s", classEvidence(bad), bad.addresses(3)))
	f.Evidence = append(f.Evidence, fmt.Sprintf("%s: %s", does(other), c.answersOn(pv, other).addresses(3)))
	var target any = port
	named := pv.port.TargetPort.Type == intstr.String
	// A name stays a name where the container has one for that port, be it the
	// live Service's or the tree's.
	names := containerPortNames(backend, int32(port))
	for _, name := range names {
		if (named || name == c.expectedTarget(pv)) && leadsTo(backend, pv.port, name, int32(port)) {
			target = name
		}
	}
	if named && backend != nil && len(names) == 0 {
		// The Service's name is right; the container's number behind it is not.
		f.Object, f.Field = c.v.ownerOf(backend), fmt.Sprintf("spec.template.spec.containers[].ports[name=%s].containerPort", pv.port.TargetPort.StrVal)
		f.Fix = renumberFix(f.Object, backend, pv.port.TargetPort.StrVal, int32(port))
		return f
	}
	f.Fix = portFix(fmt.Sprintf("point targetPort at %v", target), c.ref(), c.svc, pv.port, map[string]any{"targetPort": target})
	c.unlessStrayed(&f.Finding)
	return f
}

// containerPortNames lists the names under which a Pod's containers declare a port.
func containerPortNames(pod *corev1.Pod, port int32) []string {
	if pod == nil {
		return nil
	}
	var names []string
	for _, ctr := range served(pod) {
		for _, cp := range ctr.Ports {
			if cp.ContainerPort == port && cp.Name != "" {
				names = append(names, cp.Name)
			}
		}
	}
	return names
}

// renumberFix gives a container's port of this name another number.
func renumberFix(owner ObjectRef, pod *corev1.Pod, name string, number int32) *Fix {
	summary := fmt.Sprintf("declare the container port %q as %d", name, number)
	for _, ctr := range served(pod) {
		ports := slices.Clone(ctr.Ports)
		if at := slices.IndexFunc(ports, func(p corev1.ContainerPort) bool { return p.Name == name }); at >= 0 {
			ports[at].ContainerPort = number
			return containersFix(summary, owner, pod, map[string]map[string]any{ctr.Name: {"ports": containerPorts(ports)}})
		}
	}
	return &Fix{Summary: summary}
}

// alsoWrong is what stands in the way of clients besides the target port: that the
// other port answers on localhost alone, or speaks TLS.
func (c *serviceCase) alsoWrong(pv portView, other answer) []finding {
	refused := slices.DeleteFunc(c.ev.explored(probe.PathPod, pv.key).where(probe.ClassRefused), func(a answer) bool { return a.port() != other.port() })
	switch {
	case !other.good():
		if f, ok := c.spokenTo(pv, evidence{other}, other.probe.Path); ok {
			return []finding{f}
		}
	case other.probe.Path == probe.PathTunnel && len(refused) > 0:
		return []finding{c.loopbackOnly(pv, c.answersOn(pv, other), refused)}
	}
	return nil
}

// answersOn returns the answers of all backends on the port of one of them that are
// like its own.
func (c *serviceCase) answersOn(pv portView, one answer) evidence {
	var out evidence
	for _, a := range c.ev.explored(one.probe.Path, pv.key).where(one.outcome.Class) {
		if a.port() == one.port() && a.probe.Check == one.probe.Check {
			out = append(out, a)
		}
	}
	return out
}

// whoAnswers names the container behind a port, where that can be told.
func whoAnswers(pod *corev1.Pod, port int32) string {
	if pod == nil {
		return "its Pod"
	}
	for _, ctr := range served(pod) {
		for _, cp := range ctr.Ports {
			if cp.ContainerPort == port {
				return fmt.Sprintf("container %q", ctr.Name)
			}
		}
	}
	if len(served(pod)) == 1 {
		return fmt.Sprintf("container %q", pod.Spec.Containers[0].Name)
	}
	return "its Pod"
}

func wrongPortWords(e evidence) string {
	if e.all(probe.ClassRefused) {
		return "nothing listens"
	}
	return "something else answers"
}

func classEvidence(e evidence) string {
	if e.all(probe.ClassRefused) {
		return "connect refused"
	}
	return e[0].outcome.Detail
}

func (c *serviceCase) loopbackOnly(pv portView, a, b evidence) finding {
	good := a.where(probe.ClassOK)
	owner, pod := c.backendOwner(pv, good...)
	return finding{port: pv.key, Finding: Finding{ID: "SVC205", Severity: SeverityFailure, Object: owner, Field: "spec.template.spec.containers",
		Message: fmt.Sprintf("the application of %s listens on 127.0.0.1:%s only: it answers inside its Pod, and no client can reach it.", owner, good[0].port()),
		Evidence: []string{
			fmt.Sprintf("tunnel (localhost inside the Pod): %s from %d/%d", pv.check.Good(), len(good), len(a)),
			fmt.Sprintf("connect refused: %s", b.addresses(3)),
		},
		Fix: allAddresses(owner, pod, good[0].port())}}
}

// allAddresses makes an application listen on all addresses, where its arguments
// or environment say the loopback address with the port that was seen to answer
// there. Redis is told without a port, and then wants a password as well.
func allAddresses(owner ObjectRef, pod *corev1.Pod, port string) *Fix {
	summary := "make the application listen on all addresses (0.0.0.0 and ::); for Redis: bind * -::*"
	if pod == nil {
		return &Fix{Summary: summary}
	}
	open := func(text string) string {
		for host, all := range map[string]string{"127.0.0.1": "0.0.0.0", "localhost": "0.0.0.0", "[::1]": "[::]"} {
			if before, after, ok := strings.Cut(text, host+":"+port); ok && (after == "" || after[0] < '0' || after[0] > '9') {
				return before + all + ":" + port + after
			}
		}
		return text
	}
	for _, ctr := range served(pod) {
		for field, list := range map[string][]string{"args": ctr.Args, "command": ctr.Command} {
			var words []any
			changed := false
			for _, w := range list {
				words = append(words, open(w))
				changed = changed || open(w) != w
			}
			if strings.Contains(strings.Join(list, " "), hidden) {
				continue // of a snapshot: the list cannot be written anew
			}
			if changed {
				return containersFix(summary, owner, pod, map[string]map[string]any{ctr.Name: {field: words}})
			}
		}
		for _, e := range ctr.Env {
			if v := open(e.Value); v != e.Value {
				return containersFix(summary, owner, pod, map[string]map[string]any{ctr.Name: {"env": []any{map[string]any{"name": e.Name, "value": v}}}})
			}
		}
	}
	return &Fix{Summary: summary}
}

func (c *serviceCase) podAddressOnly(pv portView, a evidence) finding {
	owner, _ := c.backendOwner(pv, a...)
	return finding{port: pv.key, Finding: Finding{ID: "SVC206", Severity: SeverityNote, Object: owner,
		Message:  fmt.Sprintf("the application of %s listens on the Pod's address only: its clients reach it, but kubectl port-forward does not.", owner),
		Evidence: []string{"connect refused on localhost inside the Pod, port " + a[0].port()}}}
}

func (c *serviceCase) nothingListens(pv portView, a, b evidence) finding {
	all := slices.Concat(b, a)
	owner, pod := c.backendOwner(pv, all...)
	f := finding{port: pv.key, Finding: Finding{ID: "SVC207", Severity: SeverityFailure, Object: owner, Field: "spec.template.spec.containers",
		Message:  fmt.Sprintf("nothing listens on port %s in the Pods of %s, although they run.", all[0].port(), owner),
		Evidence: []string{"connect refused: " + all.addresses(4)},
		Fix:      &Fix{Summary: fmt.Sprintf("make the application listen on port %s (its arguments or configuration)", all[0].port())}}}
	if pod == nil {
		f.Message = fmt.Sprintf("nothing listens on port %s at the addresses behind %s.", all[0].port(), c.ref())
		return f
	}
	if w := c.namesake(); w != nil && !w.makesFor(c.svc) && !w.toEnd() {
		// Copied from another Service, a selector keeps to the Pods of that.
		f.Evidence = append(f.Evidence, w.nameOnly())
		f.Fix.Summary = fmt.Sprintf("select the Pods of %s, if these are meant; otherwise %s", w.ref, f.Fix.Summary)
		return f
	}
	for _, ctr := range served(pod) {
		if ctr.ReadinessProbe != nil {
			return f
		}
	}
	f.Fix.Summary += ", and add a readiness probe, so that such Pods get no traffic"
	return f
}
