//go:build e2e

package generate

import (
	"math/rand/v2"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
	"github.com/kubectl-svcx/kubectl-svcx/test/dryrun"
)

// A real API server takes what any App generates: each object of each overlay, by a
// strict dry run. The Apps are others in each run.
func TestAnyAppIsAccepted(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(cluster.Seed(t), 0))
	server := dryrun.New(t)
	asked := map[string]bool{} // most objects are the same in every overlay
	var documents [][]byte
	for i := range 60 {
		a := randomApp(r)
		for _, built := range valid(t, a) {
			for _, d := range dryrun.Documents(built) {
				if !asked[string(d)] {
					asked[string(d)] = true
					documents = append(documents, d)
				}
			}
		}
		if i%3 == 0 && comesBack(a) { // TestAnyAppIsValidAndComesBack has more, and the same ones
			back(t, a)
		}
		if t.Failed() {
			t.Fatal(shown(t, a))
		}
	}
	for _, err := range server.Refusals(t.Context(), documents) {
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d objects", len(documents))
}

// A real API server refuses what generate and validate refuse, and takes what looks
// the same.
func TestValidatorsAgreeWithServer(t *testing.T) {
	t.Parallel()
	server := dryrun.New(t)
	refuses := func(a *App) (out []error) {
		for _, err := range server.Refusals(t.Context(), dryrun.Documents(builtBase(t, a))) {
			if err != nil {
				out = append(out, err)
			}
		}
		return out
	}
	for _, c := range odd {
		if len(refuses(oddApp(t, c.spec))) == 0 {
			t.Errorf("%s is accepted", c.spec)
		}
	}
	for _, spec := range even {
		for _, err := range refuses(oddApp(t, spec)) {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
