package generate

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// workloadDetails checks what is beyond image, replicas and command.
func (v *validator) workloadDetails(a *App) {
	const at = "spec.workload."
	w := a.Spec.Workload
	v.kind(a)
	v.containerPorts(a)
	oneOf(v, at+"imagePullPolicy", w.ImagePullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
	for i, s := range w.ImagePullSecrets {
		v.objectName(fmt.Sprintf("%simagePullSecrets[%d].name", at, i), s.Name)
	}
	v.env(w)
	if w.Resources != nil {
		v.resources(at+"resources", *w.Resources)
	}
	v.check(a)
	v.probe(at+"readinessProbe", w.ReadinessProbe, a, false)
	v.probe(at+"livenessProbe", w.LivenessProbe, a, true)
	v.probe(at+"startupProbe", w.StartupProbe, a, true)
	if w.ServiceAccountName != "" {
		v.objectName(at+"serviceAccountName", w.ServiceAccountName)
	}
	if w.PriorityClassName != "" {
		v.objectName(at+"priorityClassName", w.PriorityClassName)
	}
	v.mounts(a)
	for i, c := range w.TopologySpreadConstraints {
		field := fmt.Sprintf("%stopologySpreadConstraints[%d].", at, i)
		if c.TopologyKey == "" {
			v.add(field+"topologyKey", "", "is missing", "such as kubernetes.io/hostname or topology.kubernetes.io/zone")
		}
		if c.MaxSkew < 1 {
			v.add(field+"maxSkew", strconv.Itoa(int(c.MaxSkew)), "is out of range", "1 or more")
		}
		if c.WhenUnsatisfiable == "" {
			v.add(field+"whenUnsatisfiable", "", "is missing", "DoNotSchedule or ScheduleAnyway")
		}
		oneOf(v, field+"whenUnsatisfiable", c.WhenUnsatisfiable, corev1.DoNotSchedule, corev1.ScheduleAnyway)
	}
	if t := w.TerminationGracePeriodSeconds; t != nil && *t < 0 {
		v.add(at+"terminationGracePeriodSeconds", strconv.FormatInt(*t, 10), "is negative", "0 or more")
	}
	if w.MinReadySeconds < 0 {
		v.add(at+"minReadySeconds", strconv.Itoa(int(w.MinReadySeconds)), "is negative", "0 or more")
	}
	for _, key := range sortedKeys(w.NodeSelector) {
		if errs := validation.IsQualifiedName(key); len(errs) > 0 {
			v.add(at+"nodeSelector."+key, "", "is not a label's name: "+strings.Join(errs, "; "), "such as kubernetes.io/os")
		}
	}
	v.podMetadata(w)
	v.podDetails(w)
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
	oneOf(v, at+"kind", w.Kind, Deployment, StatefulSet)
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
		oneOf(v, at+"podManagementPolicy", w.PodManagementPolicy, appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement)
		if u := w.UpdateStrategy; u != nil {
			oneOf(v, at+"updateStrategy.type", u.Type, appsv1.RollingUpdateStatefulSetStrategyType, appsv1.OnDeleteStatefulSetStrategyType)
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
		oneOf(v, at+"strategy.type", s.Type, appsv1.RollingUpdateDeploymentStrategyType, appsv1.RecreateDeploymentStrategyType)
		if s.Type == appsv1.RecreateDeploymentStrategyType && s.RollingUpdate != nil {
			v.add(at+"strategy.rollingUpdate", "", "has no use with type Recreate", "remove one")
		}
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
			v.objectName(field+"storageClassName", c.StorageClassName)
		}
		for j, m := range c.AccessModes {
			oneOf(v, fmt.Sprintf("%saccessModes[%d]", field, j), m, corev1.ReadWriteOnce, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOncePod)
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
			v.portNumber(field+"containerPort", c.ContainerPort)
			oneOf(v, field+"protocol", c.Protocol, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
			if c.Name == "" {
				continue
			}
			if reason := portNameReason(c.Name); reason != "" {
				v.add(field+"name", c.Name, reason, "such as http or metrics")
			}
			if _, twice := named[c.Name]; twice {
				v.add(field+"name", c.Name, "is there twice", "give each port a name of its own")
			}
		} else if other, taken := named[c.Name]; taken && other != key {
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
	seen := map[string]int{}
	for i, e := range w.Env {
		field := fmt.Sprintf("spec.workload.env[%d].", i)
		switch errs := validation.IsRelaxedEnvVarName(e.Name); {
		case e.Name == "":
			v.add(field+"name", "", "is missing", "such as LOG_LEVEL")
		case len(errs) > 0 || strings.ContainsFunc(e.Name, unbuildable):
			v.add(field+"name", e.Name, "is not the name of a variable", "letters, digits and '_', such as LOG_LEVEL")
		}
		if first, twice := seen[e.Name]; twice {
			v.add(field+"name", e.Name, fmt.Sprintf("is there twice: also as env[%d]", first), "remove one")
		} else {
			seen[e.Name] = i
		}
		v.texts(field+"value", []string{e.Value})
		from := e.ValueFrom
		if from == nil {
			continue
		}
		if e.Value != "" {
			v.add(field+"value", e.Value, "is given, and valueFrom too", "remove one")
		}
		if count(from.FieldRef != nil, from.ResourceFieldRef != nil, from.ConfigMapKeyRef != nil, from.SecretKeyRef != nil, from.FileKeyRef != nil) != 1 {
			v.add(field+"valueFrom", "", "must name exactly one source", "one of configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef")
		}
		if r := from.ConfigMapKeyRef; r != nil {
			v.keyRef(field+"valueFrom.configMapKeyRef", r.Name, r.Key)
		}
		if r := from.SecretKeyRef; r != nil {
			v.keyRef(field+"valueFrom.secretKeyRef", r.Name, r.Key)
		}
	}
	for i, e := range w.EnvFrom {
		field := fmt.Sprintf("spec.workload.envFrom[%d]", i)
		if count(e.ConfigMapRef != nil, e.SecretRef != nil) != 1 {
			v.add(field, "", "must name exactly one source", "configMapRef or secretRef")
		}
		if r := e.ConfigMapRef; r != nil {
			v.objectName(field+".configMapRef.name", r.Name)
		}
		if r := e.SecretRef; r != nil {
			v.objectName(field+".secretRef.name", r.Name)
		}
	}
}

func (v *validator) keyRef(field, name, key string) {
	v.objectName(field+".name", name)
	if errs := validation.IsConfigMapKey(key); len(errs) > 0 {
		v.add(field+".key", key, "is not a key: "+strings.Join(errs, "; "), "such as password or redis.conf")
	}
}

// objectName demands a name of an object.
func (v *validator) objectName(field, name string) {
	if name == "" {
		v.add(field, "", "is missing", "")
	} else if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 {
		v.add(field, name, "is not the name of an object: "+errs[0], "")
	}
}

func count(set ...bool) (n int) {
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}

func (v *validator) resources(field string, r corev1.ResourceRequirements) {
	for _, list := range []struct {
		name string
		of   corev1.ResourceList
	}{{"limits", r.Limits}, {"requests", r.Requests}} {
		for _, name := range resourceNames(list.of) {
			q := list.of[corev1.ResourceName(name)]
			at := field + "." + list.name + "." + name
			if q.Sign() < 0 {
				v.add(at, q.String(), "is negative", "0 or more")
			}
			if errs := validation.IsQualifiedName(name); len(errs) > 0 {
				v.add(at, "", "is not a resource", "such as cpu or memory")
			} else if !strings.Contains(name, "/") && !strings.HasPrefix(name, "hugepages-") && name != "cpu" && name != "memory" && name != "ephemeral-storage" {
				v.add(at, "", "is not a resource of a container"+didYouMean(name, []string{"cpu", "memory", "ephemeral-storage"}), "cpu, memory, ephemeral-storage, or a device such as example.com/gpu")
			}
			if limit, ok := r.Limits[corev1.ResourceName(name)]; ok && list.name == "requests" && q.Cmp(limit) > 0 {
				v.add(at, q.String(), "is more than its limit, "+limit.String(), "request as much as the limit, or less")
			}
		}
	}
}

func resourceNames(l corev1.ResourceList) []string {
	var names []string
	for n := range l {
		names = append(names, string(n))
	}
	slices.Sort(names)
	return names
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
	oneOf(v, at+"type", c.Type, checkTypes()...)
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

// probe checks a probe in full.
func (v *validator) probe(field string, p *corev1.Probe, a *App, once bool) {
	if p == nil {
		return
	}
	if count(p.Exec != nil, p.HTTPGet != nil, p.TCPSocket != nil, p.GRPC != nil) != 1 {
		v.add(field, "", "must ask in exactly one way", "one of exec, httpGet, tcpSocket, grpc")
	}
	for _, n := range []struct {
		name  string
		value int32
	}{{"initialDelaySeconds", p.InitialDelaySeconds}, {"timeoutSeconds", p.TimeoutSeconds}, {"periodSeconds", p.PeriodSeconds}, {"successThreshold", p.SuccessThreshold}, {"failureThreshold", p.FailureThreshold}} {
		if n.value < 0 {
			v.add(field+"."+n.name, strconv.Itoa(int(n.value)), "is negative", "1 or more")
		}
	}
	if t := p.TerminationGracePeriodSeconds; t != nil && !once {
		v.add(field+".terminationGracePeriodSeconds", strconv.FormatInt(*t, 10), "has no use in a readiness probe, which ends nothing", "remove it")
	} else if t != nil && *t < 1 {
		v.add(field+".terminationGracePeriodSeconds", strconv.FormatInt(*t, 10), "is less than 1", "1 or more")
	}
	if g := p.HTTPGet; g != nil && g.Scheme != "" {
		oneOf(v, field+".httpGet.scheme", g.Scheme, corev1.URISchemeHTTP, corev1.URISchemeHTTPS)
	}
	if once && p.SuccessThreshold > 1 {
		v.add(field+".successThreshold", strconv.Itoa(int(p.SuccessThreshold)), "must be 1 but for a readiness probe", "remove it")
	}
	var port intstr.IntOrString
	switch {
	case p.Exec != nil && len(p.Exec.Command) == 0:
		v.add(field+".exec.command", "", "is missing", "")
	case p.HTTPGet != nil:
		v.headers(field+".httpGet.httpHeaders", p.HTTPGet.HTTPHeaders)
		port = p.HTTPGet.Port
		field += ".httpGet.port"
	case p.TCPSocket != nil:
		port = p.TCPSocket.Port
		field += ".tcpSocket.port"
	case p.GRPC != nil:
		port = intstr.FromInt32(p.GRPC.Port)
		field += ".grpc.port"
	}
	if p.HTTPGet == nil && p.TCPSocket == nil && p.GRPC == nil {
		return
	}
	if port.Type == intstr.Int {
		v.portNumber(field, port.IntVal)
	} else if !slices.ContainsFunc(a.containerPorts(), func(c corev1.ContainerPort) bool { return c.Name == port.StrVal }) {
		v.add(field, port.StrVal, "is the name of no port of the container", "name one of them, or give a number")
	}
}
