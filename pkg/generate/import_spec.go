package generate

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// serviceOf says in a Spec what a cleaned Service says.
func serviceOf(s *corev1.Service) Service {
	out := Service{
		Name: s.Name, Type: ServiceType(s.Spec.Type),
		ExternalName:                  s.Spec.ExternalName,
		Annotations:                   s.Annotations,
		ExternalTrafficPolicy:         s.Spec.ExternalTrafficPolicy,
		SessionAffinity:               s.Spec.SessionAffinity,
		SessionAffinityConfig:         s.Spec.SessionAffinityConfig,
		IPFamilies:                    s.Spec.IPFamilies,
		LoadBalancerSourceRanges:      s.Spec.LoadBalancerSourceRanges,
		AllocateLoadBalancerNodePorts: s.Spec.AllocateLoadBalancerNodePorts,
		HealthCheckNodePort:           s.Spec.HealthCheckNodePort,
		ExternalIPs:                   s.Spec.ExternalIPs,
		PublishNotReadyAddresses:      s.Spec.PublishNotReadyAddresses,
	}
	if s.Spec.ClusterIP == corev1.ClusterIPNone {
		out.Type = Headless
	}
	if p := s.Spec.InternalTrafficPolicy; p != nil {
		out.InternalTrafficPolicy = *p
	}
	if p := s.Spec.TrafficDistribution; p != nil {
		out.TrafficDistribution = *p
	}
	if p := s.Spec.IPFamilyPolicy; p != nil {
		out.IPFamilyPolicy = *p
	}
	if c := s.Spec.LoadBalancerClass; c != nil {
		out.LoadBalancerClass = *c
	}
	if s.Spec.Type != corev1.ServiceTypeExternalName {
		out.ExternalName = ""
	}
	for _, p := range s.Spec.Ports {
		port := ServicePort{Name: p.Name, Port: p.Port, TargetPort: p.TargetPort, Protocol: p.Protocol, NodePort: p.NodePort}
		if out.Type == ExternalName {
			port.TargetPort = intstr.IntOrString{}
		}
		if p.AppProtocol != nil {
			port.AppProtocol = *p.AppProtocol
		}
		out.Ports = append(out.Ports, port)
	}
	return out
}

// workloadOf says in a Spec what a cleaned workload says of its first container.
func workloadOf(d *appsv1.Deployment, s *corev1.Service) *Workload {
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	for _, other := range pod.Containers {
		for _, p := range other.Ports {
			if len(s.Spec.Ports) > 0 && (p.Name != "" && p.Name == s.Spec.Ports[0].TargetPort.StrVal || p.ContainerPort == s.Spec.Ports[0].TargetPort.IntVal) {
				c = other // the one that the Service leads to is the app; others serve it
			}
		}
	}
	w := &Workload{
		Image: c.Image, ImagePullPolicy: c.ImagePullPolicy, ImagePullSecrets: pod.ImagePullSecrets,
		Replicas: d.Spec.Replicas, Command: c.Command, Args: c.Args,
		Env: c.Env, EnvFrom: c.EnvFrom,
		ReadinessProbe: c.ReadinessProbe, LivenessProbe: c.LivenessProbe, StartupProbe: c.StartupProbe,
		ServiceAccountName: pod.ServiceAccountName,
		NodeSelector:       pod.NodeSelector,
		PriorityClassName:  pod.PriorityClassName,
	}
	for _, p := range c.Ports {
		if p.Name != "" {
			w.Ports = append(w.Ports, p)
		}
	}
	if len(c.Resources.Requests)+len(c.Resources.Limits) > 0 {
		w.Resources = &c.Resources
	}
	return w
}

// targetNumber is the number behind a Service's target port.
func targetNumber(p corev1.ServicePort, containers []corev1.Container) intstr.IntOrString {
	if p.TargetPort.StrVal == "" {
		return p.TargetPort
	}
	for _, c := range containers {
		for _, cp := range c.Ports {
			if cp.Name == p.TargetPort.StrVal {
				return intstr.FromInt32(cp.ContainerPort)
			}
		}
	}
	return intstr.FromInt32(p.Port)
}
