package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMergeText(t *testing.T) {
	const base = "a: 1\nb: 2\nc: 3\nd: 4\n"
	for name, test := range map[string]struct {
		edited, wanted string
		wins           winner
		want           string // empty: a conflict
	}{
		"both sides":                {"# why\na: 1\n\nb: 2 # two\nc: 3\nd: 4\n", "a: 1\nb: 2\nc: 3\nd: 5\n", nobodyWins, "# why\na: 1\n\nb: 2 # two\nc: 3\nd: 5\n"},
		"neighbouring lines":        {"a: 1\nb: 2\nc: 30\nd: 4\n", "a: 1\nb: 20\nc: 3\nd: 4\n", nobodyWins, "a: 1\nb: 20\nc: 30\nd: 4\n"},
		"an added line":             {"a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n", "x: 0\na: 1\nb: 2\nc: 3\nd: 4\n", nobodyWins, "x: 0\na: 1\nb: 2\nc: 3\nd: 4\ne: 5\n"},
		"a removed line":            {"a: 1 # kept\nb: 2\nc: 3\nd: 4\n", "a: 1\nb: 2\nc: 3\n", nobodyWins, "a: 1 # kept\nb: 2\nc: 3\n"},
		"the same change":           {"a: 1\nb: 9\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 4\n", nobodyWins, "a: 1\nb: 9\nc: 3\nd: 4\n"},
		"a conflict":                {"a: 1\nb: 8\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 4\n", nobodyWins, ""},
		"a conflict that wins":      {"a: 7\nb: 8\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 4\n", generatedWins, "a: 7\nb: 9\nc: 3\nd: 4\n"},
		"a conflict that edits win": {"a: 7\nb: 8\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 5\n", editsWin, "a: 7\nb: 8\nc: 3\nd: 5\n"},
		"a field added by both":     {"e: 1\na: 1\nb: 2\nc: 3\nd: 4\n", "a: 1\nb: 2\nc: 3\nd: 4\ne: 2\n", nobodyWins, ""},
		"lines that are no YAML":    {"a: [\n1]\nb: 2\nc: 3\nd: 4\n", "a: 1\n", nobodyWins, "a: [\n1]\n"},
		"a comment above":           {"a: 1\n# why\nb: 2 # two\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 4\n", nobodyWins, "a: 1\n# why\nb: 9 # two\nc: 3\nd: 4\n"},
		"a field beside":            {"a: 1\nb: 2\nx: 0\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 4\n", nobodyWins, "a: 1\nb: 9\nx: 0\nc: 3\nd: 4\n"},
		"a comment on what goes":    {"a: 1\n# why\nb: 2\nc: 3\nd: 4\n", "a: 1\nc: 3\nd: 4\n", nobodyWins, ""},
		"only the field wins":       {"a: 1\nb: 8\nx: 0\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 4\n", generatedWins, "a: 1\nb: 9\nx: 0\nc: 3\nd: 4\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := mergeText([]byte(base), []byte(test.edited), []byte(test.wanted), test.wins)
			if string(got) != test.want || ok != (test.want != "") {
				t.Errorf("merged %v to %q, want %q", ok, got, test.want)
			}
		})
	}
}

// FuzzMergeText: a merge never fails for want of changes on one side, and takes
// that of the other whole.
func FuzzMergeText(f *testing.F) {
	f.Add("a: 1\nb: 2\n", "a: 1\nb: 3\n")
	f.Add("a: 1\n", "# c\na: 1\n\nb: 2\n")
	f.Add("", "a: 1\n")
	f.Fuzz(func(t *testing.T, base, changed string) {
		if strings.Count(base, "\n")+strings.Count(changed, "\n") > 300 {
			t.Skip() // the merge is quadratic in lines; two hundred say as much
		}
		for _, sides := range [][2]string{{base, changed}, {changed, base}} {
			got, ok := mergeText([]byte(base), []byte(sides[0]), []byte(sides[1]), nobodyWins)
			want := strings.Join(lines([]byte(changed)), "")
			if ok && string(got) != want {
				t.Errorf("%q with %q and %q gives %q", base, sides[0], sides[1], got)
			}
		}
	})
}

