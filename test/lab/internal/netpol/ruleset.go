package netpol

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// direction is a policy type seen from the Pod that is selected.
type direction string

const (
	ingress direction = "ingress"
	egress  direction = "egress"
)

// ruleset is what one node enforces.
type ruleset struct {
	groups   []group
	policies []policyRules
}

// group is the Pods of the node that the same policies isolate in one direction.
// Traffic that none of the policies allows is dropped: the union of them counts.
type group struct {
	direction direction
	pods      []netip.Addr
	policies  []string // names of policyRules
}

// policyRules is what one NetworkPolicy allows in one direction. No rule allows nothing.
type policyRules struct {
	name      string // short, unique and stable
	policy    string // namespace/name
	direction direction
	rules     []rule
}

// rule allows traffic with any of its peers on any of its ports.
type rule struct {
	anyPeer bool
	peers   []netip.Addr // Pods
	blocks  []block

	anyPort bool
	ports   []portRange
	// named are the destinations that a port name stands for: each Pod has its own.
	named []endpoint
}

// block is an ipBlock.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

// portRange is a range of destination ports; 0 to 65535 is the whole protocol.
type portRange struct {
	protocol string // tcp, udp or sctp
	from, to uint16
}

// endpoint is one port of one Pod.
type endpoint struct {
	addr     netip.Addr
	protocol string
	port     uint16
}

// cluster is what policies select from.
type cluster struct {
	pods       []*corev1.Pod
	namespaces map[string]labels.Set
}

