package validate

import (
	"fmt"
	"maps"
	"math"
	"regexp"
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
		if !isAddress(h.IP) {
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
		r.sysctls(o, here.with("sysctls"), c.Sysctls)
	}
}

// sysctlName is what the API admits; the longest has 253 letters.
var sysctlName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

func (r *ruling) sysctls(o *object, at path, sysctls []corev1.Sysctl) {
	for i, s := range sysctls {
		here := at.with(i).with("name")
		switch {
		case s.Name == "":
			r.needed(o, here, s.Name)
		case len(s.Name) > 253 || !sysctlName.MatchString(s.Name):
			r.wrong(o, here, show(s.Name)+" is no kernel parameter's name", "such as net.ipv4.ip_unprivileged_port_start")
		case slices.ContainsFunc(sysctls[:i], func(t corev1.Sysctl) bool { return t.Name == s.Name }):
			r.wrong(o, here, show(s.Name)+" is there twice", "remove one")
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
		if f := from.FieldRef; f != nil {
			r.fieldPath(o, here.with("fieldRef").with("fieldPath"), f.FieldPath)
		}
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

// ownFields are what a variable can be of its own Pod, beside one label or annotation.
var ownFields = []string{"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"}

func (r *ruling) fieldPath(o *object, at path, p string) {
	if slices.Contains(ownFields, p) || p == "spec.host" || strings.HasPrefix(p, "metadata.labels['") || strings.HasPrefix(p, "metadata.annotations['") {
		return
	}
	r.wrong(o, at, show(p)+" is no field of a Pod that a variable can have", "one of "+strings.Join(ownFields, ", ")+", metadata.labels['NAME'], metadata.annotations['NAME']")
}

func (r *ruling) headers(o *object, at path, headers []corev1.HTTPHeader) {
	for i, h := range headers {
		r.bad(o, at.with(i).with("name"), h.Name, "header's name", validation.IsHTTPHeaderName(h.Name))
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
		r.headers(o, at.with("httpGet").with("httpHeaders"), p.HTTPGet.HTTPHeaders)
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
		r.headers(o, at.with("httpGet").with("httpHeaders"), h.HTTPGet.HTTPHeaders)
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
