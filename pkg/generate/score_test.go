package generate

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// left are the checks of kube-score that only the Spec's author can decide.
var left = []string{
	// A cluster that does not count its nodes' disks (kind and minikube without root), never schedules a Pod that asks for some. What the app writes
	// is bounded by its volumes' sizeLimit.
	"container-ephemeral-storage-request-and-limit",
	// Always would keep images that were loaded onto the nodes by hand from starting,
	// and running ones from starting again while the registry is away.
	"container-image-pull-policy",
	// Policies add up: one that admits everybody would open the app in a namespace
	// that admits nobody, and who its clients are is not known.
	"pod-networkpolicy",
	// It takes rights of its own, and holds up whoever drains a node.
	"deployment-has-poddisruptionbudget",
}

// The default tree has no critical finding of kube-score but for what is left to
// its author; and none at all when the author says it.
func TestScore(t *testing.T) {
	stated := redisApp()
	stated.Spec.Workload.ImagePullPolicy = corev1.PullAlways
	stated.Spec.Workload.Resources = &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": resource.MustParse("50m"), "memory": resource.MustParse("64Mi"), "ephemeral-storage": resource.MustParse("64Mi")},
		Limits:   corev1.ResourceList{"cpu": resource.MustParse("500m"), "memory": resource.MustParse("256Mi"), "ephemeral-storage": resource.MustParse("2Gi")},
	}
	one := intstr.FromInt32(1)
	stated.Spec.PodDisruptionBudget = &PodDisruptionBudget{MaxUnavailable: &one}
	stated.Spec.NetworkPolicy = &NetworkPolicy{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "client"}}}}}
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
