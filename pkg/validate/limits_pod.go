package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// podLimits checks the template of a workload, or a Pod.
func (r *ruling) podLimits(o *object) {
	w := o.workload
	if len(w.at) > 0 {
		r.marks(o, w.at.with("metadata"), w.template.Labels, w.template.Annotations)
	}
	s, at := &w.template.Spec, w.at.with("spec")
	grace := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if s.TerminationGracePeriodSeconds != nil {
		grace = *s.TerminationGracePeriodSeconds
	}
	if grace < 0 {
		r.add(o, Warning, "limits", at.with("terminationGracePeriodSeconds"), fmt.Sprintf("%d is negative, and taken as 1", grace), "0 or more")
	}
	least(r, o, at.with("activeDeadlineSeconds"), s.ActiveDeadlineSeconds, 1)
	if w.endless && s.ActiveDeadlineSeconds != nil {
		r.wrong(o, at.with("activeDeadlineSeconds"), "must not be there: Pods of a "+o.kind+" have no end", "remove it")
	}
	for _, list := range []struct {
		name       string
		containers []corev1.Container
	}{{"initContainers", s.InitContainers}, {"containers", s.Containers}} {
		for i := range list.containers {
			r.containerLimits(o, &list.containers[i], at.with(list.name).with(i), grace)
		}
	}
	r.volumes(o, s.Volumes, at.with("volumes"))
	r.scheduling(o, s, at)
	r.restart(o, s, at)
	for _, f := range []struct {
		field, name, what string
		check             func(string) []string
	}{
		{"serviceAccountName", s.ServiceAccountName, "object's name", validation.IsDNS1123Subdomain},
		{"priorityClassName", s.PriorityClassName, "object's name", validation.IsDNS1123Subdomain},
		{"hostname", s.Hostname, "DNS label", validation.IsDNS1123Label},
		{"subdomain", s.Subdomain, "DNS label", validation.IsDNS1123Label},
	} {
		if f.name != "" {
			r.bad(o, at.with(f.field), f.name, f.what, f.check(f.name))
		}
	}
	for i, h := range s.HostAliases {
		if _, err := netip.ParseAddr(h.IP); err != nil {
			r.wrong(o, at.with("hostAliases").with(i).with("ip"), show(h.IP)+" is not an IP address", "")
		}
	}
	if s.DNSPolicy == corev1.DNSNone && (s.DNSConfig == nil || len(s.DNSConfig.Nameservers) == 0) {
		r.wrong(o, at.with("dnsConfig").with("nameservers"), "is missing, which dnsPolicy None needs", "")
	}
	if c := s.SecurityContext; c != nil {
		here := at.with("securityContext")
		r.identity(o, here, c.RunAsUser, c.RunAsGroup)
		r.id(o, here.with("fsGroup"), c.FSGroup)
		for i := range c.SupplementalGroups {
			r.id(o, here.with("supplementalGroups").with(i), &c.SupplementalGroups[i])
		}
	}
}

// restart checks what happens to a container that has ended.
func (r *ruling) restart(o *object, s *corev1.PodSpec, at path) {
	at = at.with("restartPolicy")
	switch {
	case o.workload.endless && s.RestartPolicy != "" && s.RestartPolicy != corev1.RestartPolicyAlways:
		r.wrong(o, at, show(string(s.RestartPolicy))+" is refused for a "+o.kind, "leave it out: it is Always")
	case o.ends() && s.RestartPolicy != corev1.RestartPolicyNever && s.RestartPolicy != corev1.RestartPolicyOnFailure:
		r.wrong(o, at, show(string(s.RestartPolicy))+" is refused for a "+o.kind+", also when it is left out", "write OnFailure or Never")
	}
}

func (r *ruling) identity(o *object, at path, user, group *int64) {
	r.id(o, at.with("runAsUser"), user)
	r.id(o, at.with("runAsGroup"), group)
}

// id demands the number of a user or group.
func (r *ruling) id(o *object, at path, id *int64) {
	if id != nil && (*id < 0 || *id > math.MaxInt32) {
		r.wrong(o, at, fmt.Sprintf("%d is out of range", *id), "0 to 2147483647")
	}
}

