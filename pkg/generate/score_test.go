package generate

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// left are the checks of kube-score that only the Spec's author can decide; the
// guide says why.
var left = []string{
	"container-ephemeral-storage-request-and-limit",
	"container-image-pull-policy",
	"pod-networkpolicy",
	"deployment-has-poddisruptionbudget",
}

// The default tree has no critical finding of kube-score but for what is left to
// its author; and none at all when the author says it.
func TestScore(t *testing.T) {
	stated := statedInGuide(t)
	for _, test := range []struct {
		name string
		app  *App
		left []string
	}{{"default", redisApp(), left}, {"stated", stated, nil}} {
		t.Run(test.name, func(t *testing.T) {
			fsys := inMemory(t, mustFiles(t, test.app))
			checked := 0
			for _, o := range overlays(test.app) {
				for _, f := range score(t, buildBoth(t, fsys, "/tree/"+Overlay(o))) {
					checked++
					if f.critical && !slices.Contains(test.left, f.check) {
						t.Errorf("%s: %s: critical: %s %s", o, f.object, f.check, f.says)
					}
				}
			}
			if checked < 50 {
				t.Errorf("kube-score made %d checks only", checked)
			}
		})
	}
}

// statedInGuide is the App of the guide that says what else is left to its author.
func statedInGuide(t *testing.T) *App {
	t.Helper()
	guide, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "### What is left to you\n")
	_, block, _ := strings.Cut(section, "```yaml\n")
	block, _, _ = strings.Cut(block, "```\n")
	a, err := ParseApp([]byte(block), "guide.md")
	if err != nil {
		t.Fatal(err)
	}
	return a
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
