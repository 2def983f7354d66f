package verify

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// party is one end of a connection, as NetworkPolicies see it.
type party struct {
	namespace string
	labels    map[string]string
	addresses []string // none where they are not known
	pod       *corev1.Pod
	// host says that it is on its node's network: its packets are the node's, which
	// no policy selects.
	host bool
	// outside says that it is no Pod: only address blocks take it in.
	outside bool
}

func partyOf(p *corev1.Pod) party {
	out := party{namespace: p.Namespace, labels: p.Labels, pod: p, host: p.Spec.HostNetwork}
	for _, ip := range p.Status.PodIPs {
		out.addresses = append(out.addresses, ip.IP)
	}
	if len(out.addresses) == 0 && p.Status.PodIP != "" {
		out.addresses = []string{p.Status.PodIP}
	}
	return out
}

// asker is the end that asks from inside the cluster: the client asked for, or
// a probe Pod like no other in a namespace.
func (v *view) asker(namespace string) party {
	c := v.s.Client
	if c == nil {
		return party{namespace: namespace, labels: map[string]string{
			labelName: probeName, labelManagedBy: managedBy, LabelProbe: ""}}
	}
	labels := maps.Clone(c.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	if !c.Ephemeral {
		labels[LabelProbe] = ""
	}
	return party{namespace: c.Namespace, labels: labels, addresses: c.Addresses, host: c.Ephemeral && c.HostNetwork}
}

// describe names the asker for a report.
func (v *view) describe(from party) string {
	if c := v.s.Client; c != nil && c.Ephemeral {
		return fmt.Sprintf("Pod %s of namespace %s itself", strings.Split(c.Container, "/")[1], c.Namespace)
	} else if c != nil {
		return fmt.Sprintf("a Pod of namespace %s with the labels of %s", c.Namespace, c.ObjectRef)
	}
	return fmt.Sprintf("a Pod in namespace %s labelled %s=%s", from.namespace, labelName, probeName)
}

// place says where the asker is, in a few words.
func (v *view) place(from party) string {
	if c := v.s.Client; c != nil {
		return c.String() + " in namespace " + c.Namespace
	}
	return "a Pod in namespace " + from.namespace
}

// asClient names the client asked for in brackets, with a blank before; "" when there is none.
func (v *view) asClient() string {
	if c := v.s.Client; c != nil {
		return " (" + c.String() + ")"
	}
	return ""
}

// admittedOther returns a workload whose Pods the policies let through to a
// Pod's port where they stop the asker, or nil: whom to ask as instead.
func (v *view) admittedOther(to *corev1.Pod, port int32, proto corev1.Protocol) *ObjectRef {
	for i := range v.workload {
		w := &v.workload[i]
		from := party{namespace: w.ref.Namespace, labels: w.labels}
		if w.ref.Kind == "ReplicaSet" || w.ref == v.ownerOf(to) || v.s.Client != nil && v.s.Client.ObjectRef == w.ref {
			continue
		}
		_, _, in := v.ingress(from, partyOf(to), port, proto)
		if _, out := v.egress(from, partyOf(to), port, proto); in == admitted && out == admitted {
			return &w.ref
		}
	}
	return nil
}

// dnsService is the Service of the cluster's DNS, by the name that nearly every
// cluster gives it.
var dnsService = ObjectRef{Kind: "Service", Namespace: metav1.NamespaceSystem, Name: "kube-dns"}

// dnsParty is the cluster's DNS, as nearly every cluster labels it.
var dnsParty = party{namespace: metav1.NamespaceSystem, labels: map[string]string{"k8s-app": "kube-dns"}}

// ruling is what the union of the policies says of one connection.
type ruling string

const (
	admitted ruling = "admitted"
	denied   ruling = "denied"
	unclear  ruling = "unclear" // it depends on what is not known, such as an address
)

// ingress rules on a connection into a Pod. names are the policies that guard
// it, and closed says that none of them admits anybody.
func (v *view) ingress(from, to party, port int32, proto corev1.Protocol) (names []string, closed bool, r ruling) {
	closed, r = true, denied
	if to.host {
		return nil, false, admitted
	}
	for i := range v.s.NetworkPolicies {
		np := &v.s.NetworkPolicies[i]
		if !guards(np, to, networkingv1.PolicyTypeIngress) {
			continue
		}
		names = append(names, np.Name)
		closed = closed && len(np.Spec.Ingress) == 0
		for _, rule := range np.Spec.Ingress {
			r = either(r, both(v.admitsPeer(np.Namespace, rule.From, from), admitsPort(rule.Ports, to.pod, port, proto)))
		}
	}
	if len(names) == 0 {
		return nil, false, admitted
	}
	return names, closed, r
}

// onOtherPorts returns the rules of policies that admit an end to a Pod, where they do
// so on other ports than this one only, and nobody is admitted on this one.
func (v *view) onOtherPorts(from, to party, port int32, proto corev1.Protocol) (out []ingressRule) {
	for i := range v.s.NetworkPolicies {
		np := &v.s.NetworkPolicies[i]
		if !guards(np, to, networkingv1.PolicyTypeIngress) {
			continue
		}
		for k, rule := range np.Spec.Ingress {
			if admitsPort(rule.Ports, to.pod, port, proto) != denied {
				return nil
			}
			if v.admitsPeer(np.Namespace, rule.From, from) == admitted {
				out = append(out, ingressRule{np, k})
			}
		}
	}
	return out
}

// ingressRule is one of a policy's rules.
type ingressRule struct {
	policy *networkingv1.NetworkPolicy
	index  int
}

func (r ingressRule) ports() []networkingv1.NetworkPolicyPort {
	return r.policy.Spec.Ingress[r.index].Ports
}

// portsText words the ports of a rule: "80", "8000-8079", "http". Protocols are told
// where not all of them, nor the one asked for, are TCP.
func (r ingressRule) portsText(asked corev1.Protocol) []string {
	var out []string
	for _, p := range r.ports() {
		text, proto := "any", corev1.ProtocolTCP
		if p.Port != nil {
			text = p.Port.String()
		}
		if p.EndPort != nil {
			text = fmt.Sprintf("%s-%d", text, *p.EndPort)
		}
		if p.Protocol != nil {
			proto = protocolOf(*p.Protocol)
		}
		if proto != corev1.ProtocolTCP || protocolOf(asked) != corev1.ProtocolTCP {
			text += "/" + string(proto)
		}
		out = append(out, text)
	}
	return out
}

// outsider is who comes through a node port or a load balancer: a node, by one of its
// own addresses or that of its bridge to its Pods, or, where the Service keeps the
// address of who asks, somebody whose address is not known.
func (v *view) outsider(keepsAddress bool) party {
	out := party{outside: true}
	if keepsAddress {
		return out
	}
	for i := range v.s.Nodes {
		n := &v.s.Nodes[i]
		out.addresses = append(out.addresses, nodeAddresses(n, nil)...)
		for _, cidr := range n.Spec.PodCIDRs {
			if ip, _, err := net.ParseCIDR(cidr); err == nil {
				out.addresses = append(out.addresses, ip.String())
			}
		}
	}
	return out
}

// ingressFromOutside is ingress for who comes through a node port or a load balancer.
// With which of the nodes' addresses that is depends on the way, so where policies
// admit some of them only it is unclear.
func (v *view) ingressFromOutside(keepsAddress bool, family corev1.IPFamily, to party, port int32, proto corev1.Protocol) (names []string, closed bool, r ruling) {
	from := v.outsider(keepsAddress)
	names, closed, r = v.ingress(from, to, port, proto)
	for _, a := range from.addresses {
		one := party{outside: true, addresses: []string{a}}
		if _, _, in := v.ingress(one, to, port, proto); familyOf(a) == family && r == admitted && in != admitted {
			r = unclear
		}
	}
	return names, closed, r
}

// egress rules on a connection out of a Pod.
func (v *view) egress(from, to party, port int32, proto corev1.Protocol) (names []string, r ruling) {
	if from.host {
		return nil, admitted
	}
	r = denied
	for i := range v.s.NetworkPolicies {
		np := &v.s.NetworkPolicies[i]
		if !guards(np, from, networkingv1.PolicyTypeEgress) {
			continue
		}
		names = append(names, np.Name)
		for _, rule := range np.Spec.Egress {
			r = either(r, both(v.admitsPeer(np.Namespace, rule.To, to), admitsPort(rule.Ports, to.pod, port, proto)))
		}
	}
	if len(names) == 0 {
		return nil, admitted
	}
	return names, r
}

// guards reports whether a policy applies to one direction of a Pod's traffic.
// Ingress is meant when no type is given, Egress only where it has rules
// (networking/v1, NetworkPolicySpec.PolicyTypes).
func guards(np *networkingv1.NetworkPolicy, p party, direction networkingv1.PolicyType) bool {
	if np.Namespace != p.namespace {
		return false
	}
	applies := slices.Contains(np.Spec.PolicyTypes, direction)
	if len(np.Spec.PolicyTypes) == 0 {
		applies = direction == networkingv1.PolicyTypeIngress || len(np.Spec.Egress) > 0
	}
	return applies && matches(&np.Spec.PodSelector, p.labels) == admitted
}

func matches(sel *metav1.LabelSelector, set map[string]string) ruling {
	s, err := metav1.LabelSelectorAsSelector(sel)
	if err == nil && s.Matches(labels.Set(set)) {
		return admitted
	}
	return denied
}

func both(a, b ruling) ruling {
	switch {
	case a == denied || b == denied:
		return denied
	case a == unclear || b == unclear:
		return unclear
	}
	return admitted
}

func either(a, b ruling) ruling {
	switch {
	case a == admitted || b == admitted:
		return admitted
	case a == unclear || b == unclear:
		return unclear
	}
	return denied
}

// admitsPeer reports whether one of a rule's peers takes in the other end; no
// peer at all means everybody.
func (v *view) admitsPeer(own string, peers []networkingv1.NetworkPolicyPeer, other party) ruling {
	if len(peers) == 0 {
		return admitted
	}
	r := denied
	for _, p := range peers {
		if p.IPBlock != nil {
			r = either(r, inBlock(p.IPBlock, other.addresses))
			continue
		}
		if other.outside {
			continue
		}
		if other.host { // plugins differ in whether its own node may
			r = either(r, unclear)
			continue
		}
		ns := denied
		switch {
		case p.NamespaceSelector != nil:
			ns = v.matchesNamespace(p.NamespaceSelector, other.namespace)
		case other.namespace == own:
			ns = admitted
		}
		pods := admitted
		if p.PodSelector != nil {
			pods = matches(p.PodSelector, other.labels)
		}
		r = either(r, both(ns, pods))
	}
	return r
}

// matchesNamespace asks for a namespace's labels. Where they were not read,
// only the name, which the API server itself puts there, is known.
func (v *view) matchesNamespace(sel *metav1.LabelSelector, name string) ruling {
	for i := range v.s.Namespaces {
		if v.s.Namespaces[i].Name == name {
			return matches(sel, v.s.Namespaces[i].Labels)
		}
	}
	if r := matches(sel, map[string]string{corev1.LabelMetadataName: name}); r == admitted {
		return r
	}
	for k := range sel.MatchLabels {
		if k != corev1.LabelMetadataName {
			return unclear
		}
	}
	if slices.ContainsFunc(sel.MatchExpressions, func(e metav1.LabelSelectorRequirement) bool { return e.Key != corev1.LabelMetadataName }) {
		return unclear
	}
	return denied
}

// inBlock asks whether an end lies in an address block.
func inBlock(b *networkingv1.IPBlock, addresses []string) ruling {
	if len(addresses) == 0 {
		return unclear
	}
	for _, a := range addresses {
		if inCIDR(b.CIDR, a) && !slices.ContainsFunc(b.Except, func(e string) bool { return inCIDR(e, a) }) {
			return admitted
		}
	}
	return denied
}

func inCIDR(cidr, address string) bool {
	_, block, err := net.ParseCIDR(cidr)
	ip := net.ParseIP(address)
	return err == nil && ip != nil && block.Contains(ip)
}

// admitsPort asks for a port of the Pod that is connected to; no port at all
// means every one.
func admitsPort(ports []networkingv1.NetworkPolicyPort, pod *corev1.Pod, number int32, proto corev1.Protocol) ruling {
	if len(ports) == 0 {
		return admitted
	}
	for _, p := range ports {
		if p.Protocol != nil && protocolOf(*p.Protocol) != protocolOf(proto) || p.Protocol == nil && protocolOf(proto) != corev1.ProtocolTCP {
			continue
		}
		switch {
		case p.Port == nil:
			return admitted
		case p.Port.Type == intstr.String:
			if pod != nil && targetNumber(pod, corev1.ServicePort{TargetPort: *p.Port, Protocol: proto}) == number {
				return admitted
			}
		case p.EndPort != nil && number >= p.Port.IntVal && number <= *p.EndPort, p.Port.IntVal == number:
			return admitted
		}
	}
	return denied
}
