package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// answer is a probe with what became of it; outcome is nil when it was not asked.
type answer struct {
	probe   probe.Probe
	outcome *probe.Outcome
}

// asked reports whether the question reached the network at all: a failure of
// this side (no probe Pod, no tunnel, the end of the run) says nothing of the peer.
func (a answer) asked() bool {
	return a.outcome != nil && a.outcome.Class != probe.ClassLocal && a.outcome.Class != probe.ClassCanceled
}

func (a answer) good() bool { return a.outcome != nil && a.outcome.Class == probe.ClassOK }

// host and port of the address asked.
func (a answer) host() string {
	h, _ := splitAddress(a.probe.Address)
	return strings.TrimSuffix(h, ".")
}

func (a answer) port() string { _, p := splitAddress(a.probe.Address); return p }

func splitAddress(address string) (host, port string) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 || strings.HasSuffix(address, "]") {
		return address, ""
	}
	return strings.Trim(address[:i], "[]"), address[i+1:]
}

// evidence is all that was asked of one Service.
type evidence []answer

// gather sorts the outcomes by the Service that they are about.
func gather(probes []probe.Probe, outcomes []probe.Outcome) map[string]evidence {
	by := make(map[string]*probe.Outcome, len(outcomes))
	for i := range outcomes {
		by[outcomes[i].Probe] = &outcomes[i]
	}
	out := map[string]evidence{}
	for _, p := range probes {
		out[p.Service] = append(out[p.Service], answer{probe: p, outcome: by[p.ID]})
	}
	return out
}

// afterWrongGuess reads anew what came back about ports whose check was only told
// from how their name begins, or from their number. Where all that answers is in one
// other protocol, be it one that is not known where there was a number only, the
// guess was wrong and no fault of the server's: that it is reached is what counts.
// Where another port of the Pods does answer as guessed, the port is wrong instead.
func afterWrongGuess(ev evidence, ports []portView) evidence {
	numbered := map[string]bool{}
	for _, pv := range ports {
		numbered[pv.key] = pv.guess == fromNumber
	}
	// other reports an answer in another protocol, and names that, if it is known.
	other := func(a answer) (peer string, ok bool) {
		if numbered[a.probe.Port] && !a.probe.Exploratory && notInTLS(a) {
			return "plain", true
		}
		return a.outcome.Facts["peer"], a.outcome.Class == probe.ClassProtocol
	}
	guess := map[string]probe.Check{}
	for _, a := range ev {
		if a.probe.Guessed && !a.probe.Exploratory {
			guess[a.probe.Port] = a.probe.Check
		}
	}
	peers, right := map[string]map[string]bool{}, map[string]bool{}
	for _, a := range ev {
		port := a.probe.Port
		if !a.probe.Guessed || !a.asked() || a.probe.Check != guess[port] {
			continue
		}
		// What another port of the Pods answers to the question says nothing of this one:
		// a web server may take it for a bad request, or wait for more of it.
		if peer, ok := other(a); ok && !a.probe.Exploratory {
			if peers[port] == nil {
				peers[port] = map[string]bool{}
			}
			peers[port][peer] = true
		}
		right[port] = right[port] || len(evidence{a}.where(probe.ClassOK, probe.ClassErrorReply)) > 0
	}
	out := slices.Clone(ev)
	for i, a := range out {
		p := peers[a.probe.Port]
		// A server that wants TLS may well speak the protocol inside it.
		if len(p) != 1 || p[""] && !numbered[a.probe.Port] || p["tls"] || right[a.probe.Port] || !a.probe.Guessed || a.probe.Exploratory {
			continue
		}
		out[i].probe.Check = probe.CheckTCP
		if a.probe.Network == "udp" {
			out[i].probe.Check = probe.CheckUDP
		}
		if a.outcome == nil {
			continue
		}
		if _, ok := other(a); ok {
			o := *a.outcome
			o.Class, o.Answers, o.Detail = probe.ClassOK, o.Attempts, "connected"
			out[i].outcome = &o
		}
	}
	return out
}

// withoutCertificate reads anew the answers of servers that want a certificate of
// their clients: there was none to give, but they are reached and speak TLS, as a
// database that asks for a password takes logins.
func withoutCertificate(ev evidence) evidence {
	out := slices.Clone(ev)
	for i, a := range out {
		if a.probe.Exploratory || a.outcome == nil || a.outcome.Class != probe.ClassTLS || a.outcome.Facts[probe.FactClientCert] == "" {
			continue
		}
		o := *a.outcome
		o.Class, o.Answers = probe.ClassOK, o.Attempts
		out[i].probe.Check, out[i].outcome = probe.CheckTLS, &o
	}
	return out
}

// on returns the answers on one path about one port; port "" means all ports.
// Exploratory questions are left out.
func (e evidence) on(path probe.Path, from probe.Location, port string) evidence {
	var out evidence
	for _, a := range e {
		if a.probe.Path == path && !a.probe.Exploratory && (from == "" || a.probe.From == from) && (port == "" || a.probe.Port == port) {
			out = append(out, a)
		}
	}
	return out
}

// explored returns the exploratory answers of one path about one port.
func (e evidence) explored(path probe.Path, port string) evidence {
	var out evidence
	for _, a := range e {
		if a.probe.Path == path && a.probe.Exploratory && a.probe.Port == port {
			out = append(out, a)
		}
	}
	return out
}

// slowest returns the longest time that a good answer took.
func (e evidence) slowest() time.Duration {
	var out time.Duration
	for _, a := range e.where(probe.ClassOK) {
		out = max(out, a.outcome.Latency)
	}
	return out
}

