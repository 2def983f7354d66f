package verify

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// client is the end that asks from inside the cluster.
func (c *serviceCase) client() party {
	namespace, addresses, several := c.svc.Namespace, "", false
	for _, a := range c.ev {
		if a.outcome == nil || a.outcome.Facts[factNamespace] == "" {
			continue
		}
		namespace = a.outcome.Facts[factNamespace]
		if from := a.outcome.Facts[factAddresses]; addresses != "" && from != addresses {
			several = true
		} else {
			addresses = from
		}
	}
	out := c.v.asker(namespace)
	if len(out.addresses) == 0 && addresses != "" && !several {
		out.addresses = strings.Split(addresses, ",")
	}
	return out
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
		if (b.outcome.Class == probe.ClassRefused || len(tunnel.asked()) == 0) && !c.denies(pod, portNumber(b), pv.port.Protocol) {
			continue
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

// keptFrom reports whether all that was asked of Pods' addresses is lost, where a
// policy says so.
func (c *serviceCase) keptFrom(pv portView, pods evidence) bool {
	return len(pods) > 0 && pods.all(lostClasses(pv)...) && !slices.ContainsFunc(pods, func(a answer) bool {
		pod := c.v.pods[a.probe.Pod]
		return pod == nil || !c.denies(pod, portNumber(a), pv.port.Protocol)
	})
}

// denies reports whether policies keep the client from a Pod's port, in or out.
func (c *serviceCase) denies(pod *corev1.Pod, port int32, proto corev1.Protocol) bool {
	_, _, in := c.v.ingress(c.client(), partyOf(pod), port, proto)
	_, out := c.v.egress(c.client(), partyOf(pod), port, proto)
	return in == denied || out == denied
}

// lostBehind is lost for a target port that is wrong (SVC204): the right one answers
// inside the Pods only, and policies keep the client from that one too. The answers
// are those about it where its address was asked, and else of the target's.
func (c *serviceCase) lostBehind(pv portView) (evidence, []*corev1.Pod, int32) {
	other := c.otherPort(pv)
	if other == nil || other.probe.Path != probe.PathTunnel {
		return nil, nil, 0
	}
	number := portNumber(*other)
	all := slices.DeleteFunc(c.ev.explored(probe.PathPod, pv.key).asked(), func(a answer) bool { return a.port() != other.port() })
	if len(all) == 0 {
		all = c.ev.on(probe.PathPod, "", pv.key).where(lostClasses(pv)...)
	}
	var out evidence
	var pods []*corev1.Pod
	for _, a := range all.where(append(lostClasses(pv), probe.ClassRefused)...) {
		if pod := c.v.pods[a.probe.Pod]; pod != nil && c.denies(pod, number, pv.port.Protocol) {
			out, pods = append(out, a), append(pods, pod)
		}
	}
	return out, pods, number
}

// ruleBlocked: SVC401, SVC402, SVC409 and SVC411. The application answers
// inside its Pod, and nothing comes back from the Pod's address.
func ruleBlocked(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		var lost evidence
		var pods []*corev1.Pod
		var number int32
		switch {
		case !c.caused(pv.key):
			if lost, pods = c.lost(pv); len(lost) > 0 {
				number = portNumber(lost[0])
			} else if f, ok := c.closedUnasked(pv); ok {
				out = append(out, f)
			}
		case !c.caused(pv.key, "SVC204"):
			lost, pods, number = c.lostBehind(pv)
		}
		if len(lost) > 0 {
			out = append(out, c.blocked(pv, lost, pods[0], number)...)
		}
	}
	return folded(out)
}

// folded makes one of findings that differ in their port only: several ports may
// well be kept from a client by one policy.
func folded(list []finding) []finding {
	var out []finding
	for _, f := range list {
		i := slices.IndexFunc(out, func(g finding) bool {
			return f.ID != "" && g.ID == f.ID && g.Severity == f.Severity && g.Object == f.Object && g.Field == f.Field && g.Message == f.Message && reflect.DeepEqual(g.Fix, f.Fix)
		})
		if i < 0 {
			out = append(out, f)
			continue
		}
		out[i].more = append(out[i].more, f.port)
		for _, e := range f.Evidence {
			if !slices.Contains(out[i].Evidence, e) {
				out[i].Evidence = append(out[i].Evidence, e)
			}
		}
	}
	return out
}

// blocked says why the client does not get through to a port of Pods that answers
// inside. Ingress and egress may both deny it: two faults, to be mended both.
func (c *serviceCase) blocked(pv portView, lost evidence, pod *corev1.Pod, number int32) []finding {
	all := c.ev.on(probe.PathPod, "", pv.key).asked()
	a := c.ev.on(probe.PathTunnel, "", pv.key)
	owner, from := c.v.ownerOf(pod), c.client()
	names, closed, in := c.v.ingress(from, partyOf(pod), number, pv.port.Protocol)
	outNames, eg := c.v.egress(from, partyOf(pod), number, pv.port.Protocol)
	f := finding{port: pv.key, Finding: Finding{Severity: SeverityFailure, Object: owner, Field: "spec.ingress"}}
	what := "no connection"
	if protocolOf(pv.port.Protocol) == corev1.ProtocolUDP {
		what = "no answer"
		if !mustAnswer(pv, lost) && len(lost.where(probe.ClassNoAnswer)) > 0 {
			f.Severity = SeverityWarning // the server may be silent of its own accord
		}
	}
	if len(a.reached()) > 0 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("tunnel (inside the Pod): %s from %d/%d", insideWord(pv, a), len(a.reached()), len(a)))
	} else if len(a) > 0 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("tunnel (inside the Pod): %s on %d", pv.check.Good(), number))
	}
	f.Evidence = append(f.Evidence, fmt.Sprintf("%s from %s: %s", what, c.v.place(from), lost.addresses(3)))
	if (in == denied || eg == denied) && lost.all(probe.ClassRefused) && len(a.asked()) > 0 {
		f.Evidence = append(f.Evidence, "refused, not lost: where this cluster does not enforce policies, the application listens on 127.0.0.1 alone (SVC205)")
	}
	var out []finding
	switch {
	case closed:
		out = append(out, c.blockedIn(pv, f, pod, names, number, true, in))
	case in == denied, in == unclear && eg != denied:
		out = append(out, c.blockedIn(pv, f, pod, names, number, false, in))
	}
	if eg == denied || eg == unclear && in == admitted {
		f.ID, f.Object, f.Field = "SVC409", policyRef(from.namespace, outNames), "spec.egress"
		f.Message = fmt.Sprintf("NetworkPolicy %s of namespace %s does not let this client%s out to the Pods of %s on port %d.",
			listWords(outNames), from.namespace, c.v.asClient(), owner, number)
		if x := c.v.egressException(from, partyOf(pod), number, pv.port.Protocol); x != nil {
			f.Object.Name, f.Field = x.policy, x.field
			f.Evidence = append(f.Evidence, fmt.Sprintf("it lets it out to %s except %s, in which %s lies", x.cidr, x.except, x.address))
		}
		f.Fix = c.v.egressFix(fmt.Sprintf("add an egress rule to these Pods on port %d", number), f.Object, toBackends(c.svc, from.namespace, pv, number))
		out = append(out, f)
	}
	if len(out) > 0 {
		return out
	}
	if !c.betweenNodes(&f, lost, all) {
		if len(lost) < len(all) {
			return nil // some backends answer: it is those that do not
		}
		f.Field = ""
		f.Message = fmt.Sprintf("the Pods of %s answer inside, but a connection to their addresses is lost on the way: the cluster's network, a firewall between nodes, or a policy of the network plugin's own.", owner)
		if ns := c.unreadPolicies(from); ns != "" {
			f.Message = fmt.Sprintf("the Pods of %s answer inside, but a connection to their addresses is lost on the way; the NetworkPolicies of namespace %s could not be read.", owner, ns)
		}
	}
	return []finding{f}
}

