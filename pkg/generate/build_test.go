package generate

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kustomize/v5/commands/build"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func inMemory(t *testing.T, files []File) filesys.FileSystem {
	t.Helper()
	fsys := filesys.MakeFsInMemory()
	for _, f := range files {
		if err := fsys.WriteFile("/tree/"+f.Path, f.Data); err != nil {
			t.Fatal(err)
		}
	}
	return fsys
}

func overlays(a *App) []ServiceType {
	var out []ServiceType
	for _, o := range ServiceTypes() {
		if o == ExternalName && a.Spec.Service.ExternalName == "" || o != ExternalName && a.Spec.Workload == nil {
			continue
		}
		out = append(out, o)
	}
	return out
}

// buildBoth builds with the library and with the kustomize command, which must agree
// byte for byte, without a warning.
func buildBoth(t *testing.T, fsys filesys.FileSystem, dir string) []byte {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified // as the command does: kinds in the order in which to apply them
	resources, err := krusty.MakeKustomizer(options).Run(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	var out, warnings bytes.Buffer
	command := build.NewCmdBuild(fsys, build.MakeHelp("kustomize", "build"), &out)
	command.SetArgs([]string{dir})
	command.SetErr(&warnings)
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, out.Bytes()) {
		t.Errorf("%s: the library and the kustomize command differ:\n%s\n---\n%s", dir, ours, out.Bytes())
	}
	if warnings.Len() > 0 {
		t.Errorf("%s: kustomize warns: %s", dir, warnings.String())
	}
	return ours
}

// buildOverlay returns the objects of an overlay by kind.
func buildOverlay(t *testing.T, fsys filesys.FileSystem, dir string) map[string]map[string]any {
	t.Helper()
	ours := buildBoth(t, fsys, dir)
	objects := map[string]map[string]any{}
	for _, doc := range bytes.Split(ours, []byte("---\n")) {
		o := map[string]any{}
		if err := yaml.UnmarshalStrict(doc, &o); err != nil {
			t.Fatal(err)
		}
		kind := fmt.Sprint(o["kind"])
		if objects[kind] != nil {
			t.Errorf("%s: two of kind %s", dir, kind)
		}
		objects[kind] = o
	}
	return objects
}

// Every overlay builds to a Service of exactly its type, with nothing in it that
// belongs to another, whose ports lead to ports that the container has.
func TestOverlaysBuildToTheirType(t *testing.T) {
	apiType := map[ServiceType]string{ClusterIP: "ClusterIP", NodePort: "NodePort", LoadBalancer: "LoadBalancer", ExternalName: "ExternalName", Headless: "ClusterIP"}
	specFields := map[ServiceType][]string{
		ClusterIP:    {"ports", "selector", "type"},
		NodePort:     {"ports", "selector", "type"},
		LoadBalancer: {"ports", "selector", "type"},
		Headless:     {"clusterIP", "ports", "selector", "type"},
		ExternalName: {"externalName", "ports", "type"},
	}
	for name, app := range exampleApps() {
		fsys := inMemory(t, mustFiles(t, app))
		for _, o := range overlays(app) {
			t.Run(name+"/"+string(o), func(t *testing.T) {
				objects := buildOverlay(t, fsys, "/tree/"+Overlay(o))
				service := objects["Service"]
				spec := service["spec"].(map[string]any)
				if spec["type"] != apiType[o] {
					t.Errorf("type is %v", spec["type"])
				}
				var fields []string
				for f := range spec {
					fields = append(fields, f)
				}
				slices.Sort(fields)
				if !slices.Equal(fields, specFields[o]) {
					t.Errorf("spec has the fields %v; want %v", fields, specFields[o])
				}
				if o == Headless && spec["clusterIP"] != "None" {
					t.Errorf("clusterIP is %v", spec["clusterIP"])
				}
				for kind, object := range objects {
					if ns, _, _ := unstructured.NestedString(object, "metadata", "namespace"); ns != app.Metadata.Namespace {
						t.Errorf("%s is in namespace %q, want %q", kind, ns, app.Metadata.Namespace)
					}
					if label, _, _ := unstructured.NestedString(object, "metadata", "labels", "app.kubernetes.io/managed-by"); label != "kubectl-svcx" {
						t.Errorf("%s has managed-by %q", kind, label)
					}
				}
				deployment := objects["Deployment"]
				if (o == ExternalName) != (deployment == nil) {
					t.Fatalf("Deployment: %v", deployment)
				}
				if deployment != nil {
					checkPorts(t, o, service, deployment)
					checkSelectors(t, app, service, deployment)
				}
			})
		}
	}
}

