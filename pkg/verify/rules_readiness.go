package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// readinessCause: SVC302, SVC303, SVC205 and SVC207, told apart by what the
// readiness probe saw on the Pod's address and what answers inside the Pod.
func readinessCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	for _, ctr := range served(p) {
		if ctr.ReadinessProbe == nil || !runningUnready(p, ctr.Name) {
			continue
		}
		text := unhealthy(c.v.s, p, ctr, "Readiness probe")
		if text == "" {
			continue
		}
		evidence := []string{fmt.Sprintf("event Unhealthy on Pod/%s: %s", p.Name, text)}
		if f, ok := misaimed(owner, p, ctr, "readiness", ctr.ReadinessProbe); ok {
			f.ID, f.Evidence = "SVC303", append(evidence, f.Evidence...)
			return finding{Finding: f}, true
		}
		asked := readinessPort(ctr)
		if f, ok := c.probeScheme(p, ctr, owner, text, evidence); ok {
			return f, true
		}
		// The kubelet tries again while a gRPC probe is refused, until its time is over.
		hidden := ctr.ReadinessProbe.GRPC != nil && strings.Contains(text, "failed to connect")
		if hidden && c.refusedInside(p, asked) {
			evidence = append(evidence, fmt.Sprintf("tunnel: refused on localhost:%d inside the Pod", asked))
		} else if asked == 0 || !strings.Contains(strings.ToLower(text), "refused") {
			return readinessOther(owner, p, ctr, text, evidence), true
		}
		if f, ok := c.refusedReadiness(p, ctr, owner, asked, evidence); ok {
			return f, true
		}
		return readinessOther(owner, p, ctr, text, evidence), true
	}
	return finding{}, false
}

// refusedInside reports whether a Pod was seen to refuse a port, on its loopback address.
func (c *serviceCase) refusedInside(p *corev1.Pod, port int32) bool {
	for _, pv := range c.ports {
		a := findAnswer(c.ev.explored(probe.PathTunnel, pv.key), p.Namespace+"/"+p.Name, port)
		if a != nil && a.outcome.Class == probe.ClassRefused {
			return true
		}
	}
	return false
}

