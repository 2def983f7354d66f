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
	"sigs.k8s.io/yaml"

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
		"bomb":          {bomb, "aliases that expand to more than"},
		"tab":           {"apiVersion: v1\nkind: Service\nmetadata:\n\tname: x\n", ":4: error: is indented with a tab"},
		"not utf-8":     {"apiVersion: v1\nkind: \xff\n", ":2: error: is not UTF-8"},
		"utf-16":        {"\xff\xfea\x00", "is UTF-16"},
		"nul":           {"a: b\n\x00", ":2: error: holds a NUL byte"},
		"bom":           {"\xef\xbb\xbfapiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "warning: begins with a byte order mark"},
		"scalar":        {"hello\n", "holds text, not an object"},
		"cycle":         {"a: &a\n  b: *a\n", "error"},
		"anchor":        {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: &n x}\ndata:\n  a: *n\n  b: 1\n", ":6: error: ConfigMap/x data.b: \"1\" is a number where text is wanted"},
		"merge":         {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: <<\n  b: 1\n", "x.yaml:6: error"},
		"merged":        {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: &d\n  a: b\nbinaryData:\n  <<: [*d]\n  c: aGk=\n", ":5: error: ConfigMap/x binaryData.a: \"b\" is not base64"},
		"above a merge": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: &l {a: b}}\ndata:\n  a: c\n  <<: *l\n", ":6: warning: <<: stands below a and has it too: kubectl takes the one that is merged, kustomize the other; put << first"},
		"merge of text": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  <<: a\n", ":5: error: <<: merges text, and only a map or a list of maps can be"},
		"no kind":       {"apiVersion: v1\nkind:\nmetadata: {name: x}\n", ":2: error: kind: is empty"},
		"kinds":         {"apiVersion: v1\nkind: {a: b}\nmetadata: {name: x}\n", ":2: error: kind: is a map where text is wanted"},
		"empty key":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {\"\": a}\n", `:4: error: ConfigMap/x data[""]: is empty; such as password or redis.conf`},
		"unread":        {"apiVersion: example.com/v1\nkind: A\nmetadata: {name: x, labels: {a: 1}}\n", ":3: error: A/x metadata.labels: cannot be read as the API server reads it: cannot unmarshal number"},
		"infinite":      {"apiVersion: example.com/v1\nkind: A\nmetadata: {name: x}\nspec: .inf\n", "error: A/x: cannot be read as the API server reads it: unsupported value: +Inf"},
		"tag":           {"apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: !a 80}]}\n", `is text where a whole number is wanted; remove the tag !a`},
		"empty":         {"# nothing yet\n", "x.yaml: note: holds no object, so there was nothing to check"},
		"empty list":    {"apiVersion: v1\nkind: List\nitems:\n", "note: holds no object"},
		"crlf":          {"apiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {nam: x}\r\n", ":3: error: ConfigMap metadata.nam: unknown field; did you mean name?"},
		"escape":        {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n\"\\e[31mred\": 1\n", `?[31mred: unknown field`},
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
			if !strings.Contains(all, test.want) || name == "merge" && len(r.Findings) != 1 || strings.HasPrefix(name, "empty ") && len(r.Findings) != 1 {
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

// What Read hands on is what kubectl would send.
func TestReadAsKubectlDoes(t *testing.T) {
	for _, manifest := range []string{
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {publishNotReadyAddresses: yes, allocateLoadBalancerNodePorts: Off, ports: [{port: 80.0, nodePort: 3e4}]}\n",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {b: \"yes\", c: 'on', d: !x 1, e: 2026-01-02}}\ndata:\n  a: &a |\n    yes\n  b: *a\n",
		"a: &p {name: a, port: 1}\nq: &q {name: q, x: 2}\nb: {<<: *p, name: b}\nc: {name: c, <<: *p}\nd: {<<: [*p, *q]}\ne: {<<: *p, <<: *q, port: 3}\nf: [{<<: &r {<<: *q, y: n}}, *r]\n",
	} {
		got, _, err := validate.Read(t.Context(), []string{"-"}, strings.NewReader(manifest))
		if err != nil {
			t.Fatal(err)
		}
		want, err := yaml.YAMLToJSON([]byte(manifest))
		if err != nil {
			t.Fatal(err)
		}
		if string(got[0]) != string(want) {
			t.Errorf("read\n%s\nkubectl reads\n%s", got[0], want)
		}
	}
}

// A tree that is named by a link is checked as the folder that it leads to.
func TestLinkToTree(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	target, err := filepath.Abs("../../manifests")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	r, err := validate.Dir(t.Context(), link, validate.Options{Build: build})
	if err != nil {
		t.Fatal(err)
	}
	if r.Overlays == 0 || len(r.Findings) > 0 {
		t.Errorf("%+v", r)
	}
	broken := filepath.Join(t.TempDir(), "link")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte("a: 1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, broken); err != nil {
		t.Fatal(err)
	}
	r, err = validate.Dir(t.Context(), broken, validate.Options{Build: build})
	if err != nil || len(r.Findings) == 0 || r.Findings[0].File != filepath.Join(broken, "x.yaml") {
		t.Errorf("%v %+v", err, r)
	}
}
