//go:build e2e

package e2e

import (
	"path/filepath"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestKubectlKustomizeBuildsTheSame compares our build of each overlay with
// kubectl's, byte for byte. (pkg/generate does so with kustomize's own command.)
func TestKubectlKustomizeBuildsTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	svcx(t, dir, "generate", "redis", "--image=redis:alpine", "--replicas=2", "--port=6379", "--external-name=server.example.com").want(t, 0)
	overlays, err := filepath.Glob(filepath.Join(dir, "redis", "overlays", "*"))
	if err != nil || len(overlays) != len(types) {
		t.Fatalf("overlays %v (%v), want one a type", overlays, err)
	}
	for _, overlay := range append(overlays, filepath.Join(dir, "redis", "base")) {
		ours, err := apply.BuildYAML(filesys.MakeFsOnDisk(), overlay)
		if err != nil {
			t.Fatal(err)
		}
		theirs := kubectl(t, dir, "kustomize", overlay).want(t, 0).stdout
		if string(ours) != theirs {
			t.Errorf("%s differs.\nours:\n%s\nkubectl kustomize:\n%s", filepath.Base(overlay), ours, theirs)
		}
		if len(theirs) == 0 {
			t.Errorf("%s is empty", overlay)
		}
	}
}
