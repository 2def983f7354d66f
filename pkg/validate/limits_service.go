package validate

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

func (r *ruling) serviceLimits(o *object) {
	s := &o.service.Spec
	spec := path{"spec"}
	limits.Labels(r.at(o, spec.with("selector")), s.Selector)
	for i, p := range s.Ports {
		at := spec.with("ports").with(i)
		if p.NodePort != 0 {
			limits.Port(r.at(o, at.with("nodePort")), p.NodePort)
		}
		if p.AppProtocol != nil {
			limits.AppProtocol(r.at(o, at.with("appProtocol")), *p.AppProtocol)
		}
	}
	if s.HealthCheckNodePort != 0 {
		limits.Port(r.at(o, spec.with("healthCheckNodePort")), s.HealthCheckNodePort)
	}
	if d := s.TrafficDistribution; d != nil {
		limits.TrafficDistribution(r.at(o, spec.with("trafficDistribution")), *d)
	}
	if c := s.LoadBalancerClass; c != nil {
		limits.LoadBalancerClass(r.at(o, spec.with("loadBalancerClass")), *c)
	}
	for i, cidr := range s.LoadBalancerSourceRanges {
		limits.CIDR(r.at(o, spec.with("loadBalancerSourceRanges").with(i)), strings.TrimSpace(cidr))
	}
	if old, ok := o.service.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]; ok {
		at := path{"metadata", "annotations", corev1.AnnotationLoadBalancerSourceRangesKey}
		if s.Type != corev1.ServiceTypeLoadBalancer {
			r.add(o, Error, "type", at, "is refused for another type than LoadBalancer", "remove it")
		}
		for _, cidr := range strings.Split(old, ",") {
			if strings.TrimSpace(old) != "" {
				limits.CIDR(r.at(o, at), strings.TrimSpace(cidr))
			}
		}
	}
	for i, ip := range s.ExternalIPs {
		limits.ExternalIP(r.at(o, spec.with("externalIPs").with(i)), ip)
	}
	r.addresses(o)
}

// addresses checks a Service's own addresses and their families.
func (r *ruling) addresses(o *object) {
	s := &o.service.Spec
	at := path{"spec", "clusterIP"}
	if s.ClusterIP != "" && s.ClusterIP != corev1.ClusterIPNone && !limits.IsAddress(s.ClusterIP) {
		r.wrong(o, at, show(s.ClusterIP)+" is not an IP address, nor None", "leave it out")
	}
	if len(s.ClusterIPs) > 0 && s.ClusterIPs[0] != s.ClusterIP {
		r.wrong(o, path{"spec", "clusterIPs", 0}, show(s.ClusterIPs[0])+" is not the clusterIP", "leave both out")
	}
	single := s.IPFamilyPolicy != nil && *s.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack
	if s.IPFamilyPolicy == nil { // a headless Service without Pods of its own has both families then
		single = s.ClusterIP != corev1.ClusterIPNone || len(s.Selector) > 0
	}
	limits.Families(r.at(o, path{"spec", "ipFamilies"}), s.IPFamilies, len(s.IPFamilies) == 2 || len(s.ClusterIPs) == 2, single)
}
