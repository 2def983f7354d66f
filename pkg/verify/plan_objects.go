package verify

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// declares reports whether a Pod declares a port number for a protocol.
func declares(pod *corev1.Pod, number int32, proto corev1.Protocol) bool {
	for _, ctr := range served(pod) {
		for _, cp := range ctr.Ports {
			if cp.ContainerPort == number && protocolOf(cp.Protocol) == proto {
				return true
			}
		}
	}
	return false
}

func declaresAny(pod *corev1.Pod) bool {
	return slices.ContainsFunc(served(pod), func(ctr *corev1.Container) bool { return len(ctr.Ports) > 0 })
}

// declaredPorts lists the TCP ports that a Pod's containers declare.
func declaredPorts(pod *corev1.Pod, except int32) []int32 {
	return declaredFor(pod, corev1.ProtocolTCP, except)
}

// declaredFor lists the ports of one protocol that a Pod's containers declare.
func declaredFor(pod *corev1.Pod, proto corev1.Protocol, except int32) []int32 {
	var out []int32
	for _, ctr := range served(pod) {
		for _, cp := range ctr.Ports {
			if protocolOf(cp.Protocol) == protocolOf(proto) && cp.ContainerPort != except && len(out) < 8 {
				out = append(out, cp.ContainerPort)
			}
		}
	}
	return out
}

// serviceName is the name under which a Service is known in its cluster,
// without the cluster's domain, which the resolver adds.
func serviceName(svc *corev1.Service) string { return svc.Name + "." + svc.Namespace + ".svc" }

// clusterIPs returns a Service's addresses; none for a headless one.
func clusterIPs(svc *corev1.Service) []string {
	ips := svc.Spec.ClusterIPs
	if len(ips) == 0 && svc.Spec.ClusterIP != "" {
		ips = []string{svc.Spec.ClusterIP}
	}
	var out []string
	for _, ip := range ips {
		if ip != corev1.ClusterIPNone && ip != "" {
			out = append(out, ip)
		}
	}
	return out
}

func headless(svc *corev1.Service) bool {
	return svc.Spec.Type != corev1.ServiceTypeExternalName && svc.Spec.ClusterIP == corev1.ClusterIPNone
}

// ingressHosts returns the addresses that a load balancer has been given.
func ingressHosts(svc *corev1.Service) []string {
	var out []string
	if svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	for _, in := range svc.Status.LoadBalancer.Ingress {
		switch {
		case in.IP != "":
			out = append(out, in.IP)
		case in.Hostname != "":
			out = append(out, in.Hostname)
		}
	}
	return out
}