// blockedIn words that the policies named do not let the client in: SVC401, where they
// admit nobody, and SVC402.
func (c *serviceCase) blockedIn(pv portView, f finding, pod *corev1.Pod, names []string, number int32, closed bool, in ruling) finding {
	owner, from := c.v.ownerOf(pod), c.client()
	numbers := c.keptPorts(pod, pv.port.Protocol, number)
	on := portWords(numbers, pv.port.Protocol)
	f.ID, f.Object = "SVC402", policyRef(pod.Namespace, names)
	if closed {
		f.ID = "SVC401"
		f.Message = fmt.Sprintf("NetworkPolicy %s admits nobody to the Pods of %s.", listWords(names), owner)
		f.Fix = &Fix{Summary: "add an ingress rule that admits the clients on " + on}
		return f
	}
	if rules := c.v.onOtherPorts(from, partyOf(pod), number, pv.port.Protocol); len(rules) > 0 {
		c.otherPortsOnly(pv, &f, owner, rules, number, numbers)
		return f
	}
	if x := c.v.ingressException(from, partyOf(pod), number, pv.port.Protocol); x != nil && in == denied {
		f.Object, f.Field = policyRef(pod.Namespace, []string{x.policy}), x.field
		f.Message = fmt.Sprintf("NetworkPolicy %s admits %s to the Pods of %s except %s, in which this client's address %s lies (%s).",
			x.policy, x.cidr, owner, x.except, x.address, c.v.describe(from))
		f.Fix = &Fix{Summary: fmt.Sprintf("take %s out of except, or admit the client by its labels in an ingress rule on %s, if it is meant to get in", x.except, on)}
		return f
	}
	sure := "admits others, not this client"
	if in == unclear {
		sure = "does not seem to admit this client"
	}
	f.Message = fmt.Sprintf("NetworkPolicy %s guards the Pods of %s and %s (%s).", listWords(names), owner, sure, c.v.describe(from))
	f.Fix = &Fix{Summary: "admit the client in an ingress rule on " + on + ", if it is meant to get in"}
	if other := c.v.admittedOther(pod, number, pv.port.Protocol); other != nil {
		f.Evidence = append(f.Evidence, fmt.Sprintf("Pods of %s in namespace %s are admitted; to ask as one: --from %s", other, other.Namespace, fromFlag(*other, c.svc.Namespace)))
	}
	return f
}

