package validate

import (
	"slices"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// The longest that an autoscaler looks back, in seconds.
const (
	maxStabilization = 3600
	maxPolicyPeriod  = 1800
)

func (r *ruling) autoscaler(o *object) {
	h := as[autoscalingv2.HorizontalPodAutoscaler](o)
	if h == nil {
		return
	}
	spec := r.at(o, path{"spec"})
	limits.Autoscaler(spec, h.Spec.MinReplicas, h.Spec.MaxReplicas)
	if v1 := as[autoscalingv1.HorizontalPodAutoscaler](o); v1 != nil && o.apiVersion == autoscalingv1.SchemeGroupVersion.String() {
		limits.Least(spec.At("targetCPUUtilizationPercentage"), v1.Spec.TargetCPUUtilizationPercentage, 1)
		return
	}
	for i := range h.Spec.Metrics {
		r.metric(o, &h.Spec.Metrics[i], path{"spec", "metrics", i})
	}
	if b := h.Spec.Behavior; b != nil {
		at := path{"spec", "behavior"}
		r.scaling(o, b.ScaleUp, at.with("scaleUp"))
		r.scaling(o, b.ScaleDown, at.with("scaleDown"))
	}
}

// source is one of the kinds of metrics, of which a metric has that of its type.
type source struct {
	typ    autoscalingv2.MetricSourceType
	field  string
	target *autoscalingv2.MetricTarget // nil where the source is not there
	wants  []string                    // targets, of which there must be one
	more   bool                        // or more
}

func sourcesOf(m *autoscalingv2.MetricSpec) []source {
	const value, average, percent = "value", "averageValue", "averageUtilization"
	sources := []source{
		{typ: autoscalingv2.ResourceMetricSourceType, field: "resource", wants: []string{percent, average}},
		{typ: autoscalingv2.ContainerResourceMetricSourceType, field: "containerResource", wants: []string{percent, average}},
		{typ: autoscalingv2.PodsMetricSourceType, field: "pods", wants: []string{average}},
		{typ: autoscalingv2.ObjectMetricSourceType, field: "object", wants: []string{value, average}, more: true},
		{typ: autoscalingv2.ExternalMetricSourceType, field: "external", wants: []string{value, average}},
	}
	if m.Resource != nil {
		sources[0].target = &m.Resource.Target
	}
	if m.ContainerResource != nil {
		sources[1].target = &m.ContainerResource.Target
	}
	if m.Pods != nil {
		sources[2].target = &m.Pods.Target
	}
	if m.Object != nil {
		sources[3].target = &m.Object.Target
	}
	if m.External != nil {
		sources[4].target = &m.External.Target
	}
	return sources
}

// metric is validateMetricSpec.
func (r *ruling) metric(o *object, m *autoscalingv2.MetricSpec, at path) {
	sources := sourcesOf(m)
	if !slices.ContainsFunc(sources, func(s source) bool { return s.typ == m.Type }) {
		var known []autoscalingv2.MetricSourceType
		for _, s := range sources {
			known = append(known, s.typ)
		}
		limits.Listed(r.at(o, at.with("type")), m.Type, known...)
		return
	}
	for _, s := range sources {
		here := at.with(s.field)
		switch {
		case s.typ == m.Type && s.target == nil:
			r.wrong(o, here, "is missing, which type "+string(m.Type)+" wants", "")
		case s.typ != m.Type && s.target != nil:
			r.wrong(o, here, "is refused for type "+string(m.Type), "write type: "+string(s.typ)+", or remove it")
		case s.target != nil:
			r.target(o, s, here.with("target"))
		}
	}
}

// target is validateMetricTarget, and what each source makes of it.
func (r *ruling) target(o *object, s source, at path) {
	t := s.target
	limits.Listed(r.at(o, at.with("type")), t.Type, autoscalingv2.UtilizationMetricType, autoscalingv2.ValueMetricType, autoscalingv2.AverageValueMetricType)
	limits.Least(r.at(o, at.with("averageUtilization")), t.AverageUtilization, 1)
	there := map[string]bool{"averageUtilization": t.AverageUtilization != nil}
	for field, q := range map[string]*resource.Quantity{"value": t.Value, "averageValue": t.AverageValue} {
		there[field] = q != nil
		if q != nil && q.Sign() <= 0 {
			r.wrong(o, at.with(field), q.String()+" is not above 0", "")
		}
	}
	asked := map[string]bool{}
	for _, field := range s.wants {
		asked[field] = there[field]
		if there[field] && s.more {
			return
		}
	}
	limits.ExactlyOne(r.at(o, at), "must have exactly one target", asked)
}

// scaling is validateScalingRules; without policies there are those of the API server.
func (r *ruling) scaling(o *object, s *autoscalingv2.HPAScalingRules, at path) {
	if s == nil {
		return
	}
	if p := s.SelectPolicy; p != nil {
		limits.Listed(r.at(o, at.with("selectPolicy")), *p, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect, autoscalingv2.DisabledPolicySelect)
	}
	if w := s.StabilizationWindowSeconds; w != nil {
		limits.Within(r.at(o, at.with("stabilizationWindowSeconds")), *w, 0, maxStabilization)
	}
	for i, p := range s.Policies {
		here := r.at(o, at.with("policies").with(i))
		limits.Listed(here.At("type"), p.Type, autoscalingv2.PodsScalingPolicy, autoscalingv2.PercentScalingPolicy)
		limits.Least(here.At("value"), &p.Value, 1)
		limits.Within(here.At("periodSeconds"), p.PeriodSeconds, 1, maxPolicyPeriod)
	}
}
