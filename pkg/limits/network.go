package limits

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// IsAddress says whether an API server takes an IP address: since 1.36 none of IPv4 that
// is written as one of IPv6 (IsValidIPForLegacyField).
func IsAddress(s string) bool { return len(validation.IsValidIPForLegacyField(nil, s, true, nil)) == 0 }

// CIDR demands a range of addresses in the form in which new ones are taken
// (IsValidCIDRForLegacyField).
func CIDR(report Report, value string) {
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		next := "such as 192.0.2.0/24"
		if addr, err := netip.ParseAddr(value); err == nil {
			addr = addr.Unmap().WithZone("")
			next = fmt.Sprintf("for one address write %s/%d", addr, addr.BitLen())
		}
		report.wrong(value, "is not a range of addresses (CIDR)", next)
	case prefix.Masked() != prefix:
		report.wrong(value, "has bits set beyond its length", "write "+prefix.Masked().String())
	}
}

// ExternalIP checks an address that is to lead to a Service (ValidateNonSpecialIP).
func ExternalIP(report Report, ip string) {
	if addr, err := netip.ParseAddr(ip); err != nil || !IsAddress(ip) {
		report.wrong(ip, "is not an IP address", "such as 192.0.2.10")
	} else if addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsLinkLocalMulticast() || addr.IsUnspecified() {
		report.wrong(ip, "is a loopback, link-local or unspecified address, which nobody can route to a node", "name one that is routed to the nodes")
	}
}

// AppProtocol demands the name of a port's protocol.
func AppProtocol(report Report, value string) {
	name(report, value, "a protocol's name", "such as http, redis or kubernetes.io/h2c", validation.IsQualifiedName)
}

// LoadBalancerClass demands the name of a class.
func LoadBalancerClass(report Report, value string) {
	name(report, value, "a class's name", "such as example.com/internal", validation.IsQualifiedName)
}

// TrafficDistribution demands one of the values, which the schema does not list.
func TrafficDistribution(report Report, value string) {
	Listed(report, value, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode, corev1.ServiceTrafficDistributionPreferClose)
}

// AffinityTimeout is validateClientIPAffinityConfig; nil is three hours
// (SetDefaults_Service).
func AffinityTimeout(report Report, c *corev1.SessionAffinityConfig) {
	const day = 86400
	if c == nil || c.ClientIP == nil || c.ClientIP.TimeoutSeconds == nil {
		return
	}
	if t := *c.ClientIP.TimeoutSeconds; t < 1 || t > day {
		report.At("clientIP", "timeoutSeconds").wrong(t, "is out of range", "1 to 86400, a day")
	}
}

// Families checks a Service's ipFamilies. Two is whether it has two of them, and single
// whether its policy is that of one, which it is also where none is given.
func Families(report Report, families []corev1.IPFamily, two, single bool) {
	for i, f := range families {
		OneOf(report.At(i), f, corev1.IPv4Protocol, corev1.IPv6Protocol)
		if slices.Index(families, f) < i {
			report.At(i).wrong(string(f), "is there twice", "remove one")
		}
	}
	if two && single {
		report.wrong(nil, "names two families, and the Service has one: ipFamilyPolicy is SingleStack, also when it is not given",
			"write ipFamilyPolicy: PreferDualStack (or RequireDualStack), or name one family")
	}
}

// Peer checks whom a NetworkPolicy lets in or out (ValidateNetworkPolicyPeer).
func Peer(report Report, p networkingv1.NetworkPolicyPeer) {
	selects := p.PodSelector != nil || p.NamespaceSelector != nil
	switch {
	case p.IPBlock != nil && selects:
		report.wrong(nil, "is a range of addresses and a selector at once", "make two of it")
	case p.IPBlock == nil && !selects:
		report.wrong(nil, "says nobody", "one of podSelector, namespaceSelector, ipBlock")
	case p.IPBlock != nil:
		ipBlock(report.At("ipBlock"), p.IPBlock)
	}
	Selector(report.At("podSelector"), p.PodSelector)
	Selector(report.At("namespaceSelector"), p.NamespaceSelector)
}

// ipBlock is ValidateIPBlock.
func ipBlock(report Report, b *networkingv1.IPBlock) {
	CIDR(report.At("cidr"), b.CIDR)
	all, err := netip.ParsePrefix(b.CIDR)
	for i, except := range b.Except {
		at := report.At("except", i)
		CIDR(at, except)
		if part, err2 := netip.ParsePrefix(except); err == nil && err2 == nil && (!all.Contains(part.Addr()) || part.Bits() <= all.Bits()) {
			at.wrong(except, "is no part of "+b.CIDR, "except what is within it, or remove it")
		}
	}
}
