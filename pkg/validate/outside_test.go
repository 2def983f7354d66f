package validate_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/validate"
)

// world is all that a build could reach: a web server, and programs in the place of
// git and of what plugins run. It keeps what was asked of it.
type world struct {
	url      string
	requests atomic.Int32
	trace    string
}

func newWorld(t *testing.T) *world {
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	w := &world{}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		w.requests.Add(1)
		fmt.Fprint(out, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: far}\n")
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	bin := t.TempDir()
	w.trace = filepath.Join(bin, "trace")
	for _, name := range []string{"git", "helm", "docker", "run"} {
		script := "#!/bin/sh\necho " + name + " >>'" + w.trace + "'\nexit 1\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return w
}

// touched tells what was asked for since it was last called.
func (w *world) touched() string {
	programs, _ := os.ReadFile(w.trace)
	os.Remove(w.trace)
	all := strings.Fields(string(programs))
	if w.requests.Swap(0) > 0 {
		all = append(all, "web")
	}
	return strings.Join(all, " ")
}

// write makes a tree of an archive, in which URL is the server's, in BASE64 too.
func (w *world) write(t *testing.T, dir, archive string) {
	archive = strings.NewReplacer("URL", w.url, "HOST", strings.TrimPrefix(w.url, "http://"), "BASE64", base64.StdEncoding.EncodeToString([]byte(w.url+"/a"))).Replace(archive)
	for _, f := range txtar.Parse([]byte(archive)).Files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	own       = "-- kustomization.yaml --\nresources: [service.yaml]\n"
	generator = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: a}\nname: a\n"
	function  = "apiVersion: example.com/v1\nkind: A\nmetadata:\n  name: a\n  annotations:\n    config.kubernetes.io/function: |\n      "
)

