package netpol

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sigs.k8s.io/knftables"
)

// table is the name of the table, of family inet, that holds all that is enforced.
const table = "svcx-netpol"

// apply replaces the node's rules in one transaction, so that no packet meets half of them.
func apply(ctx context.Context, nft knftables.Interface, r *ruleset) error {
	tx := nft.NewTransaction()
	r.render(tx)
	if err := nft.Run(ctx, tx); err != nil {
		return fmt.Errorf("network policies: %w", err)
	}
	return nil
}

// render writes the table anew.
//
// The hook is forward, where a Service's address has become a Pod's already, and input
// for what Pods send to their own node. Traffic from the node to its Pods is not
// filtered: the kubelet's probes must pass, and network plugins let them. Egress and
// ingress are base chains of their own, because "accept" ends only the chain that says it.
func (r *ruleset) render(tx *knftables.Transaction) {
	tx.Add(&knftables.Table{})
	tx.Delete(&knftables.Table{})
	tx.Add(&knftables.Table{Comment: knftables.PtrTo("network policies of the lab's node")})

	for _, family := range []family{v4, v6} {
		for _, d := range []direction{egress, ingress} {
			tx.Add(&knftables.Map{Name: string(d) + family.suffix, Type: family.addrType + " : verdict"})
		}
		tx.Add(&knftables.Set{Name: "self" + family.suffix, Type: family.addrType + " . " + family.addrType})
	}
	r.renderBase(tx)
	for _, p := range r.policies {
		tx.Add(&knftables.Chain{Name: p.name, Comment: knftables.PtrTo(comment(p.policy))})
	}
	for i := range r.groups {
		tx.Add(&knftables.Chain{Name: r.groups[i].name()})
	}
	for _, p := range r.policies {
		p.render(tx)
	}
	for i := range r.groups {
		r.groups[i].render(tx)
	}
	r.renderSelf(tx)
}

// renderBase adds the chains that packets enter by.
func (r *ruleset) renderBase(tx *knftables.Transaction) {
	for _, base := range []struct {
		name      string
		hook      knftables.BaseChainHook
		priority  knftables.BaseChainPriority
		direction direction
		address   string
	}{
		{"forward-egress", knftables.ForwardHook, knftables.FilterPriority + "-10", egress, "saddr"},
		{"forward-ingress", knftables.ForwardHook, knftables.FilterPriority + "-5", ingress, "daddr"},
		{"input-egress", knftables.InputHook, knftables.FilterPriority + "-10", egress, "saddr"},
	} {
		tx.Add(&knftables.Chain{
			Name: base.name, Type: knftables.PtrTo(knftables.FilterType),
			Hook: knftables.PtrTo(base.hook), Priority: knftables.PtrTo(base.priority),
		})
		rules := []string{"ct state established,related accept"}
		if base.hook == knftables.InputHook {
			// Without neighbour discovery a Pod finds no one at all.
			rules = append(rules, "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept")
		}
		rules = append(rules,
			// A Pod can always reach itself, through a Service too.
			"ip saddr . ip daddr @self4 accept",
			"ip6 saddr . ip6 daddr @self6 accept",
			fmt.Sprintf("ip %s vmap @%s4", base.address, base.direction),
			fmt.Sprintf("ip6 %s vmap @%s6", base.address, base.direction),
		)
		for _, rule := range rules {
			tx.Add(&knftables.Rule{Chain: base.name, Rule: rule})
		}
	}
}

func (r *ruleset) renderSelf(tx *knftables.Transaction) {
	var all []netip.Addr
	for _, g := range r.groups {
		all = append(all, g.pods...)
	}
	for _, a := range sortedAddrs(all) {
		tx.Add(&knftables.Element{Set: "self" + familyOf(a).suffix, Key: []string{a.String(), a.String()}})
	}
}

func (g *group) render(tx *knftables.Transaction) {
	for _, a := range g.pods {
		tx.Add(&knftables.Element{Map: string(g.direction) + familyOf(a).suffix, Key: []string{a.String()}, Value: []string{"goto " + g.name()}})
	}
	for _, policy := range g.policies {
		tx.Add(&knftables.Rule{Chain: g.name(), Rule: "jump " + policy})
	}
	tx.Add(&knftables.Rule{Chain: g.name(), Rule: "drop"})
}

func (p *policyRules) render(tx *knftables.Transaction) {
	for i, r := range p.rules {
		prefix := fmt.Sprintf("%s-%d-", p.name, i)
		for _, peer := range p.peerMatches(tx, prefix, r) {
			for _, port := range portMatches(tx, prefix, r) {
				if peer.family != nil && port.family != nil && peer.family != port.family {
					continue
				}
				text := strings.Join(slices.DeleteFunc([]string{peer.text, port.text, "accept"}, func(s string) bool { return s == "" }), " ")
				tx.Add(&knftables.Rule{Chain: p.name, Rule: text})
			}
		}
	}
}

// family is an address family as nftables writes it.
type family struct {
	suffix, keyword, addrType, nfproto string
}

