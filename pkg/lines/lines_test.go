package lines

import (
	"fmt"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after string
		first         int
		want          string
	}{
		"one line":          {"a\nb\nc\n", "a\nx\nc\n", 2, "-b\n+x"},
		"added":             {"a\nc\n", "a\nb\nc\n", 2, "+b"},
		"both ends":         {"a\nb\nc\n", "x\nb\ny\n", 1, "-a\n+x\n-c\n+y"},
		"the last one":      {"a\nb", "a\nc", 2, "-b\n+c"},
		"Windows' own ends": {"a\r\nb\r\n", "a\r\nc\r\n", 2, "-b\n+c"},
	} {
		if first, got := Diff(tt.before, tt.after); first != tt.first || got != tt.want {
			t.Errorf("%s: %d %q, want %d %q", name, first, got, tt.first, tt.want)
		}
	}
}

// Two long texts that have little in common take no table of gigabytes.
func TestDiffOfLongTexts(t *testing.T) {
	text := func(word string) string {
		var b strings.Builder
		for i := range 30_000 {
			fmt.Fprintf(&b, "%s %d\n", word, i)
		}
		return b.String()
	}
	first, got := Diff("head\n"+text("a"), "head\n"+text("b"))
	if n := strings.Count(got, "\n") + 1; first != 2 || n != 60_000 {
		t.Errorf("line %d, %d lines", first, n)
	}
}
