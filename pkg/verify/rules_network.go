package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// networkRules find what stands between a client and Pods that answer (4xx).
var networkRules = []rule{ruleBlocked, ruleOutsideBlocked, ruleClientDNS, ruleHostAliases, ruleDNSBlocked, ruleClusterDNS, ruleShortName, ruleOtherPort, rulePodNames, ruleProxyLabel, ruleInternalLocal, ruleServiceProxy}

// betweenNodes turns f into SVC411 when all that is lost goes from one node to
// another, on ways on which nothing arrives, and others are open. Where nothing at
// all arrives, who asks or who is asked may be kept from all others.
func (c *serviceCase) betweenNodes(f *finding, lost, all evidence) bool {
	type way struct{ from, to string }
	wayOf := func(a answer) way { return way{a.outcome.Facts[factNode], a.probe.Node} }
	good := map[way]bool{}
	for _, a := range all.where(probe.ClassOK) {
		good[wayOf(a)] = true
	}
	if len(good) == 0 {
		return false
	}
	froms, tos := map[string]bool{}, map[string]bool{}
	for _, a := range lost {
		w := wayOf(a)
		if w.from == "" || w.to == "" || w.from == w.to || good[w] {
			return false
		}
		froms[w.from], tos[w.to] = true, true
	}
	from, to := slices.Sorted(maps.Keys(froms)), slices.Sorted(maps.Keys(tos))
	f.ID, f.Object, f.Field = "SVC411", ObjectRef{Kind: "Node", Name: to[0]}, ""
	f.Message = fmt.Sprintf("Pods on node %s cannot be reached from node %s: the network between the nodes loses their packets.", listWords(to), listWords(from))
	f.Fix = &Fix{Summary: "see to the network plugin, and to firewalls between the nodes"}
	return true
}

// ruleClientDNS: SVC412. No name resolves for the client, which asks another DNS
// than the cluster's, or asks the cluster's for names without their zone.
func ruleClientDNS(c *serviceCase) []finding {
	cl, l := c.v.s.Client, nameLookup(c.cluster)
	if cl == nil || c.check(string(probe.PathDNS), "") != StateFailed || l == nil || !l.asked() || l.good() {
		return nil
	}
	short := cl.asksClusterDNS() && cl.Unsearched && l.outcome.Class == probe.ClassNameUnknown
	if cl.asksClusterDNS() && !short {
		return nil
	}
	want, why := corev1.DNSClusterFirst, "its dnsPolicy is "+string(cl.DNSPolicy)
	if cl.HostNetwork {
		want = corev1.DNSClusterFirstWithHostNet
		why += ", and it uses the network of its node"
	}
	f := Finding{ID: "SVC412", Severity: SeverityFailure, Object: cl.ObjectRef, Field: "spec.dnsPolicy",
		Message:  fmt.Sprintf("%s in namespace %s does not ask the cluster's DNS, so that no name of a Service resolves for it: %s.", cl.ObjectRef, cl.Namespace, why),
		Evidence: []string{fmt.Sprintf("dns: %s: %s", l.host(), l.outcome.Class)}}
	if short {
		f.Field = "spec.dnsConfig.searches"
		f.Message = fmt.Sprintf("%s in namespace %s asks the cluster's DNS for bare names: %s, and its dnsConfig names no domain of the cluster to search in, so that names such as %s do not exist for it.",
			cl.ObjectRef, cl.Namespace, why, serviceName(c.svc))
	}
	if rolledOut(cl.ObjectRef) {
		f.Field = strings.Replace(f.Field, "spec.", "spec.template.spec.", 1)
	}
	f.Fix = templateFix("set dnsPolicy: "+string(want), cl.ObjectRef, map[string]any{"dnsPolicy": string(want)})
	if e := c.ev.on(probe.PathClusterIP, "", "").where(probe.ClassOK); len(e) > 0 {
		f.Evidence = append(f.Evidence, "the address itself answers: "+e.addresses(1))
	}
	return []finding{{Finding: f, checks: []string{string(probe.PathDNS), string(probe.PathExternalName)}}}
}

// ruleDNSBlocked: SVC403. No name resolves, and the client may not ask.
func ruleDNSBlocked(c *serviceCase) []finding {
	l := nameLookup(c.cluster)
	if c.check(string(probe.PathDNS), "") != StateFailed || l == nil || !l.asked() || l.good() || l.outcome.Class == probe.ClassNameUnknown || c.has("SVC412") {
		return nil
	}
	from := c.client()
	names, udp := c.v.egress(from, dnsParty, 53, corev1.ProtocolUDP)
	if len(names) == 0 || udp == admitted {
		return nil
	}
	f := Finding{ID: "SVC403", Severity: SeverityFailure, Object: policyRef(from.namespace, names), Field: "spec.egress",
		Message:  fmt.Sprintf("NetworkPolicy %s of namespace %s does not let this client%s ask the cluster's DNS (port 53).", listWords(names), from.namespace, c.v.asClient()),
		Evidence: []string{fmt.Sprintf("dns: %s: %s", l.host(), l.outcome.Class)}}
	f.Fix = c.v.egressFix("add an egress rule to port 53, UDP and TCP, of the Pods labelled k8s-app=kube-dns in kube-system", f.Object, toDNS())
	if e := c.ev.on(probe.PathClusterIP, "", "").where(probe.ClassOK); len(e) > 0 {
		f.Evidence = append(f.Evidence, "the address itself answers: "+e.addresses(1))
	}
	return []finding{{Finding: f, checks: []string{string(probe.PathDNS), string(probe.PathExternalName)}}}
}

// ruleClusterDNS: SVC404. The name of the API server's own Service fails as well.
func ruleClusterDNS(c *serviceCase) []finding {
	l := nameLookup(c.cluster)
	if c.check(string(probe.PathDNS), "") != StateFailed || l == nil || !l.asked() || l.good() || c.has("SVC403", "SVC409", "SVC412") {
		return nil
	}
	// The servers of names are Pods too, and may well be on the node that is not
	// reached, or kept from who asks as all others are.
	spoke := l.outcome.Class == probe.ClassRefused || l.outcome.Class == probe.ClassNameUnknown
	if pods := c.ev.on(probe.PathPod, "", "").asked(); !spoke && (c.has("SVC411") || pods.all(probe.ClassTimeout, probe.ClassUnreachable)) {
		return nil
	}
	f := Finding{ID: "SVC404", Severity: SeverityFailure, Object: dnsService,
		Message:  "the cluster's DNS does not answer: not even the name kubernetes.default.svc resolves.",
		Evidence: []string{fmt.Sprintf("dns: %s: %s", l.host(), l.outcome.Class)},
		Fix:      &Fix{Summary: "restore the cluster's DNS: kubectl get pods -n kube-system -l k8s-app=kube-dns"}}
	if ns := c.unreadPolicies(c.client()); ns != "" && !spoke {
		f.ID = ""
		f.Message = "no name resolves for this client, not even kubernetes.default.svc: the cluster's DNS does not answer, or a NetworkPolicy stops the question."
		f.Evidence = append(f.Evidence, fmt.Sprintf("the NetworkPolicies of namespace %s could not be read", ns))
	}
	return []finding{{Finding: f, checks: []string{string(probe.PathDNS), string(probe.PathExternalName)}}}
}
