package apply

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	kustomize "sigs.k8s.io/kustomize/kustomize/v5/commands/build"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// tree has a base and an overlay that uses what a generated tree uses.
var tree = map[string]string{
	"redis/base/kustomization.yaml": `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deployment.yaml, service.yaml]
labels:
- pairs: {app.kubernetes.io/managed-by: kubectl-svcx}
`,
	"redis/base/deployment.yaml": `# a comment
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec:
  replicas: 2
  selector: {matchLabels: {app.kubernetes.io/name: redis}}
  template:
    metadata: {labels: {app.kubernetes.io/name: redis}}
    spec:
      containers:
      - {name: redis, image: "redis:alpine", ports: [{name: redis, containerPort: 6379, protocol: TCP}]}
`,
	"redis/base/service.yaml": `
apiVersion: v1
kind: Service
metadata: {name: redis}
spec:
  type: ClusterIP
  selector: {app.kubernetes.io/name: redis}
  ports:
  - {name: redis, port: 6379, targetPort: 6379, protocol: TCP}
`,
	"redis/overlays/nodeport/kustomization.yaml": `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: shop
namePrefix: my-
resources: [../../base]
images: [{name: redis, newTag: "7"}]
patches: [{path: service-patch.yaml}]
`,
	"redis/overlays/nodeport/service-patch.yaml": `
apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {type: NodePort}
`,
}

