package generate

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func write(t *testing.T, dir string, a *App, o WriteOptions) (*WriteResult, error) {
	t.Helper()
	return Write(t.Context(), dir, a, o)
}

func mustWrite(t *testing.T, dir string, a *App) *WriteResult {
	t.Helper()
	r, err := write(t, dir, a, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// edit replaces text in a file of the tree as a person would.
func edit(t *testing.T, dir, file, old, new string) {
	t.Helper()
	name := filepath.Join(dir, filepath.FromSlash(file))
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s does not hold %q:\n%s", file, old, data)
	}
	put(t, dir, file, strings.Replace(string(data), old, new, 1))
}

func put(t *testing.T, dir, file, content string) {
	t.Helper()
	name := filepath.Join(dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wantTree fails unless the tree is as it was.
func wantTree(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := readTree(t, dir)
	if maps.Equal(got, want) {
		return
	}
	for name, data := range want {
		if got[name] != data {
			t.Errorf("%s was changed to:\n%s", name, got[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s was left behind", name)
		}
	}
}

func wantList(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestWriteTwiceChangesNothing(t *testing.T) {
	for name, app := range exampleApps() {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b", "tree") // made with those above it
			files := mustFiles(t, app)
			first := mustWrite(t, dir, app)
			if len(first.Created) != len(files) {
				t.Errorf("created %q", first.Created)
			}
			before := readTree(t, dir)
			for _, f := range files {
				if before[f.Path] != string(f.Data) {
					t.Errorf("%s holds:\n%s", f.Path, before[f.Path])
				}
			}
			second := mustWrite(t, dir, app)
			if len(second.Unchanged) != len(files) || len(second.Created)+len(second.Updated)+len(second.Kept)+len(second.Removed) > 0 {
				t.Errorf("the second run did %+v", second)
			}
			loaded, err := LoadApp(dir)
			if err != nil {
				t.Fatal(err)
			}
			if third := mustWrite(t, dir, loaded); len(third.Unchanged) != len(files) {
				t.Errorf("generating from svcx.yaml did %+v", third)
			}
			wantTree(t, dir, before)
		})
	}
}

func TestWriteDoesNotChangeTheApp(t *testing.T) {
	app := redisApp()
	mustWrite(t, t.TempDir(), app)
	if app.APIVersion != "" || app.Spec.Service.Ports[0].Name != "" {
		t.Errorf("completed the caller's App: %+v", app)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "redis")
	r, err := write(t, dir, redisApp(), WriteOptions{DryRun: true})
	if err != nil || len(r.Created) != 13 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is there: %v", err)
	}
	mustWrite(t, dir, redisApp())
	before := readTree(t, dir)
	changed := redisApp()
	changed.Spec.Workload.Replicas = int32p(5)
	r, err = write(t, dir, changed, WriteOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "updated", r.Updated, "base/deployment.yaml", SpecFile)
	wantTree(t, dir, before)
}

func TestUneditedFilesAreUpdatedAndRemoved(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	put(t, dir, "overlays/externalname/notes.md", "mine\n")
	if err := os.Chmod(filepath.Join(dir, "base", "deployment.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := redisApp()
	app.Spec.Workload.Image = "redis:8-alpine"
	app.Spec.Service.ExternalName = ""
	r := mustWrite(t, dir, app)
	wantList(t, "updated", r.Updated, "base/deployment.yaml", SpecFile)
	wantList(t, "removed", r.Removed, "overlays/externalname/kustomization.yaml", "overlays/externalname/service.yaml")
	tree := readTree(t, dir)
	if tree["overlays/externalname/notes.md"] != "mine\n" {
		t.Error("a file of somebody else is gone")
	}
	if info, err := os.Stat(filepath.Join(dir, "base", "deployment.yaml")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}

	// With nothing of anybody in it, the folder goes too.
	if err := os.Remove(filepath.Join(dir, "overlays", "externalname", "notes.md")); err != nil {
		t.Fatal(err)
	}
	app.Spec.Service.ExternalName = "server.example.com"
	mustWrite(t, dir, app)
	app.Spec.Service.ExternalName = ""
	mustWrite(t, dir, app)
	if _, there := readTree(t, dir)["overlays/externalname/"]; there {
		t.Error("an empty folder was left behind")
	}
}

func TestEditsAreKeptUntilTheirFileChanges(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	edit(t, dir, "base/deployment.yaml", "cpu: 500m", "cpu: 750m # we measured")
	edit(t, dir, "overlays/nodeport/service-patch.yaml", "type: NodePort\n", "type: NodePort\n  sessionAffinity: ClientIP\n")

	app := redisApp()
	app.Spec.Service.Ports[0].Port = 7000
	app.Spec.Service.Ports[0].TargetPort = intstr.FromInt32(6379)
	edited := readTree(t, dir)
	r := mustWrite(t, dir, app) // changes the Service and the headless patch
	wantList(t, "updated", r.Updated, "base/service.yaml", "overlays/externalname/service.yaml", "overlays/headless/service-patch.yaml", SpecFile)
	wantList(t, "kept", r.Kept, "base/deployment.yaml", "overlays/nodeport/service-patch.yaml")
	tree := readTree(t, dir)
	for _, name := range r.Kept {
		if tree[name] != edited[name] {
			t.Errorf("%s lost its edit", name)
		}
	}

	edit(t, dir, "base/deployment.yaml", "replicas: 2", "replicas: 4 # enough")
	tree = readTree(t, dir)
	app.Spec.Workload.Replicas = int32p(3)
	_, err := write(t, dir, app, WriteOptions{})
	var conflict *EditedError
	if !errors.As(err, &conflict) {
		t.Fatalf("error is %v", err)
	}
	wantList(t, "files", conflict.Files, "base/deployment.yaml")
	for _, line := range []string{"-  replicas: 4 # enough", "+  replicas: 3", "-            cpu: 750m # we measured", "+            cpu: 500m"} {
		if !strings.Contains(conflict.Diff, line+"\n") {
			t.Errorf("the diff lacks %q:\n%s", line, conflict.Diff)
		}
	}
	for _, word := range []string{"deployment.yaml", "nothing was written", "by hand"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q lacks %q", err, word)
		}
	}
	wantTree(t, dir, tree)

	r, err = write(t, dir, app, WriteOptions{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "updated", r.Updated, "base/deployment.yaml", SpecFile)
	wantList(t, "kept", r.Kept, "overlays/nodeport/service-patch.yaml")
}

// A person who makes the same change in the file and in svcx.yaml has no conflict,
// nor has one who takes the diff over, stamp and all.
func TestEditsThatAgree(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	app := redisApp()
	app.Spec.Workload.Replicas = int32p(3)
	edit(t, dir, "base/deployment.yaml", "replicas: 2", "replicas: 3")
	r := mustWrite(t, dir, app)
	wantList(t, "updated", r.Updated, "base/deployment.yaml", SpecFile)

	edit(t, dir, "base/deployment.yaml", "cpu: 500m", "cpu: 750m")
	app.Spec.Workload.Replicas = int32p(4)
	want := mustFiles(t, app)
	at := slices.IndexFunc(want, func(f File) bool { return f.Path == "base/deployment.yaml" })
	put(t, dir, "base/deployment.yaml", strings.Replace(string(want[at].Data), "cpu: 500m", "cpu: 750m", 1))
	r = mustWrite(t, dir, app)
	wantList(t, "kept", r.Kept, "base/deployment.yaml")
	wantList(t, "updated", r.Updated, SpecFile)
}

func TestWindowsLineEndsAreNoEdit(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	name := filepath.Join(dir, "base", "deployment.yaml")
	data, _ := os.ReadFile(name)
	if err := os.WriteFile(name, bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := mustWrite(t, dir, redisApp()); len(r.Unchanged) != 13 {
		t.Errorf("%+v", r)
	}
	app := redisApp()
	app.Spec.Workload.Replicas = int32p(3)
	wantList(t, "updated", mustWrite(t, dir, app).Updated, "base/deployment.yaml", SpecFile)
}

func TestEditedFileThatIsGeneratedNoLonger(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	edit(t, dir, "overlays/externalname/service.yaml", "port: 6379", "port: 6379 # theirs")
	app := redisApp()
	app.Spec.Service.ExternalName = ""
	r := mustWrite(t, dir, app)
	wantList(t, "kept", r.Kept, "overlays/externalname/service.yaml")
	wantList(t, "kept with it", r.KeptWith, "overlays/externalname/kustomization.yaml")
	wantList(t, "removed", r.Removed)
}

// What an edited overlay names stays with it when its environment goes; what nobody
// has edited goes.
func TestEditedOverlayThatIsGeneratedNoLonger(t *testing.T) {
	app := func(environments ...string) *App {
		a := redisApp()
		for _, name := range environments {
			a.Spec.Overlays = append(a.Spec.Overlays, Environment{Name: name, Type: NodePort, Namespace: name})
		}
		return a
	}
	dir := t.TempDir()
	mustWrite(t, dir, app("dev", "prod", "theirs", "all"))
	edit(t, dir, "overlays/prod/kustomization.yaml", "namespace: prod", "namespace: prod # ours")
	tree := readTree(t, dir)
	_, body := unstamp([]byte(tree["overlays/theirs/kustomization.yaml"]))
	put(t, dir, "overlays/theirs/kustomization.yaml", string(body))
	edit(t, dir, "overlays/all/kustomization.yaml", "namespace: all", "namespace: all # ours")
	edit(t, dir, "overlays/all/service-patch.yaml", "type: NodePort", "type: NodePort # ours")
	r := mustWrite(t, dir, app())
	wantList(t, "kept", r.Kept, "overlays/all/kustomization.yaml", "overlays/all/service-patch.yaml", "overlays/prod/kustomization.yaml")
	wantList(t, "kept with it", r.KeptWith, "overlays/prod/service-patch.yaml", "overlays/theirs/service-patch.yaml")
	wantList(t, "removed", r.Removed, "overlays/dev/kustomization.yaml", "overlays/dev/service-patch.yaml")
	for _, name := range []string{"prod", "theirs", "all"} {
		if _, err := kustomizeBuild(filesys.MakeFsOnDisk(), filepath.Join(dir, "overlays", name)); err != nil {
			t.Error(err)
		}
	}
}

// An overlay that a person began as a copy of a generated one is theirs.
func TestCopiedOverlayIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	if err := os.CopyFS(filepath.Join(dir, "overlays", "prod"), os.DirFS(filepath.Join(dir, "overlays", "nodeport"))); err != nil {
		t.Fatal(err)
	}
	before := readTree(t, dir)
	if r := mustWrite(t, dir, redisApp()); len(r.Unchanged) != 13 || len(r.Kept)+len(r.Removed) > 0 {
		t.Errorf("%+v", r)
	}
	wantTree(t, dir, before)
}

func TestCancelLeavesTheOldTreeOrTheNew(t *testing.T) {
	app := redisApp()
	app.Spec.Service.ExternalName = ""
	app.Metadata.Namespace = "shop"
	for n := 0; ; n++ {
		dir := filepath.Join(t.TempDir(), "redis")
		mustWrite(t, dir, redisApp())
		before := readTree(t, dir)
		ctx := &endingContext{Context: t.Context(), after: n}
		_, err := Write(ctx, dir, app, WriteOptions{})
		if err == nil {
			tree := readTree(t, dir)
			for _, f := range mustFiles(t, app) {
				if tree[f.Path] != string(f.Data) {
					t.Errorf("%s is not the new one", f.Path)
				}
			}
			if n < 5 {
				t.Errorf("asked the context only %d times", n)
			}
			return
		}
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Fatalf("error is %v", err)
		}
		wantTree(t, dir, before)
	}
}

// endingContext ends after its error was asked for a number of times.
type endingContext struct {
	context.Context
	after int
}

func (c *endingContext) Err() error {
	if c.after--; c.after < 0 {
		return context.Canceled
	}
	return nil
}

func TestCancelBeforeTheTreeExists(t *testing.T) {
	parent := t.TempDir()
	for n := range 10 {
		_, err := Write(&endingContext{Context: t.Context(), after: n}, filepath.Join(parent, "a", "redis"), redisApp(), WriteOptions{})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error is %v", err)
		}
		wantTree(t, parent, map[string]string{})
	}
}

// What a killed run has left is used up by the next.
func TestLeftoverTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	put(t, dir, temporary("base/deployment.yaml"), "half a fi")
	put(t, dir, temporary("base/service.yaml"), "half a fi")
	app := redisApp()
	app.Spec.Workload.Replicas = int32p(3)
	app.Spec.Service.Ports[0].Name = "db"
	mustWrite(t, dir, app)
	for name := range readTree(t, dir) {
		if strings.Contains(name, "svcx-tmp") {
			t.Errorf("%s is still there", name)
		}
	}
}