// refusedReadiness explains a readiness probe that is refused.
func (c *serviceCase) refusedReadiness(p *corev1.Pod, ctr *corev1.Container, owner ObjectRef, asked int32, evidence []string) (finding, bool) {
	key := p.Namespace + "/" + p.Name
	field := containerField(p, ctr.Name)
	wrong := func(answers int32, proof string) (finding, bool) {
		return finding{Finding: Finding{ID: "SVC302", Object: owner, Field: field + ".readinessProbe", Evidence: append(evidence, proof),
			Message: fmt.Sprintf("the readiness probe of %s asks port %d, where nothing listens; %s answers on %d.", owner, asked, containerWords(p, ctr), answers),
			Fix:     readinessFix(owner, p, ctr, answers)}}, true
	}
	for _, pv := range c.ports {
		target := targetNumber(p, pv.port)
		tunnel := findAnswer(c.ev.explored(probe.PathTunnel, pv.key), key, target)
		direct := findAnswer(c.ev.explored(probe.PathPod, pv.key), key, target)
		switch {
		case target == asked && tunnel != nil && tunnel.good() && (direct == nil || !direct.good()):
			evidence = append(evidence, fmt.Sprintf("tunnel: %s on localhost:%d inside the Pod; its address refuses", pv.check.Good(), target))
			return finding{Finding: Finding{ID: "SVC205", Object: owner, Field: field, Evidence: evidence,
				Message: fmt.Sprintf("container %q of %s listens on 127.0.0.1:%d only, where no client outside the Pod can reach it.", ctr.Name, owner, target),
				Fix:     allAddresses(owner, p, strconv.Itoa(int(target)))}}, true
		case target != asked && holdsPort(p, ctr, target) && (tunnel != nil && tunnel.good() || direct != nil && direct.good()):
			return wrong(target, fmt.Sprintf("%s on port %d", pv.check.Good(), target))
		case target == asked && tunnel != nil && tunnel.outcome != nil && tunnel.outcome.Class == probe.ClassRefused:
			if proof := fmt.Sprintf("tunnel: refused on localhost:%d inside the Pod", target); !slices.Contains(evidence, proof) {
				evidence = append(evidence, proof)
			}
			if other := c.otherPort(pv); other != nil && holdsPort(p, ctr, numberFrom(other.port())) {
				return finding{Finding: Finding{ID: "SVC302", Object: owner, Field: field + ".readinessProbe",
					Evidence: append(evidence, pv.check.Good()+" on port "+other.port()),
					Message:  fmt.Sprintf("the readiness probe of %s and %s both ask port %d, where nothing listens; the application answers on %s.", owner, c.ref(), target, other.port()),
					Fix:      &Fix{Summary: fmt.Sprintf("use port %s in the readiness probe and as targetPort, or make the application listen on %d", other.port(), target)}}}, true
			}
			return finding{Finding: Finding{ID: "SVC207", Object: owner, Field: field, Evidence: evidence,
				Message: fmt.Sprintf("container %q of %s runs, but nothing listens on port %d.", ctr.Name, owner, target),
				Fix:     &Fix{Summary: fmt.Sprintf("make the application listen on port %d (its arguments or configuration)", target)}}}, true
		}
	}
	// A container beside the one that the Service means: of the ports that it declares,
	// the only one where somebody listens.
	if at := c.listening(p, ctr, asked); len(at) == 1 {
		return wrong(at[0], fmt.Sprintf("connected on port %d", at[0]))
	}
	return finding{}, false
}

// containerWords names a container, where its Pod has others.
func containerWords(p *corev1.Pod, ctr *corev1.Container) string {
	if len(served(p)) == 1 {
		return "the application"
	}
	return "container " + ctr.Name
}

// holdsPort reports whether a port is a container's: it declares it, or no other is there.
func holdsPort(p *corev1.Pod, ctr *corev1.Container, port int32) bool {
	return len(served(p)) == 1 ||
		slices.ContainsFunc(ctr.Ports, func(cp corev1.ContainerPort) bool { return cp.ContainerPort == port })
}

// listening returns the ports that a container declares, but for one, on which
// somebody was seen to listen, in whatever protocol.
func (c *serviceCase) listening(p *corev1.Pod, ctr *corev1.Container, but int32) []int32 {
	var out []int32
	for _, a := range c.ev {
		n := numberFrom(a.port())
		if a.probe.Pod != p.Namespace+"/"+p.Name || n == but || slices.Contains(out, n) || len(ctr.Ports) == 0 || !holdsPort(p, ctr, n) {
			continue
		}
		if len(evidence{a}.where(probe.ClassOK, probe.ClassErrorReply, probe.ClassProtocol, probe.ClassTLS)) > 0 {
			out = append(out, n)
		}
	}
	return out
}

func numberFrom(text string) int32 {
	n, _ := strconv.ParseInt(text, 10, 32)
	return int32(n)
}

