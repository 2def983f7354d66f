package generate

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// For each pair of types, an environment goes from one to the other, and its
// tree is valid: its build has nothing in it that the new type has no use for.
func TestRetypeLeavesNothingStale(t *testing.T) {
	for _, from := range ServiceTypes() {
		for _, to := range ServiceTypes() {
			a := matrixApps(t)["every-service-field"]
			a.Spec.Overlays = []Environment{{Name: "prod", Type: from}}
			got, err := a.Retype("prod", to, "")
			if err != nil || got != from {
				t.Fatalf("%s to %s: was %s, %v", from, to, got, err)
			}
			body := valid(t, a)["overlays/prod"]
			for _, f := range Stale(body, "web-svc", to) {
				if to != ExternalName {
					t.Errorf("%s to %s: %s is stale", from, to, f.Path)
				}
			}
			apiType := string(to)
			if to == Headless {
				apiType = "ClusterIP\n"
			}
			if !bytes.Contains(body, []byte("  type: "+apiType)) {
				t.Errorf("%s to %s:\n%s", from, to, body)
			}
		}
	}
}

func TestRetype(t *testing.T) {
	a := matrixApps(t)["environments"]
	if _, err := a.Retype("prd", LoadBalancer, ""); err == nil || !strings.Contains(err.Error(), "did you mean prod?") {
		t.Error(err)
	}
	if names := strings.Join(a.EnvironmentNames(), " "); names != "dev local staging prod" {
		t.Error(names)
	}
	if _, err := a.Retype("nodeport", LoadBalancer, ""); err == nil || !strings.Contains(err.Error(), "overlays/nodeport is that of the type") {
		t.Error(err)
	}
	if from, err := a.Retype("prod", ExternalName, "db.example.com"); err != nil || from != LoadBalancer || a.Environment("prod").Replicas != nil {
		t.Errorf("%s, %v, %+v", from, err, a.Environment("prod"))
	}
	if _, err := a.Retype("staging", ClusterIP, ""); err != nil || a.Environment("staging").ExternalName != "" {
		t.Errorf("%v, %+v", err, a.Environment("staging"))
	}
	if _, err := a.Retype("dev", ExternalName, ""); err == nil || !strings.Contains(err.Error(), "spec.overlays[0].externalName: is missing") {
		t.Error(err)
	}
	if from, err := a.Retype("", NodePort, ""); err == nil || from != ClusterIP {
		t.Errorf("%s, %v: dev has no host still", from, err)
	}
}

const handPatch = `# by hand
apiVersion: v1
kind: Service
metadata:
  name: web-svc
spec:
  type: LoadBalancer

  # the ranges
  loadBalancerSourceRanges:
  - 192.0.2.0/24   # office
  - 198.51.100.0/24
  sessionAffinity:   ClientIP
  ports:
  - nodePort: 30080
    port: 80
    protocol: TCP
  - port: 81
    protocol: TCP
    nodePort: 30081 # pinned
---
kind: Service
metadata: {name: other}
spec: {loadBalancerClass: x}
`

func TestRemoveStale(t *testing.T) {
	got, removed := RemoveStale([]byte(handPatch), "web-svc", ClusterIP)
	want := strings.NewReplacer("  loadBalancerSourceRanges:\n  - 192.0.2.0/24   # office\n  - 198.51.100.0/24\n", "",
		"  - nodePort: 30080\n    port: 80\n", "  - port: 80\n", "    nodePort: 30081 # pinned\n", "").Replace(handPatch)
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
	if fmt.Sprint(removed) != "[{spec.loadBalancerSourceRanges 10} {spec.ports[0].nodePort 15} {spec.ports[1].nodePort 20}]" {
		t.Error(removed)
	}
	if got, removed := RemoveStale([]byte(handPatch), "web-svc", LoadBalancer); string(got) != handPatch || len(removed) > 0 {
		t.Errorf("removed %v", removed)
	}
	only := "kind: Service\nspec: # balanced\n  loadBalancerClass: x\n---\nkind: Other\n"
	if got, _ := RemoveStale([]byte(only), "web-svc", ClusterIP); string(got) != "kind: Service\nspec: {} # balanced\n---\nkind: Other\n" {
		t.Errorf("a patch with no value for spec removes it:\n%s", got)
	}
	flow := "kind: Service\nspec: {ports: [{port: 80, nodePort: 30080}]}\n"
	if got, removed := RemoveStale([]byte(flow), "web-svc", ClusterIP); string(got) != flow || len(removed) > 0 || len(Stale([]byte(flow), "web-svc", ClusterIP)) != 1 {
		t.Errorf("removed %v from\n%s", removed, got)
	}
}