func TestEditsSurviveAChange(t *testing.T) {
	app := func(image string, replicas int32) *App {
		return &App{Metadata: Metadata{Name: "redis"}, Spec: Spec{Workload: &Workload{Image: image, Replicas: &replicas}}}
	}
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "redis")
	if _, err := Write(ctx, dir, app("redis:7", 1), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, "base/deployment.yaml", "spec:\n  replicas: 1\n", "# mine\n\nspec:\n  replicas: 2 # for now\n  minReadySeconds: 5\n")

	// Through flags: svcx.yaml on disk is still the old one.
	r, err := Write(ctx, dir, app("redis:8", 1), WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text := readTree(t, dir)["base/deployment.yaml"]
	for _, want := range []string{"# mine\n\nspec:\n  replicas: 2 # for now\n  minReadySeconds: 5\n", "image: redis:8\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !strings.Contains(r.Diff(), "-        image: redis:7") && !strings.Contains(r.Diff(), "image: redis:7") {
		t.Errorf("the diff does not show the change:\n%s", r.Diff())
	}

	// Through svcx.yaml: the old one is gone, but for the copy.
	edit(t, dir, "svcx.yaml", "redis:8", "redis:8.2")
	a, err := LoadApp(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Write(ctx, dir, a, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if text := readTree(t, dir)["base/deployment.yaml"]; !strings.Contains(text, "image: redis:8.2\n") || !strings.Contains(text, "# mine\n") {
		t.Errorf("after an edit of svcx.yaml:\n%s", text)
	}

	// The same field on both sides stops, and is shown.
	before := readTree(t, dir)
	_, err = Write(ctx, dir, app("redis:8.2", 3), WriteOptions{})
	if err == nil || !strings.Contains(err.Error(), "edited by hand") {
		t.Fatalf("error %v", err)
	}
	wantTree(t, dir, before)
	if _, err := Write(ctx, dir, app("redis:8.2", 3), WriteOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if text := readTree(t, dir)["base/deployment.yaml"]; !strings.Contains(text, "replicas: 3 # for now\n") || !strings.Contains(text, "# mine\n") {
		t.Errorf("with overwrite, edits that nothing stands against go:\n%s", text)
	}
}

// Without the copy of the last Spec, or with one that is not it, edits are shown as
// a conflict instead of being merged, and nothing is lost.
func TestLastSpecMissingOrAnother(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"missing": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, lastSpecFile)); err != nil {
				t.Fatal(err)
			}
		},
		"edited":    func(t *testing.T, dir string) { edit(t, dir, lastSpecFile, "redis:alpine", "redis:7") },
		"no Spec":   func(t *testing.T, dir string) { put(t, dir, lastSpecFile, "{") },
		"no YAML":   func(t *testing.T, dir string) { put(t, dir, lastSpecFile, "\x00") },
		"of others": func(t *testing.T, dir string) { edit(t, dir, lastSpecFile, "name: redis", "name: web") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustWrite(t, dir, redisApp())
			edit(t, dir, "base/deployment.yaml", "cpu: 500m", "cpu: 750m # we measured")
			edit(t, dir, SpecFile, "replicas: 2", "replicas: 3")
			spoil(t, dir)
			before := readTree(t, dir)
			a, err := LoadApp(dir)
			if err != nil {
				t.Fatal(err)
			}
			_, err = write(t, dir, a, WriteOptions{})
			var conflict *EditedError
			if !errors.As(err, &conflict) {
				t.Fatalf("error is %v", err)
			}
			wantTree(t, dir, before)
			if _, err := write(t, dir, a, WriteOptions{KeepEdits: true}); err != nil {
				t.Fatal(err)
			}
			tree := readTree(t, dir)
			if !strings.Contains(tree["base/deployment.yaml"], "cpu: 750m # we measured") {
				t.Error("the edit is lost")
			}
			a.Spec.Workload.Image = "redis:8-alpine"
			mustWrite(t, dir, a) // and merged from here on
			if text := readTree(t, dir)["base/deployment.yaml"]; !strings.Contains(text, "# we measured") {
				t.Errorf("the edit is lost:\n%s", text)
			}
		})
	}
}

