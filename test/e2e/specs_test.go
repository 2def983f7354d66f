//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestEveryOverlayIsAccepted has the API server judge, by a dry run, what every
// overlay of the generator's matrix of Specs builds to.
func TestEveryOverlayIsAccepted(t *testing.T) {
	built, err := filepath.Glob("../../pkg/generate/testdata/built/*/*/built.yaml")
	if err != nil || len(built) == 0 {
		t.Fatal("no overlays", err)
	}
	ns := namespace(t, nil)
	// Their own namespaces need not exist; what they are changes nothing else.
	own := regexp.MustCompile(`(?m)^  namespace: .*$`)
	for _, file := range built {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(file)))+"/"+filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "built.yaml"), own.ReplaceAll(data, []byte("  namespace: "+ns)), 0o644); err != nil {
				t.Fatal(err)
			}
			kubectl(t, dir, "apply", "--server-side", "--dry-run=server", "-n", ns, "-f", "built.yaml").want(t, 0)
		})
	}
}
