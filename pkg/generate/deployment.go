package generate

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// containerPort identifies a port of the container.
type containerPort struct {
	number   int32
	protocol corev1.Protocol
}

// containerPortNames gives each port of the container its name: that of the
// first port of the Service that leads to it.
func (a *App) containerPortNames() map[containerPort]string {
	names := map[containerPort]string{}
	for _, p := range a.Spec.Service.Ports {
		key := containerPort{p.TargetPort, p.Protocol}
		if _, ok := names[key]; !ok {
			names[key] = p.Name
		}
	}
	return names
}

// containerPorts are the ports of the container, in the order in which the
// Service first names them.
func (a *App) containerPorts() []corev1.ContainerPort {
	names := a.containerPortNames()
	var out []corev1.ContainerPort
	for _, p := range a.Spec.Service.Ports {
		key := containerPort{p.TargetPort, p.Protocol}
		if names[key] == p.Name {
			out = append(out, corev1.ContainerPort{Name: p.Name, ContainerPort: p.TargetPort, Protocol: p.Protocol})
		}
	}
	return out
}

func (a *App) deployment() *appsv1.Deployment {
	replicas := int32(1)
	if a.Spec.Workload.Replicas != nil {
		replicas = *a.Spec.Workload.Replicas
	}
	known, _ := presetFor(a.Spec.Workload.Image)
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: a.Metadata.Name, Labels: a.labels()},
	}
	d.Spec.Replicas = &replicas
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: a.labels()}
	d.Spec.Template.Labels = a.labels()
	d.Spec.Template.Spec = a.podSpec(known)
	return d
}

// podSpec is a Pod that the restricted Pod Security standard admits.
func (a *App) podSpec(known preset) corev1.PodSpec {
	// The app is not known to call the API, so it gets no token to do so; nor does
	// it get a variable for each Service of the namespace, which some images trip
	// over (REDIS_PORT=tcp://… where they expect a number).
	no, yes := false, true
	spec := corev1.PodSpec{
		AutomountServiceAccountToken: &no,
		EnableServiceLinks:           &no,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   &yes,
			RunAsUser:      &known.user,
			RunAsGroup:     &known.group,
			FSGroup:        &known.group,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{a.container(known)},
	}
	for _, m := range known.writable {
		limit := resource.MustParse(m.limit)
		spec.Volumes = append(spec.Volumes, corev1.Volume{
			Name:         m.name,
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &limit}},
		})
	}
	for _, p := range a.containerPorts() {
		if p.ContainerPort < 1024 {
			// Without it only root may listen there; the restricted standard allows it.
			spec.SecurityContext.Sysctls = []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}}
		}
	}
	return spec
}

func (a *App) container(known preset) corev1.Container {
	w := a.Spec.Workload
	no, yes := false, true
	c := corev1.Container{
		Name:    a.Metadata.Name,
		Image:   w.Image,
		Command: w.Command,
		Args:    w.Args,
		Ports:   a.containerPorts(),
		Resources: corev1.ResourceRequirements{
			Requests: known.requests.list(),
			Limits:   known.limits.list(),
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no,
			ReadOnlyRootFilesystem:   &yes,
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	for _, m := range known.writable {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: m.name, MountPath: m.path})
	}
	if port, ok := a.probedPort(known); ok {
		if known.readiness != nil {
			c.ReadinessProbe = known.readiness(port)
		}
		if known.liveness != nil {
			c.LivenessProbe = known.liveness(port)
		}
	}
	return c
}

func (r resources) list() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(r.cpu),
		corev1.ResourceMemory: resource.MustParse(r.memory),
	}
}

// probedPort is the container's port that its probes ask: the one that speaks
// the image's protocol, else the first TCP port. A container without one (UDP
// only) is not probed.
func (a *App) probedPort(known preset) (corev1.ContainerPort, bool) {
	var first *ServicePort
	for i, p := range a.Spec.Service.Ports {
		if p.Protocol != corev1.ProtocolTCP {
			continue
		}
		if first == nil {
			first = &a.Spec.Service.Ports[i]
		}
		if known.appProtocol != "" && p.AppProtocol == known.appProtocol {
			first = &a.Spec.Service.Ports[i]
			break
		}
	}
	if first == nil {
		return corev1.ContainerPort{}, false
	}
	for _, p := range a.containerPorts() {
		if p.ContainerPort == first.TargetPort && p.Protocol == first.Protocol {
			return p, true
		}
	}
	return corev1.ContainerPort{}, false
}
