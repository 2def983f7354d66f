package limits

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Tolerations is ValidateTolerations.
func Tolerations(report Report, list []corev1.Toleration) {
	for i, t := range list {
		at := report.At(i)
		if t.Key != "" {
			labelName(at.At("key"), t.Key)
		} else if t.Operator != corev1.TolerationOpExists {
			at.At("operator").wrong(string(t.Operator), "must be Exists where no key is given", "write operator: Exists")
		}
		OneOf(at.At("operator"), t.Operator, corev1.TolerationOpExists, corev1.TolerationOpEqual, corev1.TolerationOpLt, corev1.TolerationOpGt)
		OneOf(at.At("effect"), t.Effect, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
		switch t.Operator {
		case corev1.TolerationOpExists:
			if t.Value != "" {
				at.At("value").wrong(t.Value, "has no use with operator Exists", "remove it")
			}
		case corev1.TolerationOpLt, corev1.TolerationOpGt:
			name(at.At("value"), t.Value, "a number to compare with", "such as 100", wholeNumber)
		default:
			labelValue(at.At("value"), t.Value, "the value of a taint")
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			at.At("effect").wrong(string(t.Effect), "must be NoExecute where tolerationSeconds is given", "write effect: NoExecute")
		}
	}
}

// wholeNumber says why a text is no whole number that 64 bits hold.
func wholeNumber(value string) []string {
	errs := content.IsDecimalInteger(value)
	if _, err := strconv.ParseInt(value, 10, 64); err != nil && len(errs) == 0 {
		errs = []string{"is out of range"}
	}
	return errs
}

// TopologySpread is validateTopologySpreadConstraints.
func TopologySpread(report Report, list []corev1.TopologySpreadConstraint) {
	for i, c := range list {
		at := report.At(i)
		Least(at.At("maxSkew"), &c.MaxSkew, 1)
		Least(at.At("minDomains"), c.MinDomains, 1)
		labelName(at.At("topologyKey"), c.TopologyKey)
		mustBeOneOf(at.At("whenUnsatisfiable"), c.WhenUnsatisfiable, corev1.DoNotSchedule, corev1.ScheduleAnyway)
		Selector(at.At("labelSelector"), c.LabelSelector)
		if c.MinDomains != nil && c.WhenUnsatisfiable == corev1.ScheduleAnyway {
			at.At("minDomains").wrong(*c.MinDomains, "is refused with whenUnsatisfiable ScheduleAnyway", "write DoNotSchedule, or remove it")
		}
		if slices.ContainsFunc(list[:i], func(d corev1.TopologySpreadConstraint) bool {
			return d.TopologyKey == c.TopologyKey && d.WhenUnsatisfiable == c.WhenUnsatisfiable
		}) {
			at.wrong(nil, "has the topologyKey and the whenUnsatisfiable of one before", "make one of the two")
		}
	}
}

// Affinity is validateAffinity.
func Affinity(report Report, a *corev1.Affinity) {
	if a == nil {
		return
	}
	const required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
	if n := a.NodeAffinity; n != nil {
		at := report.At("nodeAffinity")
		if r := n.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
			terms := at.At(required, "nodeSelectorTerms")
			if len(r.NodeSelectorTerms) == 0 {
				terms.wrong(nil, "is missing", "at least one")
			}
			for i, t := range r.NodeSelectorTerms {
				nodeTerm(terms.At(i), t)
			}
		}
		for i, p := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			Within(at.At(preferred, i, "weight"), p.Weight, 1, 100)
			nodeTerm(at.At(preferred, i, "preference"), p.Preference)
		}
	}
	pods := func(at Report, always []corev1.PodAffinityTerm, rather []corev1.WeightedPodAffinityTerm) {
		for i, t := range always {
			podTerm(at.At(required, i), t)
		}
		for i, t := range rather {
			Within(at.At(preferred, i, "weight"), t.Weight, 1, 100)
			podTerm(at.At(preferred, i, "podAffinityTerm"), t.PodAffinityTerm)
		}
	}
	if p := a.PodAffinity; p != nil {
		pods(report.At("podAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := a.PodAntiAffinity; p != nil {
		pods(report.At("podAntiAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func podTerm(report Report, t corev1.PodAffinityTerm) {
	labelName(report.At("topologyKey"), t.TopologyKey)
	Selector(report.At("labelSelector"), t.LabelSelector)
	Selector(report.At("namespaceSelector"), t.NamespaceSelector)
}

// nodeTerm is ValidateNodeSelectorTerm.
func nodeTerm(report Report, t corev1.NodeSelectorTerm) {
	const in, notIn = corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn
	for i, e := range t.MatchExpressions {
		at := report.At("matchExpressions", i)
		labelName(at.At("key"), e.Key)
		mustBeOneOf(at.At("operator"), e.Operator, in, notIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt)
		operands(at.At("values"), string(e.Operator), len(e.Values))
	}
	for i, f := range t.MatchFields {
		at := report.At("matchFields", i)
		if f.Key != metav1.ObjectNameField {
			at.At("key").wrong(f.Key, "is not a field of a node that can be matched", "write "+metav1.ObjectNameField)
		}
		if f.Operator != in && f.Operator != notIn {
			at.At("operator").wrong(string(f.Operator), "is not for fields", "In or NotIn")
		} else if n := len(f.Values); n != 1 {
			at.At("values").wrong(nil, fmt.Sprintf("has %d values: a field is compared with one", n), "make a term of each")
		}
	}
}
