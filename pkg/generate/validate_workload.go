package generate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// workloadDetails checks what is beyond image, replicas and command.
func (v *validator) workloadDetails(a *App) {
	const at = "spec.workload."
	w := a.Spec.Workload
	v.kind(a)
	v.containerPorts(a)
	limits.OneOf(v.at(at+"imagePullPolicy"), w.ImagePullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
	for i, s := range w.ImagePullSecrets {
		limits.ObjectName(v.at(fmt.Sprintf("%simagePullSecrets[%d].name", at, i)), s.Name)
	}
	v.env(w)
	if w.Resources != nil {
		limits.Resources(v.at(at+"resources"), *w.Resources)
		limits.WithinLimits(v.at(at+"resources"), *w.Resources)
	}
	v.check(a)
	v.probe(at+"readinessProbe", w.ReadinessProbe, a)
	v.probe(at+"livenessProbe", w.LivenessProbe, a)
	v.probe(at+"startupProbe", w.StartupProbe, a)
	if w.ServiceAccountName != "" {
		limits.ObjectName(v.at(at+"serviceAccountName"), w.ServiceAccountName)
	}
	if w.PriorityClassName != "" {
		limits.ObjectName(v.at(at+"priorityClassName"), w.PriorityClassName)
	}
	v.mounts(a)
	limits.Least(v.at(at+"terminationGracePeriodSeconds"), w.TerminationGracePeriodSeconds, 0)
	limits.Least(v.at(at+"minReadySeconds"), &w.MinReadySeconds, 0)
	v.podMetadata(w)
	v.podDetails(a)
}

// podMetadata checks the Pods' labels and annotations under their own names.
func (v *validator) podMetadata(w *Workload) {
	own := &validator{}
	own.metadata("", w.PodLabels, w.PodAnnotations, nameLabel)
	for _, p := range own.problems {
		p.Field = "spec.workload.pod" + strings.ToUpper(p.Field[:1]) + p.Field[1:]
		v.problems = append(v.problems, p)
	}
}

func (v *validator) kind(a *App) {
	const at = "spec.workload."
	w := a.Spec.Workload
	limits.OneOf(v.at(at+"kind"), w.Kind, Deployment, StatefulSet)
	if a.workloadKind() == StatefulSet {
		if w.Strategy != nil {
			v.add(at+"strategy", "", "is how a Deployment replaces its Pods", "for a StatefulSet use updateStrategy")
		}
		if peers := a.Metadata.Name + peersSuffix; len(peers) > validation.DNS1123LabelMaxLength {
			v.add("metadata.name", a.Metadata.Name, "is too long for a StatefulSet, whose Pods are named by the Service "+shorten(peers), fmt.Sprintf("%d letters at the most", validation.DNS1123LabelMaxLength-len(peersSuffix)))
		} else if peers == a.Spec.Service.Name {
			v.add("spec.service.name", peers, "is the name of the headless Service that the StatefulSet gets", "choose another")
		} else if len(validation.IsDNS1035Label(peers)) > 0 && len(validation.IsDNS1123Label(a.Metadata.Name)) == 0 {
			v.add("metadata.name", a.Metadata.Name, labelReason(peers, true), "it is in the name of the StatefulSet's Service too")
		}
		limits.OneOf(v.at(at+"podManagementPolicy"), w.PodManagementPolicy, appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement)
		if u := w.UpdateStrategy; u != nil {
			limits.StatefulSetStrategy(v.at(at+"updateStrategy"), u)
		}
		v.claims(w)
		return
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"updateStrategy", w.UpdateStrategy != nil}, {"podManagementPolicy", w.PodManagementPolicy != ""}, {"volumeClaimTemplates", len(w.VolumeClaimTemplates) > 0}} {
		if f.set {
			v.add(at+f.name, "", "is of a StatefulSet, and this is a Deployment", "write kind: StatefulSet, or remove it")
		}
	}
	if s := w.Strategy; s != nil {
		limits.DeploymentStrategy(v.at(at+"strategy"), s)
	}
}

func (v *validator) claims(w *Workload) {
	for i, c := range w.VolumeClaimTemplates {
		field := fmt.Sprintf("spec.workload.volumeClaimTemplates[%d].", i)
		v.label(field+"name", c.Name, "such as data")
		if c.Storage == "" {
			v.add(field+"storage", "", "is missing", "such as 10Gi")
		} else if q, err := resource.ParseQuantity(c.Storage); err != nil || q.Sign() <= 0 {
			v.add(field+"storage", c.Storage, "is not an amount of storage", "such as 10Gi")
		}
		if c.StorageClassName != "" {
			limits.ObjectName(v.at(field+"storageClassName"), c.StorageClassName)
		}
		limits.AccessModes(v.at(field+"accessModes"), c.AccessModes)
		if c.MountPath != "" && (!path.IsAbs(c.MountPath) || strings.Contains(c.MountPath, ":")) {
			v.add(field+"mountPath", c.MountPath, "is not a path that a volume can be mounted at", "such as /data")
		}
		for j, other := range w.VolumeClaimTemplates[:i] {
			if other.Name == c.Name {
				v.add(field+"name", c.Name, fmt.Sprintf("is there twice: also as volumeClaimTemplates[%d]", j), "give each a name of its own")
			}
		}
	}
}

