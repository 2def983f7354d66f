package report

import (
	_ "embed" // the page's style
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

//go:embed page.css
var pageStyle string

// pagePolicy forbids the page whatever it does not need: a report may be opened
// from anywhere, and holds text that strangers wrote.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

// htmlVerdict writes one HTML page that needs nothing else: no script, no request.
func htmlVerdict(w io.Writer, v *verify.Verdict, o Options) error {
	if _, err := io.WriteString(w, "<!doctype html>\n"); err != nil {
		return err
	}
	services := worstFirst(v.Services)
	text, _ := word(v.State)
	title, in := "Services", sum(v)
	main := elem("main", "")
	if len(services) == 1 {
		title, in = "Service "+fullName(&services[0]), ""
		if v.Seconds > 0 {
			in = fmt.Sprintf("in %.1f s", v.Seconds)
		}
	} else {
		with(main, overview(services))
	}
	for i := range services {
		n := attr(elem("article", ""), "id", anchor(i))
		if len(services) > 1 {
			text, _ := word(services[i].State)
			with(n, elem("h2", "", words(fullName(&services[i])+" "), say("span", string(services[i].State), text)))
		}
		with(main, article(n, &services[i], o))
	}
	if len(v.Gaps) > 0 {
		with(main, say("h2", "", "Not seen"), each("ul", "", v.Gaps, func(g verify.Gap) *html.Node {
			return say("li", "", gapText(g))
		}))
	}
	page := attr(elem("html", "",
		elem("head", "",
			attr(elem("meta", ""), "charset", "utf-8"),
			attr(elem("meta", ""), "name", "viewport", "content", "width=device-width, initial-scale=1"),
			attr(elem("meta", ""), "name", "color-scheme", "content", "light dark"),
			attr(elem("meta", ""), "http-equiv", "Content-Security-Policy", "content", pagePolicy),
			say("title", "", text+": "+title),
			say("style", "", pageStyle)),
		elem("body", "",
			elem("header", "",
				elem("h1", "", words(title+": "), say("span", string(v.State), text)),
				say("p", "mute", in)),
			main)), "lang", "en")
	if err := html.Render(w, page); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func fullName(s *verify.ServiceVerdict) string { return clean(s.Namespace) + "/" + clean(s.Name) }

func anchor(i int) string { return fmt.Sprintf("s%d", i) }

// overview is the table of many Services, each with a link to its article.
func overview(services []verify.ServiceVerdict) *html.Node {
	if len(services) == 0 {
		return nil
	}
	rows := make([]*html.Node, 0, len(services))
	for i := range services {
		s := &services[i]
		text, _ := word(s.State)
		rows = append(rows, elem("tr", "",
			elem("td", "", attr(elem("a", "", words(fullName(s))), "href", "#"+anchor(i))),
			elem("td", "short more", words(clean(s.Type))),
			elem("td", "short more", words(endpoints(s))),
			elem("td", "short more", words(paths(s))),
			elem("td", "", say("span", "w "+string(s.State), text), words(" "+reason(s)))))
	}
	return tableOf("overview", []string{"Service", "Type", "Endpoints", "Paths", "Verdict"}, rows)
}

// article fills n with one Service: who it is, its causes, and what was seen.
func article(n *html.Node, s *verify.ServiceVerdict, o Options) *html.Node {
	about := []string{clean(s.Type)}
	switch {
	case s.ExternalName != "":
		about = append(about, "→ "+clean(s.ExternalName))
	case len(s.ClusterIPs) > 0 && s.ClusterIPs[0] != "None":
		about = append(about, clean(strings.Join(s.ClusterIPs, ", ")))
	}
	for i := range s.Ports {
		about = append(about, strings.Join(portText(&s.Ports[i]), " "))
	}
	with(n, say("p", "mute", strings.Join(about, " · ")))
	if r, ok := bestReach(s); ok && s.State == verify.StateProven {
		note := ""
		if r.note != "" {
			note = " (" + r.note + ")"
		}
		with(n, elem("p", "", words("Reach it: "), say("code", "", r.command), words(note)))
	}
	if s.State == verify.StateNotProven {
		with(n, say("p", "", clean(s.NotProven)))
	}
	for _, sev := range []verify.Severity{verify.SeverityFailure, verify.SeverityWarning, verify.SeverityNote} {
		for i := range s.Findings {
			if f := &s.Findings[i]; f.Severity == sev {
				with(n, cause(f, o))
			}
		}
	}
	return with(n, seen(s))
}

// seen is the table of a Service's checks; a column of details that has none is
// left out.
func seen(s *verify.ServiceVerdict) *html.Node {
	if len(s.Checks) == 0 {
		return nil
	}
	head := []string{"", "Check", "Seen"}
	if slices.ContainsFunc(s.Checks, func(c verify.CheckResult) bool { return len(c.Detail) > 0 }) {
		head = append(head, "Detail")
	}
	rows := make([]*html.Node, 0, len(s.Checks))
	for i := range s.Checks {
		r := rowOf(&s.Checks[i], len(s.Ports) > 1)
		mark, _ := sign(r.state)
		tr := elem("tr", "",
			attr(elem("td", "sign "+string(r.state), words(mark)), "title", string(r.state)),
			elem("td", "short", words(r.name)),
			elem("td", "", words(r.text)))
		if len(head) > 3 {
			with(tr, elem("td", "mono", words(r.detail)))
		}
		rows = append(rows, tr)
	}
	return tableOf("checks", head, rows)
}

// cause is one finding, with its evidence and what mends it.
func cause(f *verify.Finding, o Options) *html.Node {
	text, _ := severityWord(f.Severity)
	title, help := "", ""
	if o.Help != nil && f.ID != "" {
		title, help = o.Help(f.ID)
	}
	head := elem("h3", "", say("span", "w", text))
	if f.ID != "" {
		with(head, words(" "+clean(f.ID)))
	}
	if title != "" {
		with(head, words(" · "+title))
	}
	facts := elem("dl", "")
	fact := func(label string, n *html.Node) {
		if n != nil {
			with(facts, say("dt", "", label), n)
		}
	}
	line := func(s string) *html.Node { return say("div", "", clean(s)) }
	if f.Source != nil {
		fact("said in", elem("dd", "", say("code", "", place(*f.Source))))
	}
	fact("evidence", each("dd", "", f.Evidence, line))
	fact("follows", each("dd", "", f.Follows, line))
	fact("fix", mending(f.Fix))
	n := elem("section", string(f.Severity), head, say("p", "", clean(f.Message)))
	if facts.FirstChild != nil {
		with(n, facts)
	}
	if help != "" {
		with(n, elem("details", "", say("summary", "", "About this fault"), say("p", "prose", help)))
	}
	return n
}

// mending is what mends a cause: lines of the tree where it is known, else the
// command and the patch.
func mending(fix *verify.Fix) *html.Node {
	if fix == nil {
		return nil
	}
	n := elem("dd", "", say("div", "", clean(fix.Summary)))
	if fix.Unlocated != "" {
		with(n, say("div", "mute", "not in the tree by itself: "+clean(fix.Unlocated)))
	}
	plain := newCanvas(Options{})
	for _, e := range fix.Edits {
		with(n, elem("div", "", say("code", "", place(e.Source))),
			each("pre", "", strings.Split(plain.diff(e.Diff), "\n"), func(l string) *html.Node {
				class := "add"
				if strings.HasPrefix(l, "-") {
					class = "del"
				}
				return say("span", class, l)
			}))
	}
	if len(fix.Edits) == 0 {
		with(n, say("pre", "", copyable(fix.Command)), say("pre", "", cleanLines(fix.Patch)))
	}
	if n.FirstChild == nil {
		return nil
	}
	return n
}
