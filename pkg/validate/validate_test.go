package validate_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/validate"
)

func build(dir string) ([]byte, error) {
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	return m.AsYaml()
}

// Each archive in testdata is a tree, with what is found in it in a file "want";
// the comment says which files are plain manifests, else the folder is checked.
func TestTrees(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(archive)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			want := ""
			for _, f := range a.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				p := filepath.Join(dir, f.Name)
				if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, f.Data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			r, err := validate.Dir(context.Background(), dir, validate.Options{Build: build})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for _, f := range r.Findings {
				got.WriteString(strings.ReplaceAll(f.String(), dir+"/", "") + "\n")
			}
			if os.Getenv("UPDATE") != "" {
				for i := range a.Files {
					if a.Files[i].Name == "want" {
						a.Files[i].Data = got.Bytes()
					}
				}
				if err := os.WriteFile(archive, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != want {
				t.Errorf("found:\n%s\nwant:\n%s", got.String(), want)
			}
		})
	}
}

// The trees that are committed are what others copy.
func TestManifests(t *testing.T) {
	r, err := validate.Dir(context.Background(), "../../manifests", validate.Options{Build: build})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		t.Error(f)
	}
	if r.Overlays == 0 || r.Objects == 0 {
		t.Errorf("%d kustomizations with %d objects were built", r.Overlays, r.Objects)
	}
}

func TestBadFiles(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		prev := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+prev+",", 10), ",") + "]\n"
	}
	for name, test := range map[string]struct{ data, want string }{
		"bomb":      {bomb, "aliases that expand to more than"},
		"tab":       {"apiVersion: v1\nkind: Service\nmetadata:\n\tname: x\n", ":4: error: is indented with a tab"},
		"not utf-8": {"apiVersion: v1\nkind: \xff\n", ":2: error: is not UTF-8"},
		"utf-16":    {"\xff\xfea\x00", "is UTF-16"},
		"nul":       {"a: b\n\x00", ":2: error: holds a NUL byte"},
		"bom":       {"\xef\xbb\xbfapiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "warning: begins with a byte order mark"},
		"scalar":    {"hello\n", "holds text, not an object"},
		"cycle":     {"a: &a\n  b: *a\n", "error"},
		"anchor":    {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: &n x}\ndata:\n  a: *n\n  b: 1\n", ":6: error: ConfigMap/x data.b: \"1\" is a number where text is wanted"},
		"merge":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: <<\n  b: 1\n", "x.yaml:6: error"},
		"crlf":      {"apiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {nam: x}\r\n", ":3: error: ConfigMap metadata.nam: unknown field; did you mean name?"},
		"escape":    {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n\"\\e[31mred\": 1\n", `?[31mred: unknown field`},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.yaml")
			if err := os.WriteFile(file, []byte(test.data), 0o666); err != nil {
				t.Fatal(err)
			}
			r, err := validate.Files(context.Background(), []string{file}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var all string
			for _, f := range r.Findings {
				all += f.String() + "\n"
			}
			if !strings.Contains(all, test.want) || name == "merge" && len(r.Findings) != 1 {
				t.Errorf("found %q, want %q", all, test.want)
			}
		})
	}
}

func TestHugeFileAndLinks(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.yaml")
	f, err := os.Create(huge)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(100 << 20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	r, err := validate.Files(context.Background(), []string{huge}, nil)
	if err != nil || len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Message, "larger than 8 MiB") {
		t.Errorf("%v %+v", err, r)
	}
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	if err := os.WriteFile(outside, []byte("password: x\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(tree, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "kustomization.yaml"), []byte("resources: [link.yaml, ../../etc/passwd]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	built := false
	r, err = validate.Dir(context.Background(), tree, validate.Options{Build: func(string) ([]byte, error) { built = true; return nil, nil }})
	if err != nil || built || r.Count(validate.Error) < 2 || !strings.Contains(r.Findings[0].String()+r.Findings[1].String(), "leads out of") {
		t.Errorf("%v, built %v, %+v", err, built, r)
	}
}
