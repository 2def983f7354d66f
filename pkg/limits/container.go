package limits

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Env is ValidateEnv.
func Env(report Report, list []corev1.EnvVar) {
	for i, e := range list {
		at := report.At(i)
		name(at.At("name"), e.Name, "the name of a variable", "letters, digits and '_', such as LOG_LEVEL", validation.IsRelaxedEnvVarName)
		from := e.ValueFrom
		if from == nil {
			continue
		}
		if e.Value != "" {
			at.At("value").wrong(e.Value, "is given, and valueFrom too", "remove one")
		}
		at = at.At("valueFrom")
		ExactlyOne(at, "must name exactly one source", map[string]bool{"fieldRef": from.FieldRef != nil, "resourceFieldRef": from.ResourceFieldRef != nil,
			"configMapKeyRef": from.ConfigMapKeyRef != nil, "secretKeyRef": from.SecretKeyRef != nil, "fileKeyRef": from.FileKeyRef != nil})
		if f := from.FieldRef; f != nil {
			podField(at.At("fieldRef", "fieldPath"), f.FieldPath)
		}
		if r := from.ConfigMapKeyRef; r != nil {
			reference(at.At("configMapKeyRef"), r.Name, r.Key)
		}
		if r := from.SecretKeyRef; r != nil {
			reference(at.At("secretKeyRef"), r.Name, r.Key)
		}
	}
}

func reference(report Report, object, key string) {
	ObjectName(report.At("name"), object)
	name(report.At("key"), key, "a key", "such as password or redis.conf", validation.IsConfigMapKey)
}

// EnvFrom is ValidateEnvFrom.
func EnvFrom(report Report, list []corev1.EnvFromSource) {
	for i, e := range list {
		at := report.At(i)
		ExactlyOne(at, "must name exactly one source", map[string]bool{"configMapRef": e.ConfigMapRef != nil, "secretRef": e.SecretRef != nil})
		if r := e.ConfigMapRef; r != nil {
			ObjectName(at.At("configMapRef", "name"), r.Name)
		}
		if r := e.SecretRef; r != nil {
			ObjectName(at.At("secretRef", "name"), r.Name)
		}
	}
}

// podFields are what a variable can be of its own Pod, beside one label or annotation.
var podFields = []string{"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"}

// podField is validateObjectFieldSelector.
func podField(report Report, field string) {
	if !slices.Contains(podFields, field) && field != "spec.host" && !strings.HasPrefix(field, "metadata.labels['") && !strings.HasPrefix(field, "metadata.annotations['") {
		report(Problem{Value: field, Reason: "is not a field of a Pod that a variable can have", Known: podFields,
			Next: "one of " + strings.Join(podFields, ", ") + ", metadata.labels['NAME'], metadata.annotations['NAME']"})
	}
}

// ownResources are those that a container has without a domain before their names.
var ownResources = []string{"cpu", "memory", "ephemeral-storage"}

// Resources checks all but that requests are within their limits
// (ValidateContainerResourceRequirements).
func Resources(report Report, r corev1.ResourceRequirements) {
	for _, list := range []struct {
		field string
		of    corev1.ResourceList
	}{{"limits", r.Limits}, {"requests", r.Requests}} {
		for _, each := range slices.Sorted(maps.Keys(list.of)) {
			n, q := string(each), list.of[each]
			at := report.At(list.field, n)
			if q.Sign() < 0 {
				at.wrong(&q, "is negative", "0 or more")
			}
			what := "is a device"
			switch size, huge := strings.CutPrefix(n, corev1.ResourceHugePagesPrefix); {
			case strings.Contains(n, "/"):
				key(at, n, "a resource's name", "such as example.com/gpu", validation.IsQualifiedName)
				WholeQuantity(at, q)
			case huge:
				what = "is of huge pages"
				hugePages(at, q, size)
				if !slices.ContainsFunc(ownResources[:2], func(own string) bool {
					_, limited := r.Limits[corev1.ResourceName(own)]
					_, requested := r.Requests[corev1.ResourceName(own)]
					return limited || requested
				}) {
					at.wrong(nil, "is refused without cpu or memory", "write one of them too")
				}
			case !slices.Contains(ownResources, n):
				at(Problem{Value: n, Reason: "is not a resource of a container", Known: ownResources, Next: "cpu, memory, ephemeral-storage, hugepages-SIZE, or a device such as example.com/gpu"})
				continue
			default:
				continue
			}
			// Nothing of the two can be lent.
			if limit, ok := r.Limits[each]; list.field == "requests" && (!ok || limit.Cmp(q) != 0) {
				at.wrong(nil, what+", of which the limit must be the same", "write it under limits, which is enough")
			}
		}
	}
}

