package generate

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestMergeText(t *testing.T) {
	const base = "a: 1\nb: 2\nc: 3\nd: 4\n"
	for name, test := range map[string]struct {
		edited, wanted string
		wins           bool
		want           string // empty: a conflict
	}{
		"both sides":            {"# why\na: 1\n\nb: 2 # two\nc: 3\nd: 4\n", "a: 1\nb: 2\nc: 3\nd: 5\n", false, "# why\na: 1\n\nb: 2 # two\nc: 3\nd: 5\n"},
		"neighbouring lines":    {"a: 1\nb: 2\nc: 30\nd: 4\n", "a: 1\nb: 20\nc: 3\nd: 4\n", false, "a: 1\nb: 20\nc: 30\nd: 4\n"},
		"an added line":         {"a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n", "x: 0\na: 1\nb: 2\nc: 3\nd: 4\n", false, "x: 0\na: 1\nb: 2\nc: 3\nd: 4\ne: 5\n"},
		"a removed line":        {"a: 1 # kept\nb: 2\nc: 3\nd: 4\n", "a: 1\nb: 2\nc: 3\n", false, "a: 1 # kept\nb: 2\nc: 3\n"},
		"the same change":       {"a: 1\nb: 9\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 4\n", false, "a: 1\nb: 9\nc: 3\nd: 4\n"},
		"a conflict":            {"a: 1\nb: 8\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 4\n", false, ""},
		"a conflict that wins":  {"a: 7\nb: 8\nc: 3\nd: 4\n", "a: 1\nb: 9\nc: 3\nd: 4\n", true, "a: 7\nb: 9\nc: 3\nd: 4\n"},
		"a field added by both": {"e: 1\na: 1\nb: 2\nc: 3\nd: 4\n", "a: 1\nb: 2\nc: 3\nd: 4\ne: 2\n", false, ""},
		"no YAML any more":      {"a: [\n1]\nb: 2\nc: 3\nd: 4\n", "a: 1\n", false, ""},
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
			got, ok := mergeText([]byte(base), []byte(sides[0]), []byte(sides[1]), false)
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
	edit(t, dir, "base/deployment.yaml", "spec:\n  replicas: 1\n", "# mine\n\nspec:\n  replicas: 1 # for now\n  minReadySeconds: 5\n")

	// Through flags: svcx.yaml on disk is still the old one.
	r, err := Write(ctx, dir, app("redis:8", 1), WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text := readTree(t, dir)["base/deployment.yaml"]
	for _, want := range []string{"# mine\n\nspec:\n  replicas: 1 # for now\n  minReadySeconds: 5\n", "image: redis:8\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !strings.Contains(r.Diff, "-        image: redis:7") && !strings.Contains(r.Diff, "image: redis:7") {
		t.Errorf("the diff does not show the change:\n%s", r.Diff)
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

	// The same line on both sides stops, and is shown.
	before := readTree(t, dir)
	_, err = Write(ctx, dir, app("redis:8.2", 3), WriteOptions{})
	if err == nil || !strings.Contains(err.Error(), "edited by hand") {
		t.Fatalf("error %v", err)
	}
	wantTree(t, dir, before)
	if _, err := Write(ctx, dir, app("redis:8.2", 3), WriteOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if text := readTree(t, dir)["base/deployment.yaml"]; !strings.Contains(text, "replicas: 3\n") || !strings.Contains(text, "# mine\n") {
		t.Errorf("with overwrite, edits that nothing stands against go:\n%s", text)
	}
}
