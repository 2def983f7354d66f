package generate

import (
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
// image that is in no preset, as it may listen on more ports and be in no registry, and
// nothing that the Spec says is changed.
func (a *App) Harden() {
	w := a.Spec.Workload
	if w == nil {
		return
	}
	if _, known := presetFor(w.Image); !known {
		return
	}
	if w.ImagePullPolicy == "" {
		w.ImagePullPolicy = corev1.PullAlways
	}
	if a.Spec.PodDisruptionBudget == nil {
		one := intstr.FromInt32(1)
		a.Spec.PodDisruptionBudget = &PodDisruptionBudget{MaxUnavailable: &one}
	}
	if a.Spec.NetworkPolicy == nil {
		a.Spec.NetworkPolicy = &NetworkPolicy{From: []networkingv1.NetworkPolicyPeer{}}
	}
}
