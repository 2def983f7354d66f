package cli

import (
	"runtime"
	"strings"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/kubectl/pkg/util/term"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
)

// screen is what is known of where output goes.
type screen struct {
	inTerminal, outTerminal, errTerminal bool
	outColor, errColor                   bool
	redraws                              bool // stderr can redraw a line
	ascii                                bool
	outWidth, errWidth                   func() int // columns; 0 when not known
}

// newScreen looks at the streams and the environment.
func newScreen(s genericiooptions.IOStreams, getenv func(string) string) screen {
	dumb := getenv("TERM") == "dumb"
	color := !dumb && getenv("NO_COLOR") == ""
	sc := screen{
		inTerminal:  printers.IsTerminal(s.In),
		outTerminal: printers.IsTerminal(s.Out),
		errTerminal: printers.IsTerminal(s.ErrOut),
		ascii:       asciiLocale(getenv),
		outWidth:    func() int { return width(s.Out) },
		errWidth:    func() int { return width(s.ErrOut) },
	}
	sc.outColor = sc.outTerminal && color
	sc.errColor = sc.errTerminal && color
	sc.redraws = sc.errTerminal && !dumb
	return sc
}

// width is the number of columns of the terminal behind stream; 0 for no terminal.
func width(stream any) int {
	if f, ok := stream.(interface{ Fd() uintptr }); ok && printers.IsTerminal(stream) {
		if size := term.GetSize(f.Fd()); size != nil {
			return int(size.Width)
		}
	}
	return 0
}

// asciiLocale says whether the locale asks for something other than UTF-8. No
// locale at all counts as UTF-8: that is a container or a CI job, and both show it.
func asciiLocale(getenv func(string) string) bool {
	if runtime.GOOS == "windows" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			v = strings.ToLower(v)
			return !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
		}
	}
	return false
}

// paintErr colours text for stderr, when that is a terminal that shows colour.
func (s screen) paintErr(sgr, text string) string {
	if !s.errColor {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// report is how results are to be written to stdout.
func (s screen) report(f report.Format) report.Options {
	return report.Options{Format: f, Color: s.outColor, Width: s.outWidth(), ASCII: s.ascii}
}

// reportErr is how a report is to be written to stderr.
func (s screen) reportErr() report.Options {
	return report.Options{Format: report.Text, Color: s.errColor, Width: s.errWidth(), ASCII: s.ascii}
}
