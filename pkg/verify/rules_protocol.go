package verify

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// protocolRules find why a server that is reached does not answer well (7xx).
var protocolRules = []rule{ruleOneBadBackend, ruleErrorReply, ruleMasterless, ruleClusterDown, ruleNoWrites, ruleOtherProtocol, ruleHangs}

// redisReplies maps the first words of a Redis error to what they mean.
var redisReplies = []struct{ words, id, cause, fix string }{
	{"-DENIED", "SVC701", "is in protected mode and refuses clients from outside its Pod", "set a password and bind all addresses, or turn protected-mode off"},
	{"-NOAUTH", "SVC702", "wants a password", "name the Secret that holds the password"},
	{"-WRONGPASS", "SVC702", "refuses the password given", "name the Secret that holds the right password"},
	{"-ERR Client sent AUTH", "SVC702", "has no password set, and one was given", "leave the password out"},
	{"-ERR AUTH <password> called without", "SVC702", "has no password set, and one was given", "leave the password out"},
	{"-ERR invalid password", "SVC702", "refuses the password given", "name the Secret that holds the right password"},
	{"-LOADING", "SVC703", "is still loading its data", "wait until it has"},
	{"-MASTERDOWN", "SVC704", "is a replica that has lost its master", "see to the master"},
	{"-MISCONF", "SVC705", "cannot save its data to disk", "see to its disk"},
	{"-ERR max number of clients", "SVC708", "has reached its limit of clients", "raise maxclients, or find who holds the connections"},
}

// direct returns the answers of the backends themselves: at their address, or
// through the tunnel where that was not asked.
func (c *serviceCase) direct(port string) (evidence, probe.Path) {
	tunnel := c.ev.on(probe.PathTunnel, "", port).asked()
	e := c.ev.on(probe.PathPod, "", port).asked()
	// Where nothing comes through, what is said inside the Pod still counts.
	if len(e) > 0 && (len(tunnel) == 0 || !e.all(probe.ClassTimeout, probe.ClassUnreachable)) {
		return e, probe.PathPod
	}
	return tunnel, probe.PathTunnel
}

// ruleErrorReply: SVC701 to SVC705, SVC708, SVC709 and SVC713.
func ruleErrorReply(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		e, path := c.direct(pv.key)
		bad := e.where(probe.ClassErrorReply)
		if len(bad) == 0 {
			// What a server has no room for it may say to one question and not to the next;
			// and from inside its Pod it may be asked as a friend.
			for _, path = range []probe.Path{probe.PathClusterIP, probe.PathNodePort} {
				e = c.ev.on(path, "", pv.key).asked()
				if bad = e.where(probe.ClassErrorReply); len(bad) > 0 {
					break
				}
			}
		}
		if len(bad) == 0 || c.failure(pv.key) {
			continue
		}
		owner, _ := c.backendOwner(pv, bad...)
		reply := bad[0].outcome.Detail
		f := finding{port: pv.key, Finding: Finding{Severity: SeverityFailure, Object: owner,
			Evidence: []string{fmt.Sprintf("%s: %q from %d/%d", path, reply, len(bad), len(e))}}}
		switch pv.check {
		case probe.CheckRedis:
			for _, r := range redisReplies {
				if strings.HasPrefix(reply, r.words) {
					f.ID, f.Fix = r.id, &Fix{Summary: r.fix}
					f.Message = fmt.Sprintf("the Redis of %s %s.", owner, r.cause)
				}
			}
		case probe.CheckHTTP, probe.CheckHTTPS, probe.CheckGRPC:
			f.ID = "SVC709"
			f.Message = fmt.Sprintf("the server of %s answers with a failing status: %s.", owner, reply)
			f.Fix = &Fix{Summary: "the application's log says why"}
		}
		if f.ID == "" {
			f.ID, f.Fix = "SVC713", &Fix{Summary: "see to what the server says"}
			f.Message = fmt.Sprintf("the server of %s answers with an error: %s", owner, reply)
		}
		out = append(out, f)
	}
	return out
}

