package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// The elements of JUnit's XML that CI systems read.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr,omitempty"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
		Output   string      `xml:"system-out,omitempty"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Failure *junitMessage `xml:"failure"`
		Skipped *junitMessage `xml:"skipped"`
	}
	junitMessage struct {
		Message string `xml:"message,attr,omitempty"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// junit writes one suite a Service: a case a check, which says what was seen,
// and a case a cause. What is not proven is skipped, with what would prove it;
// causes that are no failure, and reachable addresses, are the suite's output.
func junit(w io.Writer, v *verify.Verdict) error {
	out := junitSuites{Name: "kubectl svcx verify"}
	if v.Seconds > 0 {
		out.Time = fmt.Sprintf("%.3f", v.Seconds)
	}
	for i := range v.Services {
		s := junitService(&v.Services[i])
		out.Tests += s.Tests
		out.Failures += s.Failures
		out.Skipped += s.Skipped
		out.Suites = append(out.Suites, s)
	}
	data, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("writing JUnit: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(data)+"\n")
	return err
}

func junitService(s *verify.ServiceVerdict) junitSuite {
	key := clean(s.Namespace) + "/" + clean(s.Name)
	suite := junitSuite{Name: key}
	var output []string
	for i := range s.Checks {
		r := rowOf(&s.Checks[i], len(s.Ports) > 1)
		c := junitCase{Class: key, Name: r.name}
		switch r.state {
		case verify.StateFailed:
			c.Failure = &junitMessage{Message: r.text, Type: "check", Text: r.detail}
		case verify.StateNotProven, verify.StateNotProbed:
			c.Skipped = &junitMessage{Message: r.text}
		default:
			output = append(output, r.name+": "+strings.TrimSpace(r.text+"  "+r.detail))
		}
		suite.Cases = append(suite.Cases, c)
	}
	for i := range s.Findings {
		f := &s.Findings[i]
		if f.Severity != verify.SeverityFailure {
			text, _ := severityWord(f.Severity)
			output = append(output, text+" "+strings.TrimSpace(clean(f.ID)+" "+clean(f.Message)))
			continue
		}
		id := clean(f.ID)
		if id == "" {
			id = "cause"
		}
		c := junitCase{Class: key, Name: id + " " + at(f), Failure: &junitMessage{Message: clean(f.Message), Type: id, Text: plainFinding(f)}}
		if f.Source != nil {
			c.File, c.Line = clean(f.Source.File), f.Source.Line
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, c := range suite.Cases {
		suite.Tests++
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Skipped != nil {
			suite.Skipped++
		}
	}
	suite.Output = strings.Join(output, "\n")
	return suite
}

// at is the object and the field at fault: two causes may have one ID, and CI
// systems show one case a name.
func at(f *verify.Finding) string {
	return strings.TrimSpace(clean(f.Object.String()) + " " + clean(f.Field))
}

// plainFinding is what stands under a cause, as text without colour or width.
func plainFinding(f *verify.Finding) string {
	c := newCanvas(Options{Patches: true})
	c.finding(f)
	return c.b.String()
}