// probeScheme: SVC303 of a readiness probe that speaks plain HTTP to a server that
// wants TLS, or the reverse.
func (c *serviceCase) probeScheme(p *corev1.Pod, ctr *corev1.Container, owner ObjectRef, text string, evidence []string) (finding, bool) {
	get := ctr.ReadinessProbe.HTTPGet
	if get == nil {
		return finding{}, false
	}
	speaks, wants, scheme := "", "", corev1.URISchemeHTTP
	switch {
	case get.Scheme == corev1.URISchemeHTTPS && strings.Contains(text, "server gave HTTP response to HTTPS client"):
		speaks, wants = "TLS", "plain HTTP"
	case get.Scheme != corev1.URISchemeHTTPS && (strings.Contains(text, "statuscode: 400") || strings.Contains(text, "malformed HTTP response")):
		speaks, wants, scheme = "plain HTTP", "TLS", corev1.URISchemeHTTPS
		at := slices.IndexFunc(c.ev, func(a answer) bool {
			return a.probe.Pod == p.Namespace+"/"+p.Name && numberFrom(a.port()) == probePort(ctr, get.Port) && a.good() &&
				(a.probe.TLS || a.probe.Check == probe.CheckHTTPS || a.probe.Check == probe.CheckTLS)
		})
		if at < 0 {
			return finding{}, false
		}
		evidence = append(evidence, fmt.Sprintf("%s on port %s", c.ev[at].probe.Check.Good(), c.ev[at].port()))
	default:
		return finding{}, false
	}
	return finding{Finding: Finding{ID: "SVC303", Object: owner, Field: containerField(p, ctr.Name) + ".readinessProbe.httpGet.scheme", Evidence: evidence,
		Message: fmt.Sprintf("the readiness probe of %s speaks %s to port %d, which wants %s.", owner, speaks, probePort(ctr, get.Port), wants),
		Fix: containersFix(fmt.Sprintf("set scheme: %s in the readiness probe", scheme), owner, p,
			map[string]map[string]any{ctr.Name: {"readinessProbe": map[string]any{"httpGet": map[string]any{"scheme": string(scheme)}}}})}}, true
}

// startupCause: SVC325. Until a startup probe has passed, a container is not
// ready, and its other probes do not run.
func startupCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	for _, ctr := range served(p) {
		if ctr.StartupProbe == nil || !runningUnready(p, ctr.Name) || started(p, ctr.Name) {
			continue
		}
		text := unhealthy(c.v.s, p, ctr, "Startup probe")
		if text == "" {
			continue
		}
		evidence := []string{fmt.Sprintf("event Unhealthy on Pod/%s: %s", p.Name, text), fmt.Sprintf("Pod/%s container %s: running, not started", p.Name, ctr.Name)}
		if f, ok := misaimed(owner, p, ctr, "startup", ctr.StartupProbe); ok {
			f.ID, f.Evidence = "SVC325", append(evidence, f.Evidence...)
			return finding{Finding: f}, true
		}
		return finding{Finding: Finding{ID: "SVC325", Object: owner, Field: containerField(p, ctr.Name) + ".startupProbe",
			Message:  fmt.Sprintf("the startup probe of %s has not passed yet, and until it does its Pods get no traffic: %s", owner, text),
			Evidence: evidence,
			Fix:      &Fix{Summary: "correct the probe's port, path or command, or wait until the application has started"}}}, true
	}
	return finding{}, false
}

// started reports whether a container has passed its startup probe.
func started(p *corev1.Pod, name string) bool {
	for _, cs := range servedStatuses(p) {
		if cs.Name == name {
			return cs.Started == nil || *cs.Started
		}
	}
	return false
}

func findAnswer(e evidence, pod string, port int32) *answer {
	for i := range e {
		if e[i].probe.Pod == pod && e[i].port() == strconv.Itoa(int(port)) && e[i].asked() {
			return &e[i]
		}
	}
	return nil
}

// readinessFix points a container's readiness probe at another port.
func readinessFix(owner ObjectRef, p *corev1.Pod, ctr *corev1.Container, port int32) *Fix {
	kind := "tcpSocket"
	switch {
	case ctr.ReadinessProbe.HTTPGet != nil:
		kind = "httpGet"
	case ctr.ReadinessProbe.GRPC != nil:
		kind = "grpc"
	}
	summary := fmt.Sprintf("point the readiness probe at port %d", port)
	return containersFix(summary, owner, p, map[string]map[string]any{ctr.Name: {"readinessProbe": map[string]any{kind: map[string]any{"port": port}}}})
}

