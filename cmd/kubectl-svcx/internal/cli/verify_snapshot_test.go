package cli

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// What cannot be judged is an error with what to do, and no crash.
func TestJudgedOrRefused(t *testing.T) {
	svc := corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "redis", Namespace: "demo"}}
	r := &verify.Recording{Snapshot: verify.Snapshot{Targets: []string{"demo/redis"}, Services: []corev1.Service{svc}}}
	if v, err := judged(r); err != nil || v == nil {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := judged(nil); v != nil || err == nil || !strings.Contains(err.Error(), "cannot be judged") {
		t.Errorf("%v, %v", v, err)
	}
}

// What says how the network is asked means nothing to what was asked already.
func TestSnapshotAsksNothing(t *testing.T) {
	for _, flags := range []string{"--from=deploy/web", "--from=deploy/web --ephemeral", "--auth-secret=redis-auth", "--tls", "--send=x", "--expect=x",
		"--check=tcp", "--probe-via=stream", "--probe-image=x", "--yes", "--in-cluster"} {
		inFolder(t, nil)
		r := runWith(t, t.Context(), &fakeCluster{}, nil, append([]string{"verify", "--snapshot=x.json"}, strings.Fields(flags)...)...)
		name, _, _ := strings.Cut(strings.Fields(flags)[0], "=")
		if r.code != exitError || !strings.Contains(r.err, name+": ") {
			t.Errorf("%s: exit %d: %s", flags, r.code, r.err)
		}
	}
}
