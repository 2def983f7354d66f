package generate

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/validate"
)

// valid writes an App's tree and finds that validate has nothing to say against it.
// It returns what each folder that stands for itself builds to, by its path in the tree.
func valid(t *testing.T, a *App) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	for _, f := range append(mustFiles(t, a), baseExtras...) {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	built := map[string][]byte{}
	r, err := validate.Dir(t.Context(), dir, validate.Options{Build: func(folder string) ([]byte, error) {
		rel, err := filepath.Rel(dir, folder)
		if err != nil {
			return nil, err
		}
		built[filepath.ToSlash(rel)], err = kustomizeBuild(filesys.MakeFsOnDisk(), folder)
		return built[filepath.ToSlash(rel)], err
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		t.Errorf("%s", f)
	}
	for _, o := range overlays(a) {
		if built[Overlay(o)] == nil {
			t.Errorf("%s was not built", Overlay(o))
		}
	}
	for _, e := range a.Spec.Overlays {
		if built[e.Dir()] == nil {
			t.Errorf("%s was not built", e.Dir())
		}
	}
	return built
}

// What any App generates is valid, and says when it is imported what was asked.
func TestAnyAppIsValidAndComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 2026))
	for i := range 12 {
		a := randomApp(r)
		valid(t, a)
		if comesBack(a) {
			back(t, a)
		}
		if t.Failed() {
			t.Fatalf("App %d: %s", i, shown(t, a))
		}
	}
}

func shown(t *testing.T, a *App) string {
	t.Helper()
	data, err := encode(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// comesBack leaves out Apps with Secrets: their values are read by everyone who reads
// svcx.yaml, so import puts the objects into base/ as they are, and says so.
func comesBack(a *App) bool { return len(a.Spec.Secrets) == 0 }
