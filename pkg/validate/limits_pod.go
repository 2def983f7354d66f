package validate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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
		r.hostPorts(o, s, list.name, list.containers, at)
	}
	for i := range s.InitContainers {
		r.initLimits(o, &s.InitContainers[i], at.with("initContainers").with(i))
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
	r.disk(o, s, at)
	limits.Labels(pod.At("nodeSelector"), s.NodeSelector)
	limits.Tolerations(pod.At("tolerations"), s.Tolerations)
	limits.TopologySpread(pod.At("topologySpreadConstraints"), s.TopologySpreadConstraints)
	limits.Affinity(pod.At("affinity"), s.Affinity)
	limits.PodSecurityContext(pod.At("securityContext"), s.SecurityContext)
	r.restart(o, s, at)
	r.shared(o, s, at)
	r.system(o, s, at)
	for field, name := range map[string]string{"serviceAccountName": s.ServiceAccountName, "priorityClassName": s.PriorityClassName, "nodeName": s.NodeName} {
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
	for i, g := range s.SchedulingGates {
		r.bad(o, at.with("schedulingGates").with(i).with("name"), g.Name, "gate's name", validation.IsQualifiedName(g.Name))
	}
	if c := s.DNSConfig; c != nil {
		r.nameservers(o, c.Nameservers, at.with("dnsConfig").with("nameservers"))
	}
	if s.DNSPolicy == corev1.DNSNone && (s.DNSConfig == nil || len(s.DNSConfig.Nameservers) == 0) {
		r.wrong(o, at.with("dnsConfig").with("nameservers"), "is missing, which dnsPolicy None needs", "")
	}
}

// disk finds volumes that never hold what they may: a kubelet evicts a Pod whose
// containers, logs and volumes take more of the node's disk than its containers may.
func (r *ruling) disk(o *object, s *corev1.PodSpec, at path) {
	var most resource.Quantity
	limited := false
	add := func(c corev1.Container) {
		if q, ok := c.Resources.Limits[corev1.ResourceEphemeralStorage]; ok {
			most.Add(q)
			limited = true
		}
	}
	for _, c := range s.Containers {
		add(c)
	}
	for _, c := range s.InitContainers { // too much rather than too little: they may be sidecars
		add(c)
	}
	for i, v := range s.Volumes {
		d := v.EmptyDir
		if !limited || d == nil || d.Medium != corev1.StorageMediumDefault || d.SizeLimit == nil || d.SizeLimit.Cmp(most) <= 0 {
			continue
		}
		r.add(o, Warning, "disk", at.with("volumes").with(i).with("emptyDir").with("sizeLimit"),
			fmt.Sprintf("%s is more than all of the Pod may take of its node's disk: it is evicted at %s, the ephemeral-storage of its containers' limits", d.SizeLimit, &most),
			"raise that limit above what the volumes hold")
	}
}

// maxNameservers is how many a resolver asks.
const maxNameservers = 3

func (r *ruling) nameservers(o *object, list []string, at path) {
	if len(list) > maxNameservers {
		r.wrong(o, at, fmt.Sprintf("names %d servers; %d is the most", len(list), maxNameservers), "remove the others")
	}
	for i, server := range list {
		if !limits.IsAddress(server) {
			r.wrong(o, at.with(i), show(server)+" is not an IP address", "")
		}
	}
}

// hostPorts checks the ports that containers take of their node.
func (r *ruling) hostPorts(o *object, s *corev1.PodSpec, field string, containers []corev1.Container, at path) {
	taken := map[string]bool{}
	for i, c := range containers {
		if field == "initContainers" { // which run one after another
			clear(taken)
		}
		for j, p := range c.Ports {
			if p.HostPort == 0 {
				continue
			}
			here := at.with(field).with(i).with("ports").with(j).with("hostPort")
			limits.Port(r.at(o, here), p.HostPort)
			if s.HostNetwork && field == "containers" && p.HostPort != p.ContainerPort {
				r.wrong(o, here, fmt.Sprintf("%d is not the containerPort, %d, as it must be with hostNetwork", p.HostPort, p.ContainerPort), "leave hostPort out")
			}
			key := fmt.Sprintf("%s/%s/%d", cmp.Or(p.Protocol, corev1.ProtocolTCP), p.HostIP, p.HostPort)
			if taken[key] {
				r.wrong(o, here, fmt.Sprintf("%d is taken by another port of the Pod too", p.HostPort), "choose another")
			}
			taken[key] = true
		}
	}
}

// initLimits checks what only a container that goes on running can have.
func (r *ruling) initLimits(o *object, c *corev1.Container, at path) {
	if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
		return
	}
	refuse := func(there bool, field string) {
		if there {
			r.wrong(o, at.with(field), "is refused for an init container, which ends before the others start", "remove it, or make it a sidecar by restartPolicy: Always")
		}
	}
	refuse(c.Lifecycle != nil, "lifecycle")
	for _, p := range probes(c) {
		refuse(p.probe != nil, p.name)
	}
}

