package verify

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// networkRules find what stands between a client and Pods that answer (4xx).
var networkRules = []rule{ruleBlocked, ruleClusterDNS}

// ruleBlocked: SVC401 and SVC402. The application answers inside its Pod, and
// nothing comes back from the Pod's address.
func ruleBlocked(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		a := c.ev.on(probe.PathTunnel, "", pv.key)
		b := c.ev.on(probe.PathPod, "", pv.key)
		if len(a.where(probe.ClassOK)) == 0 || !b.all(probe.ClassTimeout, probe.ClassUnreachable) {
			continue
		}
		owner, pod := c.backendOwner(pv)
		if pod == nil {
			continue
		}
		evidence := []string{
			fmt.Sprintf("tunnel (inside the Pod): %s from %d/%d", pv.check.Good(), len(a.where(probe.ClassOK)), len(a)),
			fmt.Sprintf("no connection from a Pod in namespace %s: %s", c.svc.Namespace, b.addresses(3)),
		}
		names, closed := ingressPolicies(c.v.s, pod)
		f := finding{port: pv.key, Finding: Finding{Severity: SeverityFailure, Object: owner, Evidence: evidence}}
		switch {
		case closed:
			f.ID, f.Object = "SVC401", ObjectRef{Kind: "NetworkPolicy", Namespace: pod.Namespace, Name: names[0]}
			f.Field = "spec.ingress"
			f.Message = fmt.Sprintf("NetworkPolicy %s admits nobody to the Pods of %s.", listWords(names), owner)
			f.Fix = &Fix{Summary: fmt.Sprintf("add an ingress rule that admits the clients on port %s", b[0].port())}
		case len(names) > 0:
			f.ID, f.Object = "SVC402", ObjectRef{Kind: "NetworkPolicy", Namespace: pod.Namespace, Name: names[0]}
			f.Field = "spec.ingress"
			f.Message = fmt.Sprintf("a Pod in namespace %s gets no connection to the Pods of %s, which NetworkPolicy %s guards: its rules do not seem to admit this client.",
				c.svc.Namespace, owner, listWords(names))
			f.Fix = &Fix{Summary: fmt.Sprintf("admit the client in an ingress rule on port %s, if it is meant to get in", b[0].port())}
		default:
			f.Message = fmt.Sprintf("the Pods of %s answer inside, but a connection to their addresses is lost on the way: the cluster's network, or a firewall between nodes.", owner)
			if g := c.v.gap("networkpolicies", c.svc.Namespace); g != nil {
				f.Message = fmt.Sprintf("the Pods of %s answer inside, but a connection to their addresses is lost on the way; NetworkPolicies could not be read.", owner)
			}
		}
		out = append(out, f)
	}
	return out
}

// ingressPolicies names the policies that guard a Pod's ingress, and says
// whether none of them admits anybody.
func ingressPolicies(s *Snapshot, pod *corev1.Pod) (names []string, closed bool) {
	closed = true
	for i := range s.NetworkPolicies {
		np := &s.NetworkPolicies[i]
		if np.Namespace != pod.Namespace || !guardsIngress(np) {
			continue
		}
		sel, err := metav1.LabelSelectorAsSelector(&np.Spec.PodSelector)
		if err != nil || !sel.Matches(labels.Set(pod.Labels)) {
			continue
		}
		names = append(names, np.Name)
		closed = closed && len(np.Spec.Ingress) == 0
	}
	return names, closed && len(names) > 0
}

// guardsIngress reads policyTypes: Ingress is meant when none is given.
func guardsIngress(np *networkingv1.NetworkPolicy) bool {
	return len(np.Spec.PolicyTypes) == 0 || slices.Contains(np.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
}

// ruleClusterDNS: SVC404. The name of the API server's own Service fails as well.
func ruleClusterDNS(c *serviceCase) []finding {
	l := nameLookup(c.cluster)
	if c.check(string(probe.PathDNS), "") != StateFailed || l == nil || !l.asked() || l.good() {
		return nil
	}
	f := Finding{ID: "SVC404", Severity: SeverityFailure, Object: ObjectRef{Kind: "Service", Namespace: "kube-system", Name: "kube-dns"},
		Message:  "the cluster's DNS does not answer: not even the name kubernetes.default.svc resolves.",
		Evidence: []string{fmt.Sprintf("dns: %s: %s", l.host(), l.outcome.Class)},
		Fix:      &Fix{Summary: "restore the cluster's DNS: kubectl get pods -n kube-system -l k8s-app=kube-dns"}}
	return []finding{{Finding: f, checks: []string{string(probe.PathDNS), string(probe.PathExternalName)}}}
}