func (r *ruling) containerLimits(o *object, c *corev1.Container, at path, grace int64) {
	r.bad(o, at.with("name"), c.Name, "container's name", validation.IsDNS1123Label(c.Name))
	if c.Image != strings.TrimSpace(c.Image) {
		r.wrong(o, at.with("image"), show(c.Image)+" begins or ends with a space, for which each Pod is refused", "remove it")
	}
	for i, p := range c.Ports {
		if p.HostPort != 0 {
			r.port(o, "limits", at.with("ports").with(i).with("hostPort"), p.HostPort)
		}
	}
	r.env(o, c, at)
	for _, p := range probes(c) {
		if p.probe != nil {
			r.probe(o, p.probe, at.with(p.name), p.name != "readinessProbe")
		}
	}
	if l := c.Lifecycle; l != nil {
		r.hook(o, l.PostStart, at.with("lifecycle").with("postStart"), grace)
		r.hook(o, l.PreStop, at.with("lifecycle").with("preStop"), grace)
	}
	r.resources(o, c.Resources, at.with("resources"))
	mounted := map[string]bool{}
	for i, m := range c.VolumeMounts {
		here := at.with("volumeMounts").with(i)
		switch {
		case m.MountPath == "":
			r.wrong(o, here.with("mountPath"), "is missing", "such as /data")
		case mounted[m.MountPath]:
			r.wrong(o, here.with("mountPath"), show(m.MountPath)+" has another volume too", "give each a place of its own")
		}
		mounted[m.MountPath] = true
		r.below(o, here.with("subPath"), m.SubPath)
		r.below(o, here.with("subPathExpr"), m.SubPathExpr)
		if m.SubPath != "" && m.SubPathExpr != "" {
			r.wrong(o, here.with("subPathExpr"), "is there, and subPath too", "remove one")
		}
	}
	if s := c.SecurityContext; s != nil {
		here := at.with("securityContext")
		r.identity(o, here, s.RunAsUser, s.RunAsGroup)
		if s.Privileged != nil && *s.Privileged && s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation {
			r.wrong(o, here.with("allowPrivilegeEscalation"), "cannot be false with privileged: true", "remove one")
		}
	}
}

// below demands a path within a volume.
func (r *ruling) below(o *object, at path, p string) {
	if strings.HasPrefix(p, "/") || slices.Contains(strings.Split(p, "/"), "..") {
		r.wrong(o, at, show(p)+" leads out of the volume", "write it relative to the volume, without ..")
	}
}

func (r *ruling) env(o *object, c *corev1.Container, at path) {
	for i, e := range c.Env {
		here := at.with("env").with(i)
		r.bad(o, here.with("name"), e.Name, "variable's name", validation.IsRelaxedEnvVarName(e.Name))
		from := e.ValueFrom
		if from == nil {
			continue
		}
		if e.Value != "" {
			r.wrong(o, here.with("valueFrom"), "is there, and value too", "remove one")
			continue
		}
		here = here.with("valueFrom")
		r.oneOf(o, here, map[string]bool{"fieldRef": from.FieldRef != nil, "resourceFieldRef": from.ResourceFieldRef != nil,
			"configMapKeyRef": from.ConfigMapKeyRef != nil, "secretKeyRef": from.SecretKeyRef != nil, "fileKeyRef": from.FileKeyRef != nil})
		if k := from.ConfigMapKeyRef; k != nil {
			r.reference(o, here.with("configMapKeyRef"), k.Name, k.Key)
		}
		if k := from.SecretKeyRef; k != nil {
			r.reference(o, here.with("secretKeyRef"), k.Name, k.Key)
		}
	}
	for i, e := range c.EnvFrom {
		here := at.with("envFrom").with(i)
		r.oneOf(o, here, map[string]bool{"configMapRef": e.ConfigMapRef != nil, "secretRef": e.SecretRef != nil})
		if e.ConfigMapRef != nil {
			r.needed(o, here.with("configMapRef").with("name"), e.ConfigMapRef.Name)
		}
		if e.SecretRef != nil {
			r.needed(o, here.with("secretRef").with("name"), e.SecretRef.Name)
		}
	}
}

func (r *ruling) needed(o *object, at path, value string) {
	if value == "" {
		r.wrong(o, at, "is missing", "")
	}
}

// reference checks what names a key of a ConfigMap or Secret.
func (r *ruling) reference(o *object, at path, name, key string) {
	r.needed(o, at.with("name"), name)
	r.bad(o, at.with("key"), key, "key", validation.IsConfigMapKey(key))
}