// WholeQuantity demands a number of things that have no parts.
func WholeQuantity(report Report, q resource.Quantity) {
	if q.MilliValue()%1000 != 0 {
		report.wrong(&q, "is not a whole number", "such as 1")
	}
}

// hugePages is validateResourceQuantityHugePageValue.
func hugePages(report Report, q resource.Quantity, size string) {
	page, err := resource.ParseQuantity(size)
	switch {
	case err != nil || page.Sign() <= 0:
		report.wrong(nil, "names no size of a page", "such as hugepages-2Mi")
	case q.Value()%page.Value() != 0:
		report.wrong(&q, "is not a multiple of the page's size, "+size, "such as "+size)
	}
}

// WithinLimits demands that no request is more than its limit.
func WithinLimits(report Report, r corev1.ResourceRequirements) {
	for _, each := range slices.Sorted(maps.Keys(r.Requests)) {
		q := r.Requests[each]
		if limit, ok := r.Limits[each]; ok && q.Cmp(limit) > 0 {
			report.At("requests", string(each)).wrong(&q, "is more than its limit, "+limit.String(), "request as much as the limit, or less")
		}
	}
}

// Probe is validateProbe; ready is for the readiness probe, which ends nothing.
func Probe(report Report, p *corev1.Probe, ready bool) {
	if p == nil {
		return
	}
	ExactlyOne(report, "must ask in exactly one way", map[string]bool{"exec": p.Exec != nil, "httpGet": p.HTTPGet != nil, "tcpSocket": p.TCPSocket != nil, "grpc": p.GRPC != nil})
	handler(report, p.Exec, p.HTTPGet, p.TCPSocket)
	if p.GRPC != nil {
		Port(report.At("grpc", "port"), p.GRPC.Port)
	}
	for _, f := range []struct {
		name   string
		number int32
	}{{"initialDelaySeconds", p.InitialDelaySeconds}, {"timeoutSeconds", p.TimeoutSeconds}, {"periodSeconds", p.PeriodSeconds},
		{"successThreshold", p.SuccessThreshold}, {"failureThreshold", p.FailureThreshold}} {
		Least(report.At(f.name), &f.number, 0)
	}
	if !ready && p.SuccessThreshold > 1 {
		report.At("successThreshold").wrong(p.SuccessThreshold, "must be 1 but for a readiness probe", "remove it")
	}
	if t := p.TerminationGracePeriodSeconds; t != nil && ready {
		report.At("terminationGracePeriodSeconds").wrong(*t, "has no use in a readiness probe, which ends nothing", "remove it")
	} else {
		Least(report.At("terminationGracePeriodSeconds"), t, 1)
	}
}

// Lifecycle is validateLifecycle; grace is how many seconds the Pod has to end, nil for
// as many as it has when nothing is said.
func Lifecycle(report Report, l *corev1.Lifecycle, grace *int64) {
	if l == nil {
		return
	}
	most := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if grace != nil {
		most = *grace
	}
	for _, hook := range []struct {
		field string
		does  *corev1.LifecycleHandler
	}{{"postStart", l.PostStart}, {"preStop", l.PreStop}} {
		at, h := report.At(hook.field), hook.does
		if h == nil {
			continue
		}
		ExactlyOne(at, "must do exactly one thing", map[string]bool{"exec": h.Exec != nil, "httpGet": h.HTTPGet != nil, "tcpSocket": h.TCPSocket != nil, "sleep": h.Sleep != nil})
		handler(at, h.Exec, h.HTTPGet, h.TCPSocket)
		if h.Sleep == nil {
			continue
		}
		if at, n := at.At("sleep", "seconds"), h.Sleep.Seconds; n > most {
			at.wrong(n, fmt.Sprintf("is more than terminationGracePeriodSeconds, %d, after which the Pod is killed", most), "sleep less, or give the Pod more time to end")
		} else {
			Least(at, &n, 0)
		}
	}
}

