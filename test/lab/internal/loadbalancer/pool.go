package loadbalancer

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// pool is the addresses that may be given out.
type pool []netip.Prefix

// contains tells whether an address is in the pool.
func (p pool) contains(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(a) })
}

// free returns the lowest address of a family that nobody holds. Its cost is bounded by
// the number of addresses held, however large the pool is.
func (p pool) free(ipv6 bool, held map[netip.Addr]string) (netip.Addr, bool) {
	for _, prefix := range p {
		prefix = prefix.Masked()
		if prefix.Addr().Is6() != ipv6 {
			continue
		}
		for a := prefix.Addr(); prefix.Contains(a); a = a.Next() {
			if _, taken := held[a]; !taken {
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}

// allocate chooses the addresses of a Service: one for each of its families, in their
// order. What it has stays as long as it fits; held says which Service has which address,
// and key is this Service's own. The error is fit for an event.
func (p pool) allocate(key string, service *corev1.Service, held map[netip.Addr]string) ([]netip.Addr, error) {
	others := map[netip.Addr]string{}
	for a, owner := range held {
		if owner != key {
			others[a] = owner
		}
	}
	var requested netip.Addr
	if text := service.Spec.LoadBalancerIP; text != "" {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("invalid spec.loadBalancerIP %q", text)
		}
		if a = a.Unmap(); !p.contains(a) {
			return nil, fmt.Errorf("%q is not allowed in config", text)
		}
		if owner, taken := others[a]; taken {
			return nil, fmt.Errorf("address %q is already in use by %q", text, owner)
		}
		requested = a
	}

	families := service.Spec.IPFamilies
	if len(families) == 0 {
		families = []corev1.IPFamily{corev1.IPv4Protocol}
	}
	if requested.IsValid() && !slices.ContainsFunc(families, func(f corev1.IPFamily) bool {
		return (f == corev1.IPv6Protocol) == requested.Is6()
	}) {
		return nil, fmt.Errorf("%q is not of the Service's IP family %s", requested, families[0])
	}
	current := append(addresses(service), heldBy(key, held)...)
	var chosen []netip.Addr
	for _, family := range families {
		ipv6 := family == corev1.IPv6Protocol
		if requested.IsValid() && requested.Is6() == ipv6 {
			chosen = append(chosen, requested)
			continue
		}
		keep := slices.IndexFunc(current, func(a netip.Addr) bool {
			_, taken := others[a]
			return a.Is6() == ipv6 && p.contains(a) && !taken
		})
		if keep >= 0 {
			chosen = append(chosen, current[keep])
			continue
		}
		if a, ok := p.free(ipv6, others); ok {
			chosen = append(chosen, a)
			continue
		}
		// A Service that only prefers two families is served with one.
		policy := service.Spec.IPFamilyPolicy
		if policy == nil || *policy != corev1.IPFamilyPolicyPreferDualStack {
			return nil, errors.New("no available IPs")
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no available IPs")
	}
	return chosen, nil
}

// heldBy lists the addresses that a Service holds, in order. They are asked after its
// status, which may not have reached us yet.
func heldBy(key string, held map[netip.Addr]string) []netip.Addr {
	var out []netip.Addr
	for a, owner := range held {
		if owner == key {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// addresses reads the addresses of a Service's status.
func addresses(service *corev1.Service) []netip.Addr {
	var out []netip.Addr
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		if a, err := netip.ParseAddr(ingress.IP); err == nil {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// status is the load-balancer status for addresses: virtual ones, which kube-proxy
// serves on every node.
func status(chosen []netip.Addr) corev1.LoadBalancerStatus {
	mode := corev1.LoadBalancerIPModeVIP
	var out corev1.LoadBalancerStatus
	for _, a := range chosen {
		out.Ingress = append(out.Ingress, corev1.LoadBalancerIngress{IP: a.String(), IPMode: &mode})
	}
	return out
}
