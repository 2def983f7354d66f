//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// terminal runs a command on a terminal of its own and keeps what it shows.
type terminal struct {
	cmd    *exec.Cmd
	file   io.ReadWriteCloser
	mu     sync.Mutex
	shown  bytes.Buffer
	change chan struct{}
	ended  chan struct{} // closed when nobody writes to the terminal any more
}

func onTerminal(t *testing.T, ctx context.Context, dir string, args ...string) *terminal {
	t.Helper()
	cmd := command(t, ctx, dir, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	cmd.Env = append(cmd.Env, "TERM=xterm-256color", "LANG=C.UTF-8", "NO_COLOR=")
	file, err := pty.StartWithAttrs(cmd, &pty.Winsize{Rows: 24, Cols: 100}, cmd.SysProcAttr)
	if err != nil {
		t.Fatal(err)
	}
	s := &terminal{cmd: cmd, file: file, change: make(chan struct{}, 1), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		buf := make([]byte, 4096)
		for {
			n, err := file.Read(buf)
			s.mu.Lock()
			s.shown.Write(buf[:n])
			s.mu.Unlock()
			select {
			case s.change <- struct{}{}:
			default:
			}
			if err != nil { // EIO, once the last process has gone
				return
			}
		}
	}()
	t.Cleanup(func() { _ = file.Close() })
	return s
}

// all is everything that was written to the terminal.
func (s *terminal) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// waitFor waits until something has been shown.
func (s *terminal) waitFor(ctx context.Context, what *regexp.Regexp) bool {
	for !what.MatchString(s.all()) {
		select {
		case <-s.change:
		case <-s.ended:
			return what.MatchString(s.all())
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// screen is what a terminal shows after all that was written: of a line that
// is drawn over and over, only the last state.
func screen(written string) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(written, "\r\n", "\n"), "\n") {
		if i := strings.LastIndex(line, "\r"); i >= 0 {
			line = line[i+1:]
		}
		if i := strings.LastIndex(line, "\x1b[K"); i >= 0 {
			line = line[i+len("\x1b[K"):]
		}
		if i := strings.LastIndex(line, "\x1b[2K"); i >= 0 {
			line = line[i+len("\x1b[2K"):]
		}
		lines = append(lines, regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(line, ""))
	}
	return lines
}

// TestCtrlCOnATerminal presses Ctrl-C on a real terminal at each stage of up.
// The terminal is left clean: no half-drawn line, the cursor never hidden, no
// colour left on; and no probe Pod is left.
func TestCtrlCOnATerminal(t *testing.T) {
	t.Parallel()
	probes, err := metav1.ParseToLabelSelector(probePodSelector)
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []struct {
		name string
		sign *regexp.Regexp
	}{
		{"generating", regexp.MustCompile(`generated  `)},
		{"planning", regexp.MustCompile(`planning  `)},
		{"applying", regexp.MustCompile(`applying  `)},
		{"waiting", regexp.MustCompile(`waiting  .*\d/2 ready`)},
		{"verifying", regexp.MustCompile(`verifying  `)},
		{"probe Pod", regexp.MustCompile(`verifying  .*probe Pod .* starts`)},
	} {
		t.Run(stage.name, func(t *testing.T) {
			t.Parallel()
			ns := namespace(t, restricted)
			mute(t, client(t), ns, *probes) // or up may be done before the key is pressed
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			s := onTerminal(t, ctx, t.TempDir(), "svcx", "up", "redis", "--image=redis:alpine", "--replicas=2", "--port=6379", "-n", ns)
			if !s.waitFor(ctx, stage.sign) {
				t.Fatalf("the stage was not reached:\n%q", s.all())
			}
			if _, err := s.file.Write([]byte{3}); err != nil { // what the key sends
				t.Fatal(err)
			}
			<-s.ended
			var exit *exec.ExitError
			if err := s.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
				t.Errorf("ended with %v, want exit 130\n%q", err, s.all())
			}
			written := s.all()
			lines := screen(written)
			if last := lines[len(lines)-1]; last != "" {
				t.Errorf("the cursor is left in the line %q", last)
			}
			if !strings.Contains(strings.Join(lines, "\n"), "interrupted ") {
				t.Errorf("the screen does not say that it was interrupted:\n%s", strings.Join(lines, "\n"))
			}
			for _, line := range lines {
				if strings.HasPrefix(line, "planning") || strings.HasPrefix(line, "applying") || strings.HasPrefix(line, "verifying") {
					t.Errorf("a live line is left: %q", line)
				}
			}
			if strings.Contains(written, "\x1b[?25l") || strings.Contains(written, "\x1b[?1049h") {
				t.Errorf("the cursor was hidden, or another screen opened:\n%q", written)
			}
			if i, j := strings.LastIndex(written, "\x1b[0m"), lastColour(written); j > i {
				t.Errorf("a colour is left on:\n%q", written)
			}
			waitGone(t, client(t).CoreV1().Pods(ns), probePodSelector, 15*time.Second)
		})
	}
}

// lastColour is where the last escape that sets a colour or a style begins.
func lastColour(s string) int {
	all := regexp.MustCompile(`\x1b\[[1-9][0-9;]*m`).FindAllStringIndex(s, -1)
	if len(all) == 0 {
		return -1
	}
	return all[len(all)-1][0]
}