// TestOffline: nothing that a kustomization names is fetched and no program is run;
// each is named, and what is beside it is checked. For each, kustomize is seen to
// fetch it, so that a way there which is closed for other reasons is no proof.
func TestOffline(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ name, tree, kustomize, want string }{
		{"a file of the web", "-- kustomization.yaml --\nresources: [service.yaml, URL/a.yaml]\n", "web", `kustomization.yaml:1: note: resources[1]: "URL/a.yaml" is elsewhere and was not fetched`},
		{"a repository of the web", "-- kustomization.yaml --\nresources: [service.yaml, URL/org/repo]\n", "web", `kustomization.yaml:1: note: resources[1]: "URL/org/repo" is elsewhere and was not fetched`},
		{"ssh", "-- kustomization.yaml --\nresources: [service.yaml, 'ssh://git@127.0.0.1:1/a/b']\n", "git", `kustomization.yaml:1: note: resources[1]: "ssh://git@127.0.0.1:1/a/b" is elsewhere and was not fetched`},
		{"a repository of this machine", "-- kustomization.yaml --\nresources: [service.yaml, 'file:///nowhere/a']\n", "git", `kustomization.yaml:1: note: resources[1]: "file:///nowhere/a" is elsewhere and was not fetched`},
		{"scp", "-- kustomization.yaml --\nresources: [service.yaml, 'deploy@127.0.0.1:a/b']\n", "git", `kustomization.yaml:1: note: resources[1]: "deploy@127.0.0.1:a/b" is elsewhere and was not fetched`},
		{"scp, of one part", "-- kustomization.yaml --\nresources: [service.yaml, 'deploy@127.0.0.1:b.git']\n", "git", `kustomization.yaml:1: note: resources[1]: "deploy@127.0.0.1:b.git" is elsewhere and was not fetched`},
		{"github.com:", "-- kustomization.yaml --\nresources: [service.yaml, 'GitHub.com:a/b']\n", "git", `kustomization.yaml:1: note: resources[1]: "GitHub.com:a/b" is elsewhere and was not fetched`},
		{"git::", "-- kustomization.yaml --\nresources: [service.yaml, 'git::github.com/a/b']\n", "git", `kustomization.yaml:1: note: resources[1]: "git::github.com/a/b" is elsewhere and was not fetched`},
		{"a password", "-- kustomization.yaml --\nresources: [service.yaml, 'https://me:secret@127.0.0.1:1/a/b']\n", "git", `kustomization.yaml:1: note: resources[1]: "https://me:xxxxx@127.0.0.1:1/a/b" is elsewhere and was not fetched`},
		{"no such scheme", "-- kustomization.yaml --\nresources: [service.yaml, 'oci://127.0.0.1/a/b']\n", "", `kustomization.yaml:1: error: resources[1]: "oci://127.0.0.1/a/b" is no address that kustomize fetches`},
		{"no host", "-- kustomization.yaml --\nresources: [service.yaml, 'http:a']\n", "", `kustomization.yaml:1: error: resources[1]: "http:a" does not exist`},
		{"no repository", "-- kustomization.yaml --\nresources: [service.yaml, 'base?ref=v1']\n", "", `kustomization.yaml:1: error: resources[1]: "base?ref=v1" does not exist`},
		{"binary", "-- kustomization.yaml --\nresources: [service.yaml, !!binary BASE64]\n", "web", `kustomization.yaml:1: note: resources[1]: "URL/a" is elsewhere and was not fetched`},
		{"an alias", "-- kustomization.yaml --\nnamePrefix: &a github.com/a/b\nresources: [service.yaml, *a]\n", "git", `kustomization.yaml:2: note: resources[1]: "github.com/a/b" is elsewhere and was not fetched`},
		{"a folder's name", "-- kustomization.yaml --\nresources:\n- service.yaml\n- redis@v1/a/b\n-- redis@v1/a/b/kustomization.yaml --\nresources: [a.yaml]\n-- redis@v1/a/b/a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "git", `kustomization.yaml:3: note: resources[1]: "redis@v1/a/b" is elsewhere and was not fetched`},
		{"bases", own + "bases: ['deploy@127.0.0.1:a/b']\n", "git", `kustomization.yaml:2: note: bases[0]: "deploy@127.0.0.1:a/b" is elsewhere and was not fetched`},
		{"components", own + "components: ['deploy@127.0.0.1:a/b']\n", "git", `kustomization.yaml:2: note: components[0]: "deploy@127.0.0.1:a/b" is elsewhere and was not fetched`},
		{"crds", own + "crds: [URL/a]\n", "web", `kustomization.yaml:2: note: crds[0]: "URL/a" is elsewhere and was not fetched`},
		{"configurations", own + "configurations: [URL/a]\n", "web", `kustomization.yaml:2: note: configurations[0]: "URL/a" is elsewhere and was not fetched`},
		{"openapi", own + "openapi: {path: URL/a}\n", "web", `kustomization.yaml:2: note: openapi.path: "URL/a" is elsewhere and was not fetched`},
		{"patches", own + "patches: [{path: URL/a}]\n", "web", `kustomization.yaml:2: note: patches[0].path: "URL/a" is elsewhere and was not fetched`},
		{"patchesStrategicMerge", own + "patchesStrategicMerge: [URL/a]\n", "web", `kustomization.yaml:2: note: patchesStrategicMerge[0]: "URL/a" is elsewhere and was not fetched`},
		{"patchesJson6902", own + "patchesJson6902: [{path: URL/a, target: {kind: Service, version: v1, name: near}}]\n", "web", `kustomization.yaml:2: note: patchesJson6902[0].path: "URL/a" is elsewhere and was not fetched`},
		{"replacements", own + "replacements: [{path: URL/a}]\n", "web", `kustomization.yaml:2: note: replacements[0].path: "URL/a" is elsewhere and was not fetched`},
		{"files", own + "configMapGenerator: [{name: a, files: [a=URL/a]}]\n", "web", `kustomization.yaml:2: note: configMapGenerator[0].files[0]: "a=URL/a" is elsewhere and was not fetched`},
		{"files without a key", own + "configMapGenerator: [{name: a, files: [URL/a]}]\n", "web", `kustomization.yaml:2: note: configMapGenerator[0].files[0]: "URL/a" is elsewhere and was not fetched`},
		{"envs", own + "secretGenerator: [{name: a, envs: [URL/a]}]\n", "web", `kustomization.yaml:2: note: secretGenerator[0].envs[0]: "URL/a" is elsewhere and was not fetched`},
		{"env", own + "secretGenerator: [{name: a, env: URL/a}]\n", "web", `kustomization.yaml:2: note: secretGenerator[0].env: "URL/a" is elsewhere and was not fetched`},
		{"generators of the web", own + "generators: [URL/a]\n", "web", `kustomization.yaml:2: note: generators[0]: "URL/a" is elsewhere and was not fetched`},
		{"generators of a repository", own + "generators: [github.com/a/b]\n", "git", `kustomization.yaml:2: note: generators[0]: "github.com/a/b" is elsewhere and was not fetched`},
		{"transformers of the web", own + "transformers: [URL/a]\n", "web", `kustomization.yaml:2: note: transformers[0]: "URL/a" is elsewhere and was not fetched`},
		{"transformers of a repository", own + "transformers: [github.com/a/b]\n", "git", `kustomization.yaml:2: note: transformers[0]: "github.com/a/b" is elsewhere and was not fetched`},
		{"validators of the web", own + "validators: [URL/a]\n", "web", `kustomization.yaml:2: note: validators[0]: "URL/a" is elsewhere and was not fetched`},
		{"validators of a repository", own + "validators: [github.com/a/b]\n", "git", `kustomization.yaml:2: note: validators[0]: "github.com/a/b" is elsewhere and was not fetched`},
		{"a generator's text", own + "transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: a}\n  Path: URL/a\n", "web", `kustomization.yaml:3: note: transformers[0]: "URL/a" is elsewhere and was not fetched`},
		{"a chart's values", own + "generators:\n- |-\n  apiVersion: builtin\n  kind: HelmChartInflationGenerator\n  metadata: {name: a}\n  name: a\n  additionalValuesFiles: [URL/a]\n", "", `kustomization.yaml:3: note: generators[0]: "URL/a" is elsewhere and was not fetched`},
		{"a generator's file", own + "generators: [g.yaml]\n-- g.yaml --\n" + generator + "files: [a=URL/a]\n", "web", `g.yaml:5: note: files[0]: "a=URL/a" is elsewhere and was not fetched`},
		{"a generator's merge", own + "generators: [g.yaml]\n-- g.yaml --\n" + generator + "x: &x {files: [service.yaml]}\nfiles: [a=URL/a]\n<<: *x\n", "web", `g.yaml:6: note: files[0]: "a=URL/a" is elsewhere and was not fetched`},
		{"a generator's binary", own + "generators: [g.yaml]\n-- g.yaml --\n" + generator + "envs: [!!binary BASE64]\n", "web", `g.yaml:5: note: envs[0]: "URL/a" is elsewhere and was not fetched`},
		{"a generator's literal", own + "generators: [g.yaml]\n-- g.yaml --\n" + generator + "literals: [a=URL/a]\n", "", ``},
		{"targetFilePath", own + "transformers: [v.yaml]\n-- v.yaml --\napiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: a}\nvalue: a\ntargetFilePath: URL/a\n", "web", `v.yaml:5: note: targetFilePath: "URL/a" is elsewhere and was not fetched`},
		{"a folder of generators", own + "generators: [g]\n-- g/kustomization.yaml --\nresources: [g.yaml]\n-- g/g.yaml --\n" + generator + "envs: [URL/a]\n", "web", `g/g.yaml:5: note: envs[0]: "URL/a" is elsewhere and was not fetched`},
		{"a folder of a repository", own + "generators: [g]\n-- g/kustomization.yaml --\nresources: [g.yaml, github.com/a/b]\n-- g/g.yaml --\n" + generator + "literals: [a=b]\n", "git", `g/kustomization.yaml:1: note: resources[1]: "github.com/a/b" is elsewhere and was not fetched`},
		{"a folder with a patch", own + "generators: [g]\n-- g/kustomization.yaml --\nresources: [g.yaml]\npatches:\n- target: {kind: ConfigMapGenerator}\n  patch: |-\n    - {op: add, path: /envs, value: [URL/a]}\n-- g/g.yaml --\n" + generator + "literals: [a=b]\n", "web", `g/kustomization.yaml:5: note: [0].value[0]: "URL/a" is elsewhere and was not fetched`},
		{"a folder with a replacement", own + "generators: [g]\n-- g/kustomization.yaml --\nresources: [g.yaml]\nreplacements:\n- sourceValue: http\n  targets:\n  - {select: {kind: ConfigMapGenerator}, fieldPaths: [envs.0], options: {delimiter: ':'}}\n-- g/g.yaml --\n" + generator + "envs: ['x://HOST/a']\n", "web", `g/kustomization.yaml:2: note: replacements: changes what configures plugins`},
		{"a folder of nothing far", own + "generators: [g]\n-- g/kustomization.yaml --\nresources: [g.yaml]\npatches:\n- target: {kind: ConfigMapGenerator}\n  patch: |-\n    - {op: add, path: /literals/-, value: c=d}\n-- g/g.yaml --\n" + generator + "literals: [a=b]\n", "", ``},
		{"no generator", own + "generators: [g.yaml]\n", "", `kustomization.yaml:2: error: generators[0]: "g.yaml" does not exist`},
		{"a generator that leads back", own + "generators: [.]\n", "", `kustomization.yaml:2: error: generators[0]: "." leads back to this kustomization`},
		{"a folder with a prefix", own + "generators: [g]\n-- g/kustomization.yaml --\nresources: [g.yaml]\nnamePrefix: a-\n-- g/g.yaml --\n" + generator + "literals: [a=b]\n", "", ``},
		{"exec", own + "transformers: [f.yaml]\n-- f.yaml --\n" + function + "exec: {path: run}\n", "", `kustomization.yaml: note: was not built: "A" is a plugin, and none is run here; check what it makes: kustomize build --enable-alpha-plugins `},
		{"container", own + "transformers: [f.yaml]\n-- f.yaml --\n" + function + "container: {image: a, network: true}\n", "", `kustomization.yaml: note: was not built: "A" is a plugin, and none is run here; check what it makes: kustomize build --enable-alpha-plugins `},
		{"starlark", own + "transformers: [f.yaml]\n-- f.yaml --\n" + function + "starlark: {url: URL/a}\n", "", `kustomization.yaml: note: was not built: "A" is a plugin, and none is run here; check what it makes: kustomize build --enable-alpha-plugins `},
		{"charts", own + "helmGlobals: {chartHome: charts}\nhelmCharts: [{name: a, repo: URL, valuesFile: URL/a, additionalValuesFiles: [URL/b]}]\n", "", `kustomization.yaml:3: note: helmCharts: is inflated by helm`},
		{"where charts are", own + "helmGlobals: {chartHome: URL, configHome: URL}\n", "", ``},
		{"below", "-- kustomization.yaml --\nresources:\n- service.yaml\n- base\n-- base/kustomization.yaml --\nopenapi: {path: URL/a}\n", "web", `base/kustomization.yaml:1: note: openapi.path: "URL/a" is elsewhere and was not fetched, so what builds on it was not built; check what it makes: kubectl kustomize base | kubectl svcx validate -f -`},
		{"a component", own + "components: [c]\n-- c/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: URL/a}]\n", "web", `c/kustomization.yaml:3: note: patches[0].path: "URL/a" is elsewhere and was not fetched, so what builds on it was not built; check what it makes: kubectl kustomize . | kubectl svcx validate -f -`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			w.write(t, dir, test.tree+"-- service.yaml --\napiVersion: v1\nkind: Service\nmetadata: {name: near}\nspec: {typ: NodePort}\n")
			_, _ = build(dir)
			if strings.Contains(test.tree, "openapi") {
				openapi.ResetOpenAPI() // else kustomize has it for the next build
			}
			if got := w.touched(); got != test.kustomize {
				t.Errorf("kustomize asked for %q, want %q", got, test.kustomize)
			}
			r, err := validate.Dir(t.Context(), ".", validate.Options{Build: build})
			if err != nil {
				t.Fatal(err)
			}
			if got := w.touched(); got != "" {
				t.Errorf("asked for %q", got)
			}
			var all string
			for _, f := range r.Findings {
				all += f.String() + "\n"
			}
			for _, want := range []string{strings.ReplaceAll(test.want, "URL", w.url), "service.yaml:4: error: Service/near spec.typ: unknown field"} {
				if !strings.Contains(all, want) {
					t.Errorf("found\n%swant %s", all, want)
				}
			}
			if built := r.Overlays > 0 && !strings.Contains(test.tree, "redis@v1"); built != (test.want == "") { // that folder is a tree, too
				t.Errorf("%d were built; found\n%s", r.Overlays, all)
			}
		})
	}
}

