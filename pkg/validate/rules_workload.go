package validate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// changing are labels whose value is another one after the next release.
var changing = []string{"app.kubernetes.io/version", "version", "helm.sh/chart", "chart", "heritage", "release-date"}

// workload holds what makes Pods against itself.
func (r *ruling) workload(o *object) {
	w := o.workload
	if w.selector != nil {
		at := path{"spec", "selector"}
		selector, err := metav1.LabelSelectorAsSelector(w.selector)
		switch {
		case err != nil:
			r.add(o, Error, "selector", at, err.Error(), "")
		case selector.Empty():
			r.add(o, Error, "selector", at, "is empty", "a workload selects its Pods by a label of its template")
		case !selector.Matches(labels.Set(w.template.Labels)):
			r.add(o, Error, "selector", at.with("matchLabels"), fmt.Sprintf("%s does not match the template's labels (%s): the API server refuses it", metav1.FormatLabelSelector(w.selector), labels.Set(w.template.Labels)), "make it a part of them")
		}
		for _, k := range changing {
			if _, ok := w.selector.MatchLabels[k]; ok && w.selectable {
				r.add(o, Warning, "immutable-selector", at.with("matchLabels").with(k), "changes with a release, and a selector can never change: the next release would be refused", "leave it in the labels, and out of the selector")
			}
		}
	}
	volumes := map[string]bool{}
	for _, v := range w.template.Spec.Volumes {
		volumes[v.Name] = true
	}
	claims, _ := field(o.doc.root, "spec")
	claims, _ = field(claims, "volumeClaimTemplates")
	if claims != nil {
		for _, c := range claims.Content {
			volumes[text(c, "metadata", "name")] = true
		}
	}
	names := map[string]bool{}
	for _, list := range []struct {
		field      string
		containers []corev1.Container
	}{{"initContainers", w.template.Spec.InitContainers}, {"containers", w.template.Spec.Containers}} {
		for i := range list.containers {
			at := append(slices.Clone(w.at), "spec", list.field, i)
			c := &list.containers[i]
			if names[c.Name] {
				r.add(o, Error, "containers", at.with("name"), fmt.Sprintf("%s is the name of another container too", show(c.Name)), "")
			}
			names[c.Name] = true
			r.container(o, c, at, volumes)
		}
	}
	if len(w.template.Spec.Containers) == 0 {
		r.add(o, Error, "containers", append(slices.Clone(w.at), "spec", "containers"), "is empty", "")
	}
}

type namedProbe struct {
	name  string
	probe *corev1.Probe
}

// probes are those of a container, nil where it has none.
func probes(c *corev1.Container) []namedProbe {
	return []namedProbe{{"readinessProbe", c.ReadinessProbe}, {"livenessProbe", c.LivenessProbe}, {"startupProbe", c.StartupProbe}}
}

func (r *ruling) container(o *object, c *corev1.Container, at path, volumes map[string]bool) {
	if strings.TrimSpace(c.Image) == "" {
		r.add(o, Error, "containers", at.with("image"), "is missing", "")
	}
	ports := map[string]bool{}
	numbers := map[string]bool{}
	for i, p := range c.Ports {
		here := at.with("ports").with(i)
		limits.Port(r.report(o, "ports", here.with("containerPort")), p.ContainerPort)
		if p.Name != "" {
			if msgs := validation.IsValidPortName(p.Name); len(msgs) > 0 {
				r.add(o, Error, "ports", here.with("name"), fmt.Sprintf("%s is no container port's name: %s", show(p.Name), msgs[0]), "")
			}
			if ports[p.Name] {
				r.add(o, Error, "ports", here.with("name"), fmt.Sprintf("%s is there twice in the container", show(p.Name)), "")
			}
			ports[p.Name] = true
		}
		key := fmt.Sprintf("%d/%s", p.ContainerPort, p.Protocol)
		if numbers[key] {
			r.add(o, Warning, "ports", here.with("containerPort"), fmt.Sprintf("%d is there twice in the container", p.ContainerPort), "")
		}
		numbers[key] = true
	}
	for _, probe := range probes(c) {
		if probe.probe == nil {
			continue
		}
		asks := func(kind string, port intstr.IntOrString) {
			if port.StrVal != "" && !ports[port.StrVal] {
				r.add(o, Error, "probe-port", at.with(probe.name).with(kind).with("port"), fmt.Sprintf("the container has no port named %s", show(port.StrVal)), "name it, or write the number")
			}
		}
		if probe.probe.HTTPGet != nil {
			asks("httpGet", probe.probe.HTTPGet.Port)
		}
		if probe.probe.TCPSocket != nil {
			asks("tcpSocket", probe.probe.TCPSocket.Port)
		}
	}
	for i, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			r.add(o, Error, "volumes", at.with("volumeMounts").with(i).with("name"), fmt.Sprintf("the Pod has no volume %s", show(m.Name)), "")
		}
	}
	limits.WithinLimits(r.report(o, "resources", at.with("resources")), c.Resources)
}