func (r *ruling) probe(o *object, p *corev1.Probe, at path, restarts bool) {
	r.oneOf(o, at, map[string]bool{"exec": p.Exec != nil, "httpGet": p.HTTPGet != nil, "tcpSocket": p.TCPSocket != nil, "grpc": p.GRPC != nil})
	switch {
	case p.Exec != nil && len(p.Exec.Command) == 0:
		r.wrong(o, at.with("exec").with("command"), "is missing", "")
	case p.HTTPGet != nil:
		r.portOrName(o, at.with("httpGet").with("port"), p.HTTPGet.Port)
	case p.TCPSocket != nil:
		r.portOrName(o, at.with("tcpSocket").with("port"), p.TCPSocket.Port)
	case p.GRPC != nil:
		r.port(o, "limits", at.with("grpc").with("port"), p.GRPC.Port)
	}
	for _, f := range []struct {
		name   string
		number int32
	}{{"initialDelaySeconds", p.InitialDelaySeconds}, {"timeoutSeconds", p.TimeoutSeconds}, {"periodSeconds", p.PeriodSeconds},
		{"successThreshold", p.SuccessThreshold}, {"failureThreshold", p.FailureThreshold}} {
		least(r, o, at.with(f.name), &f.number, 0)
	}
	if restarts && p.SuccessThreshold > 1 {
		r.wrong(o, at.with("successThreshold"), fmt.Sprintf("%d is refused: one success is enough for a liveness and a startup probe", p.SuccessThreshold), "leave it out")
	}
	if t := p.TerminationGracePeriodSeconds; t != nil && !restarts {
		r.wrong(o, at.with("terminationGracePeriodSeconds"), "is refused for a readiness probe, which ends nothing", "remove it")
	} else {
		least(r, o, at.with("terminationGracePeriodSeconds"), t, 1)
	}
}

func (r *ruling) hook(o *object, h *corev1.LifecycleHandler, at path, grace int64) {
	if h == nil {
		return
	}
	r.oneOf(o, at, map[string]bool{"exec": h.Exec != nil, "httpGet": h.HTTPGet != nil, "tcpSocket": h.TCPSocket != nil, "sleep": h.Sleep != nil})
	if h.Exec != nil && len(h.Exec.Command) == 0 {
		r.wrong(o, at.with("exec").with("command"), "is missing", "")
	}
	if h.HTTPGet != nil {
		r.portOrName(o, at.with("httpGet").with("port"), h.HTTPGet.Port)
	}
	if h.TCPSocket != nil {
		r.portOrName(o, at.with("tcpSocket").with("port"), h.TCPSocket.Port)
	}
	if h.Sleep != nil && (h.Sleep.Seconds < 0 || h.Sleep.Seconds > grace) {
		r.wrong(o, at.with("sleep").with("seconds"), fmt.Sprintf("%d is out of range: the Pod has %d seconds to end (terminationGracePeriodSeconds)", h.Sleep.Seconds, grace), "sleep less, or give it more time")
	}
}

func (r *ruling) resources(o *object, res corev1.ResourceRequirements, at path) {
	for _, f := range []struct {
		field string
		list  corev1.ResourceList
	}{{"requests", res.Requests}, {"limits", res.Limits}} {
		for _, name := range slices.Sorted(maps.Keys(f.list)) {
			here := at.with(f.field).with(string(name))
			amount := f.list[name]
			if amount.Sign() < 0 {
				r.wrong(o, here, amount.String()+" is negative", "")
			}
			if !strings.Contains(string(name), "/") {
				if !slices.Contains([]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}, name) && !strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) {
					r.wrong(o, here, show(string(name))+" is no resource of a container", "one of cpu, memory, ephemeral-storage, hugepages-SIZE, or DOMAIN/NAME of a device")
				}
				continue
			}
			r.bad(o, here, string(name), "resource's name", validation.IsQualifiedName(string(name)))
			if limit, ok := res.Limits[name]; !ok || limit.Cmp(res.Requests[name]) != 0 && f.field == "requests" {
				r.wrong(o, here, "is not its limit, and of a device nothing can be given back", "give limits the same")
			}
		}
	}
}

// volumes checks the volumes of a Pod.
func (r *ruling) volumes(o *object, volumes []corev1.Volume, at path) {
	names := map[string]bool{}
	for i, v := range volumes {
		here := at.with(i)
		r.bad(o, here.with("name"), v.Name, "volume's name", validation.IsDNS1123Label(v.Name))
		if names[v.Name] {
			r.wrong(o, here.with("name"), show(v.Name)+" is the name of another volume too", "")
		}
		names[v.Name] = true
		sources := map[string]bool{}
		var there map[string]any
		if data, err := json.Marshal(v.VolumeSource); err == nil && json.Unmarshal(data, &there) == nil {
			for name := range there {
				sources[name] = true
			}
		}
		if len(sources) > 1 {
			r.oneOf(o, here, sources)
		}
		switch {
		case v.ConfigMap != nil:
			r.needed(o, here.with("configMap").with("name"), v.ConfigMap.Name)
			r.keys(o, here.with("configMap").with("items"), v.ConfigMap.Items)
		case v.Secret != nil:
			r.needed(o, here.with("secret").with("secretName"), v.Secret.SecretName)
			r.keys(o, here.with("secret").with("items"), v.Secret.Items)
		case v.PersistentVolumeClaim != nil:
			r.needed(o, here.with("persistentVolumeClaim").with("claimName"), v.PersistentVolumeClaim.ClaimName)
		case v.HostPath != nil:
			r.needed(o, here.with("hostPath").with("path"), v.HostPath.Path)
		case v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil && v.EmptyDir.SizeLimit.Sign() < 0:
			r.wrong(o, here.with("emptyDir").with("sizeLimit"), "is negative", "")
		}
	}
}

