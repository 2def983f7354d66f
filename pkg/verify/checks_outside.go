package verify

import (
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// checkName judges the Service's name: it must resolve to the right addresses,
// and connecting by it must work.
func (c *serviceCase) checkName() {
	e := c.ev.on(probe.PathDNS, "", "")
	r := CheckResult{Name: string(probe.PathDNS)}
	if len(e) == 0 {
		if len(c.ports) > 0 && !anyUsable(c.ports) {
			r.State, r.Summary = StateNotProbed, "not probed: no ready backend"
			c.add(r)
		}
		return
	}
	// Connecting by the name proves nothing about the name where the port's
	// backends or its address do not answer either.
	e = slices.DeleteFunc(e, func(a answer) bool {
		return a.probe.Check != probe.CheckDNS && !a.good() && c.portFails(a.probe.Port)
	})
	r = c.line(probe.PathDNS, portView{check: probe.CheckDNS}, e, "")
	lookup := nameLookup(e)
	if r.State == StateFailed && lookup != nil && lookup.good() {
		r.Summary = e.connecting().tally().bad()
	}
	if lookup != nil && lookup.good() {
		// Each node asks a DNS that may know something else.
		missing := ""
		for i := range e {
			if a := &e[i]; missing == "" && a.probe.Check == probe.CheckDNS && a.good() {
				if missing = c.missingAddresses(a.outcome.Resolved); missing != "" {
					lookup = a
				}
			}
		}
		name := lookup.outcome.Facts["canonical"]
		if name == "" || c.svc.Spec.Type == corev1.ServiceTypeExternalName {
			name = serviceName(c.svc)
		}
		text := name + " → " + shortList(lookup.outcome.Resolved, 3)
		switch {
		case missing != "":
			r.State, r.Summary = StateFailed, text+"; "+missing
			if lookup.probe.FromNode != "" && len(nameLookups(e)) > 1 {
				r.Summary += ", from node " + lookup.probe.FromNode
			}
		case r.State == StateProven:
			r.Summary = text
		case r.State == StateFailed:
			r.Summary = text + "; " + r.Summary
		}
	}
	r.Detail = nil
	c.add(r)
}

// portFails reports whether a port fails on a path before the name's.
func (c *serviceCase) portFails(port string) bool {
	for _, path := range []probe.Path{probe.PathPod, probe.PathClusterIP} {
		if e := c.ev.on(path, "", port).asked(); len(e) > 0 && len(e.where(probe.ClassOK)) == 0 {
			return true
		}
	}
	return false
}

// nameLookup returns the answer to the question for the name itself.
func nameLookup(e evidence) *answer {
	for i := range e {
		if e[i].probe.Check == probe.CheckDNS {
			return &e[i]
		}
	}
	return nil
}

// nameLookups returns all answers to the question for the name itself.
func nameLookups(e evidence) evidence {
	return slices.DeleteFunc(slices.Clone(e), func(a answer) bool { return a.probe.Check != probe.CheckDNS })
}

// missingAddresses compares what DNS gave with what it should give.
func (c *serviceCase) missingAddresses(resolved []string) string {
	if c.svc.Spec.Type == corev1.ServiceTypeExternalName {
		return ""
	}
	want := c.v.nameAddresses(c.svc)
	var missing []string
	for _, w := range want {
		if !slices.ContainsFunc(resolved, func(s string) bool { return sameIP(s, w) }) && !slices.Contains(missing, w) {
			missing = append(missing, w)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	text := "missing " + shortList(missing, 3)
	for _, r := range resolved {
		if !slices.ContainsFunc(want, func(w string) bool { return sameIP(r, w) }) {
			// Most likely a cache of DNS that has not followed a change yet.
			return text + "; " + r + " is not (or no longer) this Service's, perhaps cached"
		}
	}
	return text
}

func sameIP(a, b string) bool {
	x, y := net.ParseIP(a), net.ParseIP(b)
	return x != nil && x.Equal(y)
}

// checkOutside judges a path that clients outside the cluster take. It is
// proven only by an answer from here; from inside it may be a short cut.
func (c *serviceCase) checkOutside(pv portView, path probe.Path) {
	here, inside := c.ev.on(path, probe.FromHere, pv.key), c.ev.on(path, probe.FromCluster, pv.key)
	if len(here) == 0 {
		if path == probe.PathNodePort && c.v.gap("nodes", "") != nil && (len(pv.usable) > 0 || pv.unknown) {
			c.add(CheckResult{Name: string(path), Port: c.linePort(pv), State: StateNotProven,
				Summary: "not proven: the nodes' addresses could not be read", Needs: "permission to list nodes"})
			return
		}
		c.noBackend(path, pv)
		return
	}
	what := ""
	if path == probe.PathNodePort {
		what = " on " + fmt.Sprintf("%d/%d nodes", nodesOf(here.where(probe.ClassOK)), nodesOf(here))
	}
	r := c.line(path, pv, here, fmt.Sprintf("%s from here%s", pv.check.Good(), what))
	r.Detail = nil
	for _, a := range sample(here, 8) {
		r.Detail = append(r.Detail, a.probe.Address)
	}
	// No answer at all from here says as much about the way to the cluster as
	// about the cluster. A refusal does not travel that far by chance.
	if silent := here.where(lostClasses(pv)...); r.State == StateFailed && len(silent) == len(here) {
		c.silentFromHere(&r, pv, here, inside)
	}
	if path == probe.PathLoadBalancer {
		c.nameToCome(&r, here)
	}
	if r.State == StateProven && len(inside.where(probe.ClassRefused, probe.ClassTimeout, probe.ClassClosed, probe.ClassNoAnswer)) > 0 {
		r.Summary += "; from inside: " + inside.tally().bad()
	}
	c.add(r)
}

func (c *serviceCase) silentFromHere(r *CheckResult, pv portView, here, inside evidence) {
	t := inside.tally()
	if ranges := c.svc.Spec.LoadBalancerSourceRanges; r.Name == string(probe.PathLoadBalancer) && len(ranges) > 0 && c.answersBefore(pv) {
		// They keep out who asks from inside, too.
		own, admitted := c.admittedBy(ranges, here[0])
		switch {
		case !admitted && own != "":
			return
		case !admitted:
			r.State, r.Needs = StateNotProven, "a machine whose address is in "+shortList(ranges, 3)
			r.Summary = fmt.Sprintf("not proven: %s from here; the Service's source ranges may keep this machine out", here.tally().bad())
			return
		}
	}
	switch {
	case inside.all(probe.ClassOK):
		r.State = StateNotProven
		r.Summary = fmt.Sprintf("not proven: %s from inside the cluster; %s from here", pv.check.Good(), here.tally().bad())
		r.Needs = "a machine that reaches " + here[0].host()
	case t.failed > 0:
		r.Summary += "; from inside: " + t.bad()
	default:
		r.State = StateNotProven
		r.Summary = "not proven: " + here.tally().bad() + " from here"
		r.Needs = "a machine that reaches " + here[0].host()
		if t.notAsked > 0 {
			r.Needs = "a probe Pod (--in-cluster), or " + r.Needs
		}
	}
}

func nodesOf(e evidence) int {
	seen := map[string]bool{}
	for _, a := range e {
		seen[a.probe.Node] = true
	}
	return len(seen)
}

// checkExternalName judges what an ExternalName stands for.
func (c *serviceCase) checkExternalName() {
	name := probe.Printable(c.svc.Spec.ExternalName, 253)
	e := c.ev.on(probe.PathExternalName, "", "")
	if net.ParseIP(strings.TrimSuffix(name, ".")) != nil {
		c.add(CheckResult{Name: string(probe.PathExternalName), State: StateFailed, Summary: name + " is an IP address, not a name"})
		return
	}
	if len(e) == 0 {
		c.add(CheckResult{Name: string(probe.PathExternalName), State: StateNotProven, Summary: "not proven: nothing to ask"})
		return
	}
	good := name
	if l := nameLookup(e); l != nil && l.good() {
		good += " → " + shortList(l.outcome.Resolved, 3)
	}
	conn := e.connecting()
	for _, a := range conn {
		good += fmt.Sprintf("; %s on %s", a.probe.Check.Good(), a.port())
	}
	good += certificates(conn)
	pv := portView{check: probe.CheckDNS}
	if len(c.ports) > 0 {
		pv.check = c.ports[0].check
	}
	r := c.line(probe.PathExternalName, pv, e, good)
	r.Port, r.Detail = "", nil
	if l := nameLookup(e); l != nil && l.outcome != nil && l.asked() && !l.good() {
		r.Summary = evidence{*l}.tally().bad()
	} else if r.State == StateFailed {
		r.Summary = c.line(probe.PathExternalName, pv, conn, good).Summary
	}
	c.add(r)
}