// A folder is checked where it is, although kustomize takes its name for a
// repository's.
func TestFolderNamedAsRepository(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"github.com/a/b", "me@v1/a/b"} {
		w.write(t, dir, "-- "+name+"/kustomization.yaml --\nresources: [service.yaml]\n-- "+name+"/service.yaml --\napiVersion: v1\nkind: Service\nmetadata: {name: near}\nspec: {type: ExternalName, externalName: a.example.com}\n")
		r, err := validate.Dir(t.Context(), name, validate.Options{Build: build})
		if got := w.touched(); err != nil || got != "" || r.Overlays != 1 || len(r.Findings) > 0 {
			t.Errorf("%s: asked for %q, %v %+v", name, got, err, r)
		}
	}
}

// What is taken for a repository is what kustomize takes for one.
func TestRepositories(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	for _, ref := range []string{
		"a", "../a", "a/b/c", "a@b", "a@b/c", "a@b/c/d", "a@b/c.git", "1@b/c/d", "a_b@c/d/e", "a@b:c", "a@b:c/d", "a@/b/c", "a@b?c/d/e", "./a@b/c/d",
		"github.com/a", "github.com/a/b", "github.com:a/b", "GITHUB.com/a/b", "github.community/a/b", "xgithub.com/a/b", "git@github.com/a/b", "git::a@b:c/d", "git::a/b",
		"ssh://a/b/c", "file:///a", "FILE:///a", "ftp://a/b/c", "oci://a/b/c", "a.git/b", "a/_git/b", "a//b/c", "a?ref=b", "C:/a/b", "s3::a/b/c",
	} {
		w.write(t, dir, "-- kustomization.yaml --\nresources: ['"+ref+"']\n")
		_, _ = build(dir)
		cloned := w.touched() != ""
		r, err := validate.Dir(t.Context(), dir, validate.Options{Build: build})
		if err != nil {
			t.Fatal(err)
		}
		if told := r.Count(validate.Note) == 1; w.touched() != "" || told != cloned {
			t.Errorf("%s: kustomize clones it: %v; found %v", ref, cloned, r.Findings)
		}
	}
}
