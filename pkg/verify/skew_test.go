package verify

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// TestAgesByTheClustersClock: what the cluster has dated is as old as the cluster
// says, however wrong this machine's clock is.
func TestAgesByTheClustersClock(t *testing.T) {
	life := int64(60)
	for _, tc := range []struct {
		name    string
		ahead   time.Duration // of the cluster's clock
		age     time.Duration // of a probe Pod
		removed int
	}{
		{"right", 0, 0, 0},
		{"right, a leftover", 0, 5 * time.Minute, 1},
		{"an hour behind, of a run that is at work", -time.Hour, 0, 0},
		{"an hour ahead, a leftover", time.Hour, 5 * time.Minute, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newAPI(t)
			there := func() time.Time { return time.Now().Add(tc.ahead) }
			a.snapshot.Pods = append(a.snapshot.Pods, corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: probePodName + "x", CreationTimestamp: metav1.NewTime(there().Add(-tc.age)),
					Labels: map[string]string{labelManagedBy: managedBy, LabelProbe: "x"}},
				Spec: corev1.PodSpec{ActiveDeadlineSeconds: &life},
			})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", there().UTC().Format(http.TimeFormat))
				a.ServeHTTP(w, r)
			}))
			defer srv.Close()
			cfg := &rest.Config{Host: srv.URL}
			s, err := Observe(t.Context(), cfg, Target{Namespace: "demo"})
			if err != nil {
				t.Fatal(err)
			}
			if d := s.Taken.Sub(there()); d.Abs() > time.Minute {
				t.Errorf("taken %s off the cluster's clock", d)
			}
			// This API server refuses to delete; that it is asked to is what counts.
			_, err = Cleanup(t.Context(), cfg, "demo", false)
			if n := a.count(http.MethodDelete); n != tc.removed || (err != nil) != (n > 0) {
				t.Errorf("%d Pods to be removed, want %d: %v", n, tc.removed, err)
			}
		})
	}
}
