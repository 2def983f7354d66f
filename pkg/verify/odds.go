package verify

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Asking through a Service is a lottery: its proxy chooses a backend for each
// connection. What answers prove about all backends is said with its odds.

// oddsOfMissing is the chance that n attempts, each at one of the backends by
// chance, never came to one given backend.
func oddsOfMissing(backends, attempts int) float64 {
	if backends < 2 {
		return 0
	}
	return math.Pow(1-1/float64(backends), float64(attempts))
}

// oddsOfAny is the chance, at most, that they never came to one or another.
func oddsOfAny(backends, attempts int) float64 {
	return min(1, float64(backends)*oddsOfMissing(backends, attempts))
}

// percent words a chance.
func percent(p float64) string {
	switch {
	case p < 0.0001:
		return "below 0.01 %"
	case p < 0.01:
		return fmt.Sprintf("%.2f %%", 100*p)
	}
	return fmt.Sprintf("%.0f %%", 100*p)
}

// chosenBy names what has the proxy choose among some of the backends only; ""
// where each may be chosen, which is what the odds are about.
func (c *serviceCase) chosenBy() string {
	spec := &c.svc.Spec
	if spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		return "sessionAffinity ClientIP"
	}
	if p := spec.InternalTrafficPolicy; p != nil && *p == corev1.ServiceInternalTrafficPolicyLocal {
		return "internalTrafficPolicy Local"
	}
	if spec.TrafficDistribution != nil {
		return "trafficDistribution " + probe.Printable(*spec.TrafficDistribution, 64)
	}
	for _, s := range c.v.slices[c.key()] {
		if slices.ContainsFunc(s.Endpoints, func(e discoveryv1.Endpoint) bool { return e.Hints != nil }) {
			return "topology hints"
		}
	}
	return ""
}

// throughText says how many answers came through the Service, and from how many
// of its backends: "PONG 16/16, both backends". Where backends say who they
// are, those that did not come up are named; where they do not, it says how
// likely it is that a bad one was missed.
func (c *serviceCase) throughText(pv portView, t tally) string {
	text := fmt.Sprintf("%s %d/%d", pv.check.Good(), t.answers, t.attempts)
	want, got := len(onePerPod(withPods(pv.usable))), len(t.backends)
	chosen := c.chosenBy()
	if chosen != "" {
		chosen = " (" + chosen + ")"
	}
	switch {
	case got == 0:
		if n := len(onePerAddress(pv.usable)); n > 1 && chosen == "" {
			text += fmt.Sprintf("; chance that one of %d backends was missed: %s", n, percent(oddsOfMissing(n, t.attempts)))
		}
		return text + chosen
	case want == 0:
		return text
	case got >= want && want == 1:
		return text + ", the one backend"
	case got >= want && want == 2:
		return text + ", both backends"
	case got >= want:
		return text + fmt.Sprintf(", all %d backends", want)
	}
	text += fmt.Sprintf(", %d of %d backends", got, want)
	if chosen != "" {
		return text + chosen
	}
	if absent := c.absent(pv, t); len(absent) > 0 && len(absent) <= want-got {
		text += ", not " + shortList(absent, 3)
	}
	return text + fmt.Sprintf(" (by chance: %s)", percent(oddsOfAny(want, t.attempts)))
}

// identities maps what backends say of themselves to the Pods, as far as each
// was asked alone.
func (c *serviceCase) identities(pv portView) map[string]string {
	out := map[string]string{}
	for _, path := range []probe.Path{probe.PathPod, probe.PathTunnel} {
		for _, a := range c.ev.on(path, "", pv.key) {
			if a.outcome == nil || len(a.outcome.Backends) != 1 || a.probe.Pod == "" {
				continue
			}
			for id := range a.outcome.Backends {
				out[id] = a.probe.Pod[strings.IndexByte(a.probe.Pod, '/')+1:]
			}
		}
	}
	return out
}

// absent names the Pods that answer alone and did not through the Service.
func (c *serviceCase) absent(pv portView, t tally) []string {
	var out []string
	for id, pod := range c.identities(pv) {
		if t.backends[id] == 0 && !slices.Contains(out, pod) {
			out = append(out, pod)
		}
	}
	slices.Sort(out)
	return out
}

// who counts the answers that came through the Service by the Pods that gave
// them; a backend that is no known Pod goes by what it says of itself.
func (c *serviceCase) who(pv portView, t tally) map[string]int {
	if len(t.backends) == 0 {
		return nil
	}
	known := c.identities(pv)
	out := map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(t.backends)) {
		name := known[id]
		if name == "" {
			name = id
		}
		out[name] += t.backends[id]
	}
	return out
}

// certificates says for whom the servers' certificates are, and until when.
func certificates(e evidence) string {
	var names []string
	var until string
	for _, a := range e.where(probe.ClassOK) {
		f := a.outcome.Facts
		if f["certNotAfter"] == "" {
			continue
		}
		if n := orNone(f["certNames"]); !slices.Contains(names, n) {
			names = append(names, n)
		}
		if until == "" || f["certNotAfter"] < until { // RFC 3339, in UTC: they sort as text
			until = f["certNotAfter"]
		}
	}
	wants := ""
	if slices.ContainsFunc(e, func(a answer) bool { return a.outcome != nil && a.outcome.Facts[probe.FactClientCert] != "" }) {
		wants = "; the server wants a client certificate"
	}
	if len(names) == 0 {
		return wants
	}
	if end, err := time.Parse(time.RFC3339, until); err == nil {
		until = end.Format("2006-01-02 15:04 MST")
	}
	return fmt.Sprintf("; certificate for %s until %s", shortList(names, 2), until) + wants
}
