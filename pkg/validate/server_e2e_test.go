//go:build e2e

package validate_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/validate"
	"github.com/kubectl-svcx/kubectl-svcx/test/dryrun"
)

// stricter are manifests that the API server takes and validate refuses, as they do
// not work; each with the rule that says why.
var stricter = []struct{ rule, manifest string }{
	// The alias of an address resolves to nothing; the server does not look into the name.
	{"external-name", service("type: ExternalName, externalName: 192.0.2.1")},
	// Selects nothing once there is another rollout.
	{"selector-volatile", service("selector: {pod-template-hash: abc}")},
	// What follows is between objects, of which the server sees one at a time.
	{"selector", service("selector: {app: b}") + "---\n" + strings.ReplaceAll(deployment(""), "app: a", "app: a, x: b")},
	{"target-port", ports("[{port: 80, targetPort: web}]") + "---\n" + deployment("")},
	{"probe-port", container("readinessProbe: {tcpSocket: {port: web}}")},
	{"selector-namespace", strings.Replace(service("selector: {app: a}"), "{name: a}", "{name: a, namespace: c}", 1) + "---\n" + strings.Replace(deployment(""), "{name: a}", "{name: a, namespace: b}", 1)},
	{"duplicate-object", service("selector: {app: a}") + "---\n" + service("selector: {app: a}")},
	// The Deployment is taken, and none of its Pods.
	{"limits", strings.Replace(deployment(""), "image: a", "image: \"a \"", 1)},
}

// laxer are manifests that this API server refuses for what only it knows.
var laxer = map[string]string{
	"an address outside of the cluster's range":  service("clusterIP: 192.0.2.1"),
	"a node port outside of the cluster's range": ports("[{port: 80, nodePort: 80}]"),
	"tolerations of a feature that is off":       pod("tolerations: [{key: a, operator: Gt, value: \"-5\"}, {key: a, operator: Lt, value: \"0\"}]"),
	"a kind that somebody has to bring":          object("example.com/v1/Widget", ""),
	"an account that is not there":               object("v1/Pod", "spec: {serviceAccountName: absent, containers: [{name: a, image: a}]}"),
}

// The API server and validate say the same of every manifest: of what the generator
// makes, of what is healthy on the fault bench, and of what is refused.
func TestServerAgrees(t *testing.T) {
	t.Parallel()
	server := dryrun.New(t)
	t.Run("refused", func(t *testing.T) {
		var manifests [][]byte
		for _, c := range refused {
			manifests = append(manifests, []byte(c.manifest)) // TestRefused says what validate does
		}
		for i, err := range server.Refusals(t.Context(), manifests) {
			if err == nil {
				t.Errorf("%s is accepted:\n%.400s", refused[i].name, refused[i].manifest)
			}
		}
		for _, c := range allocated {
			if server.Apply(t.Context(), []byte(c.manifest)) == nil {
				t.Errorf("%s is accepted:\n%s", c.name, c.manifest)
			}
		}
	})
	t.Run("taken", func(t *testing.T) {
		for _, c := range taken { // TestTaken says what validate does
			for _, d := range dryrun.Documents([]byte(c.manifest)) {
				// As kubectl sends it: the server is stricter with YAML, and kubectl sends none.
				data, err := yaml.YAMLToJSON(d)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				if err := server.Refusal(t.Context(), data); err != nil {
					t.Errorf("%s: %v\n%s", c.name, err, data)
				}
			}
		}
	})
	t.Run("stricter", func(t *testing.T) {
		for _, c := range stricter {
			if !slices.ContainsFunc(found(t, c.manifest), func(f validate.Finding) bool { return f.Rule == c.rule }) {
				t.Errorf("no %s:\n%s", c.rule, c.manifest)
			}
			for _, err := range server.Refusals(t.Context(), dryrun.Documents([]byte(c.manifest))) {
				if err != nil {
					t.Errorf("%s: %v", c.rule, err)
				}
			}
		}
	})
	t.Run("laxer", func(t *testing.T) {
		for name, manifest := range laxer {
			if errors := found(t, manifest); len(errors) > 0 {
				t.Errorf("%s: %s", name, errors[0])
			}
			if server.Apply(t.Context(), []byte(manifest)) == nil { // a dry run allocates nothing
				t.Errorf("%s is accepted", name)
			}
		}
	})
	accepted := func(t *testing.T, name string, manifests []byte) {
		for _, f := range found(t, string(manifests)) {
			t.Errorf("%s: %s", name, f)
		}
		for _, err := range server.Refusals(t.Context(), dryrun.Documents(manifests)) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	t.Run("generated", func(t *testing.T) {
		trees, err := filepath.Glob("../generate/testdata/golden/*")
		if err != nil || len(trees) == 0 {
			t.Fatal("no trees", err)
		}
		for _, tree := range trees {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(tree)); err != nil {
				t.Fatal(err)
			}
			if filepath.Base(tree) == "postgres" { // which keeps its password out of what is committed
				if err := os.WriteFile(filepath.Join(dir, "base", "db.env"), []byte("POSTGRES_PASSWORD=x\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			all := map[string][]byte{}
			r, err := validate.Dir(t.Context(), dir, validate.Options{Build: func(folder string) ([]byte, error) {
				all[folder], err = build(folder)
				return all[folder], err
			}})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Findings {
				t.Errorf("%s: %s", tree, f)
			}
			for folder, manifests := range all {
				accepted(t, folder, manifests)
			}
		}
	})
	t.Run("healthy", func(t *testing.T) {
		cases, err := filepath.Glob("../../test/faults/testdata/healthy-*.yaml")
		if err != nil || len(cases) == 0 {
			t.Fatal("no cases", err)
		}
		for _, name := range cases {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			// The first document says what the case is.
			docs := regexp.MustCompile(`(?m)^---\n`).Split(string(data), -1)[1:]
			manifests := strings.NewReplacer("${ns}", server.Namespace, "${canary}", "192.0.2.1").Replace(strings.Join(docs, "---\n"))
			accepted(t, filepath.Base(name), bytes.TrimPrefix([]byte(manifests), []byte("\n")))
		}
	})
}
