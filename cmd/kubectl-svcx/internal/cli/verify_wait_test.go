package cli

import (
	"context"
	"testing"

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