// shared checks what a Pod shares with its node.
func (r *ruling) shared(o *object, s *corev1.PodSpec, at path) {
	if s.HostPID && s.ShareProcessNamespace != nil && *s.ShareProcessNamespace {
		r.wrong(o, at.with("shareProcessNamespace"), "is refused with hostPID: true", "remove one")
	}
	if s.HostUsers != nil && !*s.HostUsers {
		for field, shared := range map[string]bool{"hostNetwork": s.HostNetwork, "hostPID": s.HostPID, "hostIPC": s.HostIPC} {
			if shared {
				r.wrong(o, at.with(field), "is refused with hostUsers: false", "remove one")
			}
		}
	}
	if s.SecurityContext == nil {
		return
	}
	for i, c := range s.SecurityContext.Sysctls {
		here := at.with("securityContext").with("sysctls").with(i).with("name")
		name, _, _ := strings.Cut(sysctl(c.Name), "*")
		switch {
		case s.HostNetwork && strings.HasPrefix(name, "net."):
			r.wrong(o, here, show(c.Name)+" is the node's with hostNetwork: true", "remove one")
		case s.HostIPC && (slices.Contains(ipcSysctls, name) || strings.HasPrefix(name, "fs.mqueue.")):
			r.wrong(o, here, show(c.Name)+" is the node's with hostIPC: true", "remove one")
		}
	}
}

// ipcSysctls are those of what hostIPC shares.
var ipcSysctls = []string{"kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced", "kernel.shm", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.msg"}

// sysctl writes a kernel parameter's name with dots: what comes first, . or /, parts it.
func sysctl(name string) string {
	if i := strings.IndexAny(name, "./"); i < 0 || name[i] == '.' {
		return name
	}
	return strings.NewReplacer("/", ".", ".", "/").Replace(name)
}

// system checks what belongs to another operating system than the one that a Pod says.
func (r *ruling) system(o *object, s *corev1.PodSpec, at path) {
	if s.OS == nil {
		return
	}
	limits.Listed(r.at(o, at.with("os").with("name")), s.OS.Name, corev1.Linux, corev1.Windows)
	contexts := func(check func(context any, at path)) {
		check(s.SecurityContext, at.with("securityContext"))
		for field, containers := range map[string][]corev1.Container{"initContainers": s.InitContainers, "containers": s.Containers} {
			for i, c := range containers {
				check(c.SecurityContext, at.with(field).with(i).with("securityContext"))
			}
		}
	}
	foreign := func(at path) {
		r.wrong(o, at, "is refused for os.name "+string(s.OS.Name), "remove it")
	}
	const windows = "windowsOptions"
	switch s.OS.Name {
	case corev1.Linux:
		contexts(func(context any, at path) {
			if slices.Contains(fieldsOf(context), windows) {
				foreign(at.with(windows))
			}
		})
	case corev1.Windows:
		contexts(func(context any, at path) {
			for _, field := range fieldsOf(context) {
				if field != windows && field != "runAsNonRoot" {
					foreign(at.with(field))
				}
			}
		})
		for field, there := range map[string]bool{"hostUsers": s.HostUsers != nil, "hostPID": s.HostPID, "hostIPC": s.HostIPC, "shareProcessNamespace": s.ShareProcessNamespace != nil} {
			if there {
				foreign(at.with(field))
			}
		}
	}
}

// fieldsOf are the fields of one of the API's types that have a value.
func fieldsOf(v any) []string {
	var there map[string]any
	if data, err := json.Marshal(v); err != nil || json.Unmarshal(data, &there) != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(there))
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
