package generate

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// workloadKind is the kind of the app's workload.
func (a *App) workloadKind() WorkloadKind {
	if k := a.Spec.Workload.Kind; k != "" {
		return k
	}
	return Deployment
}

// replicas is what the workload's manifest says; nothing where an autoscaler
// decides, as each apply would set it back.
func (a *App) replicas() *int32 {
	if a.Spec.HorizontalPodAutoscaler != nil {
		return nil
	}
	replicas := int32(1)
	if a.Spec.Workload.Replicas != nil {
		replicas = *a.Spec.Workload.Replicas
	}
	return &replicas
}

func (a *App) deployment() *appsv1.Deployment {
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: a.Metadata.Name, Labels: a.labels()},
	}
	d.Spec.Replicas = a.replicas()
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: a.labels()}
	d.Spec.Template = a.podTemplate()
	d.Spec.MinReadySeconds = a.Spec.Workload.MinReadySeconds
	if s := a.Spec.Workload.Strategy; s != nil {
		d.Spec.Strategy = *s
	}
	return d
}

// peersSuffix ends the name of the headless Service that gives the Pods of a
// StatefulSet their names. It is one of its own, as the app's Service changes its
// type from overlay to overlay and a StatefulSet cannot change its serviceName.
const peersSuffix = "-peers"

// statefulSet is the API's without its status, which is written even when it is
// empty, and is the server's.
type statefulSet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              appsv1.StatefulSetSpec `json:"spec"`
}

func (a *App) statefulSet() *statefulSet {
	w := a.Spec.Workload
	s := &statefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: metav1.ObjectMeta{Name: a.Metadata.Name, Labels: a.labels()},
	}
	s.Spec.ServiceName = a.Metadata.Name + peersSuffix
	s.Spec.Replicas = a.replicas()
	s.Spec.Selector = &metav1.LabelSelector{MatchLabels: a.labels()}
	s.Spec.Template = a.podTemplate()
	s.Spec.PodManagementPolicy = w.PodManagementPolicy
	s.Spec.MinReadySeconds = w.MinReadySeconds
	if w.UpdateStrategy != nil {
		s.Spec.UpdateStrategy = *w.UpdateStrategy
	}
	for _, c := range w.VolumeClaimTemplates {
		s.Spec.VolumeClaimTemplates = append(s.Spec.VolumeClaimTemplates, c.claim())
	}
	return s
}

// peersService gives the Pods of a StatefulSet their names; peers find each
// other by them before they are ready.
func (a *App) peersService() *corev1.Service {
	s := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: a.Metadata.Name + peersSuffix, Labels: a.labels()},
	}
	s.Spec.Type = corev1.ServiceTypeClusterIP
	s.Spec.ClusterIP = corev1.ClusterIPNone
	s.Spec.PublishNotReadyAddresses = true
	s.Spec.Selector = a.labels()
	targets := a.targetPorts()
	seen := map[containerPort]bool{}
	for _, p := range a.Spec.Service.Ports {
		target := a.target(p)
		if seen[target] {
			continue
		}
		seen[target] = true
		port := apiPort(p)
		port.Port = target.number
		port.TargetPort = targets[target]
		s.Spec.Ports = append(s.Spec.Ports, port)
	}
	return s
}

func (a *App) podTemplate() corev1.PodTemplateSpec {
	known, _ := presetFor(a.Spec.Workload.Image)
	t := corev1.PodTemplateSpec{}
	t.Labels = a.labels()
	for k, v := range a.Spec.Workload.PodLabels {
		t.Labels[k] = v
	}
	t.Annotations = a.Spec.Workload.PodAnnotations
	t.Spec = a.podSpec(known)
	return t
}
