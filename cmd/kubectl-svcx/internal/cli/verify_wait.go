package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// The values of --for.
const (
	untilVerified  = "verified"
	untilEndpoints = "endpoints"
)

const (
	// A burst of changes is one change: this much quiet ends it, or this much time.
	quietAfter = 300 * time.Millisecond
	burstLimit = 3 * time.Second
	// What changes without an object changing is looked for in pauses of
	// these lengths, each twice the one before.
	firstPause = time.Second
	lastPause  = 15 * time.Second
	// With --watch the same goes for these, for as long as not all is good.
	firstLook = 15 * time.Second
	lastLook  = time.Minute
	// Service proxies and DNS follow a change within this time.
	settleAfter = 5 * time.Second
)

// waitVerify verifies until it is good enough for --fail-on, anew at every
// change and in growing pauses, or until --timeout.
func (p *program) waitVerify(ctx context.Context, r *verification) error {
	o := r.o
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	// Without the right to watch there are the pauses.
	changes, _ := r.c.Watch(limited, namespacesOf(r.targets))
	var last *verify.Verdict
	var lastRecords []*verify.Recording
	var missing error
	pause := firstPause
	for {
		v, records, err := r.once(limited)
		switch {
		case ctx.Err() != nil:
			return r.interrupted(ctx, "while waiting", err)
		case limited.Err() != nil && err != nil: // cut short: it says nothing
		case limited.Err() != nil && v.State != verify.StateProven:
			// The end of the time fell into this run: what it did not come to ask is
			// not proven in it, although the run before may have seen it fail.
			if last == nil {
				last, lastRecords = v, records
			}
		case err == nil:
			last, lastRecords, missing = v, records, nil
			if verdictCode(v, o.failOn) == nil || flagMissing(v) {
				return p.present(o, v, records, r.g)
			}
			r.g.update("waiting", waitingFor(v))
		case notThereYet(err):
			last, missing = nil, err
			r.g.update("waiting", err.Error())
		default:
			return err
		}
		if limited.Err() == nil {
			settle(limited, changes, pause)
			pause = min(2*pause, lastPause)
		}
		if ctx.Err() != nil {
			return r.interrupted(ctx, "while waiting", nil)
		}
		if limited.Err() == nil {
			continue
		}
		r.g.step("waited", "%s, and not %s", o.timeout, o.until)
		switch {
		case last != nil:
			if err := p.present(o, last, lastRecords, r.g); err != nil {
				return err
			}
			return tooLate() // a run that was cut short is good enough for nobody
		case missing != nil:
			return missing
		}
		return withHints(fmt.Errorf("no verdict within %s", o.timeout), "give it more time with --timeout")
	}
}

// settle waits for a change and the quiet after it, or for the pause to end
// (0: none). It says what changed.
func settle(ctx context.Context, changes <-chan string, pause time.Duration) string {
	var over <-chan time.Time
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		over = t.C
	}
	var what string
	select {
	case <-ctx.Done():
		return ""
	case <-over:
		return ""
	case what = <-changes:
	}
	limit := time.NewTimer(burstLimit)
	defer limit.Stop()
	for {
		quiet := time.NewTimer(quietAfter)
		select {
		case <-ctx.Done():
		case <-limit.C:
		case <-quiet.C:
		case what = <-changes:
			quiet.Stop()
			continue
		}
		quiet.Stop()
		return what
	}
}

// flagMissing says whether waiting cannot help: nothing failed, and whatever is
// not proven needs --in-cluster.
func flagMissing(v *verify.Verdict) bool {
	if v.State != verify.StateNotProven {
		return false
	}
	for i := range v.Services {
		for _, c := range v.Services[i].Checks {
			if c.State == verify.StateNotProven && !strings.Contains(c.Needs, "--in-cluster") {
				return false
			}
		}
	}
	return true
}

// notThereYet says whether an error may go away by waiting.
func notThereYet(err error) bool {
	var service *verify.NotFoundError
	var none *verify.NoServicesError
	var namespace *verify.NoNamespaceError
	return errors.As(err, &service) || errors.As(err, &none) || errors.As(err, &namespace)
}

