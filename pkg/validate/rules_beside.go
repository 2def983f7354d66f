package validate

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// beside finds what selects or scales none of what is applied with it. It may be meant
// for what is applied elsewhere, so it is a warning, and none without workloads.
func (r *ruling) beside(all []*object) {
	for _, o := range all {
		switch groupOf(o.doc) + "/" + o.kind {
		case "policy/PodDisruptionBudget":
			if p := as[policyv1.PodDisruptionBudget](o); p != nil && p.Spec.Selector != nil {
				r.selectsPods(o, path{"spec", "selector"}, p.Spec.Selector, all)
			} else if p != nil {
				r.add(o, Warning, "selects-nothing", path{"spec", "selector"}, "is missing, by which it protects no Pod", "select Pods by a label; {} selects all of the namespace")
			}
		case "networking.k8s.io/NetworkPolicy":
			if p := as[networkingv1.NetworkPolicy](o); p != nil {
				r.selectsPods(o, path{"spec", "podSelector"}, &p.Spec.PodSelector, all)
			}
		case "autoscaling/HorizontalPodAutoscaler":
			r.scales(o, all)
		}
	}
}

// mayMeet reports whether two objects may be applied to one namespace: where one of
// them names none, that is decided later.
func (o *object) mayMeet(other *object) bool {
	return o.namespace == other.namespace || o.namespace == "" || other.namespace == ""
}

// selectsPods holds a selector against the Pod templates of the namespace.
func (r *ruling) selectsPods(o *object, at path, s *metav1.LabelSelector, all []*object) {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil || selector.Empty() { // is refused; selects all
		return
	}
	var near *object
	most, named, custom := -1, false, false
	for _, w := range all {
		switch {
		case w.workload == nil:
			custom = custom || o.mayMeet(w) && w.custom()
		case !o.mayMeet(w):
		case selector.Matches(labels.Set(w.workload.template.Labels)):
			return
		case w.namespace == o.namespace && !w.ends():
			named = named || w.name == o.name
			if n := likeness(s.MatchLabels, w.workload.template.Labels); n > most {
				near, most = w, n
			}
		}
	}
	if near == nil || custom && !named {
		return
	}
	r.add(o, Warning, "selects-nothing", at, fmt.Sprintf("%s matches no Pod template beside it; %s/%s has %s", metav1.FormatLabelSelector(s), near.kind, near.name, labels.Set(near.workload.template.Labels)),
		"make the selector a part of the template's labels, unless it is meant for Pods that are applied elsewhere")
}

// custom reports whether an object is of a kind that Kubernetes does not bring itself,
// whose controller may make Pods.
func (o *object) custom() bool {
	kinds, err := loadCatalogue()
	return err == nil && !kinds.builtIn(groupOf(o.doc))
}

// scalable are the kinds of Kubernetes' own that an autoscaler can scale.
var scalable = []string{"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"}

// scales looks for what an autoscaler scales.
func (r *ruling) scales(o *object, all []*object) {
	at := path{"spec", "scaleTargetRef"}
	version, kind, name := text(o.doc.root, "spec", "scaleTargetRef", "apiVersion"), text(o.doc.root, "spec", "scaleTargetRef", "kind"), text(o.doc.root, "spec", "scaleTargetRef", "name")
	if !slices.Contains(scalable, kind) || strings.Contains(version, "/") && !strings.HasPrefix(version, "apps/") { // others have kinds of these names too
		return
	}
	var near *object
	away := 0
	for _, w := range all {
		if w.workload == nil || !o.mayMeet(w) || !slices.Contains(scalable, w.kind) {
			continue
		}
		if w.kind == kind && w.name == name {
			return
		}
		if n := nearest.Distance(kind+"/"+name, w.kind+"/"+w.name); w.namespace == o.namespace && (near == nil || n < away) {
			near, away = w, n
		}
	}
	if near != nil {
		r.add(o, Warning, "scale-target", at, fmt.Sprintf("%s/%s is not beside it; %s/%s is", kind, name, near.kind, near.name), "correct the kind or the name, unless it is applied elsewhere")
	}
}
