package validate

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// scheduling checks what says on which nodes a Pod runs.
func (r *ruling) scheduling(o *object, s *corev1.PodSpec, at path) {
	r.labels(o, at.with("nodeSelector"), s.NodeSelector)
	for i, t := range s.Tolerations {
		here := at.with("tolerations").with(i)
		switch {
		case t.Key == "" && t.Operator != corev1.TolerationOpExists:
			r.wrong(o, here.with("operator"), "must be Exists where no key is given", "write operator: Exists")
		case t.Operator == corev1.TolerationOpExists && t.Value != "":
			r.wrong(o, here.with("value"), "must not be there: Exists compares with none", "remove it")
		case t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute:
			r.wrong(o, here.with("effect"), "must be NoExecute where tolerationSeconds is given", "")
		}
		if t.Key != "" {
			r.bad(o, here.with("key"), t.Key, "taint's name", validation.IsQualifiedName(t.Key))
		}
		if t.Operator != corev1.TolerationOpExists {
			r.bad(o, here.with("value"), t.Value, "taint's value", validation.IsValidLabelValue(t.Value))
		}
	}
	for i, c := range s.TopologySpreadConstraints {
		here := at.with("topologySpreadConstraints").with(i)
		least(r, o, here.with("maxSkew"), &c.MaxSkew, 1)
		least(r, o, here.with("minDomains"), c.MinDomains, 1)
		r.bad(o, here.with("topologyKey"), c.TopologyKey, "label's name", validation.IsQualifiedName(c.TopologyKey))
		r.selects(o, here.with("labelSelector"), c.LabelSelector)
	}
	if s.Affinity == nil {
		return
	}
	at = at.with("affinity")
	if n := s.Affinity.NodeAffinity; n != nil {
		here := at.with("nodeAffinity")
		if required := n.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
			if len(required.NodeSelectorTerms) == 0 {
				r.wrong(o, here.with("requiredDuringSchedulingIgnoredDuringExecution").with("nodeSelectorTerms"), "is empty", "")
			}
			for i, t := range required.NodeSelectorTerms {
				r.nodeTerm(o, here.with("requiredDuringSchedulingIgnoredDuringExecution").with("nodeSelectorTerms").with(i), t)
			}
		}
		for i, p := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			there := here.with("preferredDuringSchedulingIgnoredDuringExecution").with(i)
			r.weight(o, there, p.Weight)
			r.nodeTerm(o, there.with("preference"), p.Preference)
		}
	}
	if p := s.Affinity.PodAffinity; p != nil {
		r.podTerms(o, at.with("podAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := s.Affinity.PodAntiAffinity; p != nil {
		r.podTerms(o, at.with("podAntiAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (r *ruling) weight(o *object, at path, weight int32) {
	if weight < 1 || weight > 100 {
		r.wrong(o, at.with("weight"), fmt.Sprintf("%d is out of range", weight), "1 to 100")
	}
}

func (r *ruling) nodeTerm(o *object, at path, t corev1.NodeSelectorTerm) {
	for i, e := range t.MatchExpressions {
		here := at.with("matchExpressions").with(i)
		r.bad(o, here.with("key"), e.Key, "label's name", validation.IsQualifiedName(e.Key))
		r.operator(o, here, string(e.Operator), len(e.Values), "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
		if (e.Operator == "Gt" || e.Operator == "Lt") && len(e.Values) != 1 {
			r.wrong(o, here.with("values"), fmt.Sprintf("has %d values: %s compares with one", len(e.Values), e.Operator), "give one number")
		}
	}
	for i, f := range t.MatchFields {
		here := at.with("matchFields").with(i)
		if f.Key != metav1.ObjectNameField {
			r.wrong(o, here.with("key"), show(f.Key)+" is no field of a node that can be matched", "write "+metav1.ObjectNameField)
		}
		r.operator(o, here, string(f.Operator), len(f.Values), "In", "NotIn")
		if len(f.Values) > 1 {
			r.wrong(o, here.with("values"), fmt.Sprintf("has %d values: a field compares with one", len(f.Values)), "make a term of each")
		}
	}
}

func (r *ruling) podTerms(o *object, at path, required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
	term := func(at path, t corev1.PodAffinityTerm) {
		r.bad(o, at.with("topologyKey"), t.TopologyKey, "label's name", validation.IsQualifiedName(t.TopologyKey))
		r.selects(o, at.with("labelSelector"), t.LabelSelector)
		r.selects(o, at.with("namespaceSelector"), t.NamespaceSelector)
	}
	for i, t := range required {
		term(at.with("requiredDuringSchedulingIgnoredDuringExecution").with(i), t)
	}
	for i, p := range preferred {
		here := at.with("preferredDuringSchedulingIgnoredDuringExecution").with(i)
		r.weight(o, here, p.Weight)
		term(here.with("podAffinityTerm"), p.PodAffinityTerm)
	}
}
