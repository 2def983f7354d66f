package generate

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
)

// back imports what the overlay of an App's type builds to, and wants the same Spec
// again, but for what is in no object of it:
//   - the environments, each of which is a cluster of its own, and fields that the
//     overlay of the type has no use for;
//   - what makes no difference, as it is known of the image or is a default;
//   - the spelling of a quantity, which is the API's then;
//   - the short form of a check, which comes back as the readiness probe that it is;
//   - a headless Service's ports, which are those of its Pods;
//   - the files behind a ConfigMap, which come back as its data.
//
// Secrets come back as objects in base/, which comesBack leaves out.
func back(t *testing.T, a *App) *App {
	t.Helper()
	a = a.copy()
	a.Spec.Overlays = nil // each is a cluster of its own
	a.Spec.ConfigMaps = inlined(a.Spec.ConfigMaps)
	a.Complete()
	if w := a.Spec.Workload; w != nil && w.Check != nil && w.Check.Type != "none" {
		// It is a readiness probe in short, which is what comes back.
		known, _ := presetFor(w.Image)
		full := *w
		full.ReadinessProbe, full.Check = a.checkProbe(known), nil
		a.Spec.Workload = &full
	}
	if w := a.Spec.Workload; w != nil {
		full := *w
		full.VolumeClaimTemplates = slices.Clone(w.VolumeClaimTemplates)
		for i, c := range full.VolumeClaimTemplates {
			storage := c.claim().Spec.Resources.Requests["storage"]
			full.VolumeClaimTemplates[i].Storage = storage.String()
		}
		a.Spec.Workload = &full
	}
	if s := &a.Spec.Service; s.Type == Headless {
		seen := map[containerPort]bool{}
		s.Ports = slices.DeleteFunc(s.Ports, func(p ServicePort) bool {
			twice := seen[a.target(p)]
			seen[a.target(p)] = true
			return twice
		})
		for i := range s.Ports {
			s.Ports[i].Port = a.targetNumber(s.Ports[i])
		}
	}
	want := a.least()
	if want == nil {
		t.Fatalf("no shortest form of %+v", a)
	}
	want.Complete()
	fsys := inMemory(t, mustFiles(t, a))
	built, err := kustomizeBuild(fsys, "/tree/"+Overlay(a.Spec.Service.Type))
	if err != nil {
		t.Fatal(err)
	}
	i, err := Import(readObjects(t, string(built)), kustomizeBuild)
	if err != nil {
		t.Fatalf("%v\n%s", err, built)
	}
	if !equality.Semantic.DeepEqual(i.App, want) {
		got, _ := MarshalApp(i.App)
		wanted, _ := MarshalApp(want)
		t.Errorf("came back as\n%s\nwant\n%s\nfrom\n%s", got, wanted, built)
	}
	if fmt.Sprint(i.files) != fmt.Sprint(i.generated) {
		t.Errorf("some files are not as they are generated")
	}
	return i.App
}

// A Secret stands in base/, and svcx.yaml says all the rest.
func TestSecretsStandBesideWhatComesBack(t *testing.T) {
	a := matrixApps(t)["every-workload-field"]
	built, err := kustomizeBuild(inMemory(t, mustFiles(t, a)), "/tree/"+Overlay(ClusterIP))
	if err != nil {
		t.Fatal(err)
	}
	i, err := Import(readObjects(t, string(built)), kustomizeBuild)
	if err != nil {
		t.Fatal(err)
	}
	s := i.App.Spec
	if len(s.Secrets) > 0 || len(s.ConfigMaps) == 0 || s.PodDisruptionBudget == nil || s.HorizontalPodAutoscaler == nil || s.NetworkPolicy == nil || s.Workload.LivenessProbe == nil {
		t.Errorf("svcx.yaml says %+v", s)
	}
	for k, f := range i.generated {
		if edited := fmt.Sprint(i.files[k]) != fmt.Sprint(f); edited != (f.Path == "base/kustomization.yaml") {
			t.Errorf("%s is edited: %t", f.Path, edited)
		}
	}
	for _, f := range i.files[len(i.generated):] {
		if !strings.HasPrefix(f.Path, "base/secret-api-") || !strings.Contains(string(file(i.files, "base/kustomization.yaml")), "- "+path.Base(f.Path)) {
			t.Errorf("%s is there, or is named nowhere", f.Path)
		}
	}
	dir := filepath.Join(t.TempDir(), "tree")
	if _, err := WriteImported(t.Context(), dir, i, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	before := readTree(t, dir)
	if _, err := Write(t.Context(), dir, i.App, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, before)
}

func TestExamplesComeBack(t *testing.T) {
	for name, a := range matrixApps(t) {
		if len(a.Spec.Secrets) > 0 {
			continue // what is secret stays where it is
		}
		t.Run(name, func(t *testing.T) { back(t, a) })
	}
	for name, a := range exampleApps() {
		t.Run(name, func(t *testing.T) { back(t, a) })
	}
	short := back(t, &App{Metadata: Metadata{Name: "redis"}, Spec: Spec{Workload: &Workload{Image: "redis:alpine"}}})
	if w := short.Spec.Workload; w.Resources != nil || w.ReadinessProbe != nil || w.SecurityContext != nil || w.Volumes != nil {
		t.Errorf("what is known of the image is said again: %+v", w)
	}
}
