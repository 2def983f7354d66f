package generate

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Harden states in the Spec of a new App what a shared cluster expects of one, as far
// as its image is known:
//   - clients from anywhere reach the app's ports, and nobody any other port;
//   - nodes are drained a Pod at a time;
//   - the registry is asked for the image at each start, so that all Pods run the same
//     one, and nobody runs one that is not theirs to pull.
//
// Unlike what a preset fills in, it is said in svcx.yaml, where the app's author sees it
// and may take it back: each is a choice with another side. Nothing is stated of an
// image that is in no preset, as it may listen on more ports and be in no registry;
// nothing that the Spec says is changed, nor is anything stated of what was set, if only
// to be taken back. What was set is named as Set has it.
func (a *App) Harden(set ...string) {
	w := a.Spec.Workload
	if w == nil {
		return
	}
	if _, known := presetFor(w.Image); !known {
		return
	}
	open := func(field string) bool {
		return !slices.ContainsFunc(set, func(name string) bool {
			name = SetField(name)
			return isOrHolds(name, field) || isOrHolds(field, name)
		})
	}
	if w.ImagePullPolicy == "" && open("spec.workload.imagePullPolicy") {
		w.ImagePullPolicy = corev1.PullAlways
	}
	const budget = "spec.podDisruptionBudget"
	if a.Spec.PodDisruptionBudget == nil && open(budget) {
		a.Spec.PodDisruptionBudget = &PodDisruptionBudget{}
	}
	if p := a.Spec.PodDisruptionBudget; p != nil && p.MinAvailable == nil && p.MaxUnavailable == nil &&
		open(budget+".minAvailable") && open(budget+".maxUnavailable") {
		one := intstr.FromInt32(1)
		p.MaxUnavailable = &one
	}
	if a.Spec.NetworkPolicy == nil && open("spec.networkPolicy") {
		a.Spec.NetworkPolicy = &NetworkPolicy{From: []networkingv1.NetworkPolicyPeer{}}
	}
}

// isOrHolds reports whether a field is another, or has it in it.
func isOrHolds(field, other string) bool {
	rest, ok := strings.CutPrefix(other, field)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
