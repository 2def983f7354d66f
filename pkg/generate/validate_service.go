package generate

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
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
	v.families(s)
	v.loadBalancer(s)
	for i, ip := range s.ExternalIPs {
		addr, err := netip.ParseAddr(ip)
		field := fmt.Sprintf("%sexternalIPs[%d]", at, i)
		switch {
		case err != nil || addr.Zone() != "" || addr.Is4In6():
			v.add(field, ip, "is not an IP address", "such as 192.0.2.10")
		case addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsLinkLocalMulticast() || addr.IsUnspecified():
			v.add(field, ip, "is a loopback, link-local or unspecified address, which nobody can route to a node", "name one that is routed to the nodes")
		}
	}
}

func (v *validator) traffic(s Service) {
	const at = "spec.service."
	oneOf(v, at+"externalTrafficPolicy", s.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	oneOf(v, at+"internalTrafficPolicy", s.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)
	oneOf(v, at+"trafficDistribution", s.TrafficDistribution, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode, corev1.ServiceTrafficDistributionPreferClose)
	oneOf(v, at+"sessionAffinity", s.SessionAffinity, corev1.ServiceAffinityNone, corev1.ServiceAffinityClientIP)
	c := s.SessionAffinityConfig
	if c == nil {
		return
	}
	if s.SessionAffinity != corev1.ServiceAffinityClientIP {
		v.add(at+"sessionAffinityConfig", "", "says how long an affinity lasts, and there is none", "write sessionAffinity: ClientIP, or remove it")
	}
	const maxSeconds = 86400 // validateClientIPAffinityConfig
	if c.ClientIP == nil || c.ClientIP.TimeoutSeconds == nil {
		return // the API server takes it for three hours (SetDefaults_Service)
	}
	if t := *c.ClientIP.TimeoutSeconds; t < 1 || t > maxSeconds {
		v.add(at+"sessionAffinityConfig.clientIP.timeoutSeconds", strconv.Itoa(int(t)), "is out of range", "1 to 86400, a day")
	}
}

// oneOf demands one of the API's values, or none.
func oneOf[T ~string](v *validator, field string, value T, known ...T) {
	if value == "" || slices.Contains(known, value) {
		return
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	v.add(field, string(value), "is not a value that it takes"+didYouMean(string(value), names), "one of "+strings.Join(names, ", "))
}

func (v *validator) families(s Service) {
	const at = "spec.service."
	oneOf(v, at+"ipFamilyPolicy", s.IPFamilyPolicy, corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack)
	for i, f := range s.IPFamilies {
		field := fmt.Sprintf("%sipFamilies[%d]", at, i)
		oneOf(v, field, f, corev1.IPv4Protocol, corev1.IPv6Protocol)
		if slices.Index(s.IPFamilies, f) < i {
			v.add(field, string(f), "is there twice", "remove one")
		}
	}
	if len(s.IPFamilies) > 1 && (s.IPFamilyPolicy == "" || s.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack) {
		v.add(at+"ipFamilies", "", "names two families, and the Service has one: ipFamilyPolicy is SingleStack, also when it is not given",
			"write ipFamilyPolicy: PreferDualStack (or RequireDualStack), or name one family")
	}
}

func (v *validator) loadBalancer(s Service) {
	const at = "spec.service."
	if s.LoadBalancerClass != "" && len(validation.IsQualifiedName(s.LoadBalancerClass)) > 0 {
		v.add(at+"loadBalancerClass", s.LoadBalancerClass, strings.Join(validation.IsQualifiedName(s.LoadBalancerClass), "; "), "such as example.com/internal")
	}
	for i, r := range s.LoadBalancerSourceRanges {
		v.cidr(fmt.Sprintf("%sloadBalancerSourceRanges[%d]", at, i), r)
	}
	if p := s.HealthCheckNodePort; p != 0 {
		v.portNumber(at+"healthCheckNodePort", p)
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
		v.portNumber(field, p.NodePort)
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

// cidr demands an address range in the form in which the API takes new ones.
func (v *validator) cidr(field, value string) {
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		next := "such as 192.0.2.0/24"
		if addr, err := netip.ParseAddr(value); err == nil {
			next = fmt.Sprintf("for one address write %s/%d", value, addr.BitLen())
		}
		v.add(field, value, "is not a range of addresses (CIDR)", next)
	case prefix.Masked() != prefix:
		v.add(field, value, "has bits set beyond its length", "write "+prefix.Masked().String())
	}
}

// metadata checks labels and annotations, whose fields begin with field; reserved
// are labels that are not theirs to set.
func (v *validator) metadata(field string, labels, annotations map[string]string, reserved ...string) {
	for _, key := range sortedKeys(labels) {
		at := field + "labels." + key
		if errs := validation.IsQualifiedName(key); len(errs) > 0 {
			v.add(at, "", "is not a label's name: "+strings.Join(errs, "; "), "such as app.kubernetes.io/part-of")
		}
		if errs := validation.IsValidLabelValue(labels[key]); len(errs) > 0 {
			v.add(at, labels[key], "is not a label's value: "+strings.Join(errs, "; "), "")
		}
		if slices.Contains(reserved, key) {
			v.add(at, labels[key], "is set by the generator, as others find the objects by it", "remove it")
		}
	}
	size := 0
	for _, key := range sortedKeys(annotations) {
		at := field + "annotations." + key
		size += len(key) + len(annotations[key])
		if errs := validation.IsQualifiedName(strings.ToLower(key)); len(errs) > 0 {
			v.add(at, "", "is not an annotation's name: "+strings.Join(errs, "; "), "such as example.com/owner")
		}
		v.texts(at, []string{annotations[key]})
	}
	if size > apivalidation.TotalAnnotationSizeLimitB {
		v.add(field+"annotations", "", fmt.Sprintf("hold %d bytes in all; %d is the most", size, apivalidation.TotalAnnotationSizeLimitB), "keep large data in a ConfigMap")
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
			v.portNumber(field, p.TargetPort.IntVal)
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
