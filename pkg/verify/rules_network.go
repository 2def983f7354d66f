package verify

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// networkRules find what stands between a client and Pods that answer (4xx).
var networkRules = []rule{ruleBlocked, ruleClientDNS, ruleDNSBlocked, ruleClusterDNS, ruleShortName, ruleProxyLabel, ruleInternalLocal, ruleServiceProxy}

// client is the end that asks from inside the cluster.
func (c *serviceCase) client() party {
	for _, a := range c.ev {
		if a.outcome != nil && a.outcome.Facts[factNamespace] != "" {
			return c.v.asker(a.outcome.Facts[factNamespace])
		}
	}
	return c.v.asker(c.svc.Namespace)
}

// lost returns the answers of Pods that answer inside and whose address does
// not. A firewall may also refuse in words, and a datagram that it drops looks like
// one that a server does not answer: either counts where a policy denies.
func (c *serviceCase) lost(pv portView) (evidence, []*corev1.Pod) {
	var out evidence
	var pods []*corev1.Pod
	tunnel := c.ev.on(probe.PathTunnel, "", pv.key)
	for _, b := range c.ev.on(probe.PathPod, "", pv.key).where(append(lostClasses(pv), probe.ClassRefused)...) {
		pod := c.v.pods[b.probe.Pod]
		if pod == nil || len(tunnel.asked()) > 0 && len(tunnel.reached()) == 0 {
			continue
		}
		if a := tunnel.ofPod(b.probe.Pod).asked(); len(a) > 0 && len(a.reached()) == 0 {
			continue // it does not answer inside either
		}
		if b.outcome.Class == probe.ClassRefused || len(tunnel.asked()) == 0 {
			_, _, in := c.v.ingress(c.client(), partyOf(pod), portNumber(b), pv.port.Protocol)
			if _, out := c.v.egress(c.client(), partyOf(pod), portNumber(b), pv.port.Protocol); in != denied && out != denied {
				continue
			}
		}
		out = append(out, b)
		pods = append(pods, pod)
	}
	return out, pods
}

// lostClasses are what a question to a port meets that is lost on the way. Nobody
// connects to a UDP port, so there it may as well be the server that is silent.
func lostClasses(pv portView) []probe.Class {
	classes := []probe.Class{probe.ClassTimeout, probe.ClassUnreachable}
	if protocolOf(pv.port.Protocol) == corev1.ProtocolUDP {
		classes = append(classes, probe.ClassNoAnswer)
	}
	return classes
}

func portNumber(a answer) int32 {
	n, _ := strconv.ParseInt(a.port(), 10, 32)
	return int32(n)
}

// ruleBlocked: SVC401, SVC402, SVC409 and SVC411. The application answers
// inside its Pod, and nothing comes back from the Pod's address.
func ruleBlocked(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		if c.caused(pv.key) {
			continue
		}
		lost, pods := c.lost(pv)
		if len(lost) == 0 {
			if f, ok := c.closedUnasked(pv); ok {
				out = append(out, f)
			}
			continue
		}
		all := c.ev.on(probe.PathPod, "", pv.key).asked()
		a := c.ev.on(probe.PathTunnel, "", pv.key)
		owner := c.v.ownerOf(pods[0])
		from := c.client()
		names, closed, in := c.v.ingress(from, partyOf(pods[0]), portNumber(lost[0]), pv.port.Protocol)
		outNames, eg := c.v.egress(from, partyOf(pods[0]), portNumber(lost[0]), pv.port.Protocol)
		f := finding{port: pv.key, Finding: Finding{Severity: SeverityFailure, Object: owner, Field: "spec.ingress"}}
		what := "no connection"
		if protocolOf(pv.port.Protocol) == corev1.ProtocolUDP {
			what = "no answer"
			if !mustAnswer(pv, lost) && len(lost.where(probe.ClassNoAnswer)) > 0 {
				f.Severity = SeverityWarning // the server may be silent of its own accord
			}
		}
		if len(a) > 0 {
			f.Evidence = append(f.Evidence, fmt.Sprintf("tunnel (inside the Pod): %s from %d/%d", insideWord(pv, a), len(a.reached()), len(a)))
		}
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s from %s: %s", what, c.v.place(from), lost.addresses(3)))
		if (in == denied || eg == denied) && lost.all(probe.ClassRefused) && len(a.asked()) > 0 {
			f.Evidence = append(f.Evidence, "refused, not lost: where this cluster does not enforce policies, the application listens on 127.0.0.1 alone (SVC205)")
		}
		switch {
		case closed:
			f.ID, f.Object = "SVC401", policyRef(pods[0].Namespace, names)
			f.Message = fmt.Sprintf("NetworkPolicy %s admits nobody to the Pods of %s.", listWords(names), owner)
			f.Fix = &Fix{Summary: fmt.Sprintf("add an ingress rule that admits the clients on port %s", lost[0].port())}
		case in != admitted:
			f.ID, f.Object = "SVC402", policyRef(pods[0].Namespace, names)
			sure := "admits others, not this client"
			if in == unclear {
				sure = "does not seem to admit this client"
			}
			f.Message = fmt.Sprintf("NetworkPolicy %s guards the Pods of %s and %s (%s).",
				listWords(names), owner, sure, c.v.describe(from))
			f.Fix = &Fix{Summary: fmt.Sprintf("admit the client in an ingress rule on port %s, if it is meant to get in", lost[0].port())}
			if other := c.v.admittedOther(pods[0], portNumber(lost[0]), pv.port.Protocol); other != nil {
				f.Evidence = append(f.Evidence, fmt.Sprintf("Pods of %s in namespace %s are admitted; to ask as one: --from %s", other, other.Namespace, fromFlag(*other, c.svc.Namespace)))
			}
		case eg != admitted:
			f.ID, f.Object, f.Field = "SVC409", policyRef(from.namespace, outNames), "spec.egress"
			f.Message = fmt.Sprintf("NetworkPolicy %s of namespace %s does not let this client%s out to the Pods of %s on port %s.",
				listWords(outNames), from.namespace, c.v.asClient(), owner, lost[0].port())
			f.Fix = c.v.egressFix(fmt.Sprintf("add an egress rule to these Pods on port %s", lost[0].port()), f.Object, toBackends(c.svc, from.namespace, pv))
		default:
			if !c.betweenNodes(&f, lost, all) {
				if len(lost) < len(all) {
					continue // some backends answer: it is those that do not
				}
				f.Field = ""
				f.Message = fmt.Sprintf("the Pods of %s answer inside, but a connection to their addresses is lost on the way: the cluster's network, a firewall between nodes, or a policy of the network plugin's own.", owner)
				if ns := c.unreadPolicies(from); ns != "" {
					f.Message = fmt.Sprintf("the Pods of %s answer inside, but a connection to their addresses is lost on the way; the NetworkPolicies of namespace %s could not be read.", owner, ns)
				}
			}
		}
		out = append(out, f)
	}
	return out
}