// ruleOneBadBackend: SVC710. Every backend was asked: some answer well, and
// others of the same kind do not.
func ruleOneBadBackend(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		e, path := c.direct(pv.key)
		bad := slices.DeleteFunc(slices.Clone(e), func(a answer) bool {
			_, name, _ := strings.Cut(a.probe.Pod, "/")
			return a.good() || name == "" || c.accounted(name)
		})
		if len(bad) == 0 || len(e.where(probe.ClassOK)) == 0 || c.failure(pv.key) || c.has("SVC105", "SVC106") {
			continue
		}
		// Inside its Pod a refusal may mean no more than another address bound.
		if path == probe.PathTunnel && bad.all(probe.ClassRefused) {
			continue
		}
		if path == probe.PathPod && bad.all(lostClasses(pv)...) {
			if lost, _ := c.lost(pv); len(lost) > 0 && (c.guarded(pv, lost) || c.betweenNodes(&finding{}, lost, e)) {
				continue // the way to them, see ruleBlocked
			}
		}
		var names []string
		for _, a := range bad {
			_, name, _ := strings.Cut(a.probe.Pod, "/")
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		_, name, _ := strings.Cut(bad[0].probe.Pod, "/")
		good := e.where(probe.ClassOK).pods()
		f := finding{port: pv.key, Finding: Finding{ID: "SVC710", Severity: SeverityFailure, Object: ObjectRef{Kind: "Pod", Namespace: c.svc.Namespace, Name: name},
			Message: fmt.Sprintf("of %d backends of %s %d %s well; Pod %s: %s.", e.pods(), c.ref(), good, answerWord(good),
				shortWords(names), classWords(bad[0].outcome.Class, "it", bad[0])),
			Fix: c.badBackendFix(bad[0].probe.Pod, e)}}
		if w, text := c.newRevision(bad, e.where(probe.ClassOK)); w != nil {
			f.Evidence = append(f.Evidence, text)
			f.Fix = &Fix{Summary: "mend the new revision, or go back to the last one", Command: shell.Kubectl("rollout undo deployment %s -n %s", w.Name, w.Namespace)}
		}
		for _, a := range sample(bad, 3) {
			f.Evidence = append(f.Evidence, fmt.Sprintf("%s %s: %s: %s", path, a.probe.Address, a.outcome.Class, a.outcome.Detail))
		}
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s: %s", pv.check.Good(), e.where(probe.ClassOK).addresses(3)))
		out = append(out, f)
	}
	return out
}

// badBackendFix replaces a Pod whose workload makes another in its place, and has good
// ones: one that is made anew from a template of which all Pods fail fails too, and
// what a Job was about to do would be lost.
func (c *serviceCase) badBackendFix(key string, e evidence) *Fix {
	pod := c.v.pods[key]
	if pod == nil {
		return &Fix{Summary: "see to that Pod, or replace it"}
	}
	switch owner := c.v.ownerOf(pod); {
	case owner.Kind == "Pod" || owner.Kind == "Job":
		return &Fix{Summary: "see to that Pod, or take it out of what the Service selects"}
	case len(c.ofOwner(e, owner).where(probe.ClassOK)) == 0:
		return &Fix{Summary: fmt.Sprintf("see why none of the Pods of %s answers well", owner)}
	}
	return &Fix{Summary: "see to that Pod, or replace it", Command: shell.Kubectl("delete pod %s -n %s", pod.Name, pod.Namespace)}
}

// newRevision returns the Deployment of which every Pod that fails is of the newest
// revision and every one that answers of an older one, while it rolls out: whatever
// replaces a Pod that fails is made of the same template.
func (c *serviceCase) newRevision(bad, good evidence) (*ObjectRef, string) {
	first := c.v.pods[bad[0].probe.Pod]
	if first == nil {
		return nil, ""
	}
	owner := c.v.ownerOf(first)
	sets := c.v.replicaSetsOf(owner)
	if owner.Kind != "Deployment" || len(sets) < 2 || revision(sets[0]) == revision(sets[1]) {
		return nil, ""
	}
	all := func(e evidence, newest bool) bool {
		for _, a := range e {
			p := c.v.pods[a.probe.Pod]
			if p == nil || c.v.ownerOf(p) != owner || podsOfSet([]*corev1.Pod{p}, sets[0])[p.Name] != newest {
				return false
			}
		}
		return true
	}
	if !all(bad, true) || !all(good, false) {
		return nil, ""
	}
	return &owner, fmt.Sprintf("what fails is of revision %d of %s, the newest, and what answers of older ones", revision(sets[0]), owner)
}

func answerWord(n int) string {
	if n == 1 {
		return "answers"
	}
	return "answer"
}

// guarded reports whether policies keep this client from a Pod that is lost.
func (c *serviceCase) guarded(pv portView, lost evidence) bool {
	for _, a := range lost {
		if pod := c.v.pods[a.probe.Pod]; pod != nil {
			if _, _, r := c.v.ingress(c.client(), partyOf(pod), portNumber(a), pv.port.Protocol); r != admitted {
				return true
			}
		}
	}
	return false
}

// ruleOtherProtocol: SVC706, SVC707 and SVC712.
func ruleOtherProtocol(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		if c.failure(pv.key) {
			continue
		}
		e, path := c.direct(pv.key)
		f, ok := c.silentTLS(pv, e, path)
		if !ok {
			f, ok = c.spokenTo(pv, e, path)
		}
		if ok {
			if f.ID == "SVC707" {
				c.unlessStrayed(&f.Finding)
			}
			out = append(out, f)
		}
	}
	return out
}

