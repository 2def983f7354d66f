package generate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// typedFields are those fields of the Service that not every type has a use for,
// with what explains it. The alias has no use for any.
func (s Service) typedFields() []typedField {
	pinned := slices.ContainsFunc(s.Ports, func(p ServicePort) bool { return p.NodePort != 0 })
	const proxied = "it is for traffic that the service proxy routes"
	return []typedField{
		{"ports", pinned, "nodePort", "a node port is of a NodePort or LoadBalancer Service"},
		{"externalTrafficPolicy", s.ExternalTrafficPolicy != "", "", "it is for traffic through node ports, load balancers and external IPs"},
		{"internalTrafficPolicy", s.InternalTrafficPolicy != "", "", proxied},
		{"trafficDistribution", s.TrafficDistribution != "", "", proxied},
		{"sessionAffinity", s.SessionAffinity != "", "", proxied},
		{"sessionAffinityConfig", s.SessionAffinityConfig != nil, "", proxied},
		{"ipFamilies", len(s.IPFamilies) > 0, "", "an alias has no address of its own"},
		{"ipFamilyPolicy", s.IPFamilyPolicy != "", "", "an alias has no address of its own"},
		{"loadBalancerClass", s.LoadBalancerClass != "", "", "it is of a LoadBalancer Service"},
		{"loadBalancerSourceRanges", len(s.LoadBalancerSourceRanges) > 0, "", "it is of a LoadBalancer Service"},
		{"allocateLoadBalancerNodePorts", s.AllocateLoadBalancerNodePorts != nil, "", "it is of a LoadBalancer Service"},
		{"healthCheckNodePort", s.HealthCheckNodePort != 0, "", "it is of a LoadBalancer Service"},
		{"externalIPs", len(s.ExternalIPs) > 0, "", proxied},
		{"publishNotReadyAddresses", s.PublishNotReadyAddresses, "", "an alias has no Pods"},
	}
}

type typedField struct {
	name string
	set  bool
	leaf string
	why  string
}

// serviceDetails checks what is beyond name, type and ports.
func (v *validator) serviceDetails(a *App) {
	const at = "spec.service."
	s := a.Spec.Service
	if a.Spec.Workload == nil {
		for _, f := range s.typedFields() {
			if f.set {
				name := at + f.name
				if f.leaf != "" {
					name = at + f.name + "[0]." + f.leaf
				}
				v.add(name, "", "has no use in an ExternalName Service: "+f.why, "remove it, or give the app a workload")
			}
		}
		return
	}
	v.traffic(s)
	limits.OneOf(v.at(at+"ipFamilyPolicy"), s.IPFamilyPolicy, corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack)
	limits.Families(v.at(at+"ipFamilies"), s.IPFamilies, len(s.IPFamilies) > 1, s.IPFamilyPolicy == "" || s.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack)
	v.loadBalancer(s)
	for i, ip := range s.ExternalIPs {
		limits.ExternalIP(v.at(fmt.Sprintf("%sexternalIPs[%d]", at, i)), ip)
	}
}

func (v *validator) traffic(s Service) {
	const at = "spec.service."
	limits.OneOf(v.at(at+"externalTrafficPolicy"), s.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	limits.OneOf(v.at(at+"internalTrafficPolicy"), s.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)
	if s.TrafficDistribution != "" {
		limits.TrafficDistribution(v.at(at+"trafficDistribution"), s.TrafficDistribution)
	}
	limits.OneOf(v.at(at+"sessionAffinity"), s.SessionAffinity, corev1.ServiceAffinityNone, corev1.ServiceAffinityClientIP)
	c := s.SessionAffinityConfig
	if c == nil {
		return
	}
	if s.SessionAffinity != corev1.ServiceAffinityClientIP {
		v.add(at+"sessionAffinityConfig", "", "says how long an affinity lasts, and there is none", "write sessionAffinity: ClientIP, or remove it")
	}
	limits.AffinityTimeout(v.at(at+"sessionAffinityConfig"), c)
}

func (v *validator) loadBalancer(s Service) {
	const at = "spec.service."
	if s.LoadBalancerClass != "" {
		limits.LoadBalancerClass(v.at(at+"loadBalancerClass"), s.LoadBalancerClass)
	}
	for i, r := range s.LoadBalancerSourceRanges {
		limits.CIDR(v.at(fmt.Sprintf("%sloadBalancerSourceRanges[%d]", at, i)), r)
	}
	if p := s.HealthCheckNodePort; p != 0 {
		limits.Port(v.at(at+"healthCheckNodePort"), p)
		if s.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
			v.add(at+"healthCheckNodePort", strconv.Itoa(int(p)), "has a use only where load balancers must know which nodes have Pods, which is with externalTrafficPolicy Local",
				"write externalTrafficPolicy: Local, or remove it")
		}
	}
	seen := map[containerPort]int{}
	for i, p := range s.Ports {
		if p.NodePort == 0 {
			continue
		}
		field := fmt.Sprintf("%sports[%d].nodePort", at, i)
		limits.Port(v.at(field), p.NodePort)
		key := containerPort{p.NodePort, p.Protocol}
		if first, twice := seen[key]; twice {
			v.add(field, strconv.Itoa(int(p.NodePort)), fmt.Sprintf("is there twice with protocol %s: also as ports[%d]", p.Protocol, first), "give each port a node port of its own")
		} else {
			seen[key] = i
		}
		if p.NodePort == s.HealthCheckNodePort && p.Protocol == corev1.ProtocolTCP {
			v.add(field, strconv.Itoa(int(p.NodePort)), "is the healthCheckNodePort too", "give each a port of its own")
		}
	}
}

// metadata checks labels and annotations, whose fields begin with field; reserved
// are labels that are not theirs to set.
func (v *validator) metadata(field string, labels, annotations map[string]string, reserved ...string) {
	limits.Metadata(v.at(strings.TrimSuffix(field, ".")), labels, annotations)
	for _, key := range sortedKeys(labels) {
		if slices.Contains(reserved, key) {
			v.add(field+"labels."+key, labels[key], "is set by the generator, as others find the objects by it", "remove it")
		}
	}
	for _, key := range sortedKeys(annotations) {
		v.texts(field+"annotations."+key, []string{annotations[key]})
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// targetPort checks where a port of the Service leads.
func (v *validator) targetPort(a *App, field string, p ServicePort) {
	switch {
	case p.TargetPort == intstr.IntOrString{} && a.Spec.Workload == nil:
	case p.TargetPort.Type == intstr.Int:
		// A target that only repeats the port has been told of with it.
		if p.TargetPort.IntVal != p.Port {
			limits.Port(v.at(field), p.TargetPort.IntVal)
		}
	case a.Spec.Workload == nil:
		v.add(field, p.TargetPort.StrVal, "names a port of a container, and there is none", "remove it")
	case a.targetNumber(p) == 0:
		var names []string
		for _, c := range a.Spec.Workload.Ports {
			if c.Name != "" && protocolOf(c) == p.Protocol {
				names = append(names, c.Name)
			}
		}
		next := "name the port in workload.ports, or give its number"
		if len(names) > 0 {
			next = "one of " + strings.Join(names, ", ") + ", or a number"
		}
		v.add(field, p.TargetPort.StrVal, fmt.Sprintf("is the name of no %s port of the workload", p.Protocol)+didYouMean(p.TargetPort.StrVal, names), next)
	}
}
