package generate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fourTrees are made, and their svcx.yaml asks for another image since.
func fourTrees(t *testing.T) (dirs []string) {
	t.Helper()
	top := quickDir(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		dir := filepath.Join(top, name)
		a := redisApp()
		a.Metadata.Name = name
		mustWrite(t, dir, a)
		edit(t, dir, "svcx.yaml", "redis:alpine", "redis:8")
		dirs = append(dirs, dir)
	}
	return dirs
}

func regenerated(t *testing.T, dir string) bool {
	t.Helper()
	return strings.Contains(readTree(t, dir)["base/deployment.yaml"], "redis:8")
}

// While another run is at work on one of several trees, none is written.
func TestSeveralAreLockedFirst(t *testing.T) {
	if !canExchange {
		t.Skip("no locks are known here")
	}
	dirs := fourTrees(t)
	f, err := os.Open(dirs[3])
	if err != nil {
		t.Fatal(err)
	}
	if !tryLock(f) {
		t.Fatal("not locked")
	}
	if _, err = Regenerate(t.Context(), dirs, WriteOptions{}); err == nil || !strings.Contains(err.Error(), "is being written by another run of this program; nothing was changed") {
		t.Error(err)
	}
	for _, dir := range dirs {
		if regenerated(t, dir) {
			t.Errorf("%s was written", dir)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Regenerate(t.Context(), dirs, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if !regenerated(t, dir) {
			t.Errorf("%s was not written", dir)
		}
	}
}

// Where one fails after others were written, the error says which.
func TestSeveralPartlyWritten(t *testing.T) {
	dirs := fourTrees(t)
	var once sync.Once
	_, err := Regenerate(t.Context(), dirs, WriteOptions{halt: func(string) {
		once.Do(func() { edit(t, dirs[3], "base/deployment.yaml", "redis:alpine", "redis:7") })
	}})
	var partly *PartlyWrittenError
	if !errors.As(err, &partly) || len(partly.Written) == 0 || !slices.Contains(partly.Left, dirs[3]) || len(partly.Written)+len(partly.Left) != len(dirs) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{dirs[3] + " is as it was", "written before that: " + strings.Join(partly.Written, ", ") + "; not written: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	for _, dir := range dirs {
		if regenerated(t, dir) != slices.Contains(partly.Written, dir) {
			t.Errorf("%s: written is %t, and told otherwise", dir, regenerated(t, dir))
		}
	}
}

// What another run has made of a tree since it was read is not written over.
func TestSeveralReadBeforeAnotherRun(t *testing.T) {
	if !canExchange {
		t.Skip("two directories cannot be exchanged here")
	}
	dirs := fourTrees(t)
	var plans []*writePlan
	for _, dir := range dirs {
		a, err := LoadApp(dir)
		if err != nil {
			t.Fatal(err)
		}
		p, err := planWrite(dir, a.Metadata.Name, mustFiles(t, a), WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
	}
	if _, err := Regenerate(t.Context(), dirs[3:], WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := commitAll(t.Context(), plans); err == nil || !strings.Contains(err.Error(), "meanwhile; nothing was changed") || regenerated(t, dirs[0]) {
		t.Errorf("error %v, the first is written: %t", err, regenerated(t, dirs[0]))
	}
}

// Of an edited tree that changes in nothing else, what it was edited from is kept.
func TestSeveralKeepWhatEditsCameFrom(t *testing.T) {
	dirs := fourTrees(t)
	if _, err := Regenerate(t.Context(), dirs, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	edit(t, dirs[1], "base/deployment.yaml", "cpu: 500m", "cpu: 750m # we measured")
	top := filepath.Dir(dirs[0])
	before := readTree(t, top)
	for _, o := range []WriteOptions{{DryRun: true}, {}} {
		results, err := Regenerate(t.Context(), dirs, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if len(r.Created)+len(r.Updated)+len(r.Removed) > 0 {
				t.Errorf("changed %+v", r)
			}
		}
		if o.DryRun {
			wantTree(t, top, before)
		}
	}
	after := readTree(t, top)
	const last = "b/" + lastSpecFile
	if !strings.Contains(after[last], "\n"+lastTextPath+"base/deployment.yaml\n") {
		t.Errorf("%s holds\n%s", last, after[last])
	}
	before[last] = after[last]
	wantTree(t, top, before)
}

// A tree below another is written too.
func TestSeveralWithinEachOther(t *testing.T) {
	dirs := fourTrees(t)
	for i, dir := range dirs[1:] {
		below := filepath.Join(dirs[0], fmt.Sprintf("sub%d", i))
		if err := os.Rename(dir, below); err != nil {
			t.Fatal(err)
		}
		dirs[i+1] = below
	}
	if _, err := Regenerate(t.Context(), dirs, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if !regenerated(t, dir) {
			t.Errorf("%s was not written", dir)
		}
	}
}