// containerPorts checks the ports that the workload names, and that those which
// the Service leads to can be told apart from them.
func (v *validator) containerPorts(a *App) {
	named := map[string]containerPort{}
	declared := len(a.Spec.Workload.Ports)
	for i, c := range a.containerPorts() {
		key := containerPort{c.ContainerPort, c.Protocol}
		if i < declared {
			field := fmt.Sprintf("spec.workload.ports[%d].", i)
			limits.Port(v.at(field+"containerPort"), c.ContainerPort)
			limits.OneOf(v.at(field+"protocol"), c.Protocol, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
			if c.Name == "" {
				continue
			}
			if reason := portNameReason(c.Name); reason != "" {
				v.add(field+"name", c.Name, reason, "such as http or metrics")
			}
			if _, twice := named[c.Name]; twice {
				v.add(field+"name", c.Name, "is there twice", "give each port a name of its own")
			}
		} else if other, taken := named[c.Name]; c.Name != "" && taken && other != key {
			for j, p := range a.Spec.Service.Ports {
				if p.Name == c.Name && declared > 0 {
					v.add(fmt.Sprintf("spec.service.ports[%d].name", j), c.Name,
						fmt.Sprintf("is the name of another port of the workload, %d; the port %d would need it too", other.number, key.number),
						"write targetPort: "+c.Name+" if that one is meant, or choose another name")
				}
			}
		}
		named[c.Name] = key
	}
}

func (v *validator) env(w *Workload) {
	limits.Env(v.at("spec.workload.env"), w.Env)
	limits.EnvFrom(v.at("spec.workload.envFrom"), w.EnvFrom)
	seen := map[string]int{}
	for i, e := range w.Env {
		field := fmt.Sprintf("spec.workload.env[%d].", i)
		if first, twice := seen[e.Name]; twice {
			v.add(field+"name", e.Name, fmt.Sprintf("is there twice: also as env[%d]", first), "remove one")
		} else {
			seen[e.Name] = i
		}
		v.texts(field+"value", []string{e.Value})
	}
}

func (v *validator) mounts(a *App) {
	known, _ := presetFor(a.Spec.Workload.Image)
	volumes, mounts := a.volumes(known)
	names := map[string]bool{}
	for _, c := range a.Spec.Workload.VolumeClaimTemplates {
		names[c.Name] = true
	}
	for i, vol := range volumes {
		at := fmt.Sprintf("spec.workload.volumes[%d].name", i-(len(volumes)-len(a.Spec.Workload.Volumes)))
		if i >= len(volumes)-len(a.Spec.Workload.Volumes) {
			v.label(at, vol.Name, "such as config")
			if names[vol.Name] {
				v.add(at, vol.Name, "is there twice", "give each volume a name of its own")
			}
		}
		names[vol.Name] = true
	}
	paths := map[string]bool{}
	given := len(mounts) - len(a.Spec.Workload.VolumeMounts)
	for i, m := range mounts {
		field := "spec.workload.volumeClaimTemplates"
		if i >= given {
			field = fmt.Sprintf("spec.workload.volumeMounts[%d].", i-given)
			if !names[m.Name] {
				v.add(field+"name", m.Name, "is the name of no volume", "name it in workload.volumes")
			}
			if m.MountPath == "" || !path.IsAbs(m.MountPath) || strings.Contains(m.MountPath, ":") {
				v.add(field+"mountPath", m.MountPath, "is not a path that a volume can be mounted at", "such as /etc/app")
			}
			field += "mountPath"
		}
		if paths[m.MountPath] {
			v.add(field, m.MountPath, "is mounted twice", "remove one")
		}
		paths[m.MountPath] = true
	}
}

// check checks the probe in short.
func (v *validator) check(a *App) {
	c := a.Spec.Workload.Check
	if c == nil {
		return
	}
	const at = "spec.workload.check."
	if c.Type == "" {
		v.add(at+"type", "", "is missing", "one of "+strings.Join(checkTypes(), ", "))
		return
	}
	limits.OneOf(v.at(at+"type"), c.Type, checkTypes()...)
	known, _ := presetFor(a.Spec.Workload.Image)
	if _, ok := a.probedPort(known); !ok && c.Type != "exec" && c.Type != "none" {
		v.add(at+"port", c.Port.String(), "is no TCP port of the container", "name one, or use type exec")
	}
	if (c.Type == "exec") != (len(c.Command) > 0) {
		v.add(at+"command", "", "goes with type exec, and only with it", "such as [\"/bin/healthy\"]")
	}
	if c.Path != "" && (c.Type != "http" && c.Type != "https" || !strings.HasPrefix(c.Path, "/")) {
		v.add(at+"path", c.Path, "is a path that http or https asks for, from /", "such as /healthz")
	}
	if c.Service != "" && c.Type != "grpc" {
		v.add(at+"service", c.Service, "goes with type grpc only", "remove it")
	}
	if a.Spec.Workload.ReadinessProbe != nil {
		v.add(at[:len(at)-1], "", "is a readiness probe in short, and readinessProbe is there too", "remove one")
	}
}

// probe checks a probe in full, and that a name in it is that of a port.
func (v *validator) probe(field string, p *corev1.Probe, a *App) {
	if p == nil {
		return
	}
	limits.Probe(v.at(field), p, field == "spec.workload.readinessProbe")
	asks := func(field string, port intstr.IntOrString) {
		named := func(c corev1.ContainerPort) bool { return c.Name == port.StrVal }
		if port.Type == intstr.String && len(validation.IsValidPortName(port.StrVal)) == 0 && !slices.ContainsFunc(a.containerPorts(), named) {
			v.add(field, port.StrVal, "is the name of no port of the container", "name one of them, or give a number")
		}
	}
	if p.HTTPGet != nil {
		asks(field+".httpGet.port", p.HTTPGet.Port)
	}
	if p.TCPSocket != nil {
		asks(field+".tcpSocket.port", p.TCPSocket.Port)
	}
}
