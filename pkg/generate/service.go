package generate

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nameLabel carries the app's name, and is the whole of the selector: a
// Deployment's selector can never change, so nothing that may (a version, an
// environment) belongs into it.
const nameLabel = "app.kubernetes.io/name"

func (a *App) labels() map[string]string {
	return map[string]string{nameLabel: a.Metadata.Name}
}

func (a *App) serviceMeta() (metav1.TypeMeta, metav1.ObjectMeta) {
	labels := a.labels()
	maps.Copy(labels, a.Spec.Service.Labels)
	return metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		metav1.ObjectMeta{Name: a.Spec.Service.Name, Labels: labels, Annotations: a.Spec.Service.Annotations}
}

// baseService is the Service that every overlay but externalname departs from:
// of type ClusterIP, with nothing in it that another type would have to undo.
func (a *App) baseService() *corev1.Service {
	s := &corev1.Service{}
	s.TypeMeta, s.ObjectMeta = a.serviceMeta()
	s.Spec.Type = corev1.ServiceTypeClusterIP
	s.Spec.Selector = a.labels()
	s.Spec.Ports = a.servicePorts()
	s.Spec.IPFamilies = a.Spec.Service.IPFamilies
	if p := a.Spec.Service.IPFamilyPolicy; p != "" {
		s.Spec.IPFamilyPolicy = &p
	}
	s.Spec.PublishNotReadyAddresses = a.Spec.Service.PublishNotReadyAddresses
	return s
}

func (a *App) servicePorts() []corev1.ServicePort {
	targets := a.targetPorts()
	var out []corev1.ServicePort
	for _, p := range a.Spec.Service.Ports {
		port := apiPort(p)
		port.TargetPort = targets[a.target(p)]
		out = append(out, port)
	}
	return out
}

func apiPort(p ServicePort) corev1.ServicePort {
	port := corev1.ServicePort{Name: p.Name, Protocol: p.Protocol, Port: p.Port}
	if p.AppProtocol != "" {
		port.AppProtocol = &p.AppProtocol
	}
	return port
}

// externalService is the Service as a DNS alias of host. It has no selector, as
// it has no Pods. Its ports say what the host behind it serves; Kubernetes does
// nothing with them, but whoever verifies the alias learns what to ask there.
func (a *App) externalService(host string) *externalNameService {
	s := &externalNameService{}
	s.TypeMeta, s.ObjectMeta = a.serviceMeta()
	s.Spec.Type = corev1.ServiceTypeExternalName
	s.Spec.ExternalName = host
	for _, p := range a.Spec.Service.Ports {
		port := externalPort{Name: p.Name, Protocol: p.Protocol, AppProtocol: p.AppProtocol, Port: p.Port}
		s.Spec.Ports = append(s.Spec.Ports, port)
	}
	return s
}

// externalNameService and externalPort are the API's Service without
// ports[].targetPort: the API's own type writes it as 0 when there is none.
type externalNameService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Type         corev1.ServiceType `json:"type"`
		ExternalName string             `json:"externalName"`
		Ports        []externalPort     `json:"ports,omitempty"`
	} `json:"spec"`
}

type externalPort struct {
	Name        string          `json:"name"`
	Protocol    corev1.Protocol `json:"protocol"`
	AppProtocol string          `json:"appProtocol,omitempty"`
	Port        int32           `json:"port"`
}

// servicePatch turns the base's Service into another type. It is a strategic
// merge patch, so it names what differs and nothing else.
type servicePatch struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec servicePatchSpec `json:"spec"`
}

