//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestKubectlKustomizeBuildsTheSame compares our build of every kustomization of
// the generator's examples and matrix of Specs with kubectl's, byte for byte, and
// has each tree checked offline. (pkg/generate compares with kustomize's own command.)
func TestKubectlKustomizeBuildsTheSame(t *testing.T) {
	t.Parallel()
	trees, err := filepath.Glob("../../pkg/generate/testdata/golden/*")
	if err != nil || len(trees) == 0 {
		t.Fatal("no trees", err)
	}
	for _, golden := range append(trees, "../../manifests/redis") {
		name := filepath.Base(golden)
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			if err := os.CopyFS(dir, os.DirFS(golden)); err != nil {
				t.Fatal(err)
			}
			if name == "postgres" {
				// What is secret is not committed.
				if err := os.WriteFile(filepath.Join(dir, "base", "db.env"), []byte("POSTGRES_PASSWORD=secret\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			built := 0
			for _, pattern := range []string{"base", "overlays/*"} {
				folders, err := filepath.Glob(filepath.Join(dir, pattern))
				if err != nil {
					t.Fatal(err)
				}
				for _, folder := range folders {
					ours, err := apply.BuildYAML(filesys.MakeFsOnDisk(), folder)
					if err != nil {
						t.Fatal(err)
					}
					theirs := kubectl(t, dir, "kustomize", folder).want(t, 0).stdout
					if string(ours) != theirs || theirs == "" {
						t.Errorf("%s differs.\nours:\n%s\nkubectl kustomize:\n%s", filepath.Base(folder), ours, theirs)
					}
					built++
				}
			}
			if built < 2 {
				t.Errorf("%d kustomizations were built", built)
			}
			svcx(t, dir, "validate", dir).want(t, 0)
		})
	}
}