// files returns the tree with some files changed; an empty one is taken away.
func files(t *testing.T, changes map[string]string) filesys.FileSystem {
	t.Helper()
	fsys := filesys.MakeFsInMemory()
	for path, text := range tree {
		if c, ok := changes[path]; ok {
			text = c
		}
		if text == "" {
			continue
		}
		if err := fsys.WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return fsys
}

// The bytes are kustomize's own; `kubectl kustomize` is the same command.
func TestBuildYAMLEqualsKustomize(t *testing.T) {
	fsys := files(t, nil)
	for _, dir := range []string{"redis/base", "redis/overlays/nodeport"} {
		got, err := BuildYAML(fsys, dir)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		cmd := kustomize.NewCmdBuild(fsys, kustomize.MakeHelp("kustomize", "build"), &want)
		cmd.SetArgs([]string{dir})
		if err := cmd.Execute(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s:\n%s\nwant\n%s", dir, got, want.String())
		}
	}
}

func TestBuild(t *testing.T) {
	objs, err := Build(files(t, nil), "redis/overlays/nodeport")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, u := range objs {
		names = append(names, u.GetNamespace()+" "+refOf(u).String())
	}
	if got := strings.Join(names, ", "); got != "shop Service/my-redis, shop Deployment/my-redis" && got != "shop Deployment/my-redis, shop Service/my-redis" {
		t.Error(got)
	}
}

// Kustomize keeps its schema in package variables; the race detector and the
// result both tell when two builds meet.
func TestBuildAtOnce(t *testing.T) {
	fsys := files(t, nil)
	want, err := BuildYAML(fsys, "redis/overlays/nodeport")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got, err := BuildYAML(fsys, "redis/overlays/nodeport")
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
	wg.Wait()
}

func TestBuildErrors(t *testing.T) {
	const (
		base    = "redis/base/kustomization.yaml"
		service = "redis/base/service.yaml"
		patch   = "redis/overlays/nodeport/service-patch.yaml"
		overlay = "redis/overlays/nodeport"
	)
	for name, tt := range map[string]struct {
		change map[string]string
		dir    string
		says   []string
	}{
		"no such folder": {dir: "nosuch", says: []string{"building nosuch: no such folder"}},
		"a folder's name that is misspelt": {dir: "redis/overlays/nodprot",
			says: []string{"building redis/overlays/nodprot: no such folder; did you mean redis/overlays/nodeport?"}},
		"a tree's name that is misspelt": {dir: "reds", says: []string{"no such folder; did you mean redis?"}},
		"a file":                         {dir: service, says: []string{"not a folder"}},
		"the root of a tree": {dir: "redis", says: []string{
			"no kustomization.yaml in this folder", "there is one in redis/overlays/nodeport, redis/base"}},
		"a field of a kustomization that there is not": {dir: "redis/base", change: map[string]string{base: "resource: [service.yaml]\n"},
			says: []string{"building redis/base/kustomization.yaml", `unknown field "resource"`}},
		"a base that is wrong, from its overlay": {dir: overlay, change: map[string]string{base: "resource: [service.yaml]\n"},
			says: []string{"building redis/base/kustomization.yaml", `unknown field "resource"`}},
		"a resource that is missing": {dir: "redis/base", change: map[string]string{service: ""},
			says: []string{"building redis/base/kustomization.yaml", "service.yaml"}},
		"nothing": {dir: "redis/base", change: map[string]string{base: "labels: []\n"},
			says: []string{"redis/base"}},
		"a field that there is not": {dir: overlay, change: map[string]string{service: "apiVersion: v1\nkind: Service\nmetadata: {name: redis}\nspec:\n  typo: 1\n"},
			says: []string{"building redis/base/service.yaml: Service/my-redis", `unknown field "spec.typo"`}},
		"a field that there is not, in a patch": {dir: overlay, change: map[string]string{patch: "apiVersion: v1\nkind: Service\nmetadata: {name: redis}\nspec:\n  typo: 1\n"},
			says: []string{"building redis/overlays/nodeport/service-patch.yaml: Service/my-redis", `unknown field "spec.typo"`}},
		"a value of another type": {dir: overlay, change: map[string]string{service: "apiVersion: v1\nkind: Service\nmetadata: {name: redis}\nspec:\n  ports: [{port: http}]\n"},
			says: []string{"redis/base/service.yaml: Service/my-redis", "int32"}},
		"a kind that there is not": {dir: "redis/base", change: map[string]string{service: "apiVersion: v1\nkind: Sevice\nmetadata: {name: redis}\n"},
			says: []string{"redis/base/service.yaml", `there is no kind "Sevice" in v1`}},
		"a Service's name": {dir: "redis/base", change: map[string]string{service: "apiVersion: v1\nkind: Service\nmetadata: {name: 6redis}\nspec: {ports: [{port: 1}]}\n"},
			says: []string{"redis/base/service.yaml: Service/6redis: metadata.name", "DNS-1035"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(files(t, tt.change), tt.dir)
			if err == nil {
				t.Fatal("no error")
			}
			for _, s := range tt.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q lacks %q", err, s)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

// A schema of a kustomization's own is no other's, and one that is none is an error.
func TestBuildKeepsNoSchema(t *testing.T) {
	fsys := files(t, map[string]string{"redis/overlays/nodeport/service-patch.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec: {template: {spec: {containers: [{name: redis, tty: true}]}}}
`})
	want, err := BuildYAML(fsys, "redis/overlays/nodeport")
	if err != nil || !strings.Contains(string(want), "containerPort") {
		t.Fatalf("%v\n%s", err, want)
	}
	for schema, fails := range map[string]bool{`{"definitions": {}}`: false, "[": true} {
		for name, text := range map[string]string{
			"own/kustomization.yaml": "resources: [../redis/base]\nopenapi: {path: schema.json}\npatches: [{patch: '{apiVersion: v1, kind: Service, metadata: {name: redis, labels: {a: b}}}'}]\n",
			"own/schema.json":        schema,
		} {
			if err := fsys.WriteFile(name, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		openapi.ResetOpenAPI() // as in a process that has built nothing yet
		if _, err := BuildYAML(fsys, "own"); fails != (err != nil) || fails && !strings.Contains(err.Error(), "own/kustomization.yaml: invalid schema file") {
			t.Errorf("%s: %v", schema, err)
		}
		if got, err := BuildYAML(fsys, "redis/overlays/nodeport"); err != nil || !bytes.Equal(got, want) {
			t.Errorf("after %s: %v\n%s\nwant\n%s", schema, err, got, want)
		}
	}
}
