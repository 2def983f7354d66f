package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// The exit codes. They are given out in this file only.
const (
	exitDone        = 0   // done, or verified
	exitError       = 1   // an error in using it, or of the API server
	exitFailed      = 2   // verification failed
	exitNotProven   = 3   // nothing failed, but not everything could be proven
	exitInterrupted = 130 // ended by Ctrl-C
	exitTerminated  = 143 // ended by SIGTERM

	// diff answers as kubectl diff does: 1 for differences, more for an error.
	exitDifferences = 1
	exitDiffError   = 2
)

// codeError is a result that is no error but decides the exit code. Nothing is
// printed for it: the report has said it all.
type codeError struct{ code int }

func (e *codeError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// hintError is an error with what to do about it.
type hintError struct {
	err   error
	hints []string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// withHints adds next steps to an error.
func withHints(err error, hints ...string) error {
	return &hintError{err: err, hints: hints}
}

// finish prints what is left to say and returns the exit code.
func (p *program) finish(ctx context.Context, cmd *cobra.Command, err error) int {
	var code *codeError
	if err == nil || errors.As(err, &code) {
		if p.out.err == nil {
			return resultCode(code)
		}
		err = fmt.Errorf("writing the result: %w", p.out.err)
	}
	if errors.Is(err, syscall.EPIPE) {
		return exitError // whoever read the output has seen enough
	}
	ended := interrupted(ctx, err)
	if ended {
		msg, hints := explain(err)
		p.writeError("", msg, hints)
	} else {
		p.reportError(err)
	}
	switch {
	case ended && strings.Contains(context.Cause(ctx).Error(), syscall.SIGTERM.String()):
		return exitTerminated
	case ended:
		return exitInterrupted
	case failedToRun(err):
		return exitFailed
	case cmd != nil && cmd.Name() == "diff":
		return exitDiffError
	}
	return exitError
}

// resultCode is the exit code of a run without an error.
func resultCode(code *codeError) int {
	if code == nil {
		return exitDone
	}
	return code.code
}

// reportError prints an error and what to do about it.
func (p *program) reportError(err error) {
	msg, hints := explain(err)
	p.writeError("error: ", msg, hints)
}

// interrupted says whether err is the consequence of a signal.
func interrupted(ctx context.Context, err error) bool {
	if ctx.Err() == nil {
		return false
	}
	var stage *interruptError
	return errors.As(err, &stage) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// failedToRun says whether the app was applied and does not run: that is the
// verdict on the Service, not an error in using the program.
func failedToRun(err error) bool {
	var stuck *apply.StuckError
	var late *apply.WaitError
	return errors.As(err, &stuck) || errors.As(err, &late)
}

// writeError prints an error and its hints, aligned under it.
func (p *program) writeError(head, msg string, hints []string) {
	const indent = "       "
	lines := strings.Split(strings.TrimRight(msg, "\n"), "\n")
	for _, h := range hints {
		lines = append(lines, strings.Split(printable(h), "\n")...)
	}
	var b strings.Builder
	for i, l := range lines {
		switch {
		case i == 0 && head != "":
			b.WriteString(p.screen.paintErr("31", strings.TrimSuffix(head, " ")) + " ")
		case head != "":
			b.WriteString(indent)
		}
		b.WriteString(l + "\n")
	}
	fmt.Fprint(p.ErrOut, b.String())
}

// printable drops what could command a terminal, and keeps line breaks and spaces.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.Is(unicode.C, r) {
			return -1
		}
		return r
	}, s)
}

// interruptError says at which stage the user ended a run, and what is left.
type interruptError struct {
	stage string   // "while waiting"
	stays []string // what is left behind, and what to do about it
	err   error
}

func (e *interruptError) Error() string {
	return strings.Join(append([]string{"interrupted " + e.stage}, e.stays...), "\n")
}

func (e *interruptError) Unwrap() error { return e.err }

// pathError shortens the error of a file operation to path and reason.
func pathError(err error) (string, bool) {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Sprintf("%s: %v", pe.Path, pe.Err), true
	}
	return "", false
}

// verdictCode is the exit code for a verdict, as an error that says nothing more.
// A verdict on nothing is good enough for nobody.
func verdictCode(v *verify.Verdict, failOn string) error {
	warned := false
	for i := range v.Services {
		for j := range v.Services[i].Findings {
			warned = warned || v.Services[i].Findings[j].Severity == verify.SeverityWarning
		}
	}
	switch {
	case v.State == verify.StateFailed, failOn == failOnWarning && warned:
		return &codeError{exitFailed}
	case v.State != verify.StateProven && (failOn != failOnFailure || len(v.Services) == 0):
		return &codeError{exitNotProven}
	}
	return nil
}

// tooLate is the exit code where the time was over before all had been asked.
func tooLate() error { return &codeError{exitNotProven} }

// planCode is the exit code of diff.
func planCode(p *apply.Plan) error {
	if p.CreatesNamespace != "" {
		return &codeError{exitDifferences}
	}
	for i := range p.Changes {
		if p.Changes[i].Action != apply.ActionUnchanged {
			return &codeError{exitDifferences}
		}
	}
	return nil
}
