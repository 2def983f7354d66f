package verify

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCatalogue keeps catalogue and rules together: each ID that a rule can
// name has an entry, and each entry a rule and a case that shows it.
func TestCatalogue(t *testing.T) {
	list, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`"(SVC\d{3})"`)
	inRules := map[string]bool{}
	files, _ := filepath.Glob("rules_*.go")
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range id.FindAllStringSubmatch(string(src), -1) {
			inRules[m[1]] = true
		}
	}
	inCases := map[string]bool{}
	for _, jc := range loadCases(t) {
		for _, f := range jc.Findings {
			inCases[f] = true
		}
	}
	last := ""
	for _, f := range list {
		if f.ID <= last {
			t.Errorf("%s stands after %s", f.ID, last)
		}
		last = f.ID
		if !inRules[f.ID] {
			t.Errorf("%s: no rule names it", f.ID)
		}
		if !inCases[f.ID] {
			t.Errorf("%s: no case shows it", f.ID)
		}
		if f.Title == "" || f.Means == "" || f.Told == "" || f.Fix == "" || f.Family() == "" {
			t.Errorf("%s: something is missing in its entry", f.ID)
		}
		delete(inRules, f.ID)
	}
	for id := range inRules {
		t.Errorf("%s has no entry in the catalogue", id)
	}
}

// TestFaultPages wants the pages of docs/faults to be what the catalogue says.
func TestFaultPages(t *testing.T) {
	list, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("..", "..", "docs", "faults")
	want := map[string]string{"README.md": CatalogueIndex(list)}
	for _, f := range list {
		want[f.ID+".md"] = f.Page()
	}
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range want {
		path := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s differs from the catalogue (go test ./pkg/verify -update writes it anew): %v", path, err)
		}
	}
	have, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range have {
		if _, ok := want[e.Name()]; !ok {
			t.Errorf("%s belongs to no fault", e.Name())
		}
	}
}