// compute derives what a node enforces from the cluster's objects. It is pure, and its
// result depends on nothing but its arguments, so that equal states compare equal.
func compute(node string, pods []*corev1.Pod, namespaces []*corev1.Namespace, policies []*networkingv1.NetworkPolicy) (*ruleset, error) {
	c := cluster{namespaces: map[string]labels.Set{}}
	for _, n := range namespaces {
		c.namespaces[n.Name] = n.Labels
	}
	for _, p := range pods {
		if selectable(p) {
			c.pods = append(c.pods, p)
		}
	}
	slices.SortFunc(c.pods, func(a, b *corev1.Pod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	policies = slices.Clone(policies)
	slices.SortFunc(policies, func(a, b *networkingv1.NetworkPolicy) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})

	out := &ruleset{}
	isolating := map[direction]map[*corev1.Pod][]string{ingress: {}, egress: {}}
	for _, policy := range policies {
		selected, err := c.selected(policy, node)
		if err != nil {
			return nil, err
		}
		if len(selected) == 0 {
			continue
		}
		for _, d := range directions(policy) {
			rules, err := c.rules(policy, d, selected)
			if err != nil {
				return nil, err
			}
			name := policyName(policy, d)
			out.policies = append(out.policies, policyRules{name, policy.Namespace + "/" + policy.Name, d, rules})
			for _, pod := range selected {
				isolating[d][pod] = append(isolating[d][pod], name)
			}
		}
	}
	for _, d := range []direction{egress, ingress} {
		out.groups = append(out.groups, c.groups(d, isolating[d])...)
	}
	return out, nil
}

// selectable tells whether policies speak of a Pod: it has an address of its own, which
// one on the host network has not, and which is free again once the Pod has ended.
func selectable(p *corev1.Pod) bool {
	return !p.Spec.HostNetwork && len(p.Status.PodIPs) > 0 &&
		p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

// selected lists the Pods of the node that a policy isolates.
func (c *cluster) selected(policy *networkingv1.NetworkPolicy, node string) ([]*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil {
		return nil, err
	}
	var out []*corev1.Pod
	for _, pod := range c.pods {
		if pod.Namespace == policy.Namespace && pod.Spec.NodeName == node && selector.Matches(labels.Set(pod.Labels)) {
			out = append(out, pod)
		}
	}
	return out, nil
}

// directions reads policyTypes with the API's own default: ingress always, egress when
// there are egress rules.
func directions(policy *networkingv1.NetworkPolicy) []direction {
	if len(policy.Spec.PolicyTypes) == 0 {
		if len(policy.Spec.Egress) > 0 {
			return []direction{ingress, egress}
		}
		return []direction{ingress}
	}
	var out []direction
	for _, t := range policy.Spec.PolicyTypes {
		switch t {
		case networkingv1.PolicyTypeIngress:
			out = append(out, ingress)
		case networkingv1.PolicyTypeEgress:
			out = append(out, egress)
		}
	}
	return out
}

// rules translates one direction of a policy. A port's name is looked up where the
// traffic goes to: in the selected Pods for ingress, in every Pod for egress.
func (c *cluster) rules(policy *networkingv1.NetworkPolicy, d direction, selected []*corev1.Pod) ([]rule, error) {
	var out []rule
	add := func(peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, destinations []*corev1.Pod) error {
		r := rule{anyPeer: len(peers) == 0, anyPort: len(ports) == 0}
		for _, peer := range peers {
			if err := c.addPeer(&r, policy.Namespace, peer); err != nil {
				return err
			}
		}
		for _, port := range ports {
			addPort(&r, port, destinations)
		}
		r.peers = sortedAddrs(r.peers)
		out = append(out, r)
		return nil
	}
	if d == ingress {
		for _, in := range policy.Spec.Ingress {
			if err := add(in.From, in.Ports, selected); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	for _, e := range policy.Spec.Egress {
		if err := add(e.To, e.Ports, c.pods); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addPeer adds what a peer stands for. A nil namespaceSelector means the policy's own
// namespace; a nil podSelector all Pods of the namespaces selected.
func (c *cluster) addPeer(r *rule, namespace string, peer networkingv1.NetworkPolicyPeer) error {
	if peer.IPBlock != nil {
		cidr, err := netip.ParsePrefix(peer.IPBlock.CIDR)
		if err != nil {
			return err
		}
		b := block{cidr: cidr.Masked()}
		for _, text := range peer.IPBlock.Except {
			except, err := netip.ParsePrefix(text)
			if err != nil {
				return err
			}
			b.except = append(b.except, except.Masked())
		}
		r.blocks = append(r.blocks, b)
		return nil
	}
	pods := labels.Everything()
	if peer.PodSelector != nil {
		var err error
		if pods, err = metav1.LabelSelectorAsSelector(peer.PodSelector); err != nil {
			return err
		}
	}
	inNamespace := func(name string) bool { return name == namespace }
	if peer.NamespaceSelector != nil {
		selector, err := metav1.LabelSelectorAsSelector(peer.NamespaceSelector)
		if err != nil {
			return err
		}
		inNamespace = func(name string) bool { return selector.Matches(c.namespaces[name]) }
	}
	for _, pod := range c.pods {
		if inNamespace(pod.Namespace) && pods.Matches(labels.Set(pod.Labels)) {
			r.peers = append(r.peers, podAddrs(pod)...)
		}
	}
	return nil
}

func addPort(r *rule, port networkingv1.NetworkPolicyPort, destinations []*corev1.Pod) {
	protocol := corev1.ProtocolTCP
	if port.Protocol != nil {
		protocol = *port.Protocol
	}
	name := strings.ToLower(string(protocol))
	switch {
	case port.Port == nil:
		r.ports = append(r.ports, portRange{name, 0, 65535})
	case port.Port.StrVal != "":
		for _, pod := range destinations {
			number, ok := namedPort(pod, port.Port.StrVal, protocol)
			if !ok {
				continue
			}
			for _, addr := range podAddrs(pod) {
				r.named = append(r.named, endpoint{addr, name, number})
			}
		}
	default:
		from := uint16(port.Port.IntVal)
		to := from
		if port.EndPort != nil {
			to = uint16(*port.EndPort)
		}
		r.ports = append(r.ports, portRange{name, from, to})
	}
}

// namedPort finds a port by name and protocol among a Pod's containers, the restartable
// init containers included.
func namedPort(pod *corev1.Pod, name string, protocol corev1.Protocol) (uint16, bool) {
	containers := slices.Clone(pod.Spec.Containers)
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			if p.Name == name && cmp.Or(p.Protocol, corev1.ProtocolTCP) == protocol {
				return uint16(p.ContainerPort), true
			}
		}
	}
	return 0, false
}

// groups puts Pods with the same policies together.
func (c *cluster) groups(d direction, isolating map[*corev1.Pod][]string) []group {
	var order []string
	byPolicies := map[string]*group{}
	for _, pod := range c.pods { // in their fixed order
		policies, ok := isolating[pod]
		if !ok {
			continue
		}
		key := strings.Join(policies, " ")
		g, ok := byPolicies[key]
		if !ok {
			g = &group{direction: d, policies: policies}
			byPolicies[key] = g
			order = append(order, key)
		}
		g.pods = append(g.pods, podAddrs(pod)...)
	}
	slices.Sort(order)
	var out []group
	for _, key := range order {
		g := byPolicies[key]
		g.pods = sortedAddrs(g.pods)
		out = append(out, *g)
	}
	return out
}

// name is a short and stable name of the group's chain.
func (g *group) name() string {
	return string(g.direction) + "-pods-" + shortHash(strings.Join(g.policies, " "))
}

func policyName(policy *networkingv1.NetworkPolicy, d direction) string {
	return string(d) + "-" + shortHash(policy.Namespace+"/"+policy.Name)
}

// shortHash names things in nftables, where a Kubernetes name may be too long.
func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

func podAddrs(pod *corev1.Pod) []netip.Addr {
	var out []netip.Addr
	for _, ip := range pod.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			out = append(out, a.Unmap())
		}
	}
	return out
}

func sortedAddrs(addrs []netip.Addr) []netip.Addr {
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}
