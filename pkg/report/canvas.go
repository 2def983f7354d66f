package report

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// The colours, as ANSI SGR parameters. Words and signs say the same.
const (
	green  = "32"
	red    = "31"
	yellow = "33"
	dim    = "2"
	bold   = "1"
)

// canvas collects lines of text for people.
type canvas struct {
	Options
	b strings.Builder
}

func newCanvas(o Options) *canvas { return &canvas{Options: o} }

// flush writes what was collected.
func (c *canvas) flush(w io.Writer) error {
	text := c.b.String()
	if c.ASCII {
		text = asciiOnly(text)
	}
	_, err := io.WriteString(w, text)
	return err
}

// asciiOnly replaces the signs that this package writes by ASCII ones of the
// same width where alignment hangs on it, and anything else by a question mark.
func asciiOnly(s string) string {
	s = strings.NewReplacer(
		"✓", "+", "✗", "x", "–", "-", "→", "->", "·", "|", "…", "...", "’", "'", "µ", "u",
	).Replace(s)
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return '?'
		}
		return r
	}, s)
}

// here puts the flags that choose the cluster into the commands of a text.
func (c *canvas) here(text string) string { return shell.On(text, c.Cluster) }

// paint wraps text in a colour when colour is welcome.
func (c *canvas) paint(sgr, text string) string {
	if !c.Color || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// line writes one line without spaces at its end.
func (c *canvas) line(parts ...string) {
	c.b.WriteString(strings.TrimRight(strings.Join(parts, ""), " "))
	c.b.WriteByte('\n')
}

// hang writes lead and then text, wrapped to the width; lines after the first
// are indented by the lead's width, so that text stands in a column.
// leadWidth is what lead takes on the screen, colour not counted.
func (c *canvas) hang(lead string, leadWidth int, text string) {
	if c.ASCII {
		text = asciiOnly(text) // before it is measured: an arrow becomes two signs
	}
	for i, l := range wrap(text, c.Width-leadWidth) {
		if i > 0 {
			lead = strings.Repeat(" ", leadWidth)
		}
		c.line(lead, l)
	}
}

// sign is the mark of a state and its colour.
func sign(s verify.State) (mark, sgr string) {
	switch s {
	case verify.StateProven:
		return "✓", green
	case verify.StateFailed:
		return "✗", red
	case verify.StateNotProven:
		return "?", yellow
	}
	return "–", dim
}

// word is a verdict's state in one word, in capitals, and its colour.
func word(s verify.State) (text, sgr string) {
	switch s {
	case verify.StateProven:
		return "VERIFIED", bold + ";" + green
	case verify.StateFailed:
		return "FAILED", bold + ";" + red
	}
	return "NOT PROVEN", bold + ";" + yellow
}

// minText is the narrowest column that text is still wrapped to; a screen
// narrower than that gets long lines rather than a column of syllables.
const minText = 24

// wrap breaks s at spaces into lines of at most width columns. Words longer
// than that stay whole, so that an address can be copied; line breaks stay.
func wrap(s string, width int) []string {
	var lines []string
	for para := range strings.SplitSeq(s, "\n") {
		para = strings.TrimRight(para, " ")
		if width < minText || cols(para) <= width {
			lines = append(lines, para)
			continue
		}
		cur := ""
		for _, w := range splitWords(para) {
			switch {
			case cur == "":
				cur = strings.TrimLeft(w, " ")
			case cols(cur)+cols(w) <= width:
				cur += w
			default:
				lines = append(lines, cur)
				cur = strings.TrimLeft(w, " ")
			}
		}
		lines = append(lines, cur)
	}
	return lines
}

// splitWords splits s into words that keep the spaces before them, so that
// wider gaps inside a line survive.
func splitWords(s string) []string {
	var words []string
	start, inWord := 0, false
	for i, r := range s {
		if r == ' ' && inWord {
			words = append(words, s[start:i])
			start, inWord = i, false
		} else if r != ' ' {
			inWord = true
		}
	}
	return append(words, s[start:])
}

// cols is the width of s on the screen, one column a rune.
func cols(s string) int { return utf8.RuneCountInString(s) }

// pad fills s with spaces to width columns.
func pad(s string, width int) string {
	if n := width - cols(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

// cut shortens s to width columns; width below 1 leaves it whole.
func cut(s string, width int) string {
	if width < 1 || cols(s) <= width {
		return s
	}
	r := []rune(s)
	return string(r[:width-1]) + "…"
}

// maxField bounds one value in text for people, in bytes. What is longer is in
// the JSON.
const maxField = 1024

// clean makes a value that came from a cluster safe to print.
func clean(s string) string { return probe.Printable(s, maxField) }

// cleanLines is clean for text of several lines, whose indentation has a meaning.
func cleanLines(s string) string {
	var lines []string
	for l := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		body := strings.TrimLeft(l, " ")
		lines = append(lines, strings.Repeat(" ", min(len(l)-len(body), 64))+clean(body))
	}
	return strings.Join(lines, "\n")
}
