package report

import (
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
)

// plan writes what applying would change: one block an object, its fields and
// what a change of type brings with it.
func (c *canvas) plan(p *apply.Plan) {
	for _, ns := range p.NewNamespaces() {
		c.line(c.paint(green, "+"), " Namespace/", clean(ns), "   created first")
	}
	nameW := 0
	for i := range p.Changes {
		nameW = max(nameW, cols(objectName(p, i)))
	}
	for i := range p.Changes {
		c.change(&p.Changes[i], objectName(p, i), nameW)
	}
	for _, n := range p.Notes {
		c.hang("note  ", len("note  "), clean(n))
	}
}

// objectName is Kind/name, with the namespace where the plan spans several.
func objectName(p *apply.Plan, i int) string {
	o := p.Changes[i].Object
	name := clean(o.Kind) + "/" + clean(o.Name)
	for j := range p.Changes {
		if p.Changes[j].Object.Namespace != o.Namespace && o.Namespace != "" {
			return name + " in " + clean(o.Namespace)
		}
	}
	return name
}

// change writes one object.
func (c *canvas) change(ch *apply.Change, name string, nameW int) {
	mark, sgr, what := "=", dim, "unchanged"
	switch ch.Action {
	case apply.ActionCreate:
		mark, sgr, what = "+", green, "created"
	case apply.ActionUpdate, apply.ActionTransition:
		mark, sgr, what = "~", yellow, "changed"
	}
	lead := 2 + nameW + 3
	head := c.paint(sgr, mark) + " " + pad(name, nameW) + "   "
	blank := strings.Repeat(" ", lead)

	lines := c.changeLines(ch)
	if len(lines) == 0 {
		lines = []string{what}
	}
	for i, l := range lines {
		if i > 0 {
			head = blank
		}
		c.hang(head, lead, l)
	}
	for _, w := range ch.Warnings {
		c.hang(blank+c.paint(yellow, "warning: "), lead+len("warning: "), clean(w))
	}
}

// changeLines are the facts about one changed object, one a line.
func (c *canvas) changeLines(ch *apply.Change) []string {
	pathW := len("type")
	for _, d := range ch.Diffs {
		if ch.Transition != nil && !c.everything() && followsType(d.Path) {
			continue
		}
		pathW = max(pathW, cols(clean(d.Path)))
	}
	// A single long path (an annotation's key) must not push all others out.
	pathW = min(pathW, 40)
	var lines []string
	t := ch.Transition
	if t != nil {
		how := ", in place"
		if t.Via != "" {
			how = ", by way of " + clean(string(t.Via))
		}
		lines = append(lines, pad("type", pathW)+"  "+clean(string(t.From))+" → "+clean(string(t.To))+how)
		for _, e := range t.Effects {
			lines = append(lines, clean(e))
		}
	}
	if ch.Action == apply.ActionCreate {
		return lines // every field is new; the tree shows them
	}
	for _, d := range ch.Diffs {
		if t != nil && !c.everything() && followsType(d.Path) {
			continue
		}
		lines = append(lines, pad(clean(d.Path), pathW)+"  "+diffText(d))
	}
	return lines
}

// everything says whether also what goes without saying is to be written.
func (c *canvas) everything() bool { return c.Format == Wide }

// followsType says whether a field of a Service changes with its type alone;
// the effects of the change say what it means.
func followsType(path string) bool {
	switch path {
	case "spec.type", "spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy",
		"spec.externalTrafficPolicy", "spec.internalTrafficPolicy", "spec.externalName",
		"spec.allocateLoadBalancerNodePorts", "spec.healthCheckNodePort":
		return true
	}
	return strings.HasPrefix(path, "spec.ports[") && strings.HasSuffix(path, "].nodePort")
}

func diffText(d apply.FieldDiff) string {
	was, now := clean(d.Old), clean(d.New)
	switch {
	case was == "":
		return "added  " + now
	case now == "":
		return "removed  " + was
	}
	return was + " → " + now
}
