package generate

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A section that a person leaves empty stays empty: when another field is set, when
// the tree is generated again, and when an edited file is merged.
func TestEmptySectionStays(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	if !strings.Contains(readTree(t, dir)["base/deployment.yaml"], "resources:") {
		t.Fatal("the image has no limits of its own to leave out")
	}
	edit(t, dir, SpecFile, "  workload:\n", "  workload:\n    resources: {}\n")
	again := func(set string) *WriteResult {
		t.Helper()
		a, err := LoadApp(dir)
		if err != nil {
			t.Fatal(err)
		}
		if set != "" {
			if err := a.Set(set); err != nil {
				t.Fatal(err)
			}
		}
		return mustWrite(t, dir, a)
	}
	empty := func() {
		t.Helper()
		tree := readTree(t, dir)
		if strings.Contains(tree["base/deployment.yaml"], "resources:") || !strings.Contains(tree[SpecFile], "    resources: {}\n") || !strings.Contains(tree[lastSpecFile], "    resources: {}\n") {
			t.Errorf("the limits are back:\n%s%s%s", tree[SpecFile], tree[lastSpecFile], tree["base/deployment.yaml"])
		}
	}
	again("")
	empty()
	again("workload.imagePullPolicy=Always")
	empty()
	if r := again(""); len(r.Created)+len(r.Updated)+len(r.Removed) > 0 {
		t.Errorf("generated again, it changes: %+v", r)
	}
	edit(t, dir, "base/deployment.yaml", "      containers:\n", "      # the one that counts\n      containers:\n")
	r := again("workload.image=redis:8")
	empty()
	if !slices.Contains(r.Updated, "base/deployment.yaml") {
		t.Errorf("%+v", r)
	}
}

// An empty map in a list is one.
func TestEmptyItem(t *testing.T) {
	body, err := encode(&corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{}}})
	if err != nil || string(body) != "nodeSelectorTerms:\n- {}\n" {
		t.Errorf("%v\n%s", err, body)
	}
}

// What a volume comes from is named, or it is no volume; one that needs no name stays
// what it is.
func TestVolumeSources(t *testing.T) {
	spec := func(source string) string {
		return "apiVersion: " + APIVersion + "\nkind: App\nmetadata: {name: web}\nspec:\n  workload:\n    image: example.com/web:1\n    volumes: [{name: v, " + source +
			"}]\n    volumeMounts: [{name: v, mountPath: /v}]\n  service: {ports: [{port: 80}]}\n"
	}
	for source, want := range map[string]string{
		"persistentVolumeClaim: {claimName: \"\"}": "spec.workload.volumes[0].persistentVolumeClaim.claimName: is missing",
		"configMap: {}":            "spec.workload.volumes[0].configMap.name: is missing",
		"secret: {optional: true}": "spec.workload.volumes[0].secret.secretName: is missing",
		"hostPath: {}":             "spec.workload.volumes[0].hostPath.path: is missing",
		"nfs: {server: a}":         "spec.workload.volumes[0].nfs.path: is missing",
		"csi: {}":                  "spec.workload.volumes[0].csi.driver: is missing",
		"image: {}":                "spec.workload.volumes[0].image.reference: is missing",
		"ephemeral: {}":            "spec.workload.volumes[0].ephemeral.volumeClaimTemplate: is missing",
		"projected: {sources: [{configMap: {}}]}":     "spec.workload.volumes[0].projected.sources[0].configMap.name: is missing",
		"downwardAPI: {}":                             "",
		"projected: {}":                               "",
		"emptyDir: {}":                                "",
		"persistentVolumeClaim: {claimName: a-claim}": "",
	} {
		a, err := ParseApp([]byte(spec(source)), SpecFile)
		if err != nil {
			t.Fatal(err)
		}
		files, err := Files(a)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", source, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		name, _, _ := strings.Cut(source, ":")
		i := slices.IndexFunc(files, func(f File) bool { return f.Path == "base/deployment.yaml" })
		if !strings.Contains(string(files[i].Data), "      - name: v\n        "+name+":") {
			t.Errorf("%s became another volume:\n%s", source, files[i].Data)
		}
	}
}