// connecting leaves out questions of names.
func (e evidence) connecting() evidence {
	return slices.DeleteFunc(slices.Clone(e), func(a answer) bool { return a.probe.Check == probe.CheckDNS })
}

// where returns the answers of one class.
func (e evidence) where(c ...probe.Class) evidence {
	var out evidence
	for _, a := range e {
		if a.outcome != nil && slices.Contains(c, a.outcome.Class) {
			out = append(out, a)
		}
	}
	return out
}

// reached returns the answers that came from the server, good or bad.
func (e evidence) reached() evidence {
	return e.where(probe.ClassOK, probe.ClassErrorReply, probe.ClassProtocol, probe.ClassTLS)
}

// someAnswers returns those of which at least one attempt came back from the server.
func (e evidence) someAnswers() evidence {
	return slices.DeleteFunc(slices.Clone(e), func(a answer) bool {
		return len(evidence{a}.reached()) == 0 && (a.outcome == nil || a.outcome.Answers == 0)
	})
}

// asked returns those that reached the network.
func (e evidence) asked() evidence {
	return slices.DeleteFunc(slices.Clone(e), func(a answer) bool { return !a.asked() })
}

// pods counts the Pods that were asked, some of them perhaps from several places.
func (e evidence) pods() int {
	seen := map[string]bool{}
	for _, a := range e {
		seen[a.probe.Pod] = true
	}
	return len(seen)
}

// all reports whether every question was asked and ended in one of the classes.
func (e evidence) all(c ...probe.Class) bool {
	return len(e) > 0 && len(e.where(c...)) == len(e)
}

// addresses lists the addresses asked, at most n.
func (e evidence) addresses(n int) string {
	var out []string
	for _, a := range e {
		out = append(out, a.probe.Address)
	}
	return shortList(out, n)
}

// shortList joins at most n words and counts the rest.
func shortList(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:n], ", ") + fmt.Sprintf(" and %d more", len(list)-n)
}

// tally sums up the answers of one path.
type tally struct {
	targets   int // questions
	good      int // questions of which every attempt was answered well
	failed    int
	notAsked  int // planned, but nobody asked
	local     *probe.Outcome
	attempts  int
	answers   int
	latencies []time.Duration
	backends  map[string]int
	byClass   map[probe.Class]int
	first     map[probe.Class]answer
}

func (e evidence) tally() tally {
	t := tally{targets: len(e), backends: map[string]int{}, byClass: map[probe.Class]int{}, first: map[probe.Class]answer{}}
	for _, a := range e {
		if a.outcome == nil {
			t.notAsked++
			continue
		}
		if !a.asked() {
			t.local = a.outcome
			continue
		}
		t.attempts += a.outcome.Attempts
		t.answers += a.outcome.Answers
		for id, n := range a.outcome.Backends {
			t.backends[id] += n
		}
		if a.good() {
			t.good++
			if a.outcome.Latency > 0 { // else it was read anew, and nothing measured
				t.latencies = append(t.latencies, a.outcome.Latency)
			}
			continue
		}
		t.failed++
		if t.byClass[a.outcome.Class]++; t.byClass[a.outcome.Class] == 1 {
			t.first[a.outcome.Class] = a
		}
	}
	return t
}

// state is what a tally proves: one failure is enough to fail, and every
// question has to be answered to prove.
func (t tally) state() State {
	switch {
	case t.failed > 0:
		return StateFailed
	case t.targets > 0 && t.good == t.targets:
		return StateProven
	}
	return StateNotProven
}

// bad says in a few words what went wrong: "refused by 2/2 on 6380".
func (t tally) bad() string {
	var parts []string
	for _, c := range slices.Sorted(maps.Keys(t.byClass)) {
		a := t.first[c]
		parts = append(parts, classWords(c, fmt.Sprintf("%d/%d", t.byClass[c], t.targets), a))
	}
	return strings.Join(parts, "; ")
}

// classWords words one class of failure for a share of the questions.
func classWords(c probe.Class, share string, a answer) string {
	on := ""
	if p := a.port(); p != "" {
		on = " on " + p
	}
	answers := share + on + " answer"
	if share == "it" {
		answers = "it answers" + on
	}
	switch c {
	case probe.ClassRefused:
		return "refused by " + share + on
	case probe.ClassTimeout:
		return "no connection to " + share + on + " in time"
	case probe.ClassNoAnswer:
		return "no answer from " + share + on + " in time"
	case probe.ClassClosed:
		return "closed by " + share + on + " without an answer"
	case probe.ClassUnreachable:
		return "no route to " + share
	case probe.ClassNameUnknown:
		return "the name " + a.host() + " does not exist"
	case probe.ClassNameFailed:
		return "DNS gave no answer for " + a.host()
	case probe.ClassTLS:
		return "TLS fails with " + share + ": " + a.outcome.Detail
	case probe.ClassProtocol:
		return answers + ", but " + a.outcome.Detail
	case probe.ClassErrorReply:
		return answers + ": " + a.outcome.Detail
	}
	return string(c) + " " + share
}

// needs says why questions were not asked and what would let them be.
func (t tally) needs() (reason, needs string) {
	if t.local != nil {
		if n := t.local.Facts[factNeeds]; n != "" {
			return t.local.Detail, n
		}
		if t.local.Class == probe.ClassCanceled {
			return "the run ended first", "more time (--timeout)"
		}
		return t.local.Detail, ""
	}
	return "", "a probe Pod (--in-cluster)"
}

// latency words a duration in milliseconds.
func latency(d time.Duration) string {
	ms := float64(d.Microseconds()) / 1000
	if ms >= 100 {
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}
