package generate

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

func (r *composeReader) resources() {
	deploy, _ := r.s["deploy"].(map[string]any)
	replicas, ok := deploy["replicas"].(string)
	if !ok {
		replicas, ok = r.s["scale"].(string)
	}
	if ok {
		n, err := strconv.ParseInt(replicas, 10, 32)
		if err != nil {
			r.bad("deploy.replicas", "%q is not a whole number", shorten(replicas))
		}
		count := int32(n)
		r.w.Replicas = &count
	}
	for _, k := range slices.Sorted(maps.Keys(deploy)) {
		if !slices.Contains([]string{"replicas", "resources", "restart_policy", "mode"}, k) || k == "mode" && deploy[k] != "replicated" {
			r.left("deploy."+k, "")
		}
	}
	asked, _ := deploy["resources"].(map[string]any)
	limits, _ := asked["limits"].(map[string]any)
	reserved, _ := asked["reservations"].(map[string]any)
	for _, m := range []struct {
		at     string
		values map[string]any
	}{{"limits", limits}, {"reservations", reserved}} {
		for _, k := range slices.Sorted(maps.Keys(m.values)) {
			if k != "cpus" && k != "memory" {
				r.left("deploy.resources."+m.at+"."+k, "")
			}
		}
	}
	list := func(at string, cpus, memory any) corev1.ResourceList {
		out := corev1.ResourceList{}
		if s, ok := cpus.(string); ok {
			if q, err := resource.ParseQuantity(s); err == nil {
				out[corev1.ResourceCPU] = q
			} else {
				r.bad(at+".cpus", "%q is not a number", shorten(s))
			}
		}
		if s, ok := memory.(string); ok {
			if q, err := composeBytes(s); err == nil {
				out[corev1.ResourceMemory] = q
			} else {
				r.bad(at+".memory", "%v", err)
			}
		}
		return out
	}
	first := func(x, y any) any {
		if x != nil {
			return x
		}
		return y
	}
	l := list("deploy.resources.limits", first(limits["cpus"], r.s["cpus"]), first(limits["memory"], r.s["mem_limit"]))
	q := list("deploy.resources.reservations", reserved["cpus"], first(reserved["memory"], r.s["mem_reservation"]))
	if len(l)+len(q) > 0 {
		r.w.Resources = &corev1.ResourceRequirements{Limits: l, Requests: q}
	}
}

// composeBytes reads 512m, 1.5gb, 64k: powers of two, whatever they are called.
func composeBytes(s string) (resource.Quantity, error) {
	number := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "b")
	unit := ""
	for suffix, si := range map[string]string{"k": "Ki", "m": "Mi", "g": "Gi", "ki": "Ki", "mi": "Mi", "gi": "Gi"} {
		if n, ok := strings.CutSuffix(number, suffix); ok {
			number, unit = n, si
			break
		}
	}
	q, err := resource.ParseQuantity(number + unit)
	if err != nil {
		return q, fmt.Errorf("%q is no size, such as 512m", shorten(s))
	}
	return q, nil
}

// composeLongest bounds durations; a probe counts whole seconds, and not for years.
const composeLongest = 365 * 24 * time.Hour

func (r *composeReader) health() {
	h, ok := r.s["healthcheck"].(map[string]any)
	if !ok {
		return
	}
	test := textsOf(h["test"])
	if s, ok := h["test"].(string); ok {
		test = []string{"CMD-SHELL", s}
	}
	switch {
	case h["disable"] == "true", len(test) > 0 && test[0] == "NONE":
		r.w.Check = &Check{Type: "none"} // not even what is known of the image
		return
	case len(test) == 0:
		r.left("healthcheck", "(it has no test, and that of the image is not known)")
		return
	case test[0] != "CMD" && test[0] != "CMD-SHELL":
		r.bad("healthcheck.test", "begins with neither CMD nor CMD-SHELL")
		return
	case len(test) < 2:
		r.bad("healthcheck.test", "has no command behind %s", test[0])
		return
	}
	if h["start_interval"] != nil {
		r.left("healthcheck.start_interval", "(a probe has one interval)")
	}
	command := test[1:]
	if test[0] == "CMD-SHELL" {
		command = append([]string{"sh", "-c"}, command...)
	}
	p := execProbe(command...)
	seconds := func(name string, otherwise int32) int32 {
		s, ok := h[name].(string)
		if !ok {
			return otherwise
		}
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d > composeLongest {
			r.bad("healthcheck."+name, "%q is no duration, such as 30s", shorten(s))
			return otherwise
		}
		return int32(math.Ceil(d.Seconds()))
	}
	p.PeriodSeconds, p.TimeoutSeconds = max(1, seconds("interval", 30)), max(1, seconds("timeout", 30))
	p.InitialDelaySeconds = seconds("start_period", 0)
	if s, ok := h["retries"].(string); ok {
		if n, err := strconv.ParseInt(s, 10, 32); err == nil && n > 0 {
			p.FailureThreshold = int32(n)
		} else {
			r.bad("healthcheck.retries", "%q is not a number of 1 or more", shorten(s))
		}
	}
	r.w.ReadinessProbe = p
}

