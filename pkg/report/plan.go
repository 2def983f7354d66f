package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/lines"
)

// plan writes what applying would change: one block an object, its fields and
// what a change of type brings with it.
func (c *canvas) plan(p *apply.Plan) {
	for _, ns := range p.NewNamespaces() {
		c.line(c.paint(green, "+"), " Namespace/", clean(ns), "   created first; what is in it was checked offline only")
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

// What is shown of a value that changes: lines, and columns about the first difference.
const (
	maxDiffLines = 20
	maxDiffCols  = 200
	leadCols     = 40 // of these columns, before the first difference
)

func diffText(d apply.FieldDiff) string {
	switch {
	case d.Old == "":
		return "added  " + clean(d.New)
	case d.New == "":
		return "removed  " + clean(d.Old)
	}
	was, wasText := severalLines(d.Old)
	now, nowText := severalLines(d.New)
	if wasText || nowText {
		return lineDiff(was, now)
	}
	a, b := window(shown(d.Old), shown(d.New))
	return a + " → " + b
}

// severalLines reads a value that is quoted because it has several lines.
func severalLines(v string) (string, bool) {
	text, err := strconv.Unquote(v)
	if err != nil {
		return v, false
	}
	return text, strings.Contains(text, "\n")
}

// lineDiff is the lines of a text that change.
func lineDiff(was, now string) string {
	_, diff := lines.Diff(was, now)
	if diff == "" {
		return "the line break at its end"
	}
	all := strings.Split(diff, "\n")
	out := []string{strconv.Itoa(len(all)) + " lines differ"}
	if len(all) == 1 {
		out[0] = "one line differs"
	}
	for i, l := range all {
		if i == maxDiffLines {
			out = append(out, fmt.Sprintf("… and %d more", len(all)-i))
			break
		}
		text := l[1:]
		if strings.TrimRight(text, " ") != text || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			text = strconv.Quote(text) // else it looks as what it is not
		}
		if cols(text) > maxDiffCols {
			text = cut(text, maxDiffCols)
		}
		out = append(out, "  "+l[:1]+" "+text)
	}
	return strings.Join(out, "\n")
}

// shown is a value without what commands a terminal; its spaces stay.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// window cuts two long values to the part where they begin to differ.
func window(was, now string) (string, string) {
	a, b := []rune(was), []rune(now)
	if len(a) <= maxDiffCols && len(b) <= maxDiffCols {
		return was, now
	}
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	start := max(0, same-leadCols)
	part := func(r []rune) string {
		text, lead := r[start:], ""
		if start > 0 {
			lead = "…"
		}
		return lead + cut(string(text), maxDiffCols)
	}
	return part(a), part(b)
}