// keys checks which keys of a ConfigMap or Secret become which files.
func (r *ruling) keys(o *object, at path, items []corev1.KeyToPath) {
	for i, k := range items {
		r.needed(o, at.with(i).with("key"), k.Key)
		r.needed(o, at.with(i).with("path"), k.Path)
		r.below(o, at.with(i).with("path"), k.Path)
	}
}

// scheduling checks what says on which nodes a Pod runs.
func (r *ruling) scheduling(o *object, s *corev1.PodSpec, at path) {
	r.labels(o, at.with("nodeSelector"), s.NodeSelector)
	for i, t := range s.Tolerations {
		here := at.with("tolerations").with(i)
		switch {
		case t.Key == "" && t.Operator != corev1.TolerationOpExists:
			r.wrong(o, here.with("operator"), "must be Exists where no key is given", "write operator: Exists")
		case t.Operator == corev1.TolerationOpExists && t.Value != "":
			r.wrong(o, here.with("value"), "must not be there: Exists compares with none", "remove it")
		case t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute:
			r.wrong(o, here.with("effect"), "must be NoExecute where tolerationSeconds is given", "")
		}
		if t.Key != "" {
			r.bad(o, here.with("key"), t.Key, "taint's name", validation.IsQualifiedName(t.Key))
		}
	}
	for i, c := range s.TopologySpreadConstraints {
		here := at.with("topologySpreadConstraints").with(i)
		least(r, o, here.with("maxSkew"), &c.MaxSkew, 1)
		least(r, o, here.with("minDomains"), c.MinDomains, 1)
		r.bad(o, here.with("topologyKey"), c.TopologyKey, "label's name", validation.IsQualifiedName(c.TopologyKey))
		r.selects(o, here.with("labelSelector"), c.LabelSelector)
	}
	if s.Affinity == nil {
		return
	}
	at = at.with("affinity")
	if n := s.Affinity.NodeAffinity; n != nil {
		here := at.with("nodeAffinity")
		if required := n.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
			if len(required.NodeSelectorTerms) == 0 {
				r.wrong(o, here.with("requiredDuringSchedulingIgnoredDuringExecution").with("nodeSelectorTerms"), "is empty", "")
			}
			for i, t := range required.NodeSelectorTerms {
				r.nodeTerm(o, here.with("requiredDuringSchedulingIgnoredDuringExecution").with("nodeSelectorTerms").with(i), t)
			}
		}
		for i, p := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			there := here.with("preferredDuringSchedulingIgnoredDuringExecution").with(i)
			r.weight(o, there, p.Weight)
			r.nodeTerm(o, there.with("preference"), p.Preference)
		}
	}
	if p := s.Affinity.PodAffinity; p != nil {
		r.podTerms(o, at.with("podAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := s.Affinity.PodAntiAffinity; p != nil {
		r.podTerms(o, at.with("podAntiAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (r *ruling) weight(o *object, at path, weight int32) {
	if weight < 1 || weight > 100 {
		r.wrong(o, at.with("weight"), fmt.Sprintf("%d is out of range", weight), "1 to 100")
	}
}

func (r *ruling) nodeTerm(o *object, at path, t corev1.NodeSelectorTerm) {
	for i, e := range t.MatchExpressions {
		here := at.with("matchExpressions").with(i)
		r.bad(o, here.with("key"), e.Key, "label's name", validation.IsQualifiedName(e.Key))
		r.operator(o, here, string(e.Operator), len(e.Values), "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
	}
}

func (r *ruling) podTerms(o *object, at path, required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
	term := func(at path, t corev1.PodAffinityTerm) {
		r.bad(o, at.with("topologyKey"), t.TopologyKey, "label's name", validation.IsQualifiedName(t.TopologyKey))
		r.selects(o, at.with("labelSelector"), t.LabelSelector)
		r.selects(o, at.with("namespaceSelector"), t.NamespaceSelector)
	}
	for i, t := range required {
		term(at.with("requiredDuringSchedulingIgnoredDuringExecution").with(i), t)
	}
	for i, p := range preferred {
		here := at.with("preferredDuringSchedulingIgnoredDuringExecution").with(i)
		r.weight(o, here, p.Weight)
		term(here.with("podAffinityTerm"), p.PodAffinityTerm)
	}
}
