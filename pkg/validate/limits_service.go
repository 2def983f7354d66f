package validate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// distributions are the values of trafficDistribution, which the schema takes for any text.
var distributions = []string{corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode}

func (r *ruling) serviceLimits(o *object) {
	s := &o.service.Spec
	spec := path{"spec"}
	r.labels(o, spec.with("selector"), s.Selector)
	for i, p := range s.Ports {
		at := spec.with("ports").with(i)
		if p.NodePort != 0 {
			r.port(o, "limits", at.with("nodePort"), p.NodePort)
		}
		if p.AppProtocol != nil {
			r.bad(o, at.with("appProtocol"), *p.AppProtocol, "protocol's name", validation.IsQualifiedName(*p.AppProtocol))
		}
	}
	if s.HealthCheckNodePort != 0 {
		r.port(o, "limits", spec.with("healthCheckNodePort"), s.HealthCheckNodePort)
	}
	if d := s.TrafficDistribution; d != nil && !slices.Contains(distributions, *d) {
		r.wrong(o, spec.with("trafficDistribution"), show(*d)+" is not a value of this field", "one of "+strings.Join(distributions, ", "))
	}
	if c := s.LoadBalancerClass; c != nil {
		r.bad(o, spec.with("loadBalancerClass"), *c, "class's name", validation.IsQualifiedName(*c))
	}
	for i, cidr := range s.LoadBalancerSourceRanges {
		r.cidr(o, spec.with("loadBalancerSourceRanges").with(i), strings.TrimSpace(cidr))
	}
	if old, ok := o.service.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]; ok {
		at := path{"metadata", "annotations", corev1.AnnotationLoadBalancerSourceRangesKey}
		if s.Type != corev1.ServiceTypeLoadBalancer {
			r.add(o, Error, "type", at, "is refused for another type than LoadBalancer", "remove it")
		}
		for _, cidr := range strings.Split(old, ",") {
			if strings.TrimSpace(old) != "" {
				r.cidr(o, at, strings.TrimSpace(cidr))
			}
		}
	}
	for i, ip := range s.ExternalIPs {
		at := spec.with("externalIPs").with(i)
		if addr, err := netip.ParseAddr(ip); err != nil || !isAddress(ip) {
			r.wrong(o, at, show(ip)+" is not an IP address", "such as 192.0.2.10")
		} else if addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsLinkLocalMulticast() || addr.IsUnspecified() {
			r.wrong(o, at, show(ip)+" is a loopback, link-local or unspecified address", "name one that is routed to the nodes")
		}
	}
	r.addresses(o)
}

// addresses checks a Service's own addresses and their families.
func (r *ruling) addresses(o *object) {
	s := &o.service.Spec
	at := path{"spec", "clusterIP"}
	if s.ClusterIP != "" && s.ClusterIP != corev1.ClusterIPNone && !isAddress(s.ClusterIP) {
		r.wrong(o, at, show(s.ClusterIP)+" is not an IP address, nor None", "leave it out")
	}
	if len(s.ClusterIPs) > 0 && s.ClusterIPs[0] != s.ClusterIP {
		r.wrong(o, path{"spec", "clusterIPs", 0}, show(s.ClusterIPs[0])+" is not the clusterIP", "leave both out")
	}
	families := path{"spec", "ipFamilies"}
	for i, f := range s.IPFamilies {
		if slices.Index(s.IPFamilies, f) < i {
			r.wrong(o, families.with(i), show(string(f))+" is there twice", "remove one")
		}
	}
	single := s.IPFamilyPolicy != nil && *s.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack
	if s.IPFamilyPolicy == nil { // a headless Service without Pods of its own has both families then
		single = s.ClusterIP != corev1.ClusterIPNone || len(s.Selector) > 0
	}
	if two := len(s.IPFamilies) == 2 || len(s.ClusterIPs) == 2; two && single {
		r.wrong(o, families, "names two families, and ipFamilyPolicy is SingleStack, also when it is not given", "write ipFamilyPolicy: PreferDualStack, or name one family")
	}
}

func (r *ruling) cidr(o *object, at path, value string) {
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		r.wrong(o, at, show(value)+" is not a range of addresses (CIDR)", "such as 192.0.2.0/24")
	case prefix.Masked() != prefix:
		r.wrong(o, at, show(value)+" has bits set beyond its length", fmt.Sprintf("write %s", prefix.Masked()))
	}
}
