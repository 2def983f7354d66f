package generate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// killed is what a change on the disk panics with when the process is to end
// before it. Nothing but what the kernel would do too happens after it.
type killed struct{ change string }

// writeUntil writes the tree and is killed before the change of a number, from 0;
// done when it came to its end before.
func writeUntil(t *testing.T, dir string, a *App, number int) (at string, done bool) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			k, ok := r.(killed)
			if !ok {
				panic(r)
			}
			at = k.change
		}
	}()
	_, err := Write(t.Context(), dir, a, WriteOptions{halt: func(change string) {
		if number--; number < 0 {
			panic(killed{change})
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return "", true
}

// quickDir is a new directory in memory where there is one: these tests write
// many trees.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "svcx-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// lived puts a tree at dir that people have worked in: edits, files, folders and
// links of their own.
func lived(t *testing.T, dir string) {
	t.Helper()
	if pristine == nil {
		pristine = os.DirFS(quickDir(t))
		makeLived(t, fmt.Sprint(pristine))
		t.Cleanup(func() { pristine = nil })
	}
	if err := os.CopyFS(dir, pristine); err != nil {
		t.Fatal(err)
	}
}

// pristine is what lived copies, kept for the time of one test.
var pristine fs.FS

func makeLived(t *testing.T, dir string) {
	t.Helper()
	mustWrite(t, dir, redisApp())
	edit(t, dir, "base/deployment.yaml", "cpu: 500m", "cpu: 750m # we measured")
	mustWrite(t, dir, redisApp()) // as people do, and there is nothing left to note
	put(t, dir, "README.md", "# ours\n")
	put(t, dir, "base/configmap.yaml", "kind: ConfigMap\n")
	put(t, dir, "overlays/prod/eu/kustomization.yaml", "resources: [../../nodeport]\n")
	if err := os.Chmod(filepath.Join(dir, "base", "service.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink("prod/eu", filepath.Join(dir, "overlays", "staging")); err != nil {
			t.Fatal(err)
		}
	}
}

// movedApp differs from redisApp in files to make, to change, to merge into and
// to remove.
func movedApp() *App {
	a := redisApp()
	a.Metadata.Namespace = "shop"
	a.Spec.Workload.Replicas = int32p(3)
	a.Spec.Service.ExternalName = ""
	a.Spec.Overlays = []Environment{{Name: "dev", Namespace: "dev"}}
	return a
}

// settled is a tree without what only a run that was cut short leaves in it, and
// without folders, as it may leave an empty one.
func settled(tree map[string]string) map[string]string {
	tree = maps.Clone(tree)
	maps.DeleteFunc(tree, func(name, _ string) bool {
		return strings.Contains(name, temporarySuffix) || strings.HasSuffix(name, "/")
	})
	return tree
}

// A kill before any change that is made on the disk leaves the old tree or the
// new one, with nobody's files touched; and the next run ends with the new one
// and nothing else.
func TestKilledAtAnyChange(t *testing.T) {
	if !canExchange {
		t.Skip("two directories cannot be exchanged here; TestKilledInPlace is about what is done instead")
	}
	for _, existing := range []bool{true, false} {
		t.Run(fmt.Sprintf("existing=%v", existing), func(t *testing.T) {
			before, after := states(t, existing)
			seen := map[string]int{}
			for n := 0; ; n++ {
				parent := quickDir(t)
				dir := filepath.Join(parent, "a", "redis")
				if existing {
					lived(t, dir)
				}
				at, done := writeUntil(t, dir, movedApp(), n)
				switch tree := treeOrNone(t, dir); {
				case maps.Equal(tree, before):
					seen["old"]++
				case maps.Equal(tree, after):
					seen["new"]++
				default:
					t.Fatalf("killed before %q, the tree is neither the old nor the new one:\n%v", at, slices.Sorted(maps.Keys(tree)))
				}
				if n%3 > 0 && !done {
					continue
				}
				mustWrite(t, dir, movedApp())
				wantTree(t, dir, after)
				if names := names(t, parent); !slices.Equal(names, []string{"a"}) {
					t.Fatalf("killed before %q, and run again: %q", at, names)
				}
				if names := names(t, filepath.Join(parent, "a")); !slices.Equal(names, []string{"redis"}) {
					t.Fatalf("killed before %q, and run again: %q", at, names)
				}
				if done {
					break
				}
			}
			if seen["old"] < 20 || seen["new"] < 1 {
				t.Errorf("killed too few times: %v", seen)
			}
		})
	}
}

// states returns the tree from before and from after a run that nothing disturbs.
func states(t *testing.T, existing bool) (before, after map[string]string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "redis")
	before = map[string]string{}
	if existing {
		lived(t, dir)
		before = readTree(t, dir)
	}
	mustWrite(t, dir, movedApp())
	return before, readTree(t, dir)
}

func treeOrNone(t *testing.T, dir string) map[string]string {
	t.Helper()
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return map[string]string{}
	}
	return readTree(t, dir)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// Where the tree is written in place, because somebody stands in it, a kill leaves
// the old tree, the new one, or a record of the old one: then nothing is built or
// decided on before the next run has put it back, however often that is killed.
func TestKilledInPlace(t *testing.T) {
	before, after := states(t, true)
	dir := filepath.Join(quickDir(t), "redis")
	again := func() {
		t.Chdir(filepath.Dir(dir))
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		lived(t, dir)
		t.Chdir(filepath.Join(dir, "overlays"))
	}
	seen := map[string]int{}
	for n := 0; ; n++ {
		again()
		at, done := writeUntil(t, dir, movedApp(), n)
		if Interrupted(dir) == nil {
			switch tree := settled(readTree(t, dir)); {
			case maps.Equal(tree, settled(before)):
				seen["old"]++
			case maps.Equal(tree, settled(after)):
				seen["new"]++
			default:
				t.Fatalf("killed before %q, the tree is neither the old nor the new one:\n%v", at, slices.Sorted(maps.Keys(tree)))
			}
		} else {
			seen["interrupted"]++
			if _, err := write(t, dir, movedApp(), WriteOptions{DryRun: true}); !errors.As(err, new(*InterruptedError)) {
				t.Fatalf("a dry run: %v", err)
			}
			if n%6 == 0 {
				putBackKilled(t, dir, before)
			}
		}
		if n%3 > 0 && !done {
			continue
		}
		mustWrite(t, dir, movedApp())
		wantTree(t, dir, after)
		if done {
			break
		}
	}
	if seen["old"] < 20 || seen["new"] < 2 || seen["interrupted"] < 10 {
		t.Errorf("killed too few times: %v", seen)
	}
}

// putBackKilled puts an interrupted tree back by a run that is killed itself,
// after one change more each time, until it is done.
func putBackKilled(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	for n := 0; Interrupted(dir) != nil; n++ {
		writeUntil(t, dir, redisApp(), n)
	}
	if !maps.Equal(settled(readTree(t, dir)), settled(want)) {
		wantTree(t, dir, want)
	}
}

// What somebody has changed since the kill is not put back over.
func TestInterruptedAndEdited(t *testing.T) {
	parent := quickDir(t)
	dir := filepath.Join(parent, "redis")
	for n := 0; Interrupted(dir) == nil || !strings.Contains(readTree(t, dir)["base/deployment.yaml"], "replicas: 3"); n++ {
		dir = filepath.Join(parent, fmt.Sprint(n))
		lived(t, dir)
		t.Chdir(dir)
		if _, done := writeUntil(t, dir, movedApp(), n); done {
			t.Fatal("no kill left the tree half written")
		}
	}
	put(t, dir, "base/deployment.yaml", "kind: Deployment # mine\n")
	before := readTree(t, dir)
	_, err := write(t, dir, movedApp(), WriteOptions{})
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) || !slices.Equal(interrupted.Edited, []string{"base/deployment.yaml"}) || !strings.Contains(err.Error(), "changed since: "+filepath.Join(dir, "base", "deployment.yaml")) {
		t.Fatalf("error is %v", err)
	}
	wantTree(t, dir, before)
}

// A record that says more than a tree's own files is nobody's to follow.
func TestForgedRecord(t *testing.T) {
	for journal, want := range map[string]string{
		`{"../outside.yaml":""}`:   "which this program does not write",
		`{"main.go":""}`:           "which this program does not write",
		`{"/etc/x.yaml":"00"}`:     "which this program does not write",
		`["base/service.yaml"]`:    "is not what this program writes",
		strings.Repeat("x", 1<<21): "is not what this program writes",
	} {
		dir := filepath.Join(t.TempDir(), "redis")
		mustWrite(t, dir, redisApp())
		put(t, dir, undoDir+"/"+journalFile, journal)
		before := readTree(t, filepath.Dir(dir))
		_, err := write(t, dir, movedApp(), WriteOptions{})
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("error is %.200v", err)
		}
		wantTree(t, filepath.Dir(dir), before)
	}
}

