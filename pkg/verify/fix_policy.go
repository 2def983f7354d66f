package verify

import (
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// egressFix adds a rule to the egress of a policy. Such lists are replaced as a
// whole, so the patch holds the rules that there are as well.
func (v *view) egressFix(summary string, ref ObjectRef, rule networkingv1.NetworkPolicyEgressRule) *Fix {
	for i := range v.s.NetworkPolicies {
		np := &v.s.NetworkPolicies[i]
		if np.Namespace != ref.Namespace || np.Name != ref.Name {
			continue
		}
		return listFix(summary, ref, "egress", append(np.Spec.Egress[:len(np.Spec.Egress):len(np.Spec.Egress)], rule))
	}
	return &Fix{Summary: summary}
}

// addPortsFix adds ports to one of the rules of a policy.
func addPortsFix(summary string, r ingressRule, proto corev1.Protocol, numbers []int32) *Fix {
	rules := slices.Clone(r.policy.Spec.Ingress)
	ports := slices.Clone(r.ports())
	for _, n := range numbers {
		ports = append(ports, policyPort(protocolOf(proto), n))
	}
	rules[r.index].Ports = ports
	return listFix(summary, policyRef(r.policy.Namespace, []string{r.policy.Name}), "ingress", rules)
}

// listFix replaces the rules of a policy for one direction.
func listFix[T any](summary string, ref ObjectRef, direction string, rules []T) *Fix {
	var list []any
	for _, r := range rules {
		data, err := json.Marshal(r)
		var m map[string]any
		if err != nil || json.Unmarshal(data, &m) != nil {
			return &Fix{Summary: summary}
		}
		list = append(list, m)
	}
	return patchFix(summary, ref, map[string]any{"spec": map[string]any{direction: list}})
}

// toDNS admits questions to the cluster's DNS.
func toDNS() networkingv1.NetworkPolicyEgressRule {
	return networkingv1.NetworkPolicyEgressRule{
		To: []networkingv1.NetworkPolicyPeer{{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "kube-system"}},
			PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}},
		}},
		Ports: []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolUDP, 53), policyPort(corev1.ProtocolTCP, 53)},
	}
}

// toBackends admits connections to the Pods of a Service on the port behind it.
func toBackends(svc *corev1.Service, from string, pv portView, number int32) networkingv1.NetworkPolicyEgressRule {
	peer := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: svc.Spec.Selector}}
	if from != svc.Namespace {
		peer.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: svc.Namespace}}
	}
	rule := networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{peer}}
	seen := map[int32]bool{number: true}
	rule.Ports = append(rule.Ports, policyPort(protocolOf(pv.port.Protocol), number))
	for _, e := range pv.usable {
		if !seen[e.port] {
			seen[e.port] = true
			rule.Ports = append(rule.Ports, policyPort(protocolOf(pv.port.Protocol), e.port))
		}
	}
	return rule
}

func policyPort(proto corev1.Protocol, number int32) networkingv1.NetworkPolicyPort {
	port := intstr.FromInt32(number)
	return networkingv1.NetworkPolicyPort{Protocol: &proto, Port: &port}
}
