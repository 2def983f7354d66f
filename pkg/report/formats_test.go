package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	sarif210 "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"golang.org/x/net/html"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// inTree is a failure whose field and fix have a place in a tree.
func inTree() verify.ServiceVerdict {
	s := failed()
	f := &s.Findings[1]
	f.Source = &verify.Source{File: "redis/base/service.yaml", Line: 14}
	f.Fix.Edits = []verify.Edit{{Source: *f.Source, Diff: "-    targetPort: 6380\n+    targetPort: 6379\n"}}
	s.Findings = append(s.Findings, verify.Finding{ID: "SVC801", Severity: verify.SeverityNote,
		Object: verify.ObjectRef{Kind: "Deployment", Namespace: "default", Name: "redis"}, Message: "The tree differs from the cluster.",
		Fix: &verify.Fix{Summary: "apply the tree", Unlocated: "the tree has it already"}})
	return s
}

func help(id string) (title, text string) {
	if id != "SVC204" {
		return "", ""
	}
	return "nothing listens on the target port", "The Service sends to a port where nothing listens.\n\nHow to mend it: point it at the port that answers."
}

// cases are verdicts of every state, by name.
func cases() map[string]*verify.Verdict {
	unnamed := failed()
	unnamed.Findings = []verify.Finding{{Severity: verify.SeverityFailure, Object: verify.ObjectRef{Kind: "Service", Namespace: "default", Name: "redis-svc"},
		Message: "Service/redis-svc: tunnel: refused; no single cause was found for it"}}
	open := verdict(notProven())
	open.State = verify.StateNotProven
	none := verdict()
	none.State = verify.StateNotProven
	return map[string]*verify.Verdict{
		"verified": verdict(verified()), "failed": verdict(failed()), "tree": verdict(inTree()),
		"unnamed": verdict(unnamed), "not-proven": open, "many": many(), "none": none,
	}
}