// A load balancer's ranges may be an annotation still, which no other type may have.
func TestRemoveStaleAnnotation(t *testing.T) {
	const ranges = "service.beta.kubernetes.io/load-balancer-source-ranges"
	for name, test := range map[string]struct{ data, want string }{
		"beside another": {"kind: Service\nmetadata:\n  name: web-svc\n  annotations:\n    " + ranges + ": 192.0.2.0/24\n    a: b\nspec:\n  loadBalancerClass: x\n  type: LoadBalancer\n",
			"kind: Service\nmetadata:\n  name: web-svc\n  annotations:\n    a: b\nspec:\n  type: LoadBalancer\n"},
		"alone": {"kind: Service\nmetadata:\n  annotations: # theirs\n    " + ranges + ": >-\n      192.0.2.0/24,\n      198.51.100.0/24\n  name: web-svc\n",
			"kind: Service\nmetadata:\n  annotations: {} # theirs\n  name: web-svc\n"},
		"behind the spec": {"spec:\n  loadBalancerClass: x\nmetadata:\n  annotations:\n    \"" + ranges + "\": 192.0.2.0/24\nkind: Service\n",
			"spec: {}\nmetadata:\n  annotations: {}\nkind: Service\n"},
		"of another":  {"kind: Service\nmetadata: {name: other, annotations: {" + ranges + ": 192.0.2.0/24}}\n", "same"},
		"in one line": {"kind: Service\nmetadata: {name: web-svc, annotations: {" + ranges + ": 192.0.2.0/24}}\n", "same"},
	} {
		if test.want == "same" {
			test.want = test.data
		}
		if got, _ := RemoveStale([]byte(test.data), "web-svc", NodePort); string(got) != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, test.want)
		}
		if got, removed := RemoveStale([]byte(test.data), "web-svc", LoadBalancer); string(got) != test.data {
			t.Errorf("%s: removed %v for a load balancer", name, removed)
		}
	}
	if got := Stale([]byte("kind: Service\nmetadata: {annotations: {"+ranges+": 192.0.2.0/24}}\n"), "web-svc", Headless); fmt.Sprint(got) != "[{metadata.annotations."+ranges+" 2}]" {
		t.Error(got)
	}
}

