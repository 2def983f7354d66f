package generate

import (
	"fmt"
	"strconv"
	"strings"
)

// Problem is one thing wrong with an App.
type Problem struct {
	// Field is the path of the field in svcx.yaml: spec.service.ports[0].port.
	Field string `json:"field"`
	// Value is what was given, as text; empty when nothing was.
	Value string `json:"value,omitempty"`
	// Reason says what is wrong with it.
	Reason string `json:"reason"`
	// Next says what to do about it; may be empty when the reason says it all.
	Next string `json:"next,omitempty"`
	// Line is the line in the file, from 1; 0 when there is no file.
	Line int `json:"line,omitempty"`
}

// String returns the problem in one line, without the file's name.
func (p Problem) String() string {
	var b strings.Builder
	if p.Field != "" {
		b.WriteString(printable(p.Field))
		if p.Value != "" {
			fmt.Fprintf(&b, ": %q", shorten(p.Value))
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Reason)
	if p.Next != "" {
		b.WriteString("; " + p.Next)
	}
	return b.String()
}

// printable keeps what a file may hold (terminal escapes in a field's name) from
// acting on the terminal that the error is shown on.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return '?'
	}, s)
}

// shorten keeps an error readable when somebody pastes a novel into a field.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// InvalidError holds everything that is wrong with an App.
type InvalidError struct {
	// File is the file that the App was read from; empty when there is none.
	File     string
	Problems []Problem
}

// Error lists all problems, one a line, each with file and line where they are known.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		switch {
		case e.File != "" && p.Line > 0:
			lines[i] = fmt.Sprintf("%s:%d: %s", e.File, p.Line, p)
		case e.File != "":
			lines[i] = fmt.Sprintf("%s: %s", e.File, p)
		default:
			lines[i] = p.String()
		}
	}
	return strings.Join(lines, "\n")
}
