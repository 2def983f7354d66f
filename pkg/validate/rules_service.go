package validate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// service holds a Service's fields against its type and each other.
func (r *ruling) service(o *object) {
	s := &o.service.Spec
	typ := s.Type
	if typ == "" {
		typ = corev1.ServiceTypeClusterIP
	}
	if msgs := validation.IsDNS1123Label(o.name); len(msgs) > 0 {
		r.add(o, Error, "name", path{"metadata", "name"}, fmt.Sprintf("%s is no name of a Service: %s", show(o.name), msgs[0]), "")
	} else if len(validation.IsDNS1035Label(o.name)) > 0 {
		r.add(o, Warning, "name", path{"metadata", "name"}, "begins with a digit, which Kubernetes before 1.36 refuses", "")
	}
	r.staleFields(o, typ)
	r.ports(o, typ)
	if typ == corev1.ServiceTypeExternalName {
		r.externalName(o)
		return
	}
	if s.ExternalName != "" {
		r.add(o, Warning, "external-name", path{"spec", "externalName"}, "means nothing to a Service of type "+string(typ), "remove it")
	}
	if s.ClusterIP == corev1.ClusterIPNone {
		r.headless(o, typ)
	} else if s.ClusterIP != "" {
		r.add(o, Warning, "cluster-ip", path{"spec", "clusterIP"}, "pins an address that the cluster chooses; another cluster has others", "leave it out")
	}
	if c := s.SessionAffinityConfig; c != nil && s.SessionAffinity != corev1.ServiceAffinityClientIP {
		r.add(o, Warning, "session-affinity", path{"spec", "sessionAffinityConfig"}, "is dropped by the API server without sessionAffinity: ClientIP", "write sessionAffinity: ClientIP, or remove it")
	} else {
		limits.AffinityTimeout(r.report(o, "session-affinity", path{"spec", "sessionAffinityConfig"}), c)
	}
}

// staleFields finds what another type has left behind: kustomize keeps it when
// a patch changes the type only, and the API server refuses it.
func (r *ruling) staleFields(o *object, typ corev1.ServiceType) {
	s := &o.service.Spec
	stale := func(there bool, at path, only string) {
		if there {
			next := "remove it"
			if len(o.from) > 1 {
				next = "remove it; in a patch, set it to null (a port's item needs its port and protocol too)"
			}
			r.add(o, Error, "type", at, fmt.Sprintf("is refused for type %s: it belongs to %s", typ, only), next)
		}
	}
	balanced, exposed := typ == corev1.ServiceTypeLoadBalancer, typ == corev1.ServiceTypeLoadBalancer || typ == corev1.ServiceTypeNodePort
	if !exposed {
		for i, p := range s.Ports {
			at := path{"spec", "ports", i, "nodePort"}
			if typ == corev1.ServiceTypeExternalName && p.NodePort != 0 {
				r.add(o, Warning, "type", at, "is ignored: an ExternalName Service has no port on a node", "remove it; in a patch, set it to null")
				continue
			}
			stale(p.NodePort != 0, at, "NodePort and LoadBalancer")
		}
		stale(s.ExternalTrafficPolicy != "" && len(s.ExternalIPs) == 0, path{"spec", "externalTrafficPolicy"}, "NodePort and LoadBalancer")
	}
	if !balanced {
		stale(s.AllocateLoadBalancerNodePorts != nil, path{"spec", "allocateLoadBalancerNodePorts"}, "LoadBalancer")
		stale(s.LoadBalancerClass != nil, path{"spec", "loadBalancerClass"}, "LoadBalancer")
		stale(len(s.LoadBalancerSourceRanges) > 0, path{"spec", "loadBalancerSourceRanges"}, "LoadBalancer")
	}
	stale(s.HealthCheckNodePort != 0 && !(balanced && s.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal),
		path{"spec", "healthCheckNodePort"}, "LoadBalancer with externalTrafficPolicy Local")
	if typ == corev1.ServiceTypeExternalName {
		others := "every type but ExternalName"
		stale(s.ClusterIP != "", path{"spec", "clusterIP"}, others)
		stale(len(s.ClusterIPs) > 0 && s.ClusterIP == "", path{"spec", "clusterIPs"}, others)
		stale(len(s.IPFamilies) > 0, path{"spec", "ipFamilies"}, others)
		stale(s.IPFamilyPolicy != nil, path{"spec", "ipFamilyPolicy"}, others)
	}
}

