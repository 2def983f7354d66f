package limits

import (
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// The longest that an autoscaler looks back, in seconds.
const (
	maxStabilization = 3600
	maxPolicyPeriod  = 1800
)

// Autoscaler is validateHorizontalPodAutoscalerSpec, but for what it scales and by the
// names of which metrics.
func Autoscaler(report Report, s *autoscalingv2.HorizontalPodAutoscalerSpec) {
	fewest, most := s.MinReplicas, s.MaxReplicas
	least := int32(1)
	if slices.ContainsFunc(s.Metrics, fromOutside) {
		least = 0
	}
	Least(report.At("minReplicas"), fewest, least)
	if Least(report.At("maxReplicas"), &most, 1); fewest != nil && most >= 1 && most < *fewest {
		report.At("maxReplicas").wrong(most, fmt.Sprintf("is less than minReplicas, %d", *fewest), "give at least as many")
	}
	for i := range s.Metrics {
		metric(report.At("metrics", i), &s.Metrics[i])
	}
	if b := s.Behavior; b != nil {
		scaling(report.At("behavior", "scaleUp"), b.ScaleUp)
		scaling(report.At("behavior", "scaleDown"), b.ScaleDown)
	}
}

// fromOutside tells of a metric that there is also of no Pod, so that by it an
// autoscaler comes back from none. Kubernetes before 1.37 refuses none all the same,
// unless told otherwise.
func fromOutside(m autoscalingv2.MetricSpec) bool {
	return m.Type == autoscalingv2.ObjectMetricSourceType || m.Type == autoscalingv2.ExternalMetricSourceType
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
func metric(report Report, m *autoscalingv2.MetricSpec) {
	sources := sourcesOf(m)
	if !slices.ContainsFunc(sources, func(s source) bool { return s.typ == m.Type }) {
		var known []autoscalingv2.MetricSourceType
		for _, s := range sources {
			known = append(known, s.typ)
		}
		Listed(report.At("type"), m.Type, known...)
		return
	}
	for _, s := range sources {
		at := report.At(s.field)
		switch {
		case s.typ == m.Type && s.target == nil:
			at.wrong(nil, "is missing, which type "+string(m.Type)+" wants", "")
		case s.typ != m.Type && s.target != nil:
			at.wrong(nil, "is refused for type "+string(m.Type), "write type: "+string(s.typ)+", or remove it")
		case s.target != nil:
			target(at.At("target"), s)
		}
	}
}

// target is validateMetricTarget, and what each source makes of it.
func target(report Report, s source) {
	t := s.target
	Listed(report.At("type"), t.Type, autoscalingv2.UtilizationMetricType, autoscalingv2.ValueMetricType, autoscalingv2.AverageValueMetricType)
	Least(report.At("averageUtilization"), t.AverageUtilization, 1)
	there := map[string]bool{"averageUtilization": t.AverageUtilization != nil}
	for field, q := range map[string]*resource.Quantity{"value": t.Value, "averageValue": t.AverageValue} {
		there[field] = q != nil
		if q != nil && q.Sign() <= 0 {
			report.At(field).wrong(q, "is not above 0", "")
		}
	}
	asked := map[string]bool{}
	for _, field := range s.wants {
		asked[field] = there[field]
		if there[field] && s.more {
			return
		}
	}
	ExactlyOne(report, "must have exactly one target", asked)
}

// scaling is validateScalingRules; without policies there are those of the API server.
func scaling(report Report, s *autoscalingv2.HPAScalingRules) {
	if s == nil {
		return
	}
	if p := s.SelectPolicy; p != nil {
		Listed(report.At("selectPolicy"), *p, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect, autoscalingv2.DisabledPolicySelect)
	}
	if w := s.StabilizationWindowSeconds; w != nil {
		Within(report.At("stabilizationWindowSeconds"), *w, 0, maxStabilization)
	}
	for i, p := range s.Policies {
		at := report.At("policies", i)
		Listed(at.At("type"), p.Type, autoscalingv2.PodsScalingPolicy, autoscalingv2.PercentScalingPolicy)
		Least(at.At("value"), &p.Value, 1)
		Within(at.At("periodSeconds"), p.PeriodSeconds, 1, maxPolicyPeriod)
	}
}