// spokenTo tells by all the answers of a port that it was asked in the wrong protocol.
func (c *serviceCase) spokenTo(pv portView, e evidence, path probe.Path) (finding, bool) {
	bad := e.where(probe.ClassProtocol, probe.ClassTLS)
	if len(bad) == 0 || len(bad) < len(e) {
		return finding{}, false
	}
	owner, _ := c.backendOwner(pv, bad...)
	o := bad[0].outcome
	peer := o.Facts["peer"]
	f := finding{port: pv.key, Finding: Finding{Severity: SeverityFailure, Object: c.ref(), Field: portField(pv, "appProtocol"),
		Evidence: []string{fmt.Sprintf("%s: %s", path, o.Detail)}}}
	switch {
	case inTLS(bad[0]):
		f.ID = "SVC706"
		f.Message = fmt.Sprintf("port %s of %s speaks TLS, and %s was asked without it.", bad[0].port(), owner, pv.check)
		f.Fix = c.tlsFix(pv)
	case notInTLS(bad[0]):
		f.ID = "SVC706"
		f.Message = fmt.Sprintf("port %s of %s does not speak TLS, and %s was asked.", bad[0].port(), owner, pv.check)
		f.Fix = c.plainFix(pv)
	case o.Class == probe.ClassProtocol && peer != "":
		f.ID = "SVC707"
		f.Message = fmt.Sprintf("port %s of %s speaks %s, not %s.", bad[0].port(), owner, peer, pv.check)
		f.Fix = &Fix{Summary: "use the right port, or say the protocol in appProtocol"}
	case o.Class == probe.ClassProtocol && !slices.Contains([]probe.Check{probe.CheckTCP, probe.CheckUDP, probe.CheckExec}, pv.check):
		f.ID = "SVC707"
		f.Message = fmt.Sprintf("port %s of %s answers, and not in %s: %s", bad[0].port(), owner, pv.check, o.Detail)
		f.Fix = &Fix{Summary: "use the right port, or say the protocol in appProtocol"}
	case o.Class == probe.ClassTLS && o.Facts[probe.FactClientCert] == "":
		f.ID, f.Object, f.Field = "SVC712", owner, ""
		f.Message = fmt.Sprintf("TLS fails with port %s of %s: %s", bad[0].port(), owner, o.Detail)
		if until := o.Facts["certNotAfter"]; until != "" {
			f.Evidence = append(f.Evidence, fmt.Sprintf("its certificate is for %s, until %s", o.Facts["certNames"], until))
		}
		f.Fix = &Fix{Summary: "renew or correct the server's certificate or its TLS settings"}
	default:
		return finding{}, false
	}
	return f, true
}

// ruleHangs: SVC711. Connections are accepted, by the kernel at least, and then kept
// or ended without an answer, whichever way is taken.
func ruleHangs(c *serviceCase) []finding {
	if slices.ContainsFunc(c.pods, func(p *corev1.Pod) bool { return meshSidecar(p) != "" }) {
		return nil // the proxy is who has accepted
	}
	var out []finding
	for _, pv := range c.ports {
		e, path := c.direct(pv.key)
		inside := c.ev.on(probe.PathTunnel, "", pv.key).asked()
		slow := inside.slowest() > patience && inside.all(probe.ClassNoAnswer, probe.ClassOK)
		if c.failure(pv.key) || protocolOf(pv.port.Protocol) != corev1.ProtocolTCP || !e.all(probe.ClassNoAnswer, probe.ClassClosed) || len(inside) > 0 && !slow && !inside.all(probe.ClassNoAnswer, probe.ClassClosed) {
			continue
		}
		does := "does not answer: it hangs, or waits for"
		if e.all(probe.ClassClosed) {
			does = "ends them without an answer: it fails on them, or expects"
		}
		owner, _ := c.backendOwner(pv, e...)
		f := finding{port: pv.key, Finding: Finding{ID: "SVC711", Severity: SeverityFailure, Object: owner,
			Message:  fmt.Sprintf("the server of %s accepts connections on port %s and %s another protocol than %s.", owner, e[0].port(), does, pv.check),
			Evidence: []string{fmt.Sprintf("%s: %s", path, classWords(e[0].outcome.Class, fmt.Sprintf("%d/%d", len(e), len(e)), e[0]))},
			Fix:      &Fix{Summary: "see what the application does, or say the port's protocol in appProtocol"}}}
		if path != probe.PathTunnel && len(inside) > 0 {
			f.Evidence = append(f.Evidence, fmt.Sprintf("tunnel, inside the Pod: %s", classWords(inside[0].outcome.Class, fmt.Sprintf("%d/%d", len(inside), len(inside)), inside[0])))
		}
		if slow {
			f.Message = fmt.Sprintf("the server of %s answers slowly on port %s: inside its Pod after %s; from elsewhere no answer came within %s.",
				owner, e[0].port(), latency(inside.slowest()), patience)
			f.Evidence[len(f.Evidence)-1] = fmt.Sprintf("tunnel, inside the Pod, which is given more time: %s after %s", pv.check.Good(), latency(inside.slowest()))
			f.Fix.Summary = "see what the application waits for"
		}
		if _, name, ok := strings.Cut(e[0].probe.Pod, "/"); ok && !slow {
			logs := shell.Kubectl("logs %s -n %s", name, c.svc.Namespace)
			if pod := c.v.pods[e[0].probe.Pod]; pod != nil && len(served(pod)) > 1 { // which has the port is not known
				logs += " --all-containers"
			}
			f.Fix.Summary = shell.Advice("see what the application does", logs) + "; or say the port's protocol in appProtocol"
		}
		out = append(out, f)
	}
	return out
}