// handler checks what probes and hooks have in common (validateHandler).
func handler(report Report, exec *corev1.ExecAction, get *corev1.HTTPGetAction, tcp *corev1.TCPSocketAction) {
	if exec != nil && len(exec.Command) == 0 {
		report.At("exec", "command").wrong(nil, "is missing", "")
	}
	if get != nil {
		PortOrName(report.At("httpGet", "port"), get.Port)
		OneOf(report.At("httpGet", "scheme"), get.Scheme, corev1.URISchemeHTTP, corev1.URISchemeHTTPS)
		for i, h := range get.HTTPHeaders {
			name(report.At("httpGet", "httpHeaders", i, "name"), h.Name, "a header's name", "such as Host or X-Probe", validation.IsHTTPHeaderName)
		}
	}
	if tcp != nil {
		PortOrName(report.At("tcpSocket", "port"), tcp.Port)
	}
}

// Escalates says what of a container's security context is refused beside
// allowPrivilegeEscalation: false; empty for nothing. The API looks for the capability
// under its long name only (ValidateSecurityContext).
func Escalates(c *corev1.SecurityContext) string {
	const admin = "CAP_SYS_ADMIN"
	switch {
	case c == nil:
	case c.Privileged != nil && *c.Privileged:
		return "privileged: true"
	case c.Capabilities != nil && slices.Contains(c.Capabilities.Add, admin):
		return "the capability " + admin
	}
	return ""
}

// SecurityContext is ValidateSecurityContext.
func SecurityContext(report Report, c *corev1.SecurityContext) {
	if c == nil {
		return
	}
	id(report.At("runAsUser"), c.RunAsUser)
	id(report.At("runAsGroup"), c.RunAsGroup)
	if what := Escalates(c); what != "" && c.AllowPrivilegeEscalation != nil && !*c.AllowPrivilegeEscalation {
		report.At("allowPrivilegeEscalation").wrong(nil, "cannot be false with "+what, "remove one")
	}
	seccomp(report.At("seccompProfile"), c.SeccompProfile)
}

// PodSecurityContext is ValidatePodSecurityContext.
func PodSecurityContext(report Report, c *corev1.PodSecurityContext) {
	if c == nil {
		return
	}
	id(report.At("runAsUser"), c.RunAsUser)
	id(report.At("runAsGroup"), c.RunAsGroup)
	id(report.At("fsGroup"), c.FSGroup)
	for i := range c.SupplementalGroups {
		id(report.At("supplementalGroups", i), &c.SupplementalGroups[i])
	}
	if p := c.FSGroupChangePolicy; p != nil {
		OneOf(report.At("fsGroupChangePolicy"), *p, corev1.FSGroupChangeOnRootMismatch, corev1.FSGroupChangeAlways)
	}
	seccomp(report.At("seccompProfile"), c.SeccompProfile)
	for i, s := range c.Sysctls {
		at := report.At("sysctls", i, "name")
		switch {
		case s.Name == "":
			needed(at, "", "such as net.ipv4.ip_unprivileged_port_start")
		case len(s.Name) > 253 || !sysctlName.MatchString(s.Name):
			at.wrong(s.Name, "is not a kernel parameter's name", "such as net.ipv4.ip_unprivileged_port_start")
		case slices.ContainsFunc(c.Sysctls[:i], func(t corev1.Sysctl) bool { return t.Name == s.Name }):
			at.wrong(s.Name, "is there twice", "remove one")
		}
	}
}

// sysctlName is IsValidSysctlName, but for the length.
var sysctlName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// seccomp is validateSeccompProfileField.
func seccomp(report Report, p *corev1.SeccompProfile) {
	if p == nil {
		return
	}
	const usual, local, none = corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeLocalhost, corev1.SeccompProfileTypeUnconfined
	mustBeOneOf(report.At("type"), p.Type, usual, local, none)
	at := report.At("localhostProfile")
	switch {
	case p.Type == local && p.LocalhostProfile == nil:
		at.wrong(nil, "is missing, which type Localhost wants", "a file below the kubelet's seccomp folder, such as profiles/audit.json")
	case (p.Type == usual || p.Type == none) && p.LocalhostProfile != nil:
		at.wrong(*p.LocalhostProfile, "has no use with type "+string(p.Type), "write type: Localhost")
	}
}