func readinessOther(owner ObjectRef, p *corev1.Pod, ctr *corev1.Container, text string, evidence []string) finding {
	summary := "correct the probe (path, command, timeout), or what the application answers to it"
	switch {
	case ctr.ReadinessProbe.GRPC != nil:
		summary = "correct the probe (port, service, timeout), or what the application answers to it"
	case ctr.ReadinessProbe.Exec != nil && strings.Contains(text, "executable file not found"):
		summary = "use a command that the container's image has, or a probe that needs none (httpGet, tcpSocket, grpc)"
	}
	return finding{Finding: Finding{ID: "SVC303", Object: owner, Field: containerField(p, ctr.Name) + ".readinessProbe",
		Message: fmt.Sprintf("the readiness probe of %s fails: %s", owner, text), Evidence: evidence,
		Fix: &Fix{Summary: summary}}}
}

// runningUnready reports whether a container runs without being ready.
func runningUnready(p *corev1.Pod, name string) bool {
	for _, cs := range servedStatuses(p) {
		if cs.Name == name {
			return cs.State.Running != nil && !cs.Ready
		}
	}
	return false
}

// unhealthy returns the latest failure of a container's probe ("Readiness
// probe", "Startup probe"), for one that is not ready now. Events outlive what they tell of, so one from before the
// container's start is ignored.
func unhealthy(s *Snapshot, p *corev1.Pod, ctr *corev1.Container, which string) string {
	var started time.Time
	for _, cs := range servedStatuses(p) {
		if cs.Name == ctr.Name && cs.State.Running != nil {
			started = cs.State.Running.StartedAt.Time
		}
	}
	text, last := "", time.Time{}
	for i := range s.Events {
		ev := &s.Events[i]
		if ev.Reason != "Unhealthy" || ev.InvolvedObject.Name != p.Name || ev.Namespace != p.Namespace ||
			(ev.InvolvedObject.UID != "" && ev.InvolvedObject.UID != p.UID) || !strings.HasPrefix(ev.Message, which) {
			continue
		}
		if !isAbout(ev, ctr.Name) {
			continue
		}
		when := eventTime(ev)
		if !when.IsZero() && when.Before(started.Add(-time.Second)) || when.Before(last) {
			continue
		}
		text, last = ev.Message, when
	}
	return probe.Printable(commandFailure(text), maxEventText)
}

// commandFailure leaves out of a probe's failure what stands between its first words
// and the reason where a command could not be run at all: each runtime on the way down
// to the container adds words of its own, and the reason comes last.
func commandFailure(text string) string {
	head, rest, ok := strings.Cut(text, ": rpc error: ")
	reason := commandReason(rest)
	if !ok || reason == rest {
		return text
	}
	return head + ": " + reason
}

// commandReason is the end of what runtimes say of a command that cannot be run.
func commandReason(text string) string {
	at := strings.LastIndex(text, `exec: "`)
	if at < 0 {
		return text
	}
	return strings.TrimSuffix(text[at:], ": unknown")
}

// eventTime returns when an event was last seen.
func eventTime(ev *corev1.Event) time.Time {
	switch {
	case ev.Series != nil:
		return ev.Series.LastObservedTime.Time
	case !ev.LastTimestamp.IsZero():
		return ev.LastTimestamp.Time
	case !ev.EventTime.IsZero():
		return ev.EventTime.Time
	}
	return ev.CreationTimestamp.Time
}

// readinessPort returns the port that a network readiness probe asks; 0 for a command.
func readinessPort(ctr *corev1.Container) int32 {
	r := ctr.ReadinessProbe
	switch {
	case r.TCPSocket != nil:
		return probePort(ctr, r.TCPSocket.Port)
	case r.HTTPGet != nil:
		return probePort(ctr, r.HTTPGet.Port)
	case r.GRPC != nil:
		return r.GRPC.Port
	}
	return 0
}
