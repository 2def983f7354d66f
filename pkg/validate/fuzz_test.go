package validate

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// FuzzFiles: whatever a file holds, checking it ends with findings or without, and
// what is read without an error is JSON.
func FuzzFiles(f *testing.F) {
	seeds, err := filepath.Glob("../../manifests/redis/*/*.yaml")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}, {port: 80}]}}\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Add([]byte("apiVersion: v1\nkind: Service\nspec: !!binary aGk=\n---\n...\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := Files(t.Context(), []string{"-"}, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		objects, _, err := Read(t.Context(), []string{"-"}, bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, o := range objects {
			if !json.Valid(o) {
				t.Fatalf("%q", o)
			}
		}
	})
}