// otherPortsOnly words that the client is admitted, on other ports than the Pods'. The
// ports are added to the rule that must be meant: the only one there is, or the one
// that has the Service's port. Another may be for something else, such as metrics.
func (c *serviceCase) otherPortsOnly(pv portView, f *finding, owner ObjectRef, rules []ingressRule, number int32, numbers []int32) {
	var have []string
	var meant *ingressRule
	for i, r := range rules {
		have = append(have, r.portsText(pv.port.Protocol)...)
		if len(rules) == 1 && len(r.policy.Spec.Ingress) == 1 || admitsPort(r.ports(), nil, pv.port.Port, pv.port.Protocol) == admitted {
			meant = &rules[i]
		}
	}
	at, why := rules[0], ""
	if meant != nil {
		at = *meant
	}
	if pv.port.Port != number && admitsPort(at.ports(), nil, pv.port.Port, pv.port.Protocol) == admitted {
		why = ": policies see the Pod's port, not the Service's"
	}
	f.Object, f.Field = policyRef(at.policy.Namespace, []string{at.policy.Name}), fmt.Sprintf("spec.ingress[%d].ports", at.index)
	f.Message = fmt.Sprintf("NetworkPolicy %s admits this client (%s) to the Pods of %s on %s only, and nobody on %s, where the Service sends them%s.",
		at.policy.Name, c.v.describe(c.client()), owner, portList(have), portWords([]int32{number}, pv.port.Protocol), why)
	on := portWords(numbers, pv.port.Protocol)
	f.Fix = &Fix{Summary: "admit the clients on " + on}
	if meant != nil {
		f.Fix = addPortsFix(fmt.Sprintf("add %s to the rule", on), at, pv.port.Protocol, numbers)
	}
}

// keptPorts lists the ports of a Pod behind a Service, of one protocol, that policies
// keep the client from, beside one that is known: a fix is for all of them.
func (c *serviceCase) keptPorts(pod *corev1.Pod, proto corev1.Protocol, known int32) []int32 {
	out := []int32{known}
	for _, pv := range c.ports {
		for _, e := range pv.usable {
			if e.pod != pod || protocolOf(pv.port.Protocol) != protocolOf(proto) || c.caused(pv.key) || slices.Contains(out, e.port) {
				continue
			}
			if _, _, in := c.v.ingress(c.client(), partyOf(pod), e.port, proto); in != admitted {
				out = append(out, e.port)
			}
		}
	}
	slices.Sort(out)
	return out
}