func (r *composeReader) user() {
	if s, ok := r.s["stop_grace_period"].(string); ok {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d > composeLongest {
			r.bad("stop_grace_period", "%q is no duration, such as 30s", shorten(s))
		}
		n := int64(math.Ceil(d.Seconds()))
		r.w.TerminationGracePeriodSeconds = &n
	}
	s, ok := r.s["user"].(string)
	if !ok {
		return
	}
	uid, gid, hasGroup := strings.Cut(s, ":")
	u, err := strconv.ParseInt(uid, 10, 64)
	if err != nil {
		r.left("user", "(Kubernetes wants its number)")
		return
	}
	r.w.PodSecurityContext = &corev1.PodSecurityContext{RunAsUser: &u}
	if g, err := strconv.ParseInt(gid, 10, 64); err == nil && hasGroup {
		r.w.PodSecurityContext.RunAsGroup = &g
	} else if hasGroup {
		r.left("user", "(of its group Kubernetes wants the number)")
	}
	if u == 0 {
		no := false
		r.w.PodSecurityContext.RunAsNonRoot = &no
	}
}

// volumes makes claims of named volumes: their data is meant to outlast the Pod.
func (r *composeReader) volumes() {
	claims := map[string]string{}
	for i, item := range asList(r.s["volumes"]) {
		at := fmt.Sprintf("volumes[%d]", i)
		source, target, mode := mountOf(item)
		switch m, _ := item.(map[string]any); {
		case m["type"] == "tmpfs" && target != "":
			options, _ := m["tmpfs"].(map[string]any)
			size, _ := options["size"].(string)
			r.inMemory(at, target, size)
			for _, k := range mode {
				if k != "tmpfs.size" {
					r.left(at+"."+k, "")
				}
			}
			continue
		case source == "", target == "":
			r.left(at, "(only named volumes are carried over; give it a name)")
			continue
		case strings.ContainsAny(source, `/\.~`):
			r.left(at, "(only named volumes are carried over; put files of the host into a ConfigMap, or into the image)")
			continue
		}
		for _, m := range mode {
			r.left(at+"."+m, "(the claim is mounted whole, for reading and writing)")
		}
		if claim, there := claims[source]; there {
			r.w.VolumeMounts = append(r.w.VolumeMounts, corev1.VolumeMount{Name: claim, MountPath: target})
			continue
		}
		r.w.Kind = StatefulSet
		claims[source] = strings.ReplaceAll(strings.ToLower(source), "_", "-")
		r.w.VolumeClaimTemplates = append(r.w.VolumeClaimTemplates, VolumeClaim{
			Name: claims[source], MountPath: target, Storage: "1Gi"})
		r.notes = append(r.notes, fmt.Sprintf("services.%s.%s became a claim of 1Gi; set what it needs in %s", r.name, at, SpecFile))
		r.volume(source)
	}
}

// tmpfs makes volumes of the short list of folders that are kept in memory:
// PATH[:OPTION,...].
func (r *composeReader) tmpfs() {
	list := textsOf(r.s["tmpfs"])
	one, isOne := r.s["tmpfs"].(string)
	if isOne {
		list = []string{one}
	}
	for i, item := range list {
		at := fmt.Sprintf("tmpfs[%d]", i)
		if isOne {
			at = "tmpfs"
		}
		target, options, _ := strings.Cut(item, ":")
		size := ""
		for _, o := range strings.Split(options, ",") {
			switch name, value, _ := strings.Cut(o, "="); {
			case name == "size":
				size = value
			case name != "" && o != "rw":
				r.left(at+" "+shorten(o), "")
			}
		}
		r.inMemory(at, target, size)
	}
}

// inMemory mounts a volume that is kept in memory, as a tmpfs is.
func (r *composeReader) inMemory(at, target, size string) {
	v := corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}
	if size != "" {
		q, err := composeBytes(size)
		if err != nil {
			r.bad(at, "has the size %v", err)
			return
		}
		if !q.IsZero() { // which is no bound
			v.SizeLimit = &q
		}
	}
	name := fmt.Sprintf("tmpfs-%d", len(r.w.Volumes))
	r.w.Volumes = append(r.w.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &v}})
	r.w.VolumeMounts = append(r.w.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: target})
}

// mountOf takes an item of volumes apart; of what is no named volume, source is a
// path. The mode is what it says beside the place.
func mountOf(item any) (source, target string, mode []string) {
	switch v := item.(type) {
	case string:
		parts := strings.SplitN(v, ":", 3)
		source = parts[0]
		if len(parts) > 1 {
			target = parts[1]
		}
		if len(parts) > 2 && parts[2] != "rw" {
			mode = strings.Split(parts[2], ",")
		}
	case map[string]any:
		source, _ = v["source"].(string)
		target, _ = v["target"].(string)
		if v["type"] != "volume" {
			source = "./" // of the host
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			more, _ := v[k].(map[string]any)
			for _, name := range slices.Sorted(maps.Keys(more)) {
				mode = append(mode, k+"."+name)
			}
			if more == nil && !slices.Contains([]string{"type", "source", "target"}, k) && v[k] != "false" {
				mode = append(mode, k)
			}
		}
	}
	return source, target, mode
}

// volume notes what the file says of a volume that a claim does not have, and who
// else mounts it.
func (r *composeReader) volume(name string) {
	if volumes := field(r.c.root, "volumes"); volumes != nil {
		v := field(volumes, name)
		if v != nil && v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		if v != nil && v.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(v.Content); i += 2 {
				k, why := v.Content[i].Value, ""
				if k == "name" || strings.HasPrefix(k, "x-") || v.Content[i+1].Value == "false" {
					continue
				}
				if k == "external" {
					why = " (the claim is another volume, and begins empty)"
				}
				r.notes = append(r.notes, fmt.Sprintf("left out: volumes.%s.%s%s", name, k, why))
			}
		}
	}
	for _, other := range r.c.Services() {
		for _, item := range asList(r.c.services[other]["volumes"]) {
			if source, _, _ := mountOf(item); other != r.name && source == name {
				r.notes = append(r.notes, fmt.Sprintf("services.%s mounts the volume %s too; the claims are two, and share nothing", other, name))
			}
		}
	}
}