func checkPorts(t *testing.T, o ServiceType, service, deployment map[string]any) {
	t.Helper()
	containers, _, _ := unstructured.NestedSlice(deployment, "spec", "template", "spec", "containers")
	declared := map[string]int64{}
	for _, p := range containers[0].(map[string]any)["ports"].([]any) {
		p := p.(map[string]any)
		key := fmt.Sprint(p["name"], "/", p["protocol"])
		if _, twice := declared[key]; twice {
			t.Errorf("the container has two ports %s", key)
		}
		declared[key] = int64(p["containerPort"].(float64))
	}
	ports, _, _ := unstructured.NestedSlice(service, "spec", "ports")
	for _, p := range ports {
		p := p.(map[string]any)
		target, ok := declared[fmt.Sprint(p["targetPort"], "/", p["protocol"])]
		if !ok {
			t.Errorf("port %v leads to no port of the container %v", p, declared)
		}
		if o == Headless && int64(p["port"].(float64)) != target {
			t.Errorf("headless port %v differs from its target %d", p["port"], target)
		}
	}
	if len(ports) == 0 {
		t.Error("no ports")
	}
}

func checkSelectors(t *testing.T, app *App, service, deployment map[string]any) {
	t.Helper()
	want := fmt.Sprint(map[string]any{"app.kubernetes.io/name": app.Metadata.Name})
	selector, _, _ := unstructured.NestedMap(service, "spec", "selector")
	matchLabels, _, _ := unstructured.NestedMap(deployment, "spec", "selector", "matchLabels")
	template, _, _ := unstructured.NestedMap(deployment, "spec", "template", "metadata", "labels")
	for what, labels := range map[string]map[string]any{"selector": selector, "matchLabels": matchLabels, "template": template} {
		if fmt.Sprint(labels) != want {
			t.Errorf("%s is %v, want %s", what, labels, want)
		}
	}
}

// The generated files hold nothing empty or server-filled, are strict
// kustomizations, and have no deprecated field that kustomize would want mended.
func TestFilesAreClean(t *testing.T) {
	bad := regexp.MustCompile(`(?m)(: null|: \{\}|: \[\]|creationTimestamp|^status|: ~)$|uid:|resourceVersion|commonLabels|bases:|patchesStrategicMerge`)
	for name, app := range exampleApps() {
		for _, f := range mustFiles(t, app) {
			body := string(f.Data)
			everybody := "\n  networkPolicy:\n    from: []\n" // is said, not left over
			if found := bad.FindString(strings.Replace(body, everybody, "\n", 1)); found != "" {
				t.Errorf("%s: %s holds %q", name, f.Path, found)
			}
			if !strings.HasPrefix(body, "# ") || !strings.HasSuffix(body, "\n") || strings.Contains(body, " \n") {
				t.Errorf("%s: %s: no stamp, no end of line or white space at the end of one:\n%s", name, f.Path, body)
			}
			if filepath.Base(f.Path) != "kustomization.yaml" {
				continue
			}
			var k types.Kustomization
			if err := yaml.UnmarshalStrict(f.Data, &k); err != nil {
				t.Errorf("%s: %s: %v", name, f.Path, err)
			}
			if deprecated := k.CheckDeprecatedFields(); deprecated != nil && len(*deprecated) > 0 {
				t.Errorf("%s: %s: %v", name, f.Path, *deprecated)
			}
		}
	}
}
