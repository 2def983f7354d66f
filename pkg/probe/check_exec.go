package probe

import (
	"context"
	"fmt"
	"strings"
)

// Executor runs a probe's command in the container that it names and returns
// what it wrote, bounded and with what counts last, and its exit code. An error
// says that it was not run, or that its end was not seen; a DialError gives its
// class.
type Executor func(ctx context.Context, p Probe) (output string, code int, err error)

// MaxOutput bounds what an Executor returns of each output of a command, in bytes.
const MaxOutput = 4 << 10

// The exit codes with which shells and runtimes say that there is no such
// command, or that it cannot be run.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

// askExec wants a command to end with exit code 0.
func askExec(ctx context.Context, a *attempt) error {
	if a.opts.Exec == nil {
		return seen(ClassLocal, "commands cannot be run from here")
	}
	a.connected = true // a command that does not end is silent, not unreachable
	out, code, err := a.opts.Exec(ctx, a.probe)
	if err != nil {
		return err
	}
	last := lastLine(out)
	told := fmt.Sprintf("exit code %d", code)
	if last != "" {
		told += ": " + last
	}
	switch code {
	case 0:
		a.detail = "exit code 0"
		a.fact("output", last)
		return nil
	case codeNotExecutable, codeNotFound:
		return seen(ClassLocal, "the command does not run in its container, "+told)
	}
	return seen(ClassErrorReply, told)
}

// lastLine returns the last line of a text that is not empty: commands say there
// what came of it.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexAny(s, "\r\n")+1:])
}
