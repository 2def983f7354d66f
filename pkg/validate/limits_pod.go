package validate

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// podLimits checks the template of a workload, or a Pod.
func (r *ruling) podLimits(o *object) {
	w := o.workload
	if len(w.at) > 0 {
		limits.Metadata(r.at(o, w.at.with("metadata")), w.template.Labels, w.template.Annotations)
	}
	s, at := &w.template.Spec, w.at.with("spec")
	pod := r.at(o, at)
	if grace := s.TerminationGracePeriodSeconds; grace != nil && *grace < 0 {
		r.add(o, Warning, "limits", at.with("terminationGracePeriodSeconds"), fmt.Sprintf("%d is negative, and taken as 1", *grace), "0 or more")
	}
	limits.Least(pod.At("activeDeadlineSeconds"), s.ActiveDeadlineSeconds, 1)
	if w.endless && s.ActiveDeadlineSeconds != nil {
		r.wrong(o, at.with("activeDeadlineSeconds"), "must not be there: Pods of a "+o.kind+" have no end", "remove it")
	}
	for _, list := range []struct {
		name       string
		containers []corev1.Container
	}{{"initContainers", s.InitContainers}, {"containers", s.Containers}} {
		for i := range list.containers {
			r.containerLimits(o, &list.containers[i], at.with(list.name).with(i), s.TerminationGracePeriodSeconds)
		}
	}
	names := map[string]bool{}
	for i := range s.Volumes {
		v, here := &s.Volumes[i], at.with("volumes").with(i)
		r.bad(o, here.with("name"), v.Name, "volume's name", validation.IsDNS1123Label(v.Name))
		if names[v.Name] {
			r.wrong(o, here.with("name"), show(v.Name)+" is the name of another volume too", "give each a name of its own")
		}
		names[v.Name] = true
		limits.VolumeSource(r.at(o, here), &v.VolumeSource)
	}
	limits.Labels(pod.At("nodeSelector"), s.NodeSelector)
	limits.Tolerations(pod.At("tolerations"), s.Tolerations)
	limits.TopologySpread(pod.At("topologySpreadConstraints"), s.TopologySpreadConstraints)
	limits.Affinity(pod.At("affinity"), s.Affinity)
	limits.PodSecurityContext(pod.At("securityContext"), s.SecurityContext)
	r.restart(o, s, at)
	for field, name := range map[string]string{"serviceAccountName": s.ServiceAccountName, "priorityClassName": s.PriorityClassName} {
		if name != "" {
			limits.ObjectName(pod.At(field), name)
		}
	}
	for field, name := range map[string]string{"hostname": s.Hostname, "subdomain": s.Subdomain} {
		if name != "" {
			r.bad(o, at.with(field), name, "DNS label", validation.IsDNS1123Label(name))
		}
	}
	for i, h := range s.HostAliases {
		if !limits.IsAddress(h.IP) {
			r.wrong(o, at.with("hostAliases").with(i).with("ip"), show(h.IP)+" is not an IP address", "")
		}
	}
	if s.DNSPolicy == corev1.DNSNone && (s.DNSConfig == nil || len(s.DNSConfig.Nameservers) == 0) {
		r.wrong(o, at.with("dnsConfig").with("nameservers"), "is missing, which dnsPolicy None needs", "")
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

func (r *ruling) containerLimits(o *object, c *corev1.Container, at path, grace *int64) {
	r.bad(o, at.with("name"), c.Name, "container's name", validation.IsDNS1123Label(c.Name))
	if c.Image != strings.TrimSpace(c.Image) {
		r.wrong(o, at.with("image"), show(c.Image)+" begins or ends with a space, for which each Pod is refused", "remove it")
	}
	for i, p := range c.Ports {
		if p.HostPort != 0 {
			limits.Port(r.at(o, at.with("ports").with(i).with("hostPort")), p.HostPort)
		}
	}
	here := r.at(o, at)
	limits.Env(here.At("env"), c.Env)
	limits.EnvFrom(here.At("envFrom"), c.EnvFrom)
	for _, p := range probes(c) {
		limits.Probe(here.At(p.name), p.probe, p.name == "readinessProbe")
	}
	limits.Lifecycle(here.At("lifecycle"), c.Lifecycle, grace)
	limits.Resources(here.At("resources"), c.Resources)
	limits.SecurityContext(here.At("securityContext"), c.SecurityContext)
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
		limits.SubPath(r.at(o, here), m)
	}
}
