package report

import (
	"cmp"
	_ "embed" // the page's text
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

//go:embed page.html.tmpl
var pageText string

// What the page's template is given. All of it is text: html/template escapes
// whatever comes from a cluster, after clean has bounded it.
type (
	htmlPage struct {
		Title    string
		State    verify.State
		Word     string
		Sum      string
		Services []htmlService
		Gaps     []string
	}
	htmlService struct {
		Anchor    string
		Name      string
		Namespace string
		Type      string
		State     verify.State
		Word      string
		Address   string
		Ports     []string
		Endpoints string
		Paths     string
		Reason    string
		Reach     string
		Checks    []htmlCheck
		Findings  []htmlFinding
	}
	htmlCheck struct {
		State                    verify.State
		Sign, Name, Text, Detail string
	}
	htmlFinding struct {
		Severity          verify.Severity
		Word, ID, Message string
		Title, Help       string
		Source            string
		Evidence, Follows []string
		Fix, Unlocated    string
		Command, Patch    string
		Edits             []htmlEdit
	}
	htmlEdit struct {
		Place string
		Lines []htmlLine
	}
	htmlLine struct{ Class, Text string }
)

// htmlVerdict writes one HTML page that needs nothing else: no script, no request.
func htmlVerdict(w io.Writer, v *verify.Verdict, o Options) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	text, _ := word(v.State)
	p := htmlPage{Title: "Services", State: v.State, Word: text, Sum: sum(v)}
	if len(v.Services) == 1 {
		p.Title = "Service " + clean(v.Services[0].Name)
		p.Sum = ""
		if v.Seconds > 0 {
			p.Sum = fmt.Sprintf("in %.1f s", v.Seconds)
		}
	}
	for _, g := range v.Gaps {
		p.Gaps = append(p.Gaps, clean(g.Resource)+" in "+cmp.Or(clean(g.Namespace), "all namespaces")+": "+clean(g.Reason))
	}
	for i := range v.Services {
		p.Services = append(p.Services, htmlOf(&v.Services[i], i, o))
	}
	slices.SortStableFunc(p.Services, func(a, b htmlService) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

func htmlOf(s *verify.ServiceVerdict, i int, o Options) htmlService {
	text, _ := word(s.State)
	out := htmlService{Anchor: fmt.Sprintf("s%d", i), Name: clean(s.Name), Namespace: clean(s.Namespace), Type: clean(s.Type), State: s.State, Word: text,
		Endpoints: endpoints(s), Paths: paths(s), Reason: reason(s)}
	switch {
	case s.ExternalName != "":
		out.Address = "→ " + clean(s.ExternalName)
	case len(s.ClusterIPs) > 0 && s.ClusterIPs[0] != "None":
		out.Address = clean(s.ClusterIPs[0])
	}
	for j := range s.Ports {
		text := ""
		for n, part := range portText(&s.Ports[j]) {
			if n > 0 {
				text += " "
			}
			text += part
		}
		out.Ports = append(out.Ports, text)
	}
	if r, ok := bestReach(s); ok && s.State == verify.StateProven {
		out.Reach = r.command
	}
	for j := range s.Checks {
		r := rowOf(&s.Checks[j], len(s.Ports) > 1)
		mark, _ := sign(r.state)
		out.Checks = append(out.Checks, htmlCheck{r.state, mark, r.name, r.text, r.detail})
	}
	for _, sev := range []verify.Severity{verify.SeverityFailure, verify.SeverityWarning, verify.SeverityNote} {
		for j := range s.Findings {
			if f := &s.Findings[j]; f.Severity == sev {
				out.Findings = append(out.Findings, htmlCause(f, o))
			}
		}
	}
	return out
}

func htmlCause(f *verify.Finding, o Options) htmlFinding {
	text, _ := severityWord(f.Severity)
	out := htmlFinding{Severity: f.Severity, Word: text, ID: clean(f.ID), Message: clean(f.Message)}
	for _, e := range f.Evidence {
		out.Evidence = append(out.Evidence, clean(e))
	}
	for _, x := range f.Follows {
		out.Follows = append(out.Follows, clean(x))
	}
	if f.Source != nil {
		out.Source = place(*f.Source)
	}
	if o.Help != nil && f.ID != "" {
		out.Title, out.Help = o.Help(f.ID)
	}
	fix := f.Fix
	if fix == nil {
		return out
	}
	out.Fix, out.Unlocated = clean(fix.Summary), clean(fix.Unlocated)
	plain := newCanvas(Options{})
	for _, e := range fix.Edits {
		ed := htmlEdit{Place: place(e.Source)}
		for l := range strings.SplitSeq(plain.diff(e.Diff), "\n") {
			class := "add"
			if strings.HasPrefix(l, "-") {
				class = "del"
			}
			ed.Lines = append(ed.Lines, htmlLine{class, l})
		}
		out.Edits = append(out.Edits, ed)
	}
	if len(fix.Edits) == 0 {
		out.Command, out.Patch = clean(fix.Command), cleanLines(fix.Patch)
	}
	return out
}
