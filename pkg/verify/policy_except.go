package verify

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// exception is a block of addresses that a rule admits, but for one that has the other
// end in it.
type exception struct{ policy, field, cidr, except, address string }

// ingressException returns the exception of a rule that would else admit an end to a
// Pod's port; nil: none.
func (v *view) ingressException(from, to party, port int32, proto corev1.Protocol) *exception {
	for i := range v.s.NetworkPolicies {
		np := &v.s.NetworkPolicies[i]
		if !guards(np, to, networkingv1.PolicyTypeIngress) {
			continue
		}
		for k, rule := range np.Spec.Ingress {
			if x := excepted(rule.From, from); x != nil && admitsPort(rule.Ports, to.pod, port, proto) == admitted {
				x.policy, x.field = np.Name, fmt.Sprintf("spec.ingress[%d].from%s", k, x.field)
				return x
			}
		}
	}
	return nil
}

// egressException is ingressException for a connection out of a Pod.
func (v *view) egressException(from, to party, port int32, proto corev1.Protocol) *exception {
	for i := range v.s.NetworkPolicies {
		np := &v.s.NetworkPolicies[i]
		if !guards(np, from, networkingv1.PolicyTypeEgress) {
			continue
		}
		for k, rule := range np.Spec.Egress {
			if x := excepted(rule.To, to); x != nil && admitsPort(rule.Ports, to.pod, port, proto) == admitted {
				x.policy, x.field = np.Name, fmt.Sprintf("spec.egress[%d].to%s", k, x.field)
				return x
			}
		}
	}
	return nil
}

// excepted returns the exception among a rule's peers that an end falls under.
func excepted(peers []networkingv1.NetworkPolicyPeer, other party) *exception {
	for i, p := range peers {
		if p.IPBlock == nil || inBlock(p.IPBlock, other.addresses) != denied {
			continue
		}
		for _, a := range other.addresses {
			for _, e := range p.IPBlock.Except {
				if inCIDR(e, a) {
					return &exception{field: fmt.Sprintf("[%d].ipBlock.except", i), cidr: p.IPBlock.CIDR, except: e, address: a}
				}
			}
		}
	}
	return nil
}
