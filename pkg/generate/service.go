package generate

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// nameLabel carries the app's name, and is the whole of the selector: a
// Deployment's selector can never change, so nothing that may (a version, an
// environment) belongs into it.
const nameLabel = "app.kubernetes.io/name"

func (a *App) labels() map[string]string {
	return map[string]string{nameLabel: a.Metadata.Name}
}

func (a *App) serviceMeta() (metav1.TypeMeta, metav1.ObjectMeta) {
	return metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		metav1.ObjectMeta{Name: a.Spec.Service.Name, Labels: a.labels()}
}

// baseService is the Service that every overlay but externalname departs from:
// of type ClusterIP, with nothing in it that another type would have to undo.
func (a *App) baseService() *corev1.Service {
	s := &corev1.Service{}
	s.TypeMeta, s.ObjectMeta = a.serviceMeta()
	s.Spec.Type = corev1.ServiceTypeClusterIP
	s.Spec.Selector = a.labels()
	s.Spec.Ports = a.servicePorts()
	return s
}

func (a *App) servicePorts() []corev1.ServicePort {
	names := a.containerPortNames()
	var out []corev1.ServicePort
	for _, p := range a.Spec.Service.Ports {
		port := apiPort(p)
		port.TargetPort = intstr.FromString(names[containerPort{p.TargetPort, p.Protocol}])
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

// externalService is the Service as a DNS alias. It has no selector, as it has
// no Pods. Its ports say what the host behind it serves; Kubernetes does nothing
// with them, but whoever verifies the alias learns what to ask there.
func (a *App) externalService() *externalNameService {
	s := &externalNameService{}
	s.TypeMeta, s.ObjectMeta = a.serviceMeta()
	s.Spec.Type = corev1.ServiceTypeExternalName
	s.Spec.ExternalName = a.Spec.Service.ExternalName
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
}

func (a *App) servicePatch(t ServiceType) *servicePatch {
	p := &servicePatch{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}}
	p.Metadata.Name = a.Spec.Service.Name
	switch t {
	case NodePort:
		p.Spec.Type = corev1.ServiceTypeNodePort
	case LoadBalancer:
		p.Spec.Type = corev1.ServiceTypeLoadBalancer
	case Headless:
		p.Spec.ClusterIP = corev1.ClusterIPNone
		p.Spec.Ports = a.headlessPorts()
	}
	return p
}

// headlessPorts returns the list that replaces the Service's ports, nil when
// they can stay. A headless Service's name resolves to the Pods themselves and
// nothing translates ports on the way, so a port that differs from its target
// would be refused: each becomes its target.
func (a *App) headlessPorts() []any {
	differs := false
	names := a.containerPortNames()
	seen := map[containerPort]bool{}
	list := []any{map[string]string{"$patch": "replace"}}
	for _, p := range a.Spec.Service.Ports {
		target := containerPort{p.TargetPort, p.Protocol}
		differs = differs || p.Port != p.TargetPort
		if seen[target] {
			continue // two ports of the Service that lead to one of the container are one here
		}
		seen[target] = true
		port := apiPort(p)
		port.Port = p.TargetPort
		port.TargetPort = intstr.FromString(names[target])
		list = append(list, port)
	}
	if !differs {
		return nil
	}
	return list
}