var (
	v4 = family{"4", "ip", "ipv4_addr", "ipv4"}
	v6 = family{"6", "ip6", "ipv6_addr", "ipv6"}
)

func familyOf(a netip.Addr) *family {
	if a.Is4() {
		return &v4
	}
	return &v6
}

// match is a part of a rule that packets must satisfy; family is nil for both.
type match struct {
	family *family
	text   string
}

// peerMatches gives one match for each way in which a packet can be of a peer.
func (p *policyRules) peerMatches(tx *knftables.Transaction, prefix string, r rule) []match {
	if r.anyPeer {
		return []match{{}}
	}
	address := "saddr"
	if p.direction == egress {
		address = "daddr"
	}
	var out []match
	for _, f := range []*family{&v4, &v6} {
		peers := slices.DeleteFunc(slices.Clone(r.peers), func(a netip.Addr) bool { return familyOf(a) != f })
		if len(peers) == 0 {
			continue
		}
		set := prefix + "peers" + f.suffix
		tx.Add(&knftables.Set{Name: set, Type: f.addrType})
		for _, a := range peers {
			tx.Add(&knftables.Element{Set: set, Key: []string{a.String()}})
		}
		out = append(out, match{f, fmt.Sprintf("%s %s @%s", f.keyword, address, set)})
	}
	for _, b := range r.blocks {
		f := familyOf(b.cidr.Addr())
		text := fmt.Sprintf("%s %s %s", f.keyword, address, b.cidr)
		if b.cidr.Bits() == 0 {
			// nft would drop the match of everything, and with it the family.
			text = "meta nfproto " + f.nfproto
		}
		if except := outermost(b.except); len(except) > 0 {
			text += fmt.Sprintf(" %s %s != { %s }", f.keyword, address, join(except))
		}
		out = append(out, match{f, text})
	}
	return out
}

// portMatches gives one match for each way in which a packet can be for a port.
func portMatches(tx *knftables.Transaction, prefix string, r rule) []match {
	if r.anyPort {
		return []match{{}}
	}
	var out []match
	for _, protocol := range []string{"tcp", "udp", "sctp"} {
		ranges := mergeRanges(r.ports, protocol)
		switch {
		case len(ranges) == 0:
		case ranges[0] == portRange{protocol, 0, 65535}:
			out = append(out, match{nil, "meta l4proto " + protocol})
		default:
			out = append(out, match{nil, fmt.Sprintf("%s dport { %s }", protocol, join(ranges))})
		}
	}
	for _, f := range []*family{&v4, &v6} {
		named := slices.DeleteFunc(slices.Clone(r.named), func(e endpoint) bool { return familyOf(e.addr) != f })
		if len(named) == 0 {
			continue
		}
		set := prefix + "named" + f.suffix
		tx.Add(&knftables.Set{Name: set, Type: f.addrType + " . inet_proto . inet_service"})
		for _, e := range named {
			tx.Add(&knftables.Element{Set: set, Key: []string{e.addr.String(), e.protocol, fmt.Sprint(e.port)}})
		}
		out = append(out, match{f, fmt.Sprintf("%s daddr . meta l4proto . th dport @%s", f.keyword, set)})
	}
	return out
}

// String is the range as nftables writes it.
func (p portRange) String() string {
	if p.from == p.to {
		return fmt.Sprint(p.from)
	}
	return fmt.Sprintf("%d-%d", p.from, p.to)
}

// mergeRanges sorts the ranges of a protocol and joins those that overlap, which nft
// refuses within one set.
func mergeRanges(ports []portRange, protocol string) []portRange {
	var sorted []portRange
	for _, p := range ports {
		if p.protocol == protocol && p.from <= p.to {
			sorted = append(sorted, p)
		}
	}
	slices.SortFunc(sorted, func(a, b portRange) int { return int(a.from) - int(b.from) })
	var out []portRange
	for _, p := range sorted {
		if last := len(out) - 1; last >= 0 && int(p.from) <= int(out[last].to)+1 {
			out[last].to = max(out[last].to, p.to)
			continue
		}
		out = append(out, p)
	}
	return out
}

// outermost drops the prefixes that lie within others, which nft refuses within one set.
func outermost(prefixes []netip.Prefix) []netip.Prefix {
	sorted := slices.Clone(prefixes)
	slices.SortFunc(sorted, func(a, b netip.Prefix) int {
		if a.Bits() != b.Bits() {
			return a.Bits() - b.Bits()
		}
		return a.Addr().Compare(b.Addr())
	})
	var out []netip.Prefix
	for _, p := range sorted {
		if !slices.ContainsFunc(out, func(wider netip.Prefix) bool { return wider.Overlaps(p) }) {
			out = append(out, p)
		}
	}
	return out
}

func join[T fmt.Stringer](items []T) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = item.String()
	}
	return strings.Join(texts, ", ")
}

// comment keeps a comment within what nftables takes.
func comment(s string) string {
	const longest = 120
	if len(s) > longest {
		return s[:longest]
	}
	return s
}
