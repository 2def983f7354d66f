package generate

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// portStart is the kernel parameter without which only root may listen on a port
// below 1024; the restricted standard allows it.
const portStart = "net.ipv4.ip_unprivileged_port_start"

// podSecurity is the Pod's security context: what the restricted standard asks for,
// but for what cannot be beside what the Spec says.
func (a *App) podSecurity(known preset) *corev1.PodSecurityContext {
	yes, files := true, known.group
	w := a.Spec.Workload
	c := &corev1.PodSecurityContext{
		RunAsNonRoot:   &yes,
		RunAsUser:      &known.user,
		RunAsGroup:     &known.group,
		FSGroup:        &files,
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if as := w.runsAs(); as.root() && as.nonRoot == nil {
		c.RunAsNonRoot = nil // the kubelet would not start it
	}
	if given := w.PodSecurityContext; given != nil && given.RunAsGroup != nil {
		files = *given.RunAsGroup
	}
	merge(c, w.PodSecurityContext)
	low := func(p corev1.ContainerPort) bool { return p.ContainerPort < 1024 }
	if slices.ContainsFunc(a.containerPorts(), low) && !slices.ContainsFunc(c.Sysctls, isPortStart) {
		c.Sysctls = append(c.Sysctls, corev1.Sysctl{Name: portStart, Value: "0"})
	}
	return c
}

// isPortStart knows the parameter in both of the kernel's spellings.
func isPortStart(s corev1.Sysctl) bool { return strings.ReplaceAll(s.Name, "/", ".") == portStart }

// security is the container's security context, in the same way.
func (w *Workload) security() *corev1.SecurityContext {
	no, yes := false, true
	c := &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no,
		ReadOnlyRootFilesystem:   &yes,
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	if limits.Escalates(w.SecurityContext) != "" {
		c.AllowPrivilegeEscalation = nil // the API refuses it
	}
	merge(c, w.SecurityContext)
	return c
}

// runsAs is what a Spec says of the container's user; as the kubelet has it, what
// the container's context leaves out is the Pod's. The fields are those that say it.
type runsAs struct {
	user                    *int64
	nonRoot                 *bool
	userField, nonRootField string
}

func (w *Workload) runsAs() (as runsAs) {
	if c := w.PodSecurityContext; c != nil {
		as.user, as.userField = c.RunAsUser, "podSecurityContext.runAsUser"
		as.nonRoot, as.nonRootField = c.RunAsNonRoot, "podSecurityContext.runAsNonRoot"
	}
	if c := w.SecurityContext; c != nil && c.RunAsUser != nil {
		as.user, as.userField = c.RunAsUser, "securityContext.runAsUser"
	}
	if c := w.SecurityContext; c != nil && c.RunAsNonRoot != nil {
		as.nonRoot, as.nonRootField = c.RunAsNonRoot, "securityContext.runAsNonRoot"
	}
	return as
}

func (as runsAs) root() bool { return as.user != nil && *as.user == 0 }

// merge lays what the Spec says over what would be there without; both are API
// objects of one type, of which JSON knows what was given. It writes through the
// pointers in base, so that no two of them may be one.
func merge[T any](base, over *T) {
	if over == nil {
		return
	}
	data, err := json.Marshal(over)
	if err == nil {
		err = json.Unmarshal(data, base)
	}
	if err != nil {
		panic("generate: an API type that JSON does not carry: " + err.Error())
	}
}
