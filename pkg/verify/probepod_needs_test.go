package verify

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestWhatAProbePodNeeds: what would help fits the reason.
func TestWhatAProbePodNeeds(t *testing.T) {
	for why, want := range map[string]string{
		": 0/2 nodes are available: 2 node(s) had untolerated taint(s).":      "--from nodes",
		": 0/2 nodes are available: 2 node(s) were unschedulable.":            "nor cordoned",
		": 0/2 nodes are available: 1 Insufficient cpu, 1 untolerated taint.": "room for one small Pod",
	} {
		if got := nodeFor(why); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", why, got, want)
		}
	}
	for why, want := range map[string]string{
		"minimum cpu usage per Container is 500m, but request is 10m":     "a minimum that admits 10m",
		"maximum memory usage per Container is 32Mi, but limit is 64Mi":   "room for 64Mi",
		"exceeded quota: full, requested: pods=1, used: pods=2, limited:": "quota",
	} {
		err := createFailure("shop", apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", errors.New(why)))
		if got := asPodFailure(err).needs; !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", why, got, want)
		}
	}
}
