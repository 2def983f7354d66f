package generate

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"
)

// The default tree has no critical finding of kube-score, whatever the number of its
// Pods, nor have its environments.
func TestScore(t *testing.T) {
	one, environments := defaultApp(), defaultApp()
	one.Spec.Workload.Replicas = nil
	environments.Spec.Overlays = []Environment{{Name: "dev", Type: NodePort, Replicas: int32p(1)}, {Name: "prod", Type: LoadBalancer, Namespace: "shop", Replicas: int32p(5)}}
	for name, app := range map[string]*App{"two Pods": defaultApp(), "one Pod": one, "environments": environments} {
		t.Run(name, func(t *testing.T) {
			fsys := inMemory(t, mustFiles(t, app))
			var dirs []string
			for _, o := range overlays(app) {
				dirs = append(dirs, Overlay(o))
			}
			for _, e := range app.Spec.Overlays {
				dirs = append(dirs, e.Dir())
			}
			checked := 0
			for _, dir := range dirs {
				for _, f := range score(t, buildBoth(t, fsys, "/tree/"+dir)) {
					checked++
					if f.critical {
						t.Errorf("%s: %s: critical: %s %s", dir, f.object, f.check, f.says)
					}
				}
			}
			if checked < 50 {
				t.Errorf("kube-score made %d checks only", checked)
			}
		})
	}
}

// scored is what kube-score says of one check of an object.
type scored struct {
	object, check, says string
	critical            bool
}

// score runs kube-score over manifests.
func score(t *testing.T, manifests []byte) []scored {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "-C", "../../hack/tools", "tool", "kube-score", "score", "--output-format", "json", "--exit-one-on-warning=false", "-")
	cmd.Stdin = bytes.NewReader(manifests)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output() // ends with 1 for a critical finding
	var objects []struct {
		Name   string `json:"object_name"`
		Checks []struct {
			Check    struct{ ID string }
			Grade    int
			Skipped  bool
			Comments []struct{ Path, Summary string }
		}
	}
	if json.Unmarshal(out, &objects) != nil {
		t.Fatalf("kube-score: %v\n%s%s", err, out, stderr.String())
	}
	var all []scored
	for _, o := range objects {
		for _, c := range o.Checks {
			if c.Skipped {
				continue
			}
			s := scored{object: o.Name, check: c.Check.ID, critical: c.Grade == 1}
			for _, comment := range c.Comments {
				s.says += comment.Path + " " + comment.Summary + "; "
			}
			all = append(all, s)
		}
	}
	return all
}