// Whatever a field's value looks like, it goes as a whole or stays as a whole.
func TestRemoveStaleWhole(t *testing.T) {
	const head = "kind: Service\nmetadata: {name: web-svc}\nspec:\n"
	for name, test := range map[string]struct{ spec, want string }{
		"a bracket of its own line": {"  loadBalancerSourceRanges: [\n    192.0.2.0/24 # office\n  ]\n", ""},
		"an outdented bracket":      {"  loadBalancerSourceRanges: [\n  192.0.2.0/24\n]\n  sessionAffinity: ClientIP\n", "  sessionAffinity: ClientIP\n"},
		"a block of text":           {"  loadBalancerClass: |-\n    example.com/x\n  sessionAffinity: ClientIP\n", "  sessionAffinity: ClientIP\n"},
		"a folded text":             {"  loadBalancerIP: >-\n\n    192.0.2.1\n\n  # mine\n  sessionAffinity: ClientIP\n", "\n  # mine\n  sessionAffinity: ClientIP\n"},
		"a quoted text":             {"  loadBalancerClass: \"example.com/\\\n    x\"\n  sessionAffinity: ClientIP\n", "  sessionAffinity: ClientIP\n"},
		"a quoted name":             {"  \"loadBalancerClass\": x\n  sessionAffinity: ClientIP\n", "  sessionAffinity: ClientIP\n"},
		"braces over lines":         {"  {loadBalancerClass: x,\n  sessionAffinity: ClientIP}\n", "same"},
		"an anchor used elsewhere":  {"  loadBalancerClass: &c x\n  externalIPs: [*c]\n", "same"},
		"bare CR":                   {"  loadBalancerClass: x\r  sessionAffinity: ClientIP\r", "same"},
		"a port's only field":       {"  ports:\n  - nodePort: 30080\n  - port: 80\n", "same"},
		"Windows line ends":         {"  loadBalancerClass: x\r\n  sessionAffinity: ClientIP\r\n", "  sessionAffinity: ClientIP\r\n"},
		"no YAML further down":      {"  loadBalancerClass: x\n---\na: [\n", "same"},
		"another document":          {"  loadBalancerClass: x\n  sessionAffinity: None\n---\nkind: ConfigMap\nspec:\n", "  sessionAffinity: None\n---\nkind: ConfigMap\nspec:\n"},
	} {
		data := head + test.spec
		want := head + test.want
		switch test.want {
		case "same":
			want = data
		case "":
			want = strings.TrimSuffix(head, "\n") + " {}\n"
		}
		got, removed := RemoveStale([]byte(data), "web-svc", NodePort)
		if name == "a port's only field" {
			got, removed = RemoveStale([]byte(data), "web-svc", ClusterIP)
		}
		if string(got) != want || (len(removed) > 0) != (test.want != "same") {
			t.Errorf("%s: removed %v, got\n%s\nwant\n%s", name, removed, got, want)
		}
	}
	cr := "kind: Service\rspec:\r  loadBalancerClass: x\r  ports:\r  - nodePort: 1\r    port: 80\r"
	if got, removed := RemoveStale([]byte(cr), "web-svc", ClusterIP); string(got) != cr || len(removed) > 0 {
		t.Errorf("removed %v from %q", removed, got)
	}
}

// An edited file that its folder's kustomization.yaml names no longer stays, and is
// told from the edits that have an effect.
func TestEditedFileThatIsUsedNoLonger(t *testing.T) {
	app := redisApp()
	app.Spec.Overlays = []Environment{{Name: "prod", Type: NodePort}, {Name: "listed", Type: NodePort}}
	dir := t.TempDir()
	mustWrite(t, dir, app)
	for _, name := range []string{"prod", "listed"} {
		edit(t, dir, "overlays/"+name+"/service-patch.yaml", "spec:\n", "spec:\n  sessionAffinity: ClientIP\n")
	}
	edit(t, dir, "overlays/listed/kustomization.yaml", "resources:\n", "components: []\nresources:\n# - service-patch.yaml\n")
	if _, err := app.Retype("prod", ClusterIP, ""); err != nil {
		t.Fatal(err)
	}
	r, _, err := WriteRetyped(t.Context(), dir, app, "prod", ClusterIP, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "unused", r.Unused, "overlays/prod/service-patch.yaml")
	wantList(t, "kept", r.Kept, "overlays/listed/kustomization.yaml", "overlays/listed/service-patch.yaml")
	if text := readTree(t, dir)["overlays/prod/service-patch.yaml"]; !strings.Contains(text, "sessionAffinity") {
		t.Errorf("service-patch.yaml became:\n%s", text)
	}
	if r, err = Write(t.Context(), dir, app, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantList(t, "unused the next time", r.Unused, "overlays/prod/service-patch.yaml")

	// Whoever lists it themselves uses it.
	edit(t, dir, "overlays/prod/kustomization.yaml", "resources:\n", "patches:\n- path: ./service-patch.yaml\nresources:\n")
	if r, err = Write(t.Context(), dir, app, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantList(t, "unused", r.Unused)
}
