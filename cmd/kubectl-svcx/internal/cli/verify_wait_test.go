package cli

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// runsOut plays verdicts in turn, the last of them when the time to wait is over.
type runsOut struct {
	fakeCluster
	verdicts []*verify.Verdict
}

func (f *runsOut) Verify(ctx context.Context, _ verify.Target, _ verify.Options) (*verify.Verdict, error) {
	f.called("verify")
	v := f.verdicts[0]
	if len(f.verdicts) == 1 {
		<-ctx.Done()
		return v, nil
	}
	f.verdicts = f.verdicts[1:]
	return v, nil
}

// TestWaitingIsOverInTheMiddle: what the end of the time cuts short does not
// take the place of what was seen before it.
func TestWaitingIsOverInTheMiddle(t *testing.T) {
	verdict := func(s verify.State) *verify.Verdict {
		return &verify.Verdict{State: s, Services: []verify.ServiceVerdict{{Namespace: "default", Name: "redis", State: s}}}
	}
	failed, open, good := verdict(verify.StateFailed), verdict(verify.StateNotProven), verdict(verify.StateProven)
	for _, tc := range []struct {
		name     string
		verdicts []*verify.Verdict
		failOn   string
		code     int
	}{
		{"failed before", []*verify.Verdict{failed, open}, failOnFailure, exitFailed},
		{"failed before, all wanted", []*verify.Verdict{failed, open}, failOnNotProven, exitFailed},
		{"nothing before", []*verify.Verdict{open}, failOnFailure, exitNotProven},
		{"fails at the end", []*verify.Verdict{failed}, failOnFailure, exitFailed},
		{"proven at the end", []*verify.Verdict{failed, good}, failOnFailure, exitDone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inFolder(t, nil)
			f := &runsOut{verdicts: tc.verdicts}
			changes := make(chan string, 1)
			changes <- "a change"
			f.changes = changes
			got := runWith(t, context.Background(), &f.fakeCluster, func(p *program) {
				p.connect = func() (cluster, error) { return f, nil }
			}, "verify", "redis", "--wait", "--timeout=1s", "--fail-on="+tc.failOn)
			if got.code != tc.code {
				t.Errorf("exit code %d, want %d\n%s%s", got.code, tc.code, got.out, got.err)
			}
		})
	}
}

func TestWaitingFor(t *testing.T) {
	for _, tc := range []struct{ id, message, want string }{
		{"SVC505", "Service/redis gets no load balancer: no", "Service/redis  SVC505 gets no load balancer: no"},
		{"", "Service/redis: dns: no answer", "Service/redis  dns: no answer"},
		{"SVC307", "container a of Deployment/redis crashes", "Service/redis  SVC307 container a of Deployment/redis crashes"},
		{"SVC108", "Service/redis-copy has the same selector", "Service/redis  SVC108 Service/redis-copy has the same selector"},
	} {
		v := &verify.Verdict{Services: []verify.ServiceVerdict{{Name: "redis", State: verify.StateFailed,
			Findings: []verify.Finding{{ID: tc.id, Severity: verify.SeverityFailure, Message: tc.message}}}}}
		if got := waitingFor(v); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

// looks plays verdicts in turn and notes when each was asked for; after the last
// nothing happens for a quarter of an hour, and the user ends it.
type looks struct {
	fakeCluster
	verdicts []*verify.Verdict
	at       []time.Duration
	start    time.Time
	end      context.CancelFunc
}

func (f *looks) Verify(_ context.Context, _ verify.Target, o verify.Options) (*verify.Verdict, error) {
	f.at = append(f.at, time.Since(f.start))
	o.Progress(verify.Event{Message: "probe Pod svcx-probe-" + f.at[len(f.at)-1].String()})
	v := f.verdicts[0]
	if f.verdicts = f.verdicts[1:]; len(f.verdicts) == 0 {
		time.AfterFunc(15*time.Minute, f.end)
		f.verdicts = []*verify.Verdict{v}
	}
	return v, nil
}

// TestWatchLooksAgain: what time alone changes is seen while not all is good, and
// told once.
func TestWatchLooksAgain(t *testing.T) {
	inFolder(t, nil)
	verdict := func(s verify.State, words string) *verify.Verdict {
		v := &verify.Verdict{State: s, Services: []verify.ServiceVerdict{{Namespace: "default", Name: "redis", State: s, NotProven: words}}}
		if s == verify.StateFailed {
			v.Services[0].Findings = []verify.Finding{{ID: "SVC505", Severity: verify.SeverityFailure, Message: words}}
		}
		return v
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &looks{start: time.Now(), end: cancel, verdicts: []*verify.Verdict{
			verdict(verify.StateNotProven, "pending since 1 s"), verdict(verify.StateNotProven, "pending since 16 s"),
			verdict(verify.StateFailed, "no address"), verdict(verify.StateFailed, "no address yet"), verdict(verify.StateProven, ""),
		}}
		got := runWith(t, ctx, &f.fakeCluster, func(p *program) {
			p.connect = func() (cluster, error) { return f, nil }
		}, "verify", "redis", "--watch")
		want := []time.Duration{0, 15 * time.Second, 45 * time.Second, 105 * time.Second, 165 * time.Second}
		if !slices.Equal(f.at, want) {
			t.Errorf("looked at %v, want %v", f.at, want)
		}
		if told := strings.Count(got.out, " → "); told != 2 || strings.Contains(got.out, "16 s") || strings.Contains(got.out, "yet") {
			t.Errorf("%d changes were told, want 2:\n%s", told, got.out)
		}
		if n := strings.Count(got.err, "probe Pod"); n != 1 {
			t.Errorf("the probe Pod was told of %d times, want once:\n%s", n, got.err)
		}
	})
}

func TestNextLook(t *testing.T) {
	failed, proven := &verify.Verdict{State: verify.StateFailed}, &verify.Verdict{State: verify.StateProven}
	for _, tc := range []struct {
		v       *verify.Verdict
		before  time.Duration
		changed bool
		want    time.Duration
	}{
		{failed, 0, false, firstLook}, {failed, firstLook, false, 2 * firstLook}, {failed, lastLook, false, lastLook},
		{failed, lastLook, true, firstLook}, {nil, firstLook, false, 2 * firstLook}, {proven, lastLook, false, 0},
	} {
		if got := nextLook(tc.v, tc.before, tc.changed); got != tc.want {
			t.Errorf("after %s, changed %t: %s, want %s", tc.before, tc.changed, got, tc.want)
		}
	}
}
