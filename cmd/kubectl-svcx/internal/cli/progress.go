package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// labelWidth is the width of the column with what is being done.
const labelWidth = 11

// progress shows what is going on. On a terminal it is one line that is drawn
// again and again; elsewhere a line is printed when something changed. The
// cursor is never hidden, so nothing has to be restored when the program dies.
type progress struct {
	w      io.Writer
	live   bool
	ascii  bool
	width  func() int
	now    func() time.Time
	mu     sync.Mutex
	label  string
	text   string
	since  time.Time
	drawn  bool
	stop   chan struct{} // ends the ticker; nil when it does not run
	ticker func() (<-chan time.Time, func())
}

func (p *program) newProgress() *progress {
	return &progress{
		w: p.ErrOut, live: p.screen.redraws, ascii: p.screen.ascii, width: p.screen.errWidth, now: p.now,
		ticker: func() (<-chan time.Time, func()) {
			t := time.NewTicker(time.Second)
			return t.C, t.Stop
		},
	}
}

// step prints a line that stays: something is done.
func (g *progress) step(label, format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.erase()
	g.halt()
	g.label, g.text = "", ""
	text := g.line(label, fmt.Sprintf(format, args...))
	if g.live {
		text = wrapped(text, g.width(), labelWidth)
	}
	fmt.Fprintln(g.w, text)
}

// wrapped breaks text at spaces to fit width; further lines are indented.
func wrapped(text string, width, indent int) string {
	if width < 2*indent || len([]rune(text)) <= width {
		return text
	}
	var lines []string
	line := ""
	for i, w := range strings.SplitAfter(text, " ") {
		if i > 0 && len([]rune(line+strings.TrimRight(w, " "))) > width {
			lines = append(lines, strings.TrimRight(line, " "))
			line = strings.Repeat(" ", indent)
		}
		line += w
	}
	return strings.Join(append(lines, line), "\n")
}

// update shows what is being done now.
func (g *progress) update(label, text string) {
	text = probe.Printable(text, maxMessage)
	g.mu.Lock()
	defer g.mu.Unlock()
	if label == g.label && text == g.text {
		return
	}
	if label != g.label {
		g.since = g.now()
	}
	g.label, g.text = label, text
	if !g.live {
		fmt.Fprintln(g.w, g.line(label, text))
		return
	}
	g.draw()
	g.run()
}

// glance is update for what only somebody who watches wants to see: elsewhere
// than on a terminal it prints nothing.
func (g *progress) glance(label, text string) {
	if g.live {
		g.update(label, text)
	}
}

// verifying shows a step of verify; its end is told by the verdict. That a Pod
// is made in the cluster is said everywhere.
func (g *progress) verifying(e verify.Event) {
	switch {
	case e.Done:
	case strings.HasPrefix(e.Message, "probe Pod"):
		g.update("verifying", e.Message)
	default:
		g.glance("verifying", e.Message)
	}
}

// clear takes the live line away. Nothing is drawn until the next update.
func (g *progress) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.erase()
	g.halt()
	g.label, g.text = "", ""
}

// line is label and text in columns.
func (g *progress) line(label, text string) string {
	if g.ascii {
		text = strings.NewReplacer("·", "-", "…", "...", "→", "->", "–", "-").Replace(text)
	}
	return fmt.Sprintf("%-*s%s", labelWidth, label, text)
}

// draw redraws the live line within the terminal's width: a line that wraps
// could not be erased again.
func (g *progress) draw() {
	text := g.line(g.label, g.text)
	suffix := ""
	if s := int(g.now().Sub(g.since).Seconds()); s > 0 {
		suffix = fmt.Sprintf(" (%ds)", s)
	}
	width := g.width()
	if width <= 0 {
		width = 80
	}
	cut := '…'
	if g.ascii {
		cut = '~'
	}
	fmt.Fprint(g.w, "\r\x1b[K"+fitted(text, width-1-len(suffix), cut)+suffix)
	g.drawn = true
}

// fitted makes a line no longer than room. The middle of its longest word goes
// first: that is a Pod's name, and what the Pod waits for stands behind it.
func fitted(text string, room int, cut rune) string {
	const least = 12 // letters of a word that still tell which one it is
	r := []rune(text)
	longest := []rune(slices.MaxFunc(strings.Split(text, " "), func(a, b string) int { return len(a) - len(b) }))
	if excess := len(r) - room; excess > 0 && len(longest) > least {
		keep := max(len(longest)-excess-1, least-1)
		short := string(longest[:keep/2]) + string(cut) + string(longest[len(longest)-(keep-keep/2):])
		r = []rune(strings.Replace(text, string(longest), short, 1))
	}
	if len(r) > room {
		r = append(r[:max(room-1, 0)], cut)
	}
	return string(r)
}

func (g *progress) erase() {
	if g.drawn {
		fmt.Fprint(g.w, "\r\x1b[K")
		g.drawn = false
	}
}

// run starts the ticker that keeps the seconds moving.
func (g *progress) run() {
	if g.stop != nil {
		return
	}
	stop := make(chan struct{})
	g.stop = stop
	ticks, end := g.ticker()
	go func() {
		defer end()
		for {
			select {
			case <-stop:
				return
			case <-ticks:
				g.mu.Lock()
				if g.stop == stop && g.drawn {
					g.draw()
				}
				g.mu.Unlock()
			}
		}
	}()
}

func (g *progress) halt() {
	if g.stop != nil {
		close(g.stop)
		g.stop = nil
	}
}
