package generate

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	yaml3 "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

// For any App: the same bytes again; svcx.yaml reads back as the same App, which
// gives the same bytes; each object reads back as what was meant, by a YAML 1.1
// reader too; and each overlay builds.
func TestAnyApp(t *testing.T) {
	const seed1, seed2 = 7, 2026
	r := rand.New(rand.NewPCG(seed1, seed2))
	for i := range 150 {
		a := randomApp(r)
		files := mustFiles(t, a)
		again := mustFiles(t, a)
		if !reflect.DeepEqual(files, again) {
			t.Fatalf("%d: not the same bytes again: %+v", i, a)
		}
		completed := a.copy()
		completed.Complete()
		for _, f := range files {
			if f.Path != SpecFile {
				continue
			}
			back, err := ParseApp(f.Data, SpecFile)
			if err != nil {
				t.Fatalf("%d: %v\n%s", i, err, f.Data)
			}
			if !equality.Semantic.DeepEqual(back, completed) {
				t.Fatalf("%d: svcx.yaml reads as %+v, want %+v", i, back, completed)
			}
			if !reflect.DeepEqual(mustFiles(t, back), files) {
				t.Fatalf("%d: other bytes from svcx.yaml: %s", i, f.Data)
			}
			if marshalled, err := MarshalApp(completed); err != nil || !bytes.Equal(marshalled, f.Data) {
				t.Fatalf("%d: MarshalApp: %v\n%s", i, err, marshalled)
			}
		}
		readsBack(t, files, completed)
		if i%30 == 0 {
			fsys := inMemory(t, append(files, baseExtras...))
			for _, o := range overlays(completed) {
				buildBoth(t, fsys, "/tree/"+Overlay(o))
			}
			for _, e := range completed.Spec.Overlays {
				buildBoth(t, fsys, "/tree/"+e.Dir())
			}
			dataReadsBack(t, fsys, completed)
		}
	}
}

// dataReadsBack finds the data of each ConfigMap in the build as it was meant.
func dataReadsBack(t *testing.T, fsys filesys.FileSystem, a *App) {
	t.Helper()
	for _, c := range inlined(a.Spec.ConfigMaps) {
		for _, doc := range bytes.Split(buildBoth(t, fsys, "/tree/base"), []byte("---\n")) {
			got := &corev1.ConfigMap{}
			if err := yaml.Unmarshal(doc, got); err != nil {
				t.Fatal(err)
			}
			if got.Kind == "ConfigMap" && strings.HasPrefix(got.Name, c.Name+"-") && !reflect.DeepEqual(got.Data, c.Data) {
				t.Fatalf("data %q, want %q", got.Data, c.Data)
			}
		}
	}
}

func readsBack(t *testing.T, files []File, a *App) {
	t.Helper()
	for _, f := range files {
		var have, want any
		switch {
		case f.Path == "base/deployment.yaml":
			d := a.deployment()
			have, want = reflect.New(reflect.TypeOf(*d)).Interface(), d
		case f.Path == "base/service.yaml" && a.Spec.Workload != nil:
			have, want = &corev1.Service{}, a.baseService()
		default:
			continue
		}
		if err := yaml.UnmarshalStrict(f.Data, have); err != nil {
			t.Fatalf("%s: %v\n%s", f.Path, err, f.Data)
		}
		if !equality.Semantic.DeepEqual(have, want) {
			t.Fatalf("%s reads as\n%+v, want\n%+v\n%s", f.Path, have, want, f.Data)
		}
	}
}

// What is a plain word is text to the reader that asks in full.
func TestPlainWord(t *testing.T) {
	plain := 0
	for _, s := range append(slices.Clone(words), "Yes", "NULL", "nan", "inf", "e1", "x1e3", "a.b", "app.kubernetes.io/name", "ON", "oN", "t", "f", "Off", "True", "Null", "nil", "NaN") {
		if !plainWord(s) {
			continue
		}
		plain++
		if yaml3.IsYaml1_1NonString(&yaml3.Node{Kind: yaml3.ScalarNode, Tag: "!!str", Value: s}) {
			t.Errorf("%q is not", s)
		}
	}
	if plain < 5 {
		t.Errorf("%d are", plain)
	}
}

func FuzzParseApp(f *testing.F) {
	f.Add([]byte(specByHand))
	f.Add([]byte(specHead + "spec:\n  service: {ports: [{port: 1}]}\n"))
	for _, app := range exampleApps() {
		app.Complete()
		data, err := MarshalApp(app)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ParseApp(data, SpecFile)
		if err != nil {
			return
		}
		a.Complete()
		if a.Validate() != nil {
			return
		}
		files, err := Files(a)
		if err != nil {
			t.Fatal(err)
		}
		written, err := MarshalApp(a)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseApp(written, SpecFile)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if again, err := Files(back); err != nil || !reflect.DeepEqual(files, again) {
			t.Fatalf("svcx.yaml does not say the same: %v\n%s", err, written)
		}
	})
}

// Whatever a person's svcx.yaml looks like, changing it gives the new App or is refused.
func FuzzRespell(f *testing.F) {
	f.Add([]byte(specByHand), int32(3), "NodePort", "redis:8")
	f.Add([]byte(specByHand), int32(2), "on", "a")
	f.Add([]byte(specHead+"spec:\n  workload: {image: a, env: [ {name: A, value: b} ,]}\n  service: {}\n  overlays:\n  - name: dev\n  # é\n  - {name: é, type: NodePort}"), int32(2), "on", "a")
	f.Fuzz(func(t *testing.T, data []byte, replicas int32, name, image string) {
		a, err := ParseApp(data, SpecFile)
		if err != nil {
			return
		}
		a.Complete()
		if a.Validate() != nil || a.Spec.Workload == nil {
			return
		}
		from, err := encode(a)
		if err != nil {
			t.Fatal(err)
		}
		a.Spec.Workload.Replicas, a.Spec.Service.Name, a.Spec.Workload.Image = &replicas, name, image
		a.Spec.Workload.Env = append([]corev1.EnvVar{{Name: "ADDED"}}, a.Spec.Workload.Env...)
		a.Spec.Overlays = nil
		a.Complete()
		if a.Validate() != nil {
			return
		}
		to, err := encode(a)
		if err != nil {
			t.Fatal(err)
		}
		respell(data, from, to, nobodyWins) // must not panic; what it returns is verified before use
	})
}