// portWords names ports: "port 80", "ports 80 and 81", "port 53/UDP".
func portWords(numbers []int32, proto corev1.Protocol) string {
	var words []string
	for _, n := range numbers {
		word := strconv.Itoa(int(n))
		if p := protocolOf(proto); p != corev1.ProtocolTCP {
			word += "/" + string(p)
		}
		words = append(words, word)
	}
	return portList(words)
}

func portList(words []string) string {
	if len(words) == 1 {
		return "port " + words[0]
	}
	return "ports " + listWords(words)
}

// ruleOutsideBlocked: SVC402 for who comes through a node port or a load balancer. For
// a policy that is no Pod, whatever it selects, but a node or an address outside.
func ruleOutsideBlocked(c *serviceCase) []finding {
	var out []finding
	keeps := c.svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	for _, pv := range c.ports {
		owner, pod := c.backendOwner(pv)
		path, lost := probe.PathNodePort, c.ev.on(probe.PathNodePort, probe.FromHere, pv.key).asked()
		if len(lost) == 0 && len(c.svc.Spec.LoadBalancerSourceRanges) == 0 {
			path, lost = probe.PathLoadBalancer, c.ev.on(probe.PathLoadBalancer, probe.FromHere, pv.key).asked()
		}
		inside := slices.Concat(c.ev.on(probe.PathPod, "", pv.key).reached(), c.ev.on(probe.PathTunnel, "", pv.key).reached())
		if pod == nil || len(inside) == 0 || c.caused(pv.key) || !lost.all(append(lostClasses(pv), probe.ClassRefused)...) {
			continue
		}
		// Nodes speak for Pods of others as they do for who is outside: where those get
		// in, it is no policy. On its own node a Pod may be seen as what it is.
		if !keeps && (c.check(string(path), c.linePort(pv)) != StateFailed || slices.ContainsFunc(c.ev.on(path, probe.FromCluster, pv.key).where(probe.ClassOK), func(a answer) bool { return a.probe.Node != a.outcome.Facts[factNode] })) {
			continue
		}
		names, closed, in := c.v.ingressFromOutside(keeps, familyOf(lost[0].host()), partyOf(pod), pv.usable[0].port, pv.port.Protocol)
		// Where some of the nodes' addresses are admitted and others are not, what was
		// asked says with which of them clients arrive.
		across := c.ev.on(path, probe.FromCluster, pv.key).asked()
		across = slices.DeleteFunc(across, func(a answer) bool { return a.probe.Node == a.outcome.Facts[factNode] })
		if closed || in == admitted || in == unclear && (keeps || !across.all(lostClasses(pv)...)) {
			continue
		}
		sure := "admits nobody from outside the cluster"
		if in == unclear {
			sure = "does not seem to admit who comes from outside the cluster"
		}
		whose := "the nodes' addresses (ipBlock), with which they arrive while externalTrafficPolicy is Cluster,"
		if keeps {
			whose = "their addresses (ipBlock)"
		}
		out = append(out, finding{port: pv.key, checks: []string{string(probe.PathNodePort), string(probe.PathLoadBalancer)},
			Finding: Finding{ID: "SVC402", Severity: SeverityFailure, Object: policyRef(pod.Namespace, names), Field: "spec.ingress",
				Message: fmt.Sprintf("NetworkPolicy %s guards the Pods of %s and %s: what comes through %s is no Pod's traffic, whatever Pods are admitted.",
					listWords(names), owner, sure, map[probe.Path]string{probe.PathNodePort: "a node port", probe.PathLoadBalancer: "the load balancer"}[path]),
				Evidence: []string{
					fmt.Sprintf("%s: %s: %s", path, lost[0].outcome.Class, lost.addresses(3)),
					"and the Pods answer: " + inside.addresses(3),
				},
				Fix: &Fix{Summary: fmt.Sprintf("if clients from outside are meant to get in, admit %s in an ingress rule on port %d", whose, pv.usable[0].port)}}})
	}
	return folded(out)
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
