package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// testProgress is a progress without a ticker of its own: ticks come from the test.
func testProgress(live bool, width int) (*progress, *bytes.Buffer, chan time.Time, *time.Time) {
	var out bytes.Buffer
	now := time.Unix(100, 0)
	ticks := make(chan time.Time)
	g := &progress{
		w: &out, live: live, width: func() int { return width }, now: func() time.Time { return now },
		ticker: func() (<-chan time.Time, func()) { return ticks, func() {} },
	}
	return g, &out, ticks, &now
}

// shown plays a terminal: what stands on it after everything was written.
func shown(s string) []string {
	var lines []string
	line := ""
	for len(s) > 0 {
		switch {
		case strings.HasPrefix(s, "\r\x1b[K"):
			line, s = "", s[4:]
		case s[0] == '\n':
			lines, line, s = append(lines, line), "", s[1:]
		default:
			line, s = line+s[:1], s[1:]
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

func TestProgressOnATerminal(t *testing.T) {
	g, out, ticks, now := testProgress(true, 40)
	g.update("waiting", "Deployment/redis 0/2 ready")
	if got := shown(out.String()); len(got) != 1 || got[0] != "waiting    Deployment/redis 0/2 ready" {
		t.Errorf("%q", got)
	}
	*now = now.Add(4 * time.Second)
	ticks <- *now
	ticks <- *now // the first one has been drawn when the second is taken
	g.update("waiting", "Deployment/redis 1/2 ready · "+strings.Repeat("a very long reason ", 9)+"\x1b[31m\n")
	for _, l := range shown(out.String()) {
		if n := len([]rune(l)); n >= 40 {
			t.Errorf("%d columns on a terminal of 40, which cannot be erased: %q", n, l)
		}
		if !strings.HasSuffix(l, "… (4s)") || strings.Contains(l, "\x1b") {
			t.Errorf("%q", l)
		}
	}
	g.step("ready", "Deployment/redis %d/2 ready", 2)
	g.update("verifying", "x")
	g.clear()
	g.clear()
	if got := shown(out.String()); len(got) != 1 || got[0] != "ready      Deployment/redis 2/2 ready" {
		t.Errorf("what stays is %q", got)
	}
	if strings.Contains(out.String(), "\x1b[?25l") {
		t.Error("the cursor is hidden")
	}
}

func TestProgressElsewhere(t *testing.T) {
	g, out, _, _ := testProgress(false, 0)
	g.glance("planning", "asking")
	g.update("waiting", "0/2")
	g.update("waiting", "0/2")
	g.update("waiting", "1/2")
	g.verifying(verify.Event{Message: "reading the cluster"})
	g.verifying(verify.Event{Message: "probe Pod shop/svcx-probe-1 starts"})
	g.verifying(verify.Event{Message: "done", Done: true})
	g.clear()
	want := "waiting    0/2\nwaiting    1/2\nverifying  probe Pod shop/svcx-probe-1 starts\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out, want)
	}
}

func TestWrapped(t *testing.T) {
	got := wrapped("applied    one two three four five six", 24, labelWidth)
	if want := "applied    one two three\n           four five six"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFitted(t *testing.T) {
	const waiting = "waiting    Deployment/redis 0/2 ready · redis-8476d75669-gbdbv: pulling image redis:alpine"
	for _, tc := range []struct {
		text string
		room int
		want string
	}{
		{waiting, 100, waiting},
		{waiting, 84, "waiting    Deployment/redis 0/2 ready · redis-84…9-gbdbv: pulling image redis:alpine"},
		{waiting, 78, "waiting    Deployment/redis 0/2 ready · redis…gbdbv: pulling image redis:alpi…"},
		{"waiting for more than there is room", 20, "waiting for more th…"},
		{"", 5, ""},
		{"a", 0, "…"},
	} {
		if got := fitted(tc.text, tc.room, '…'); got != tc.want {
			t.Errorf("%d:\n got %q\nwant %q", tc.room, got, tc.want)
		}
	}
}