// waitingFor is the first thing that is not good yet.
func waitingFor(v *verify.Verdict) string {
	for i := range v.Services {
		s := &v.Services[i]
		if s.State == verify.StateProven {
			continue
		}
		for _, f := range s.Findings {
			if f.Severity == verify.SeverityFailure {
				ref, text := "Service/"+s.Name, f.Message
				for _, mark := range []string{" ", ": "} { // its name is said once
					text = strings.TrimPrefix(text, ref+mark)
				}
				return ref + "  " + strings.TrimSpace(f.ID+" "+text)
			}
		}
		for _, c := range s.Checks {
			if c.State == verify.StateFailed || c.State == verify.StateNotProven {
				return "Service/" + s.Name + "  " + c.Name + ": " + c.Summary
			}
		}
	}
	return "nothing failed"
}

// watchVerify verifies, and again whenever something changes, until the user
// ends it: first the whole report, then each change of a verdict. What is not
// good may become so by time alone, and is looked at in growing pauses.
func (p *program) watchVerify(ctx context.Context, r *verification) error {
	changes, err := r.c.Watch(ctx, namespacesOf(r.targets))
	if err != nil {
		return err
	}
	var before map[string]report.Standing
	what, failed := "", ""
	var pause time.Duration
	for {
		v, records, err := r.once(ctx)
		if ctx.Err() != nil {
			return r.interrupted(ctx, "while watching", err)
		}
		switch {
		case notThereYet(err) && before != nil:
			v = &verify.Verdict{APIVersion: verify.VerdictAPIVersion, Kind: "Verdict", State: verify.StateNotProven}
		case err != nil && before == nil:
			return err
		case err != nil:
			if v = nil; err.Error() != failed {
				failed = err.Error()
				r.g.step("watching", "%s", err) // the API server is away; go on
			}
		}
		if v != nil {
			failed = ""
			if now := report.Standings(v); what != "" || !alike(before, now) {
				if err := p.transition(r, before, now, v, records, what); err != nil {
					return err
				}
				before = now
			}
		}
		r.g.glance("watching", "for changes; Ctrl-C ends it")
		pause = nextLook(v, pause, what != "")
		what = settle(ctx, changes, pause)
		r.unasked = what == ""
		if ctx.Err() != nil {
			return r.interrupted(ctx, "while watching", nil)
		}
	}
}

// nextLook is how long to wait for a change after a verdict (nil: there was none),
// 0 for as long as it takes; before is how long that was last time.
func nextLook(v *verify.Verdict, before time.Duration, changed bool) time.Duration {
	switch {
	case v != nil && v.State == verify.StateProven:
		return 0
	case changed || before == 0:
		return firstLook
	}
	return min(2*before, lastLook)
}

// alike reports whether two verdicts differ in words only, as in seconds or in
// shares of answers, which no two looks have in common.
func alike(a, b map[string]report.Standing) bool {
	return a != nil && maps.EqualFunc(a, b, func(x, y report.Standing) bool { return x.State == y.State && x.IDs == y.IDs })
}

// transition prints the first report whole, and of the others what changed.
func (p *program) transition(r *verification, before, now map[string]report.Standing, v *verify.Verdict, records []*verify.Recording, what string) error {
	if before == nil {
		var code *codeError
		if err := p.present(r.o, v, records, r.g); err != nil && !errors.As(err, &code) {
			return err
		}
		return nil
	}
	if maps.Equal(before, now) {
		return nil
	}
	r.g.clear()
	if f := r.o.format; f == report.JSON || f == report.YAML {
		if f == report.YAML {
			fmt.Fprintln(p.Out, "---")
		}
		return report.Verdict(p.Out, v, p.screen.report(f))
	}
	return report.Transitions(p.Out, before, now, p.now(), what, p.screen.report(r.o.format))
}

// namespacesOf lists the namespaces of targets, each once; "" stands for all.
func namespacesOf(targets []verify.Target) []string {
	var out []string
	for _, t := range targets {
		ns := t.Namespace
		if t.AllNamespaces {
			ns = ""
		}
		if !slices.Contains(out, ns) {
			out = append(out, ns)
		}
	}
	return out
}
