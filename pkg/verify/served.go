package verify

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// sidecar reports whether an init container is a native sidecar: one that goes
// on running beside the containers, and counts as they do for ports and readiness.
func sidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// served returns the containers that serve while a Pod runs: its containers and
// then its native sidecars, the order in which a named port is looked for
// (FindPort of k8s.io/endpointslice).
func served(p *corev1.Pod) []*corev1.Container {
	var out []*corev1.Container
	for i := range p.Spec.Containers {
		out = append(out, &p.Spec.Containers[i])
	}
	for i := range p.Spec.InitContainers {
		if c := &p.Spec.InitContainers[i]; sidecar(c) {
			out = append(out, c)
		}
	}
	return out
}

// servedStatuses returns the states of the containers that served returns.
func servedStatuses(p *corev1.Pod) []corev1.ContainerStatus {
	out := slices.Clone(p.Status.ContainerStatuses)
	for i := range p.Spec.InitContainers {
		if !sidecar(&p.Spec.InitContainers[i]) {
			continue
		}
		for _, cs := range p.Status.InitContainerStatuses {
			if cs.Name == p.Spec.InitContainers[i].Name {
				out = append(out, cs)
			}
		}
	}
	return out
}

// containerList names the list of a Pod's spec that holds a container.
func containerList(p *corev1.Pod, name string) string {
	if p != nil && slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == name }) {
		return "initContainers"
	}
	return "containers"
}

// containerField is the field of a workload that holds a container of its Pods.
func containerField(p *corev1.Pod, name string) string {
	return fmt.Sprintf("spec.template.spec.%s[name=%s]", containerList(p, name), name)
}

// isAbout reports whether an event on a Pod is about a container, or does not say
// which it is about.
func isAbout(ev *corev1.Event, container string) bool {
	fp := ev.InvolvedObject.FieldPath
	return fp == "" || fp == "spec.containers{"+container+"}" || fp == "spec.initContainers{"+container+"}"
}

// rolledOut reports whether a change of an object's Pod template reaches its Pods.
// The Pods of a bare ReplicaSet stay as they are, a bare Pod has no template, and
// the object of an operator has whatever fields its author gave it.
func rolledOut(owner ObjectRef) bool {
	return slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, owner.Kind)
}
