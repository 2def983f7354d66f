package main

import (
	"os"
	"strings"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// TestCoverage wants two variants of every fault of the catalogue, pairs, and
// 25 healthy Services; what is missing has to say why.
func TestCoverage(t *testing.T) {
	fsys := os.DirFS("testdata")
	cases, err := loadCases(fsys)
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := loadCatalogue(fsys)
	if err != nil {
		t.Fatal(err)
	}
	faults, err := verify.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	variants, known := map[string]int{}, map[string]bool{}
	sound, pairs := 0, 0
	for _, f := range faults {
		known[f.ID] = true
	}
	for _, c := range cases {
		switch ids := c.IDs(); len(ids) {
		case 0:
			sound++
		case 1:
			variants[ids[0]]++
		default:
			pairs++
		}
		for _, id := range c.IDs() {
			// A finding without an ID says that no cause was found, and what was looked for.
			if id != "" && !known[id] {
				t.Errorf("%s: %s is not in the catalogue", c.name, id)
			}
		}
	}
	for _, f := range faults {
		if n := variants[f.ID]; n < 2 {
			t.Errorf("%s (%s) has %d variants, want two", f.ID, f.Title, n)
		}
	}
	for id := range catalogue.ByHand {
		if !known[id] {
			t.Errorf("catalogue.yaml: %s is no fault", id)
		}
	}
	if sound < 25 || pairs < 5 {
		t.Errorf("%d healthy cases and %d pairs, want 25 and 5", sound, pairs)
	}
}

// TestConditions parses every condition, so that a slip shows before a run.
func TestConditions(t *testing.T) {
	cases, err := loadCases(os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		conditions := c.Until
		for _, s := range c.Steps {
			conditions = append(conditions, s.Until...)
		}
		for _, cond := range conditions {
			if cond.Connects != "" {
				continue
			}
			if _, err := newMatcher(cond); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if _, ok := resources[cond.Of]; !ok {
				t.Errorf("%s: unknown resource %q", c.name, cond.Of)
			}
		}
	}
}

func TestParseCase(t *testing.T) {
	const object = "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
	for name, tc := range map[string]struct{ file, data, want string }{
		"good":           {"SVC101-a", "about: x\nexpect: [{id: SVC101}]" + object, ""},
		"healthy":        {"healthy-a", "about: x" + object, ""},
		"unknown field":  {"SVC101-a", "about: x\nexpects: [{id: SVC101}]" + object, "unknown field"},
		"wrong name":     {"SVC101-a", "about: x\nexpect: [{id: SVC102}]" + object, "lacks SVC102"},
		"fault expected": {"SVC101-a", "about: x" + object, "a healthy case expects nothing"},
		"no objects":     {"SVC101-a", "about: x\nexpect: [{id: SVC101}]", "the objects follow"},
		"recorded":       {"SVC101-a", "about: x\nrecorded: elsewhere\nexpect: [{id: SVC101}]", ""},
		"bad pattern":    {"SVC101-a", "about: x\nexpect: [{id: SVC101, object: '('}]" + object, "missing closing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseCase(tc.file, []byte(tc.data))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