type servicePatchSpec struct {
	Type      corev1.ServiceType `json:"type,omitempty"`
	ClusterIP string             `json:"clusterIP,omitempty"`
	Ports     []any              `json:"ports,omitempty"`

	ExternalIPs                   []string                            `json:"externalIPs,omitempty"`
	ExternalTrafficPolicy         corev1.ServiceExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`
	InternalTrafficPolicy         corev1.ServiceInternalTrafficPolicy `json:"internalTrafficPolicy,omitempty"`
	TrafficDistribution           string                              `json:"trafficDistribution,omitempty"`
	SessionAffinity               corev1.ServiceAffinity              `json:"sessionAffinity,omitempty"`
	SessionAffinityConfig         *corev1.SessionAffinityConfig       `json:"sessionAffinityConfig,omitempty"`
	LoadBalancerClass             string                              `json:"loadBalancerClass,omitempty"`
	LoadBalancerSourceRanges      []string                            `json:"loadBalancerSourceRanges,omitempty"`
	AllocateLoadBalancerNodePorts *bool                               `json:"allocateLoadBalancerNodePorts,omitempty"`
	HealthCheckNodePort           int32                               `json:"healthCheckNodePort,omitempty"`
}

// pinnedPort names a port of the base's Service by what identifies it (port and
// protocol: without the latter nothing happens where two ports share a number).
type pinnedPort struct {
	Port     int32           `json:"port"`
	Protocol corev1.Protocol `json:"protocol"`
	NodePort int32           `json:"nodePort"`
}

func (a *App) emptyPatch() *servicePatch {
	p := &servicePatch{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}}
	p.Metadata.Name = a.Spec.Service.Name
	return p
}

// servicePatch returns the patch of a type's overlay; nil when the base's Service
// needs none. Only what the type has a use for is in it.
func (a *App) servicePatch(t ServiceType) *servicePatch {
	p := a.emptyPatch()
	if t == Headless {
		// No proxy is in the way of its traffic, so nothing of the rest applies.
		p.Spec.ClusterIP = corev1.ClusterIPNone
		p.Spec.Ports = a.headlessPorts()
		return p
	}
	s := a.Spec.Service
	p.Spec.ExternalIPs = s.ExternalIPs
	p.Spec.InternalTrafficPolicy = s.InternalTrafficPolicy
	p.Spec.TrafficDistribution = s.TrafficDistribution
	p.Spec.SessionAffinity = s.SessionAffinity
	p.Spec.SessionAffinityConfig = s.SessionAffinityConfig
	if t != ClusterIP || len(s.ExternalIPs) > 0 {
		p.Spec.ExternalTrafficPolicy = s.ExternalTrafficPolicy
	}
	if t == NodePort || t == LoadBalancer {
		p.Spec.Type = corev1.ServiceType(t)
		for _, port := range s.Ports {
			if port.NodePort != 0 {
				p.Spec.Ports = append(p.Spec.Ports, pinnedPort{port.Port, port.Protocol, port.NodePort})
			}
		}
	}
	if t == LoadBalancer {
		p.Spec.LoadBalancerClass = s.LoadBalancerClass
		p.Spec.LoadBalancerSourceRanges = s.LoadBalancerSourceRanges
		p.Spec.AllocateLoadBalancerNodePorts = s.AllocateLoadBalancerNodePorts
		p.Spec.HealthCheckNodePort = s.HealthCheckNodePort
	}
	if p.Spec.empty() {
		return nil
	}
	return p
}

func (s servicePatchSpec) empty() bool {
	return s.Type == "" && s.ClusterIP == "" && len(s.Ports) == 0 && len(s.ExternalIPs) == 0 && s.ExternalTrafficPolicy == "" &&
		s.InternalTrafficPolicy == "" && s.TrafficDistribution == "" && s.SessionAffinity == "" && s.SessionAffinityConfig == nil
}

// headlessPorts returns the list that replaces the Service's ports, nil when
// they can stay. A headless Service's name resolves to the Pods themselves and
// nothing translates ports on the way, so a port that differs from its target
// would be refused: each becomes its target.
func (a *App) headlessPorts() []any {
	differs := false
	targets := a.targetPorts()
	seen := map[containerPort]bool{}
	list := []any{map[string]string{"$patch": "replace"}}
	for _, p := range a.Spec.Service.Ports {
		target := a.target(p)
		differs = differs || p.Port != target.number
		if seen[target] {
			continue // two ports of the Service that lead to one of the container are one here
		}
		seen[target] = true
		port := apiPort(p)
		port.Port = target.number
		port.TargetPort = targets[target]
		list = append(list, port)
	}
	if !differs {
		return nil
	}
	return list
}
