package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// table writes many Services, one a line, worst first, and a sum. Wide adds
// columns, and a page for each Service that is not verified.
func (c *canvas) table(v *verify.Verdict) {
	services := worstFirst(v.Services)
	if len(services) == 0 {
		c.line(sum(v))
		c.gaps(v.Gaps)
		return
	}
	c.rows(services)
	c.line(sum(v))
	c.gaps(v.Gaps)
	if c.Format != Wide {
		return
	}
	for i := range services {
		if services[i].State != verify.StateProven || len(services[i].Findings) > 0 {
			c.line()
			c.page(&services[i], &verify.Verdict{})
		}
	}
}

// worstFirst is a sorted copy: failed, not proven, proven; then by name.
func worstFirst(services []verify.ServiceVerdict) []verify.ServiceVerdict {
	out := slices.Clone(services)
	slices.SortStableFunc(out, func(a, b verify.ServiceVerdict) int {
		return cmp.Or(
			cmp.Compare(rank(a.State), rank(b.State)),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return out
}

// rank orders states, worst first.
func rank(s verify.State) int {
	switch s {
	case verify.StateFailed:
		return 0
	case verify.StateProven:
		return 2
	}
	return 1
}

// rows writes the aligned lines; the last column takes what is left of the width.
func (c *canvas) rows(services []verify.ServiceVerdict) {
	manyNamespaces := false
	for i := range services {
		manyNamespaces = manyNamespaces || services[i].Namespace != services[0].Namespace
	}
	head := []string{"SERVICE", "TYPE"}
	if manyNamespaces {
		head = append([]string{"NAMESPACE"}, head...)
	}
	if c.Format == Wide {
		head = append(head, "CLUSTER-IP", "PORTS")
	}
	head = append(head, "ENDPOINTS", "PATHS")

	cells := make([][]string, 0, len(services)+1)
	cells = append(cells, head)
	for i := range services {
		cells = append(cells, c.cells(&services[i], manyNamespaces))
	}
	cells, widths := c.fit(cells)
	for n, r := range cells {
		var b strings.Builder
		used := 0
		for i, s := range r {
			b.WriteString(pad(s, widths[i]) + "  ")
			used += widths[i] + 2
		}
		if n == 0 {
			c.line(b.String(), "VERDICT")
			continue
		}
		s := &services[n-1]
		text, sgr := word(s.State)
		rest := reason(s)
		if c.Width > 0 {
			rest = cut(rest, max(c.Width-used-12, minText))
		}
		c.line(b.String(), c.paint(sgr, text), strings.Repeat(" ", max(12-cols(text), 1)), rest)
	}
}

// fit leaves out columns, the least telling first, until the verdict has room
// beside those that stay. It returns the cells and the columns' widths.
func (c *canvas) fit(cells [][]string) ([][]string, []int) {
	for _, drop := range []string{"PORTS", "CLUSTER-IP", "TYPE", "ENDPOINTS", "PATHS", ""} {
		widths := make([]int, len(cells[0]))
		used := 0
		for i := range widths {
			for _, r := range cells {
				widths[i] = max(widths[i], cols(r[i]))
			}
			used += widths[i] + 2
		}
		at := slices.Index(cells[0], drop)
		if c.Width == 0 || used+12+minText <= c.Width || drop == "" {
			return cells, widths
		}
		for i := range cells {
			if at >= 0 {
				cells[i] = slices.Delete(cells[i], at, at+1)
			}
		}
	}
	return cells, nil
}

// cells are the columns of one Service but for the verdict.
func (c *canvas) cells(s *verify.ServiceVerdict, namespace bool) []string {
	out := []string{clean(s.Name), clean(s.Type)}
	if namespace {
		out = append([]string{clean(s.Namespace)}, out...)
	}
	if c.Format == Wide {
		ip := "–"
		if len(s.ClusterIPs) > 0 {
			ip = clean(strings.Join(s.ClusterIPs, ","))
		}
		ports := make([]string, 0, len(s.Ports))
		for i := range s.Ports {
			p := fmt.Sprintf("%d", s.Ports[i].Port)
			if s.Ports[i].NodePort != 0 {
				p += fmt.Sprintf(":%d", s.Ports[i].NodePort)
			}
			ports = append(ports, p+"/"+clean(s.Ports[i].Protocol))
		}
		out = append(out, ip, cmp.Or(strings.Join(ports, ","), "–"))
	}
	return append(out, endpoints(s), paths(s))
}

// ratio finds "2/3" in a summary.
var ratio = regexp.MustCompile(`\b\d+/\d+\b`)

// endpoints is ready of all, from the worst of the ports' lines.
func endpoints(s *verify.ServiceVerdict) string {
	best := "–"
	for i := range s.Checks {
		r := &s.Checks[i]
		if r.Name != "endpoints" {
			continue
		}
		if m := ratio.FindString(r.Summary); m != "" && (best == "–" || r.State == verify.StateFailed) {
			best = m
		}
	}
	return best
}

// paths is how many of the paths that were asked are proven.
func paths(s *verify.ServiceVerdict) string {
	good, asked := 0, 0
	for i := range s.Checks {
		r := &s.Checks[i]
		if !isPath(r.Name) || r.State == verify.StateNotProbed {
			continue
		}
		asked++
		if r.State == verify.StateProven {
			good++
		}
	}
	if asked == 0 {
		return "–"
	}
	return fmt.Sprintf("%d/%d", good, asked)
}

func isPath(name string) bool {
	switch probe.Path(name) {
	case probe.PathTunnel, probe.PathPod, probe.PathClusterIP, probe.PathDNS,
		probe.PathNodePort, probe.PathLoadBalancer, probe.PathExternalName:
		return true
	}
	return false
}

// reason is the one thing to know about a Service, in one line.
func reason(s *verify.ServiceVerdict) string {
	for _, sev := range []verify.Severity{verify.SeverityFailure, verify.SeverityWarning} {
		for i := range s.Findings {
			if s.Findings[i].Severity == sev {
				return strings.TrimSpace(clean(s.Findings[i].ID) + " " + clean(s.Findings[i].Message))
			}
		}
	}
	switch {
	case s.State == verify.StateFailed:
		return failedChecks(s)
	case s.State == verify.StateNotProven:
		return clean(s.NotProven)
	case s.ExternalName != "":
		return "→ " + clean(s.ExternalName)
	}
	return ""
}

// sum counts the verdicts.
func sum(v *verify.Verdict) string {
	n := map[verify.State]int{}
	for i := range v.Services {
		n[v.Services[i].State]++
	}
	var parts []string
	for _, p := range []struct {
		state verify.State
		word  string
	}{{verify.StateProven, "verified"}, {verify.StateFailed, "failed"}, {verify.StateNotProven, "not proven"}} {
		if n[p.state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[p.state], p.word))
		}
	}
	if len(parts) == 0 {
		return "no Services"
	}
	out := fmt.Sprintf("%d Services: %s", len(v.Services), strings.Join(parts, ", "))
	if v.Seconds > 0 {
		out += fmt.Sprintf(" in %.1f s", v.Seconds)
	}
	return out
}