// silentTLS: SVC706 and SVC707 of a peer that says nothing to who does not
// speak its protocol.
func (c *serviceCase) silentTLS(pv portView, e evidence, path probe.Path) (finding, bool) {
	if !e.all(probe.ClassClosed, probe.ClassNoAnswer) {
		return finding{}, false
	}
	owner, _ := c.backendOwner(pv, e...)
	told := func(id, message, proof string, fix *Fix) (finding, bool) {
		return finding{port: pv.key, Finding: Finding{ID: id, Severity: SeverityFailure, Object: c.ref(), Field: portField(pv, "appProtocol"), Message: message,
			Evidence: []string{fmt.Sprintf("%s: %s", path, classWords(e[0].outcome.Class, fmt.Sprintf("%d/%d", len(e), len(e)), e[0])), "tunnel: " + proof}, Fix: fix}}, true
	}
	for _, a := range c.ev.explored(probe.PathTunnel, pv.key) {
		switch {
		case a.probe.Check == probe.CheckRedis && pv.check != probe.CheckRedis && len(evidence{a}.where(probe.ClassOK, probe.ClassErrorReply)) > 0:
			return told("SVC707", fmt.Sprintf("port %s of %s speaks redis, not %s.", a.port(), owner, pv.check),
				"it answers PING on port "+a.port(), &Fix{Summary: "use the right port, or say the protocol in appProtocol"})
		case a.probe.Check == pv.check && e[0].probe.TLS && !a.probe.TLS && targetOf(pv, a) && len(evidence{a}.where(probe.ClassOK, probe.ClassErrorReply)) > 0:
			return told("SVC706", fmt.Sprintf("port %s of %s does not speak TLS, and %s was asked inside it.", a.port(), owner, pv.check),
				"it answers without TLS on port "+a.port(), c.plainFix(pv))
		case a.probe.Check == probe.CheckTLS && a.asked() && (a.good() || a.outcome.Facts["tls"] != ""):
			return told("SVC706", fmt.Sprintf("port %s of %s speaks TLS, and %s was asked without it.", a.port(), owner, pv.check),
				"TLS handshake on port "+a.port()+" ("+a.outcome.Facts["tls"]+")", c.tlsFix(pv))
		}
	}
	return finding{}, false
}

// tlsFix says of a port that its protocol is spoken inside TLS.
func (c *serviceCase) tlsFix(pv portView) *Fix {
	summary := "say so in the port's appProtocol or name (https, tls), or choose the check"
	inside, ok := map[probe.Check]string{probe.CheckHTTP: "https", probe.CheckRedis: "rediss", probe.CheckGRPC: "grpcs", probe.CheckTCP: "tls"}[pv.check]
	if !ok {
		return &Fix{Summary: summary}
	}
	return portFix(summary, c.ref(), c.svc, pv.port, map[string]any{"appProtocol": inside})
}

// plainFix says of a port that its protocol is spoken without TLS.
func (c *serviceCase) plainFix(pv portView) *Fix {
	summary := "say so in the port's appProtocol or name, or choose the check"
	plain, ok := map[probe.Check]string{probe.CheckHTTPS: "http", probe.CheckRedis: "redis", probe.CheckGRPC: "grpc"}[pv.check]
	if !ok || pv.check != probe.CheckHTTPS && !insideTLS(pv.port) {
		return &Fix{Summary: summary} // the user has asked so, not the port
	}
	return portFix(summary, c.ref(), c.svc, pv.port, map[string]any{"appProtocol": plain})
}
