package generate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podSpec is a Pod that the restricted Pod Security standard admits, unless the
// Spec asks for more.
func (a *App) podSpec(known preset) corev1.PodSpec {
	// The app is not known to call the API, so it gets no token to do so; nor does
	// it get a variable for each Service of the namespace, which some images trip
	// over (REDIS_PORT=tcp://… where they expect a number).
	no := false
	w := a.Spec.Workload
	spec := corev1.PodSpec{
		AutomountServiceAccountToken:  orDefault(w.AutomountServiceAccountToken, &no),
		EnableServiceLinks:            orDefault(w.EnableServiceLinks, &no),
		SecurityContext:               a.podSecurity(known),
		ServiceAccountName:            w.ServiceAccountName,
		ImagePullSecrets:              w.ImagePullSecrets,
		NodeSelector:                  w.NodeSelector,
		Affinity:                      w.Affinity,
		Tolerations:                   w.Tolerations,
		PriorityClassName:             w.PriorityClassName,
		TerminationGracePeriodSeconds: w.TerminationGracePeriodSeconds,
	}
	volumes, mounts := a.volumes(known)
	spec.Volumes = volumes
	spec.Containers = []corev1.Container{a.container(known, volumes, mounts)}
	for _, c := range w.TopologySpreadConstraints {
		if c.LabelSelector == nil {
			c.LabelSelector = &metav1.LabelSelector{MatchLabels: a.labels()}
		}
		spec.TopologySpreadConstraints = append(spec.TopologySpreadConstraints, c)
	}
	return spec
}

func orDefault[T any](given, otherwise *T) *T {
	if given != nil {
		return given
	}
	return otherwise
}

// container is the Pod's only one.
func (a *App) container(known preset, volumes []corev1.Volume, mounts []corev1.VolumeMount) corev1.Container {
	w := a.Spec.Workload
	c := corev1.Container{
		Name:            a.Metadata.Name,
		Image:           w.Image,
		ImagePullPolicy: w.ImagePullPolicy,
		Command:         w.Command,
		Args:            w.Args,
		Ports:           a.containerPorts(),
		EnvFrom:         w.EnvFrom,
		Env:             a.env(known),
		Resources: corev1.ResourceRequirements{
			Requests: known.requests.list(),
			Limits:   known.limits.list(),
		},
		VolumeMounts:    mounts,
		Lifecycle:       w.Lifecycle,
		SecurityContext: w.security(),
	}
	if disk := scratch(volumes); disk != nil && *c.SecurityContext.ReadOnlyRootFilesystem {
		// Nodes that do not count their disks, such as those of kind without root, take
		// no Pod that requests some; unsaid, the request is the limit.
		c.Resources.Requests[corev1.ResourceEphemeralStorage] = resource.MustParse("0")
		c.Resources.Limits[corev1.ResourceEphemeralStorage] = *disk
	}
	if w.Resources != nil {
		c.Resources = *w.Resources
	}
	if port, ok := a.probedPort(known); ok {
		if known.readiness != nil {
			c.ReadinessProbe = known.readiness(port)
		}
		if known.liveness != nil {
			c.LivenessProbe = known.liveness(port)
		}
	}
	if w.Check != nil {
		c.ReadinessProbe = a.checkProbe(known)
	}
	c.ReadinessProbe = orDefault(w.ReadinessProbe, c.ReadinessProbe)
	c.LivenessProbe = orDefault(w.LivenessProbe, c.LivenessProbe)
	c.StartupProbe = w.StartupProbe
	return c
}

// env is what the Spec gives, and what a known image needs beside it.
func (a *App) env(known preset) []corev1.EnvVar {
	given := a.Spec.Workload.Env
	var out []corev1.EnvVar
	for _, e := range known.env {
		if !slices.ContainsFunc(given, func(g corev1.EnvVar) bool { return g.Name == e.Name }) {
			out = append(out, e)
		}
	}
	return append(out, given...)
}

// volumes are those of the Spec and those that a known image writes to, as far
// as the Spec has none of that name and mounts nothing at that path.
func (a *App) volumes(known preset) ([]corev1.Volume, []corev1.VolumeMount) {
	w := a.Spec.Workload
	var volumes []corev1.Volume
	var mounts []corev1.VolumeMount
	for _, m := range known.writable {
		if slices.ContainsFunc(w.VolumeMounts, func(v corev1.VolumeMount) bool { return v.MountPath == m.path }) ||
			slices.ContainsFunc(w.VolumeClaimTemplates, func(v VolumeClaim) bool { return v.MountPath == m.path }) {
			continue
		}
		mounts = append(mounts, corev1.VolumeMount{Name: m.name, MountPath: m.path})
		if slices.ContainsFunc(w.Volumes, func(v corev1.Volume) bool { return v.Name == m.name }) ||
			slices.ContainsFunc(w.VolumeClaimTemplates, func(v VolumeClaim) bool { return v.Name == m.name }) {
			continue
		}
		limit := resource.MustParse(m.limit)
		volumes = append(volumes, corev1.Volume{
			Name:         m.name,
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &limit}},
		})
	}
	for _, c := range w.VolumeClaimTemplates {
		if c.MountPath != "" {
			mounts = append(mounts, corev1.VolumeMount{Name: c.Name, MountPath: c.MountPath})
		}
	}
	return append(volumes, w.Volumes...), append(mounts, w.VolumeMounts...)
}

// logs is room for what the container prints, of which a kubelet keeps 50Mi unless
// told otherwise, and for what goes beside that until it next looks.
const logs = "256Mi"

// scratch is the most that a Pod with those volumes may use of its node's disk: all
// that they may hold, as a kubelet counts them too, and the logs. It is nil where a
// volume has no bound.
func scratch(volumes []corev1.Volume) *resource.Quantity {
	sum := resource.MustParse(logs)
	for _, v := range volumes {
		switch d := v.EmptyDir; {
		case d == nil || d.Medium != corev1.StorageMediumDefault: // in no node's disk
		case d.SizeLimit == nil || d.SizeLimit.Sign() <= 0: // to a kubelet 0 is none, too
			return nil
		default:
			sum.Add(*d.SizeLimit)
		}
	}
	return &sum
}

// claim is the API's form of a claim.
func (c VolumeClaim) claim() corev1.PersistentVolumeClaim {
	p := corev1.PersistentVolumeClaim{}
	p.Name = c.Name
	p.Spec.AccessModes = c.AccessModes
	if len(p.Spec.AccessModes) == 0 {
		p.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	}
	if c.StorageClassName != "" {
		p.Spec.StorageClassName = &c.StorageClassName
	}
	// Validate has seen that it is one.
	if q, err := resource.ParseQuantity(c.Storage); err == nil {
		p.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: q}
	}
	return p
}

func (r resources) list() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(r.cpu),
		corev1.ResourceMemory: resource.MustParse(r.memory),
	}
}
