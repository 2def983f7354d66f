package generate

import (
	"maps"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The objects beside workload and Service have a status that the API's own types
// write even when it is empty, and which is the server's; these have none.
type (
	budget struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              policyv1.PodDisruptionBudgetSpec `json:"spec"`
	}
	autoscaler struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              autoscalingv2.HorizontalPodAutoscalerSpec `json:"spec"`
	}
	policy struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              networkingv1.NetworkPolicySpec `json:"spec"`
	}
)

func (a *App) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: a.Metadata.Name, Labels: a.labels()}
}

func (a *App) budget() *budget {
	p := a.Spec.PodDisruptionBudget
	return &budget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: a.meta(),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: p.MinAvailable, MaxUnavailable: p.MaxUnavailable,
			Selector:                   &metav1.LabelSelector{MatchLabels: a.labels()},
			UnhealthyPodEvictionPolicy: p.UnhealthyPodEvictionPolicy,
		},
	}
}

// defaultUtilization is the part of the requested CPU, in percent, that an
// autoscaler keeps to when it is not told.
const defaultUtilization = 80

func (a *App) autoscaler() *autoscaler {
	h := a.Spec.HorizontalPodAutoscaler
	metrics := h.Metrics
	if len(metrics) == 0 {
		percent := int32(defaultUtilization)
		metrics = []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{
				Name:   corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent},
			},
		}}
	}
	return &autoscaler{
		TypeMeta:   metav1.TypeMeta{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler"},
		ObjectMeta: a.meta(),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: string(a.workloadKind()), Name: a.Metadata.Name},
			MinReplicas:    h.MinReplicas, MaxReplicas: h.MaxReplicas,
			Metrics: metrics, Behavior: h.Behavior,
		},
	}
}

// policy admits the stated clients to the container's ports. That it selects the
// Pods is what keeps everybody else out; traffic from the Pods stays free.
func (a *App) policy() *policy {
	rule := networkingv1.NetworkPolicyIngressRule{From: a.Spec.NetworkPolicy.From}
	for _, p := range a.containerPorts() {
		number, protocol := intstr.FromInt32(p.ContainerPort), p.Protocol
		rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &number})
	}
	rules := []networkingv1.NetworkPolicyIngressRule{rule}
	if a.workloadKind() == StatefulSet {
		// Peers also talk where no client does, such as on the bus of a Redis cluster.
		peers := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: a.labels()}}
		rules = append(rules, networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{peers}})
	}
	return &policy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: a.meta(),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: a.labels()},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     rules,
		},
	}
}

// literals writes a map the way a kustomize generator takes it.
func literals(data map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(data)) {
		out = append(out, key+"="+inQuotes(data[key]))
	}
	return out
}

// inQuotes adds a pair of quotes to a value that has one, as kustomize takes one away.
func inQuotes(value string) string {
	if n := len(value); n > 0 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return `"` + value + `"`
	}
	return value
}

func (a *App) generators() (configMaps, secrets []kustomizeGenerator) {
	for _, c := range a.Spec.ConfigMaps {
		configMaps = append(configMaps, kustomizeGenerator{Name: c.Name, Literals: literals(c.Data), Files: c.Files, Envs: c.Envs})
	}
	for _, s := range a.Spec.Secrets {
		secrets = append(secrets, kustomizeGenerator{Name: s.Name, Type: string(s.Type), Literals: literals(s.StringData), Files: s.Files, Envs: s.Envs})
	}
	return configMaps, secrets
}
