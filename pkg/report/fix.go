package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// detail is one line, or more of one kind, under a cause.
type detail struct {
	label, text string
	whole       bool // to be copied, so never wrapped
}

// finding writes what stands under a cause: evidence, what follows, the fix.
func (c *canvas) finding(f *verify.Finding) {
	var lines []detail
	if len(f.Evidence) > 0 {
		ev := make([]string, 0, len(f.Evidence))
		for _, e := range f.Evidence {
			ev = append(ev, clean(e))
		}
		if one := strings.Join(ev, " · "); c.Width == 0 || 12+cols(one) <= c.Width {
			ev = []string{one}
		}
		for _, e := range ev {
			lines = append(lines, detail{label: "evidence", text: e})
		}
	}
	for _, x := range f.Follows {
		lines = append(lines, detail{label: "follows", text: clean(x)})
	}
	if f.Fix != nil {
		lines = append(lines, c.fix(f.Fix)...)
	} else if s := f.Source; s != nil && f.Field != "" {
		lines = append(lines, detail{"said in", place(*s), true})
	}
	if c.Explain && f.ID != "" {
		lines = append(lines, detail{"more", "kubectl svcx explain " + clean(f.ID), true})
	}
	if len(lines) == 0 {
		return
	}
	c.line()
	const lead = 12
	last := ""
	for _, l := range lines {
		label := l.label
		if label == last {
			label = ""
		} else {
			last = label
		}
		head := "  " + pad(label, lead-2)
		if !l.whole {
			c.hang(head, lead, l.text)
			continue
		}
		for i, x := range strings.Split(l.text, "\n") {
			if i > 0 {
				head = strings.Repeat(" ", lead)
			}
			c.line(head, x)
		}
	}
}

// fix says what mends a cause: the lines of the tree where it is known, else
// the command and the patch.
func (c *canvas) fix(fix *verify.Fix) []detail {
	var lines []detail
	for i, e := range fix.Edits {
		at := place(e.Source)
		if i == 0 && fix.Summary != "" {
			at += "  " + c.here(clean(fix.Summary))
		}
		lines = append(lines, detail{"fix", at, true}, detail{"fix", c.diff(e.Diff), true})
	}
	if len(fix.Edits) > 0 {
		if c.FixCommand != "" {
			lines = append(lines, detail{"fix", c.FixCommand + "      writes it", true})
		}
		return lines
	}
	if fix.Summary != "" {
		lines = append(lines, detail{label: "fix", text: c.here(clean(fix.Summary))})
	}
	if fix.Unlocated != "" {
		lines = append(lines, detail{label: "fix", text: "not in the tree by itself: " + clean(fix.Unlocated)})
	}
	command := copyable(c.here(fix.Command))
	if command != "" {
		lines = append(lines, detail{"run", command, true})
	}
	// The command does the same as the patch.
	if fix.Patch != "" && (command == "" || c.Format == Wide || c.Patches || fix.Unlocated != "") {
		lines = append(lines, detail{"patch", cleanLines(fix.Patch), true})
	}
	return lines
}

// maxCommand bounds a command, in bytes: a longer one is not copied by hand.
const maxCommand = 4096

// copyable is a command as it is, or "" where it cannot be printed whole: one that
// was cut, or of which blanks or characters were dropped, does something else.
func copyable(command string) string {
	if len(command) > maxCommand || !utf8.ValidString(command) || strings.ContainsFunc(command, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }) {
		return ""
	}
	return command
}

// place is a file and its line.
func place(s verify.Source) string {
	if s.Line < 1 {
		return clean(s.File)
	}
	return fmt.Sprintf("%s:%d", clean(s.File), s.Line)
}

// diff colours changed lines.
func (c *canvas) diff(text string) string {
	var out []string
	for l := range strings.SplitSeq(text, "\n") {
		if l == "" {
			continue
		}
		body := strings.TrimLeft(l[1:], " ")
		l = l[:1] + strings.Repeat(" ", min(len(l)-1-len(body), 64)) + clean(body)
		sgr := green
		if l[0] == '-' {
			sgr = red
		}
		out = append(out, c.paint(sgr, l))
	}
	return strings.Join(out, "\n")
}