func (r *ruling) externalName(o *object) {
	s := &o.service.Spec
	at := path{"spec", "externalName"}
	host := strings.TrimSuffix(s.ExternalName, ".")
	_, notAddress := netip.ParseAddr(host)
	switch {
	case s.ExternalName == "":
		r.add(o, Error, "external-name", at, "is missing", "name the host that the Service stands for")
	case notAddress == nil:
		r.add(o, Error, "external-name", at, "is an IP address: the name resolves to nothing", "for an address, make a headless Service without selector and an EndpointSlice")
	case len(validation.IsDNS1123Subdomain(host)) > 0:
		r.add(o, Error, "external-name", at, show(s.ExternalName)+" is no host name", "such as db.example.com")
	}
	if len(s.Selector) > 0 {
		r.add(o, Warning, "external-name", path{"spec", "selector"}, "is ignored: the name stands for "+show(s.ExternalName), "remove it")
	}
}

func (r *ruling) headless(o *object, typ corev1.ServiceType) {
	s := &o.service.Spec
	if typ != corev1.ServiceTypeClusterIP {
		r.add(o, Error, "type", path{"spec", "clusterIP"}, "None is refused for type "+string(typ), "remove it: only ClusterIP can be headless")
		return
	}
	if s.SessionAffinity == corev1.ServiceAffinityClientIP {
		r.add(o, Warning, "headless", path{"spec", "sessionAffinity"}, "is ignored: clients of a headless Service reach Pods directly", "remove it")
	}
	for i, p := range s.Ports {
		if p.TargetPort.StrVal == "" && p.TargetPort.IntVal != 0 && p.TargetPort.IntVal != p.Port {
			r.add(o, Warning, "headless", path{"spec", "ports", i, "port"}, fmt.Sprintf("nothing translates port %d to %d: the name of a headless Service is that of its Pods", p.Port, p.TargetPort.IntVal), "make them equal")
		}
	}
}

func (r *ruling) ports(o *object, typ corev1.ServiceType) {
	s := &o.service.Spec
	if len(s.Ports) == 0 && typ != corev1.ServiceTypeExternalName && s.ClusterIP != corev1.ClusterIPNone {
		r.add(o, Error, "ports", path{"spec", "ports"}, "is missing", "a Service has one port at least")
	}
	type key struct {
		port     int32
		protocol corev1.Protocol
	}
	numbers, names := map[key]int{}, map[string]int{}
	for i, p := range s.Ports {
		at := path{"spec", "ports", i}
		limits.Port(r.report(o, "ports", at.with("port")), p.Port)
		if t := p.TargetPort; t.StrVal != "" || t.IntVal != 0 {
			limits.PortOrName(r.report(o, "ports", at.with("targetPort")), t)
		}
		if p.NodePort != 0 && (p.NodePort < 30000 || p.NodePort > 32767) {
			r.add(o, Warning, "node-port", at.with("nodePort"), fmt.Sprintf("%d is outside of 30000-32767, the range that clusters have unless told otherwise", p.NodePort), "")
		}
		switch {
		case p.Name == "" && len(s.Ports) > 1:
			r.add(o, Error, "ports", at, "has no name; with more than one port, each needs one", "")
		case p.Name != "" && len(validation.IsDNS1123Label(p.Name)) > 0:
			r.add(o, Error, "ports", at.with("name"), fmt.Sprintf("%s is no port's name: %s", show(p.Name), validation.IsDNS1123Label(p.Name)[0]), "")
		}
		if first, twice := names[p.Name]; twice && p.Name != "" {
			r.add(o, Error, "ports", at.with("name"), fmt.Sprintf("%s is the name of ports[%d] too", show(p.Name), first), "")
		}
		names[p.Name] = i
		if shares := slices.ContainsFunc(s.Ports, func(q corev1.ServicePort) bool { return q.Port == p.Port && q.Protocol != p.Protocol }); shares && p.Protocol == "" {
			r.add(o, Warning, "port-protocol", at, fmt.Sprintf("has no protocol, and shares its number %d with another port: patches and client-side apply take the one for the other", p.Port), "write protocol: TCP")
		}
		k := key{p.Port, p.Protocol}
		if k.protocol == "" {
			k.protocol = corev1.ProtocolTCP
		}
		if first, twice := numbers[k]; twice {
			r.add(o, Error, "ports", at.with("port"), fmt.Sprintf("%d/%s is ports[%d] too", k.port, k.protocol, first), "remove one")
		}
		numbers[k] = i
	}
}
