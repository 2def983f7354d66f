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
	apps := map[string][]string{}
	for _, file := range built {
		app := filepath.Base(filepath.Dir(filepath.Dir(file)))
		apps[app] = append(apps[app], file)
	}
	for app, files := range apps {
		t.Run(app, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"apply", "--server-side", "--dry-run=server", "-n", ns}
			for _, file := range files {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				name := filepath.Base(filepath.Dir(file)) + ".yaml"
				if err := os.WriteFile(filepath.Join(dir, name), own.ReplaceAll(data, []byte("  namespace: "+ns)), 0o644); err != nil {
					t.Fatal(err)
				}
				args = append(args, "-f", name)
			}
			kubectl(t, dir, args...).want(t, 0)
		})
	}
}