// Another release may generate something else from the same Spec: the text that an
// edited file came from is kept.
func TestEditsSurviveAnotherRelease(t *testing.T) {
	dir := t.TempDir()
	const name = "base/deployment.yaml"
	_, now := unstamp(file(mustFiles(t, redisApp()), name))
	olderText := strings.Replace(string(now), "    spec:\n", "    spec:\n      hostUsers: true\n", 1)
	if olderText == string(now) {
		t.Fatal("nothing replaced")
	}
	older := func(o WriteOptions) *WriteResult {
		t.Helper()
		files := mustFiles(t, redisApp())
		for i := range files {
			if files[i].Path == name {
				files[i].Data = stamp(name, []byte(olderText))
			}
		}
		r, err := writeFiles(t.Context(), dir, "redis", files, o, planWrite)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	older(WriteOptions{})
	edit(t, dir, name, "  replicas: 2\n", "  replicas: 2 # enough\n")
	before := readTree(t, dir)

	// Not known: the error says what is at stake.
	_, err := write(t, dir, redisApp(), WriteOptions{})
	var conflict *EditedError
	if !errors.As(err, &conflict) {
		t.Fatalf("error is %v", err)
	}
	wantList(t, "whole", conflict.Whole, name)
	wantTree(t, dir, before)

	// The older one notes it by the way, once, and tells of no change.
	noted := maps.Clone(before)
	noted[lastSpecFile] += lastTextPath + name + "\n" + lastTextLine + strings.ReplaceAll(strings.TrimSuffix(olderText, "\n"), "\n", "\n"+lastTextLine) + "\n"
	for _, run := range []struct {
		dry  bool
		want map[string]string
	}{{true, before}, {false, noted}, {true, noted}, {false, noted}} {
		r := older(WriteOptions{DryRun: run.dry})
		wantList(t, "kept", r.Kept, name)
		if len(r.Created)+len(r.Updated)+len(r.Removed) > 0 || r.Diff() != "" {
			t.Errorf("the older one changed %+v", r)
		}
		wantTree(t, dir, run.want)
	}
	r := mustWrite(t, dir, redisApp())
	wantList(t, "updated", r.Updated, name)
	if _, got := unstamp([]byte(readTree(t, dir)[name])); string(got) != strings.Replace(string(now), "replicas: 2\n", "replicas: 2 # enough\n", 1) {
		t.Errorf("merged to:\n%s", got)
	}
	if got := readLastTexts([]byte(readTree(t, dir)[lastSpecFile])); len(got) != 1 || string(got[name]) != string(now) {
		t.Errorf("kept are the texts %q", got)
	}
	if _, err := ParseApp([]byte(readTree(t, dir)[lastSpecFile]), lastSpecFile); err != nil {
		t.Error(err) // as an older release reads it
	}

	// When the edit goes, so does the text.
	put(t, dir, name, string(stamp(name, now)))
	mustWrite(t, dir, redisApp())
	if got := readTree(t, dir)[lastSpecFile]; strings.Contains(got, lastTextLine) {
		t.Errorf("%s holds\n%s", lastSpecFile, got)
	}
}

// Whatever two Specs are, comments and blank lines that a person has put into any
// file are there after the change from one to the other, in their order, and
// without them each file is what is generated, but for quotes. A conflict is for
// comments on what goes, and leaves all as it was.
func TestCommentsSurviveAnyChange(t *testing.T) {
	const seed1, seed2 = 11, 2026
	r := rand.New(rand.NewPCG(seed1, seed2))
	merged, conflicts := 0, 0
	for range 60 {
		from := randomApp(r)
		to := from.copy()
		to.Spec.Service.Labels = map[string]string{"example.com/team": "a"}
		to.Metadata.Namespace = "elsewhere"
		if w := from.Spec.Workload; w != nil {
			changed := *w
			to.Spec.Workload = &changed
			changed.PriorityClassName, changed.MinReadySeconds = "changed", 9
			if to.Spec.HorizontalPodAutoscaler == nil {
				changed.Replicas = int32p(7)
			}
		}
		for _, f := range mustFiles(t, from) {
			wanted := file(mustFiles(t, to), f.Path)
			if f.Path == SpecFile || wanted == nil {
				continue
			}
			_, base := unstamp(f.Data)
			_, want := unstamp(wanted)
			edited, notes := annotated(r, lines(base))
			got, ok := mergeText(base, []byte(edited), want, nobodyWins)
			if !ok {
				conflicts++
				continue
			}
			merged++
			var kept []string
			rest := slices.DeleteFunc(lines(got), func(line string) bool {
				note := strings.HasPrefix(strings.TrimSpace(line), "#~")
				if note {
					kept = append(kept, line)
				}
				return note
			})
			if !bytes.Equal(respelledAs([]byte(strings.Join(rest, "")), want), want) || !slices.Equal(kept, notes) {
				t.Fatalf("%s: from\n%s\nto\n%s\nmerged to\n%s", f.Path, edited, want, got)
			}
		}
	}
	if merged < 9*conflicts {
		t.Errorf("%d merged, %d conflicts", merged, conflicts)
	}
}

// respelledAs is want where a text says the same line by line, but for quotes.
func respelledAs(text, want []byte) []byte {
	got, problem := document(text)
	wanted, problem2 := document(want)
	if problem != nil || problem2 != nil || !same(got, wanted) || bytes.Count(text, []byte("\n")) != bytes.Count(want, []byte("\n")) {
		return text
	}
	return want
}

func file(files []File, path string) []byte {
	for _, f := range files {
		if f.Path == path {
			return f.Data
		}
	}
	return nil
}

// annotated puts notes between lines, at the places a person might.
func annotated(r *rand.Rand, text []string) (string, []string) {
	var out, notes []string
	for i, line := range text {
		if r.IntN(8) == 0 {
			note := fmt.Sprintf("%s#~ note %d\n", line[:len(line)-len(strings.TrimLeft(line, " "))], i)
			out, notes = append(out, note), append(notes, note)
		}
		out = append(out, line)
	}
	return strings.Join(out, ""), notes
}