// unreadPolicies is the namespace, of the Service or of who asks, whose policies could
// not be read; "" where they were.
func (c *serviceCase) unreadPolicies(from party) string {
	for _, ns := range []string{c.svc.Namespace, from.namespace} {
		if c.v.gap("networkpolicies", ns) != nil {
			return ns
		}
	}
	return ""
}

// insideWord says what a server answers inside its Pod.
func insideWord(pv portView, a evidence) string {
	if len(a.where(probe.ClassOK)) == 0 && len(a.reached()) > 0 {
		return "an answer"
	}
	return pv.check.Good()
}

// fromFlag is how --from names a workload.
func fromFlag(r ObjectRef, namespace string) string {
	f := strings.ToLower(r.Kind) + "/" + r.Name
	if r.Namespace != namespace {
		f = r.Namespace + "/" + f
	}
	return f
}

func policyRef(namespace string, names []string) ObjectRef {
	return ObjectRef{Kind: "NetworkPolicy", Namespace: namespace, Name: names[0]}
}

// closedUnasked warns of policies that admit nobody where the wire was not
// asked: a cluster without a network policy controller ignores them.
func (c *serviceCase) closedUnasked(pv portView) (finding, bool) {
	if len(c.ev.on(probe.PathPod, "", pv.key).asked()) > 0 || len(pv.usable) == 0 {
		return finding{}, false
	}
	owner, pod := c.backendOwner(pv)
	if pod == nil {
		return finding{}, false
	}
	names, closed, _ := c.v.ingress(c.client(), partyOf(pod), pv.usable[0].port, pv.port.Protocol)
	if !closed || c.has("SVC401") {
		return finding{}, false
	}
	return finding{port: pv.key, Finding: Finding{ID: "SVC401", Severity: SeverityWarning, Object: policyRef(pod.Namespace, names), Field: "spec.ingress",
		Message:  fmt.Sprintf("NetworkPolicy %s admits nobody to the Pods of %s; whether this cluster enforces it was not seen.", listWords(names), owner),
		Evidence: []string{"the union of the policies that select these Pods has no ingress rule"},
		Fix:      &Fix{Summary: fmt.Sprintf("add an ingress rule that admits the clients on port %d", pv.usable[0].port)}}}, true
}

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
// than the cluster's.
func ruleClientDNS(c *serviceCase) []finding {
	cl, l := c.v.s.Client, nameLookup(c.cluster)
	if cl == nil || cl.asksClusterDNS() || c.check(string(probe.PathDNS), "") != StateFailed || l == nil || !l.asked() || l.good() {
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
	if rolledOut(cl.ObjectRef) {
		f.Field = "spec.template.spec.dnsPolicy"
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
