package verify

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// runChecks answers the questions of the report, in its order.
func (c *serviceCase) runChecks() {
	if c.svc.Spec.Type == corev1.ServiceTypeExternalName {
		c.checkName()
		c.checkExternalName()
		return
	}
	c.checkSelector()
	for _, pv := range c.ports {
		c.checkEndpoints(pv)
	}
	for _, pv := range c.ports {
		c.checkTunnel(pv)
	}
	for _, pv := range c.ports {
		c.checkPod(pv)
	}
	if !headless(c.svc) {
		for _, pv := range c.ports {
			c.checkClusterIP(pv)
		}
	}
	c.checkName()
	for _, pv := range c.ports {
		if pv.port.NodePort != 0 {
			c.checkOutside(pv, probe.PathNodePort)
		}
	}
	if c.svc.Spec.Type == corev1.ServiceTypeLoadBalancer {
		c.checkLoadBalancer()
	}
	if ips := c.svc.Spec.ExternalIPs; len(ips) > 0 {
		c.add(CheckResult{Name: checkExternalIP, State: StateNotProbed,
			Summary: "not probed: externalIPs are not asked (" + shortList(ips, 3) + ")"})
	}
}

func (c *serviceCase) add(r CheckResult) { c.checks = append(c.checks, r) }

// portName returns the key of a port where a line has to say it: a Service with one port need not.
func (c *serviceCase) linePort(pv portView) string {
	if len(c.ports) > 1 {
		return pv.key
	}
	return ""
}

func selectorText(sel map[string]string) string {
	var parts []string
	for k, v := range sel {
		parts = append(parts, k+"="+v)
	}
	sort.Strings(parts)
	return strings.Join(parts, ",")
}

func (c *serviceCase) checkSelector() {
	r := CheckResult{Name: checkSelector}
	sel := selectorText(c.svc.Spec.Selector)
	hand := len(c.v.slices[c.key()])
	switch {
	case sel == "" && hand > 0:
		r.State, r.Summary = StateProven, fmt.Sprintf("none needed: %s of its own", plural(hand, "EndpointSlice"))
	case sel == "" && c.v.gap("endpointslices", c.svc.Namespace) != nil:
		r.State, r.Summary, r.Needs = StateNotProven, "none, and EndpointSlices could not be read", "permission to list endpointslices"
	case sel == "":
		r.State, r.Summary = StateFailed, "none, and there is no EndpointSlice"
	case c.v.gap("pods", c.svc.Namespace) != nil:
		r = c.selectorUnseen(sel)
	case len(c.pods) > 0:
		r.State, r.Summary = StateProven, fmt.Sprintf("%s matches %s%s", sel, plural(len(c.pods), "Pod"), c.ownersText())
	default:
		r.State, r.Summary = StateFailed, sel+" matches no Pod"
		if len(c.over) > 0 {
			r.Summary = fmt.Sprintf("%s matches no Pod but %s", sel, plural(len(c.over), "Pod")+" that ended")
		}
		switch w := c.makers; len(w) {
		case 0:
		case 1:
			r.State, r.Summary = StateProven, fmt.Sprintf("%s matches the template of %s, which has no Pods", sel, w[0].ref)
		default:
			r.State, r.Summary = StateProven, fmt.Sprintf("%s matches the templates of %s, which have no Pods", sel, shortList(refs(w), 2))
		}
	}
	c.add(r)
}

// selectorUnseen judges a selector when Pods may not be listed: endpoints are
// made from what it matches.
func (c *serviceCase) selectorUnseen(sel string) CheckResult {
	for _, pv := range c.ports {
		if n := len(pv.usable) + len(pv.unready) + len(pv.noPort); n > 0 && !pv.unknown {
			return CheckResult{Name: checkSelector, State: StateProven, Summary: fmt.Sprintf("%s matches %s, by the EndpointSlices", sel, plural(n, "Pod"))}
		}
	}
	return CheckResult{Name: checkSelector, State: StateNotProven, Summary: sel + ": Pods could not be read",
		Needs: "permission to list pods in namespace " + c.svc.Namespace}
}

