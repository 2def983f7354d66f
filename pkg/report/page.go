package report

import (
	"fmt"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// page writes one Service: who it is, what was seen, and the verdict with its
// causes and the next step.
func (c *canvas) page(s *verify.ServiceVerdict, v *verify.Verdict) {
	c.header(s)
	c.line()
	c.checks(s)
	if len(s.Checks) > 0 {
		c.line()
	}
	c.verdictLine(s, v.Seconds)
	c.findings(s)
	if c.Format == Wide {
		c.reaches(s)
	}
	c.gaps(v.Gaps)
}

// header names the Service and its ports; more than one port takes a line each.
func (c *canvas) header(s *verify.ServiceVerdict) {
	parts := []string{"Service " + c.paint(bold, clean(s.Name)), clean(s.Namespace), clean(s.Type)}
	switch {
	case s.ExternalName != "":
		parts = append(parts, "→ "+clean(s.ExternalName))
	case len(s.ClusterIPs) > 0 && s.ClusterIPs[0] != "" && s.ClusterIPs[0] != "None":
		parts = append(parts, clean(strings.Join(s.ClusterIPs, ",")))
	}
	if len(s.Ports) == 1 {
		parts = append(parts, portText(&s.Ports[0])...)
	}
	c.line(strings.Join(parts, "  "))
	if len(s.Ports) > 1 {
		for i := range s.Ports {
			c.line("  " + strings.Join(portText(&s.Ports[i]), "  "))
		}
	}
}

// portText is one port: where traffic comes in, where it goes, and what is
// asked there.
func portText(p *verify.PortSummary) []string {
	target := clean(p.TargetPort)
	if name := clean(p.Name); name != "" && name != target {
		target = strings.TrimSuffix(name+":"+target, ":")
	}
	text := fmt.Sprintf("%d", p.Port)
	if target != "" {
		text += " → " + target
	}
	if p.Protocol != "" {
		text += "/" + clean(p.Protocol)
	}
	parts := []string{text}
	if p.Check != "" {
		parts = append(parts, "("+clean(string(p.Check))+")")
	}
	return parts
}

// row is one check as text.
type row struct {
	state  verify.State
	name   string
	text   string
	detail string
}

// checks writes one line a check, aligned; what does not fit beside its
// summary stands under it.
func (c *canvas) checks(s *verify.ServiceVerdict) {
	rows := make([]row, 0, len(s.Checks))
	nameW, textW := 0, 0
	for i := range s.Checks {
		r := rowOf(&s.Checks[i], len(s.Ports) > 1)
		r.text = c.here(r.text)
		nameW = max(nameW, cols(r.name))
		if r.detail != "" {
			textW = max(textW, cols(r.text))
		}
		rows = append(rows, r)
	}
	lead := len("  ✓ ") - len("✓") + 1 + nameW + 2
	for _, r := range rows {
		mark, sgr := sign(r.state)
		head := "  " + c.paint(sgr, mark) + " " + pad(r.name, nameW) + "  "
		one := pad(r.text, textW) + "   " + r.detail
		switch {
		case r.detail == "":
			c.hang(head, lead, r.text)
		case c.Width == 0 || lead+cols(one) <= c.Width:
			c.line(head, one)
		default:
			c.hang(head, lead, r.text)
			c.hang(strings.Repeat(" ", lead), lead, r.detail)
		}
	}
}

// rowOf turns a check into text. The words say the state even where no sign can.
func rowOf(r *verify.CheckResult, manyPorts bool) row {
	out := row{state: r.State, name: clean(r.Name), text: clean(r.Summary)}
	if manyPorts && r.Port != "" {
		out.name += " " + clean(r.Port)
	}
	details := make([]string, 0, len(r.Detail))
	for _, d := range r.Detail {
		details = append(details, clean(d))
	}
	out.detail = strings.Join(details, "  ")
	switch r.State {
	case verify.StateNotProven:
		if out.text == "" {
			out.text = "not proven"
		}
		if n := clean(r.Needs); n != "" && !strings.Contains(out.text, n) {
			out.text += ": needs " + n
		}
	case verify.StateNotProbed:
		if out.text == "" {
			out.text = "not probed"
		}
	}
	return out
}

// verdictLine is the answer: the state, and how to reach the Service or what
// would prove that it can be.
func (c *canvas) verdictLine(s *verify.ServiceVerdict, seconds float64) {
	text, sgr := word(s.State)
	head := c.paint(sgr, text)
	switch s.State {
	case verify.StateProven:
		in := ""
		if seconds > 0 {
			in = fmt.Sprintf(" in %.1f s", seconds)
		}
		r, ok := bestReach(s)
		if !ok {
			c.line(head, in)
			return
		}
		command := c.here(r.command)
		cmd := "reach it: " + c.paint(bold, command)
		width := cols(text+in) + 5 + cols("reach it: "+command)
		if r.note != "" {
			cmd += "  (" + r.note + ")"
			width += cols("  (" + r.note + ")")
		}
		if c.Width == 0 || width <= c.Width {
			c.line(head, in, "     ", cmd)
			return
		}
		c.line(head, in)
		c.line(cmd)
	case verify.StateNotProven:
		why := c.here(clean(s.NotProven))
		if why == "" {
			why = "no check failed, but not every one could be made."
		}
		c.hang(head+"  ", cols(text)+2, why)
	default:
		if !hasFailure(s) {
			c.hang(head+"  ", cols(text)+2, failedChecks(s))
		}
	}
}

// hasFailure says whether a finding names the cause of the failure.
func hasFailure(s *verify.ServiceVerdict) bool {
	for i := range s.Findings {
		if s.Findings[i].Severity == verify.SeverityFailure {
			return true
		}
	}
	return false
}

// failedChecks is the text for a failure that no rule has a name for.
func failedChecks(s *verify.ServiceVerdict) string {
	var failed []string
	for i := range s.Checks {
		if s.Checks[i].State == verify.StateFailed {
			failed = append(failed, clean(s.Checks[i].Name)+": "+clean(s.Checks[i].Summary))
		}
	}
	return strings.Join(failed, "; ")
}

// findings writes the causes: failures first, as the verdict itself.
func (c *canvas) findings(s *verify.ServiceVerdict) {
	first := s.State == verify.StateFailed && hasFailure(s) // nothing stands above
	for _, sev := range []verify.Severity{verify.SeverityFailure, verify.SeverityWarning, verify.SeverityNote} {
		for i := range s.Findings {
			f := &s.Findings[i]
			if f.Severity != sev {
				continue
			}
			if !first {
				c.line()
			}
			first = false
			text, sgr := severityWord(sev)
			id := ""
			if f.ID != "" { // a failure that no rule has a name for has none
				id = clean(f.ID) + "  "
			}
			c.hang(c.paint(sgr, text)+"  "+id, cols(text)+2+cols(id), clean(f.Message))
			c.finding(f)
		}
	}
}

func severityWord(s verify.Severity) (text, sgr string) {
	switch s {
	case verify.SeverityFailure:
		return word(verify.StateFailed)
	case verify.SeverityWarning:
		return "WARNING", bold + ";" + yellow
	}
	return "NOTE", bold
}

// reaches lists every address that was seen to answer.
func (c *canvas) reaches(s *verify.ServiceVerdict) {
	if len(s.Reach) == 0 {
		return
	}
	c.line()
	nameW := 0
	for i := range s.Reach {
		nameW = max(nameW, cols(clean(string(s.Reach[i].Path))))
	}
	for i := range s.Reach {
		r := reachOf(s, &s.Reach[i])
		note := ""
		if r.note != "" {
			note = "  (" + r.note + ")"
		}
		c.line("  reach  ", pad(clean(string(s.Reach[i].Path)), nameW), "  ", c.here(r.command), note)
	}
}

// gaps says what could not be seen.
func (c *canvas) gaps(gaps []verify.Gap) {
	for _, g := range gaps {
		c.hang("not seen    ", len("not seen    "), gapText(g))
	}
}

func gapText(g verify.Gap) string {
	where := "everywhere"
	if g.Namespace != "" {
		where = "in " + clean(g.Namespace)
	}
	return clean(g.Resource) + " " + where + ": " + clean(g.Reason)
}
