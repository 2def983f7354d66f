//go:build !windows

package cli

import (
	"bytes"
	"testing"

	"github.com/creack/pty"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func TestScreen(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close(); _ = tty.Close() })
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 61}); err != nil {
		t.Fatal(err)
	}
	terminal := genericiooptions.IOStreams{In: tty, Out: tty, ErrOut: tty}
	for _, c := range []struct {
		name                  string
		streams               genericiooptions.IOStreams
		env                   map[string]string
		color, redraws, ascii bool
		outTerminal           bool
	}{
		{name: "terminal", streams: terminal, color: true, redraws: true, outTerminal: true},
		{name: "NO_COLOR", streams: terminal, env: map[string]string{"NO_COLOR": "1"}, redraws: true, outTerminal: true},
		{name: "dumb", streams: terminal, env: map[string]string{"TERM": "dumb"}, outTerminal: true},
		{name: "pipes", streams: genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &bytes.Buffer{}, ErrOut: &bytes.Buffer{}}},
		{name: "stdout piped", streams: genericiooptions.IOStreams{In: tty, Out: &bytes.Buffer{}, ErrOut: tty}, redraws: true},
		{name: "C locale", streams: terminal, env: map[string]string{"LANG": "C"}, color: true, redraws: true, ascii: true, outTerminal: true},
		{name: "UTF-8 locale", streams: terminal, env: map[string]string{"LANG": "C", "LC_ALL": "en_GB.utf8"}, color: true, redraws: true, outTerminal: true},
	} {
		s := newScreen(c.streams, func(name string) string { return c.env[name] })
		if s.outColor != c.color || s.redraws != c.redraws || s.ascii != c.ascii || s.outTerminal != c.outTerminal {
			t.Errorf("%s: %+v", c.name, s)
		}
		want := 0
		if c.outTerminal {
			want = 61
		}
		if got := s.outWidth(); got != want {
			t.Errorf("%s: width %d, want %d", c.name, got, want)
		}
	}
}