// Two runs do not write one tree at once; the second says so.
func TestTwoRunsAtOnce(t *testing.T) {
	if !canExchange {
		t.Skip("no locks are known here")
	}
	dir := filepath.Join(t.TempDir(), "redis")
	lived(t, dir)
	second := error(nil)
	_, err := Write(t.Context(), dir, movedApp(), WriteOptions{halt: func(string) {
		if second == nil {
			_, second = write(t, dir, redisApp(), WriteOptions{})
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if second == nil || !strings.Contains(second.Error(), "another run") {
		t.Errorf("the second run: %v", second)
	}
}

// Whoever saves a file while the tree is made anew finds it saved.
func TestChangedMeanwhile(t *testing.T) {
	if !canExchange {
		t.Skip("two directories cannot be exchanged here")
	}
	for name, change := range map[string]func(t *testing.T, dir string){
		"a file of theirs": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "README.md")); err != nil { // as editors save
				t.Fatal(err)
			}
			put(t, dir, "README.md", "# ours, and more\n")
		},
		"a file more":      func(t *testing.T, dir string) { put(t, dir, "base/more.yaml", "kind: ConfigMap\n") },
		"a generated file": func(t *testing.T, dir string) { put(t, dir, "base/service.yaml", "kind: Service\n") },
		"a file less": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "base", "configmap.yaml")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "redis")
			lived(t, dir)
			var saved map[string]string
			_, err := Write(t.Context(), dir, movedApp(), WriteOptions{halt: func(at string) {
				if strings.HasPrefix(at, "exchange") && saved == nil {
					change(t, dir)
					saved = readTree(t, dir)
				}
			}})
			if err == nil || !strings.Contains(err.Error(), "changed by somebody else") || !strings.Contains(err.Error(), "nothing was changed") {
				t.Fatalf("error is %v", err)
			}
			wantTree(t, dir, saved)
			if names := names(t, filepath.Dir(dir)); !slices.Equal(names, []string{"redis"}) {
				t.Errorf("left behind: %q", names)
			}
		})
	}
}
