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
	return p.agree(ctx, "this interrupts clients of "+who, "nothing was applied", "before anything was applied")
}

// agree asks on the terminal whether to go on with what matters to somebody
// else. otherwise says what then was left alone.
func (p *program) agree(ctx context.Context, what, otherwise, stage string) error {
	if !p.screen.inTerminal || !p.screen.errTerminal {
		return withHints(fmt.Errorf("%s, and there is no terminal to ask on: %s", what, otherwise), "add --yes to agree")
	}
	question := strings.ToUpper(what[:1]) + what[1:] + ". Go on? [y/N] "
	fmt.Fprint(p.ErrOut, "\n"+wrapped(question, p.screen.errWidth(), 1))
	answer, err := p.readLine(ctx)
	if err != nil {
		fmt.Fprintln(p.ErrOut)
		return &interruptError{stage: stage, err: err}
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("not agreed: " + otherwise)
}

// consentEphemeral asks before a container is added to somebody's Pod for good.
func (p *program) consentEphemeral(ctx context.Context, f *probeFlags, yes bool) error {
	if !f.ephemeral || yes {
		return nil
	}
	return p.agree(ctx, "this adds an ephemeral container to a Pod of "+f.from+", which stays in its spec until the Pod is deleted",
		"nothing was added", "before anything was asked")
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
