package verify

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Native sidecars have ports as containers have; other init containers have none.
func TestServed(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	ports := []corev1.ContainerPort{{Name: "redis", ContainerPort: 6379}}
	p := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{
			{Name: "schema", Ports: []corev1.ContainerPort{{Name: "schema", ContainerPort: 1}}},
			{Name: "proxy", RestartPolicy: &always, Ports: ports, ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromString("redis")}}}},
		},
		Containers: []corev1.Container{{Name: "app"}},
	}, Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "schema"}, {Name: "proxy", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}}}
	port := corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("redis")}
	if n := targetNumber(p, port); n != 6379 {
		t.Errorf("target port %d", n)
	}
	if n := targetNumber(p, corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("schema")}); n != 0 {
		t.Errorf("target port %d of a container that has ended", n)
	}
	if !declares(p, 6379, corev1.ProtocolTCP) || !declaresAny(p) || len(declaredPorts(p, 0)) != 1 || declaredText(p) != "redis 6379/TCP" {
		t.Errorf("declares %s", declaredText(p))
	}
	if path, _ := readyPath(portView{port: port, check: "http", usable: []endpoint{{pod: p, port: 6379}}}); path != "/ready" {
		t.Errorf("path %q", path)
	}
	if !running(p) || containerFor(p, "x:6379") != "proxy" {
		t.Errorf("running %v, a command for %s", running(p), containerFor(p, "x:6379"))
	}
}
