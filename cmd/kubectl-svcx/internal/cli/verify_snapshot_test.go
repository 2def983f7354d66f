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
