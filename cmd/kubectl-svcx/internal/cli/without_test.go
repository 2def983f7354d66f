package cli

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What a user may not create and the app can do without is named with the way on, and
// nothing else is.
func TestForbiddenAndDoneWithout(t *testing.T) {
	forbid := func(resource, group string) error {
		return apierrors.NewForbidden(schema.GroupResource{Group: group, Resource: resource}, "redis",
			errors.New(`User "jo" cannot create resource "`+resource+`" in API group "`+group+`" in the namespace "shop"`))
	}
	budget, policy := forbid("poddisruptionbudgets", "policy"), forbid("networkpolicies", "networking.k8s.io")
	inFolder(t, nil)
	if r := runWith(t, t.Context(), &fakeCluster{}, nil, "generate", "redis", "--image=redis:alpine"); r.code != 0 {
		t.Fatal(r.err)
	}
	for _, tt := range []struct {
		args string
		err  error
		want string
	}{
		{"up web --image=redis:alpine", errors.Join(policy, budget), "or do without: add --set networkPolicy= --set podDisruptionBudget=\n"},
		{"up web --image=redis:alpine", budget, "or do without: add --set podDisruptionBudget=\n"},
		{"up web --image=redis:alpine --set networkPolicy=", policy, ""},
		{"up web --image=redis:alpine", forbid("deployments", "apps"), ""},
		{"apply -k redis/overlays/clusterip", budget, "or do without: kubectl svcx generate --dir redis --set podDisruptionBudget=; then apply it again\n"},
		{"diff -k redis/overlays/clusterip", policy, "or do without: kubectl svcx generate --dir redis --set networkPolicy=; then compare again\n"},
		{"apply -f redis/base/poddisruptionbudget.yaml", budget, ""},
	} {
		r := runWith(t, t.Context(), &fakeCluster{planErr: &apiError{err: tt.err}}, nil, strings.Fields(tt.args)...)
		wants(t, tt.args, r.err, "forbidden: user", tt.want)
		if r.code == 0 || tt.want == "" && strings.Contains(r.err, "do without") {
			t.Errorf("%s: exit %d\n%s", tt.args, r.code, r.err)
		}
	}
}