// render is a verdict in a format.
func render(t *testing.T, v *verify.Verdict, f Format) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Verdict(&b, v, Options{Format: f, Help: help, Version: "v1.2.3", Explain: true}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFormats(t *testing.T) {
	check := map[Format]func(*testing.T, *verify.Verdict, []byte){JUnit: checkJUnit, SARIF: checkSARIF, HTML: checkHTML}
	suffix := map[Format]string{JUnit: "junit.xml", SARIF: "sarif", HTML: "html"}
	for name, v := range cases() {
		for f, check := range check {
			t.Run(name+"."+suffix[f], func(t *testing.T) {
				data := render(t, v, f)
				golden(t, name+"."+suffix[f], string(data))
				check(t, v, data)
			})
		}
	}
}

// checkJUnit holds the file to what CI systems do with it: sum up the
// attributes, or count the elements; both have to give the same.
func checkJUnit(t *testing.T, v *verify.Verdict, data []byte) {
	type counted struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	var file struct {
		XMLName xml.Name `xml:"testsuites"`
		counted
		Suites []struct {
			counted
			Name  string `xml:"name,attr"`
			Cases []struct {
				Class   string    `xml:"classname,attr"`
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) { // a line break
		t.Errorf("something follows: %v", err)
	}
	var sum counted
	failing := false
	for i, s := range file.Suites {
		var in counted
		seen := map[string]bool{}
		for _, c := range s.Cases {
			in.Tests++
			if c.Failure != nil {
				in.Failures++
			}
			if c.Skipped != nil {
				in.Skipped++
			}
			if c.Class == "" || c.Name == "" || c.Class != s.Name {
				t.Errorf("a case without a name or class: %+v", c)
			}
			if seen[c.Name] {
				t.Errorf("%s: two cases are called %q; a CI system would show one", s.Name, c.Name)
			}
			seen[c.Name] = true
		}
		if in != s.counted {
			t.Errorf("%s: says %+v, holds %+v", s.Name, s.counted, in)
		}
		// A Service that failed has a failed case, and no other has.
		if (in.Failures > 0) != (v.Services[i].State == verify.StateFailed) {
			t.Errorf("%s is %s, with %d failures", s.Name, v.Services[i].State, in.Failures)
		}
		sum.Tests, sum.Failures, sum.Skipped = sum.Tests+in.Tests, sum.Failures+in.Failures, sum.Skipped+in.Skipped
		failing = failing || in.Failures > 0
	}
	if sum != file.counted || len(file.Suites) != len(v.Services) {
		t.Errorf("says %+v in all, holds %+v in %d suites", file.counted, sum, len(file.Suites))
	}
	if failing != (v.State == verify.StateFailed) {
		t.Errorf("verdict %s, and failing is %v", v.State, failing)
	}
}

// checkSARIF validates against the schema of SARIF 2.1.0 and checks what the
// schema cannot say.
func checkSARIF(t *testing.T, v *verify.Verdict, data []byte) {
	var file sarif210.Report
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, l := range complaints(file.Validate()) {
		t.Error(l)
	}
	open := 0
	for _, r := range file.Runs[0].Results {
		rules := file.Runs[0].Tool.Driver.Rules
		if r.RuleIndex >= len(rules) || *rules[r.RuleIndex].ID != *r.RuleID {
			t.Errorf("result %s points at rule %d", *r.RuleID, r.RuleIndex)
		}
		if len(r.PartialFingerprints) == 0 {
			t.Errorf("result %s cannot be told from another of the next run", *r.RuleID)
		}
		if r.Kind == "open" {
			open++
		}
	}
	findings := 0
	for _, s := range v.Services {
		findings += len(s.Findings)
		if s.State == verify.StateNotProven {
			open--
		}
	}
	if open != 0 || len(file.Runs[0].Results) < findings {
		t.Errorf("%d results for %d findings; %d more open results than Services not proven", len(file.Runs[0].Results), findings, open)
	}
}

// complaints are what the schema finds wrong. The library validates what it
// writes itself of what it has read, with null for every list that is not there
// and an empty language; those are its own.
func complaints(err error) []string {
	if err == nil {
		return nil
	}
	var out []string
	for l := range strings.Lines(strings.Trim(strings.TrimPrefix(err.Error(), "validation failed: "), "[]")) {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasSuffix(l, "Expected: array, given: null") && !strings.Contains(l, "language: Does not match pattern") {
			out = append(out, l)
		}
	}
	return out
}

// The schema has to find something, or the test above proves nothing.
func TestSARIFSchemaFinds(t *testing.T) {
	good := render(t, cases()["failed"], SARIF)
	for old, bad := range map[string]string{
		`"level": "error"`: `"level": "fatal"`, `"text": `: `"markdown": `, `"version": "2.1.0"`: `"version": "2.0.0"`, `"startLine": 14`: `"startLine": 0`,
	} {
		if old == `"startLine": 14` {
			good = render(t, cases()["tree"], SARIF)
		}
		var file sarif210.Report
		if err := json.Unmarshal(bytes.ReplaceAll(good, []byte(old), []byte(bad)), &file); err != nil {
			t.Fatal(err)
		}
		if len(complaints(file.Validate())) == 0 {
			t.Errorf("%s instead of %s is not found", bad, old)
		}
	}
}

// A tree brings file and line, in the form in which code scanning takes them.
func TestSARIFLocation(t *testing.T) {
	var file sarif210.Report
	if err := json.Unmarshal(render(t, cases()["tree"], SARIF), &file); err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Runs[0].Results {
		if *r.RuleID != "SVC204" {
			continue
		}
		at := r.Locations[0].PhysicalLocation
		if *at.ArtifactLocation.URI != "redis/base/service.yaml" || *at.Region.StartLine != 14 || r.Level != "error" {
			t.Errorf("%s at %s:%d", r.Level, *at.ArtifactLocation.URI, *at.Region.StartLine)
		}
	}
	for file, want := range map[string]string{
		"a b#c?.yaml": "a%20b%23c%3F.yaml", `..\base\x.yaml`: "../base/x.yaml", "100%.yaml": "100%25.yaml", "./a//b.yaml": "a/b.yaml",
	} {
		if got := uri(file); got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
}

// allowed are the elements of a page; none of them runs, loads or sends anything.
var allowed = strings.Fields("html head meta title style body header main article section h1 h2 h3 p div span code pre a " +
	"ul li dl dt dd table thead tbody tr th td details summary")

// checkHTML reads the page as a browser does.
func checkHTML(t *testing.T, v *verify.Verdict, data []byte) {
	doc, err := html.Parse(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	ids, links := map[string]bool{}, []string{}
	articles, text := 0, ""
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			text += n.Data
		}
		if n.Type == html.CommentNode {
			t.Errorf("a comment: %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(allowed, n.Data) {
			t.Errorf("an element <%s>", n.Data)
		}
		if n.Data == "article" {
			articles++
		}
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				if ids[a.Val] {
					t.Errorf("id %q twice", a.Val)
				}
				ids[a.Val] = true
			case "href":
				links = append(links, a.Val)
			case "class", "scope", "title", "lang", "charset", "name", "content", "http-equiv":
			default:
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	if articles != len(v.Services) {
		t.Errorf("%d articles for %d Services", articles, len(v.Services))
	}
	for _, l := range links {
		if id, ok := strings.CutPrefix(l, "#"); !ok || !ids[id] {
			t.Errorf("a link to %q", l)
		}
	}
	for _, s := range v.Services {
		for _, want := range []string{s.Namespace + "/" + s.Name, s.NotProven} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q on the page", want)
			}
		}
		for _, f := range s.Findings {
			for _, want := range slices.Concat([]string{f.ID, f.Message}, f.Evidence, f.Follows) {
				if !strings.Contains(text, want) {
					t.Errorf("no %q on the page", want)
				}
			}
		}
	}
	// What was parsed is what was meant: rendered and parsed again, nothing moves.
	var again bytes.Buffer
	if err := html.Render(&again, doc); err != nil {
		t.Fatal(err)
	}
	got, want := strings.Join(strings.Fields(again.String()), ""), strings.Join(strings.Fields(string(data)), "")
	if !strings.EqualFold(got, want) {
		i := 0
		for i < min(len(got), len(want)) && strings.EqualFold(got[:i+1], want[:i+1]) {
			i++
		}
		t.Errorf("a browser reads the page differently, from here:\n%.200s\n%.200s", got[max(i-40, 0):], want[max(i-40, 0):])
	}
}

// JUnit's time is a number of seconds, and CI systems refuse a file in which it is not.
func TestJUnitTime(t *testing.T) {
	var file struct {
		Time string `xml:"time,attr"`
	}
	if err := xml.Unmarshal(render(t, cases()["verified"], JUnit), &file); err != nil {
		t.Fatal(err)
	}
	if s, err := strconv.ParseFloat(file.Time, 64); err != nil || fmt.Sprintf("%.2f", s) != "2.14" {
		t.Errorf("time %q: %v", file.Time, err)
	}
}