// ownersText names the workloads of the selected Pods, and those of them that belong to
// none, where others do.
func (c *serviceCase) ownersText() string {
	var names, bare []string
	for _, p := range c.pods {
		switch o := c.v.ownerOf(p); {
		case o.Kind == "Pod":
			bare = append(bare, o.String())
		case !slices.Contains(names, o.String()):
			names = append(names, o.String())
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case len(bare) > 0:
		return fmt.Sprintf(", %d of %s, besides %s", len(c.pods)-len(bare), shortList(names, 2), shortList(bare, 2))
	}
	return " of " + shortList(names, 2)
}

func (c *serviceCase) checkEndpoints(pv portView) {
	r := CheckResult{Name: checkEndpoints, Port: c.linePort(pv)}
	ready := len(onePerAddress(pv.usable))
	total := max(ready+len(pv.unready)+len(pv.noPort), len(c.pods))
	switch {
	case pv.unknown:
		r.State, r.Summary, r.Needs = StateNotProven, pv.key+": EndpointSlices could not be read", "permission to list endpointslices in namespace "+c.svc.Namespace
	case ready > 0:
		r.State, r.Summary = StateProven, fmt.Sprintf("%s %d/%d ready", pv.key, ready, max(ready+len(pv.unready)+len(pv.noPort), ready))
		// Those that are ready may be terminating too: publishNotReadyAddresses says so.
		switch n := len(onePerAddress(terminating(pv.usable))); {
		case n == ready:
			r.Summary = fmt.Sprintf("%s %s terminating, still serving", pv.key, plural(ready, "endpoint"))
		case n > 0:
			r.Summary += fmt.Sprintf(", %d of them terminating", n)
		}
		if len(pv.noPort) > 0 {
			r.Summary += fmt.Sprintf("; %d ready without this port", len(pv.noPort))
		}
	case len(pv.noPort) > 0:
		r.State, r.Summary = StateFailed, fmt.Sprintf("%s 0/%d: ready, but without this port", pv.key, total)
	case total == 0:
		r.State, r.Summary = StateFailed, pv.key+" has no endpoints"
	default:
		r.State, r.Summary = StateFailed, fmt.Sprintf("%s 0/%d ready", pv.key, total)
	}
	for _, e := range sample(pv.usable, 8) {
		r.Detail = append(r.Detail, e.address)
	}
	c.add(r)
}

func terminating(list []endpoint) []endpoint {
	return slices.DeleteFunc(slices.Clone(list), func(e endpoint) bool { return !e.terminating })
}

func onePerAddress(list []endpoint) []endpoint {
	seen := map[string]bool{}
	var out []endpoint
	for _, e := range list {
		if !seen[e.address] {
			seen[e.address] = true
			out = append(out, e)
		}
	}
	return out
}

// asked is a port with the check that a path was asked with: a command is run
// where a container can, and elsewhere the port's own check is made.
func asked(pv portView, e evidence) portView {
	if len(e) > 0 {
		pv.check = e[0].probe.Check
	}
	return pv
}

// line makes a report line of the answers on one path.
func (c *serviceCase) line(name probe.Path, pv portView, e evidence, good string) CheckResult {
	t := e.tally()
	r := CheckResult{Name: string(name), Port: c.linePort(pv), State: t.state()}
	if r.State == StateFailed && udpSilence(pv, e, c.ev.on(probe.PathPod, "", pv.key)) {
		r.State, r.Needs = StateNotProven, "a datagram that its server answers"
		r.Summary = "not proven: " + t.bad() + "; a UDP server need not answer"
		return r
	}
	if mesh := c.meshOnly(pv); mesh != "" && r.State == StateFailed && turnedAway(e) {
		r.State, r.Needs = StateNotProven, "a client of the mesh (--from=deploy/NAME --ephemeral)"
		r.Summary = fmt.Sprintf("not proven: %s; the mesh's sidecar (%s) may admit its own clients only", t.bad(), mesh)
		return r
	}
	switch r.State {
	case StateProven:
		r.Summary = good
	case StateFailed:
		r.Summary = t.bad()
		if t.good > 0 {
			r.Summary = fmt.Sprintf("%s %d/%d; %s", pv.check.Good(), t.good, t.targets, r.Summary)
		} else if t.answers > 0 {
			r.Summary = fmt.Sprintf("%s %d/%d; %s", pv.check.Good(), t.answers, t.attempts, r.Summary)
		}
	default:
		reason, needs := t.needs()
		r.Needs = needs
		r.Summary = "not proven"
		switch {
		case reason != "":
			r.Summary += ": " + reason
		case needs != "":
			r.Summary += ": needs " + needs
		}
	}
	r.Summary += e.fromNodes(r.State)
	for _, d := range sample(t.latencies, 8) {
		r.Detail = append(r.Detail, latency(d))
	}
	return r
}

func (c *serviceCase) checkTunnel(pv portView) {
	e := c.ev.on(probe.PathTunnel, "", pv.key)
	if len(e) == 0 {
		c.noBackend(probe.PathTunnel, pv)
		return
	}
	pv = asked(pv, e)
	good := fmt.Sprintf("%s from %d/%d", pv.check.Good(), len(e), len(e))
	if n := len(onePerPod(withPods(pv.usable))); n > len(e) {
		good += fmt.Sprintf(", a sample of %d", n)
	}
	if len(c.ev.on(probe.PathPod, "", pv.key).asked()) == 0 {
		good += certificates(e) // else the next line shows them
	}
	r := c.line(probe.PathTunnel, pv, e, good)
	if r.State == StateFailed && e.all(probe.ClassRefused, probe.ClassOK) {
		c.tunnelRefused(pv, e, &r)
	}
	if t := e.tally(); r.State == StateNotProven && t.local != nil && strings.Contains(t.local.Detail, "forbidden") {
		r.Summary, r.Needs = "not proven: port-forward is not permitted", "permission to create pods/portforward in namespace "+c.svc.Namespace
	}
	if t := e.tally(); r.State == StateNotProven && t.local != nil && strings.Contains(t.local.Detail, unheard) && c.ev.on(probe.PathPod, "", pv.key).all(probe.ClassOK) {
		r.State, r.Needs = StateNotProbed, ""
		r.Summary = "not decisive: " + unheard + "; the Pod's address answers"
	}
	c.add(r)
}

// tunnelRefused weighs a refusal inside the tunnel, which asks localhost: an
// app bound to the Pod's address only refuses there and serves its clients well.
func (c *serviceCase) tunnelRefused(pv portView, e evidence, r *CheckResult) {
	direct := c.ev.on(probe.PathPod, "", pv.key)
	switch {
	case direct.all(probe.ClassOK):
		r.State, r.Summary = StateNotProbed, fmt.Sprintf("not decisive: localhost refuses on %s; the app listens on the Pod's address", e[0].port())
	case len(e.where(probe.ClassOK)) > 0 && len(direct.asked()) > 0:
	case len(direct.asked()) == 0 && !slices.ContainsFunc(c.ev.explored(probe.PathTunnel, pv.key), func(a answer) bool { return a.good() && !targetOf(pv, a) }):
		r.State = StateNotProven
		r.Summary += " on localhost; whether the Pod's address answers was not seen"
		_, r.Needs = direct.tally().needs()
	}
}

func withPods(list []endpoint) []endpoint {
	return slices.DeleteFunc(slices.Clone(list), func(e endpoint) bool { return e.podName == "" })
}

// noBackend writes the line of a path that could not be tried for want of a backend.
func (c *serviceCase) noBackend(path probe.Path, pv portView) {
	r := CheckResult{Name: string(path), Port: c.linePort(pv)}
	switch {
	case pv.unknown:
		r.State, r.Summary, r.Needs = StateNotProven, "not proven: the backends could not be read", "permission to list endpointslices and pods"
	case len(pv.usable) == 0:
		r.State, r.Summary = StateNotProbed, "not probed: no ready backend"
	case path == probe.PathTunnel:
		return // UDP, or backends that are no Pods: there is no tunnel to them
	default:
		r.State, r.Summary, r.Needs = StateNotProven, fmt.Sprintf("not proven: no check for %s", protocolOf(pv.port.Protocol)), "a command that asks it (--check=exec:COMMAND)"
	}
	c.add(r)
}

func (c *serviceCase) checkPod(pv portView) {
	e := c.ev.on(probe.PathPod, "", pv.key)
	if len(e) == 0 {
		c.noBackend(probe.PathPod, pv)
		return
	}
	pv = asked(pv, e)
	n := len(e.distinct())
	r := c.line(probe.PathPod, pv, e, fmt.Sprintf("%s from %d/%d", pv.check.Good(), n, n)+certificates(e))
	if other := c.otherPort(pv); other != nil && r.State == StateFailed {
		r.Summary += fmt.Sprintf("; %s %s", other.port(), does(*other))
	}
	c.add(r)
}

// otherPort returns the answer of another port of a backend that the Service port
// may be meant for, or nil: a good one, or, where its own target is refused, that of
// the right server in TLS, without TLS or with an error.
func (c *serviceCase) otherPort(pv portView) *answer {
	var second *answer
	refused := refusedAll(c.ev.on(probe.PathTunnel, "", pv.key).asked()) && refusedAll(c.ev.on(probe.PathPod, "", pv.key).asked())
	for _, path := range []probe.Path{probe.PathPod, probe.PathTunnel} {
		for _, a := range c.ev.explored(path, pv.key) {
			switch {
			case !a.asked() || targetOf(pv, a) || c.standsBeside(pv, a) || !sameTransport(pv, a):
			case a.good():
				return &a
			case refused && second == nil && (a.outcome.Class == probe.ClassErrorReply || inTLS(a) || notInTLS(a)):
				second = &a
			}
		}
	}
	return second
}

// sameTransport reports whether a port was asked by the Service port's own transport: who
// accepts TCP on another number says nothing of where UDP is served.
func sameTransport(pv portView, a answer) bool {
	return (a.probe.Network == "udp") == (protocolOf(pv.port.Protocol) == corev1.ProtocolUDP)
}

// standsBeside reports whether the port that was asked is, by its name, not for what
// the Service port is for.
func (c *serviceCase) standsBeside(pv portView, a answer) bool {
	return slices.ContainsFunc(containerPortNames(c.v.pods[a.probe.Pod], portNumber(a)), func(name string) bool {
		return standsBeside(name, pv.port.TargetPort.StrVal+"-"+pv.port.Name)
	})
}

// inTLS reports whether a server was asked without TLS and says that it speaks it.
func inTLS(a answer) bool { return a.outcome.Facts["peer"] == "tls" }

// notInTLS reports whether a server was asked inside TLS and does not speak it.
func notInTLS(a answer) bool {
	return a.outcome.Class == probe.ClassTLS && strings.Contains(a.outcome.Detail, "does not speak TLS")
}

// does words what a server does that was asked, after what it is called by.
func does(a answer) string {
	good := a.probe.Check.Good()
	switch {
	case inTLS(a):
		return "speaks TLS"
	case notInTLS(a):
		return "answers without TLS"
	case !a.good():
		return fmt.Sprintf("answers %q", a.outcome.Detail)
	case a.probe.Check == probe.CheckTCP:
		return "accepts connections"
	case a.probe.Check == probe.CheckTLS:
		return "speaks TLS"
	case a.probe.Check == probe.CheckPostgres, a.probe.Check == probe.CheckMySQL:
		return "takes logins"
	case strings.HasPrefix(good, "answers"):
		return good
	}
	return "answers " + good
}

// targetOf reports whether an exploratory answer is about the port's own target.
func targetOf(pv portView, a answer) bool {
	for _, l := range [][]endpoint{pv.usable, pv.unready} {
		for _, e := range l {
			if e.podName == a.probe.Pod && fmt.Sprint(e.port) == a.port() {
				return true
			}
		}
	}
	return false
}

func (c *serviceCase) checkClusterIP(pv portView) {
	e := c.ev.on(probe.PathClusterIP, "", pv.key)
	if len(e) == 0 {
		c.noBackend(probe.PathClusterIP, pv)
		return
	}
	pv = asked(pv, e)
	t := e.tally()
	r := c.line(probe.PathClusterIP, pv, e, c.throughText(pv, t))
	r.Backends = c.who(pv, t)
	if n := len(onePerAddress(pv.usable)); n > 1 && t.attempts > 0 && c.chosenBy() == "" {
		odds := oddsOfMissing(n, t.attempts)
		r.ChanceMissed = &odds
	}
	c.add(r)
}
