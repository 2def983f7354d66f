package tree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const service = `# Who asks for port 6379 gets it.
apiVersion: v1
kind: Service
metadata:
  name: redis-svc
spec:
  ports:
  - name: metrics   # scraped
    port: 9121
    targetPort: 9121

  - name: redis
    port: 6379
    targetPort: 6380 # was 6379
  selector:
    app: "rediss"
    version: v1
`

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: redis
spec:
  replicas: 0
  selector:
    matchLabels: {app: redis}
  template:
    metadata:
      labels: {app: redis}
    spec:
      containers:
      - name: redis
        image: redis:alpine
`

const baseK = "resources:\n- service.yaml\n- deployment.yaml\n"

var portPatch = "spec:\n  ports:\n  - port: 6379\n    protocol: TCP\n    targetPort: 6379\n"

// However many files a tree lists, a bounded number is read.
func TestFilesAreBounded(t *testing.T) {
	fs := filesys.MakeFsInMemory()
	list := "resources:\n"
	for i := range 2 * maxFiles {
		name := fmt.Sprintf("s%d.yaml", i)
		list += "- " + name + "\n"
		if err := fs.WriteFile("tree/"+name, []byte("kind: Service\nmetadata: {name: redis-svc}\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := fs.WriteFile("tree/kustomization.yaml", []byte(list)); err != nil {
		t.Fatal(err)
	}
	if n := len(sources(fs, "tree", Ref{Kind: "Service", Name: "redis-svc"})); n == 0 || n > maxFiles {
		t.Errorf("%d sources of at most %d files", n, maxFiles)
	}
}

// lay writes files into a folder of the test's own and moves there.
func lay(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMend(t *testing.T) {
	svc := Ref{Kind: "Service", Namespace: "shop", Name: "redis-svc"}
	dep := Ref{Kind: "Deployment", Namespace: "shop", Name: "redis"}
	for _, c := range []struct {
		name  string
		files map[string]string // beside the base
		ref   Ref
		patch string
		want  string // file:line and the diff, of each edit
	}{
		{"the port of the base, comment and blank line kept",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\n"}, svc, portPatch,
			"base/service.yaml:14\n-    targetPort: 6380 # was 6379\n+    targetPort: 6379 # was 6379\n"},
		{"the overlay's patch has the last word",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\npatches:\n- path: p.yaml\n",
				"over/p.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: redis-svc\nspec:\n  ports:\n  - port: 6379\n    targetPort: 7000\n"}, svc, portPatch,
			"over/p.yaml:8\n-    targetPort: 7000\n+    targetPort: 6379\n"},
		{"a patch within the kustomization",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\npatches:\n- target: {kind: Service}\n  patch: |-\n    apiVersion: v1\n    kind: Service\n    metadata:\n      name: any\n    spec:\n      ports:\n      - {port: 6379, targetPort: 7000}\n"}, svc, portPatch,
			"over/kustomization.yaml:11\n-      - {port: 6379, targetPort: 7000}\n+      - {port: 6379, targetPort: 6379}\n"},
		{"a patch of operations",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\npatches:\n- target: {kind: Service, name: redis-svc}\n  path: ops.yaml\n",
				"over/ops.yaml": "- op: replace\n  path: /spec/ports/1/targetPort\n  value: 7000\n"}, svc, portPatch,
			"over/ops.yaml:3\n-  value: 7000\n+  value: 6379\n"},
		{"a name with a prefix",
			map[string]string{"over/kustomization.yaml": "namePrefix: my-\nresources: [../base]\n"}, Ref{Kind: "Service", Name: "my-redis-svc"}, portPatch,
			"base/service.yaml:14\n-    targetPort: 6380 # was 6379\n+    targetPort: 6379 # was 6379\n"},
		{"a value in quotes, and a key that goes",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\n"}, svc, "spec:\n  selector:\n    app: redis\n    version: null\n",
			"base/service.yaml:16\n-    app: \"rediss\"\n-    version: v1\n+    app: \"redis\"\n"},
		{"a key that comes",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\n"}, svc, "spec:\n  selector:\n    tier: \"1\"\n",
			"base/service.yaml:18\n+    tier: \"1\"\n"},
		{"a field below one that is missing too",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\n"}, dep,
			"spec:\n  template:\n    spec:\n      containers:\n      - name: redis\n        readinessProbe:\n          tcpSocket:\n            port: 6379\n",
			"base/deployment.yaml:16\n+        readinessProbe:\n+          tcpSocket:\n+            port: 6379\n"},
		{"the replicas of the base",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\n"}, dep, "spec:\n  replicas: 1\n",
			"base/deployment.yaml:6\n-  replicas: 0\n+  replicas: 1\n"},
		{"the replicas that the overlay counts",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\nreplicas:\n- name: redis\n  count: 0\n"}, dep, "spec:\n  replicas: 1\n",
			"over/kustomization.yaml:4\n-  count: 0\n+  count: 1\n"},
		{"a key of a port, the list put in the place of the one there",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\n"}, svc,
			"spec:\n  ports:\n  - $patch: replace\n  - {name: metrics, port: 9121, targetPort: 9121, protocol: TCP}\n  - {name: redis, port: 6380, targetPort: 6380, protocol: TCP}\n",
			"base/service.yaml:13\n-    port: 6379\n+    port: 6380\n"},
		{"a list on one line",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\npatches:\n- path: p.yaml\n",
				"over/p.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: redis-svc\nspec:\n  loadBalancerSourceRanges: [192.0.2.0/24] # office\n"}, svc,
			"spec:\n  loadBalancerSourceRanges: [192.0.2.0/24, 'fd00::/8']\n",
			"over/p.yaml:6\n-  loadBalancerSourceRanges: [192.0.2.0/24] # office\n+  loadBalancerSourceRanges: [192.0.2.0/24, fd00::/8] # office\n"},
		{"a list on lines of its own",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\npatches:\n- path: p.yaml\n",
				"over/p.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: redis-svc\nspec:\n  ipFamilies:\n  - IPv6\n  - IPv4\n  type: NodePort\n"}, svc,
			"spec:\n  ipFamilies: [IPv4]\n",
			"over/p.yaml:7\n-  - IPv6\n"},
		{"a list of its own, with what depends on it",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\npatches:\n- path: p.yaml\n",
				"over/p.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: redis-svc\nspec:\n  ipFamilies:\n  - IPv4\n  - IPv6\n  ipFamilyPolicy: PreferDualStack\n"}, svc,
			"spec:\n  ipFamilies:\n  - IPv4\n  ipFamilyPolicy: SingleStack\n",
			"over/p.yaml:8\n-  - IPv6\n-  ipFamilyPolicy: PreferDualStack\n+  ipFamilyPolicy: SingleStack\n"},
		{"a field of a map in braces that goes",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\npatches:\n- path: p.yaml\n",
				"over/p.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: redis-svc\nspec:\n  ports:\n  - {port: 6379, nodePort: 40000, targetPort: 6379}\n"}, svc,
			"spec:\n  ports:\n  - port: 6379\n    protocol: TCP\n    nodePort: null\n",
			"over/p.yaml:7\n-  - {port: 6379, nodePort: 40000, targetPort: 6379}\n+  - {port: 6379, targetPort: 6379}\n"},
		{"the last label takes the map with it",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\npatches:\n- path: p.yaml\n",
				"over/p.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: redis-svc\n  labels:\n    service.kubernetes.io/service-proxy-name: other\n"}, svc,
			"metadata:\n  labels:\n    service.kubernetes.io/service-proxy-name: null\n",
			"over/p.yaml:5\n-  labels:\n-    service.kubernetes.io/service-proxy-name: other\n"},
		{"a map within a map in braces",
			map[string]string{"over/kustomization.yaml": "resources: [../base]\npatches:\n- path: p.yaml\n",
				"over/p.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: redis\nspec:\n  template:\n    spec:\n      containers:\n      - {name: redis, image: \"redis:7\"}\n"}, dep,
			"spec:\n  template:\n    spec:\n      containers:\n      - name: redis\n        image: redis:8\n",
			"over/p.yaml:9\n-      - {name: redis, image: \"redis:7\"}\n+      - {name: redis, image: \"redis:8\"}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"base/service.yaml": service, "base/deployment.yaml": deployment, "base/kustomization.yaml": baseK}
			for k, v := range c.files {
				files[k] = v
			}
			lay(t, files)
			tr, err := Open(filesys.MakeFsOnDisk(), "over")
			if err != nil {
				t.Fatal(err)
			}
			edits, err := tr.Mend(c.ref, c.patch)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, e := range edits {
				got.WriteString(e.File + ":" + string(rune('0'+e.Line/10)) + string(rune('0'+e.Line%10)) + "\n" + e.Diff + "\n")
			}
			if g := strings.ReplaceAll(got.String(), ":0", ":"); g != c.want {
				t.Errorf("got\n%s\nwant\n%s", g, c.want)
			}
			for name, content := range files {
				if now, _ := os.ReadFile(name); string(now) != content {
					t.Errorf("%s changed before Write", name)
				}
			}
			if _, err := tr.Write(); err != nil {
				t.Fatal(err)
			}
			again, err := Open(filesys.MakeFsOnDisk(), "over")
			if err != nil {
				t.Fatal(err)
			}
			var none *UnlocatedError
			if _, err := again.Mend(c.ref, c.patch); !errors.As(err, &none) || !strings.Contains(none.Reason, "already") {
				t.Errorf("after Write the tree is not mended: %v", err)
			}
		})
	}
}

func TestMendCannot(t *testing.T) {
	lay(t, map[string]string{"base/service.yaml": service, "base/deployment.yaml": deployment, "base/kustomization.yaml": baseK,
		"over/kustomization.yaml": "resources: [../base]\nlabels:\n- pairs: {app: web}\n  includeSelectors: true\n"})
	tr, err := Open(filesys.MakeFsOnDisk(), "over")
	if err != nil {
		t.Fatal(err)
	}
	for patch, reason := range map[string]string{
		"spec:\n  selector:\n    app: redis\n":      "no file says spec.selector.app",
		"spec:\n  ports:\n  - $patch: replace\n":    "no file says spec.ports",
		"spec:\n  selector:\n    $patch: replace\n": "directive",
		"spec: [":                            "cannot be read",
		"spec:\n  selector:\n    app: web\n": "already",
		"spec:\n  clusterIP: [1]\n  type: {a: {b: c}}\n": "",
	} {
		_, err := tr.Mend(Ref{Kind: "Service", Name: "redis-svc"}, patch)
		var none *UnlocatedError
		if reason != "" && (!errors.As(err, &none) || !strings.Contains(none.Reason, reason)) {
			t.Errorf("%q: %v, want %q", patch, err, reason)
		}
	}
	if _, err := tr.Mend(Ref{Kind: "Service", Name: "other"}, "spec: {type: NodePort}"); err == nil {
		t.Error("an object that is not there was mended")
	}
	if len(tr.fs.files) != 0 {
		t.Errorf("changes were kept: %v", tr.fs.files)
	}
}

func TestFind(t *testing.T) {
	lay(t, map[string]string{"base/service.yaml": service, "base/deployment.yaml": deployment, "base/kustomization.yaml": baseK,
		"over/kustomization.yaml": "resources: [../base]\npatches:\n- path: p.yaml\n",
		"over/p.yaml":             "apiVersion: v1\nkind: Service\nmetadata:\n  name: redis-svc\nspec:\n  type: NodePort\n"})
	tr, err := Open(filesys.MakeFsOnDisk(), "over")
	if err != nil {
		t.Fatal(err)
	}
	svc := Ref{Kind: "Service", Name: "redis-svc"}
	for field, want := range map[string]Place{
		"spec.ports[1].targetPort": {"base/service.yaml", 14},
		"spec.ports[0]":            {"base/service.yaml", 8},
		"spec.type":                {"over/p.yaml", 6},
		"spec.selector[app]":       {"base/service.yaml", 16},
		"spec.selector.app":        {"base/service.yaml", 16},
		"spec.ports[1].nodePort":   {"base/service.yaml", 12},
		"":                         {"base/service.yaml", 2},
	} {
		if got, ok := tr.Find(svc, field); !ok || got != want {
			t.Errorf("%q: %v %v, want %v", field, got, ok, want)
		}
	}
	if _, ok := tr.Find(Ref{Kind: "Service", Name: "none"}, "spec"); ok {
		t.Error("found what is not there")
	}
}

func TestWriteLeavesWhatOthersChanged(t *testing.T) {
	lay(t, map[string]string{"base/service.yaml": service, "base/deployment.yaml": deployment, "base/kustomization.yaml": baseK})
	tr, err := Open(filesys.MakeFsOnDisk(), "base")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Mend(Ref{Kind: "Service", Name: "redis-svc"}, portPatch); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("base/service.yaml", []byte(service+"# mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Write(); err == nil || !strings.Contains(err.Error(), "changed meanwhile") {
		t.Errorf("overwrote another's change: %v", err)
	}
}
