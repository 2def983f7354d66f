package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
)

// consent explains a plan that interrupts clients and asks whether to go on.
// Where nobody can be asked, --yes has to have been given.
func (p *program) consent(ctx context.Context, g *progress, plan *apply.Plan, yes bool) error {
	if !plan.Interrupts() {
		return nil
	}
	g.clear()
	if err := report.Plan(p.ErrOut, plan, p.screen.reportErr()); err != nil {
		return err
	}
	if yes {
		return nil
	}
	who := strings.Join(interrupting(plan), ", ")
	if !p.screen.inTerminal || !p.screen.errTerminal {
		return withHints(fmt.Errorf("this interrupts clients of %s, and there is no terminal to ask on: nothing was applied", who),
			"add --yes to agree")
	}
	fmt.Fprintf(p.ErrOut, "\nThis interrupts clients of %s. Go on? [y/N] ", who)
	answer, err := p.readLine(ctx)
	if err != nil {
		fmt.Fprintln(p.ErrOut)
		return &interruptError{stage: "before anything was applied", err: err}
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("not agreed: nothing was applied")
}

// interrupting names the objects whose clients are interrupted.
func interrupting(plan *apply.Plan) []string {
	var names []string
	for i := range plan.Changes {
		if t := plan.Changes[i].Transition; t != nil && t.Interrupts {
			names = append(names, plan.Changes[i].Object.String())
		}
	}
	return names
}

// readLine reads one line of the terminal; it ends early when ctx does. The
// reader is left behind then: the program is about to end.
func (p *program) readLine(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(p.In).ReadString('\n')
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		if a.err != nil && a.line == "" {
			return "", nil // end of input is no agreement
		}
		return a.line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
