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
	if !ok || h["disable"] == "true" {
		return
	}
	test := textsOf(h["test"])
	if s, ok := h["test"].(string); ok {
		test = []string{"CMD-SHELL", s}
	}
	if len(test) < 2 || test[0] != "CMD" && test[0] != "CMD-SHELL" {
		if len(test) > 0 && test[0] != "NONE" {
			r.bad("healthcheck.test", "begins with neither CMD nor CMD-SHELL")
		}
		return
	}
	command := test[1:]
	if test[0] == "CMD-SHELL" {
		command = []string{"sh", "-c", test[1]}
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
	}
	if u == 0 {
		no := false
		r.w.PodSecurityContext.RunAsNonRoot = &no
	}
}

// volumes makes claims of named volumes: their data is meant to outlast the Pod.
func (r *composeReader) volumes() {
	for i, item := range asList(r.s["volumes"]) {
		at := fmt.Sprintf("volumes[%d]", i)
		var source, target string
		switch v := item.(type) {
		case string:
			source, target, _ = strings.Cut(v, ":")
			target, _, _ = strings.Cut(target, ":")
		case map[string]any:
			source, _ = v["source"].(string)
			target, _ = v["target"].(string)
			if v["type"] != "volume" {
				source = "./" // of the host
			}
		}
		if source == "" || target == "" || strings.ContainsAny(source, `/\.~`) {
			r.left(at, "(only named volumes are carried over; put files of the host into a ConfigMap, or into the image)")
			continue
		}
		r.w.Kind = StatefulSet
		r.w.VolumeClaimTemplates = append(r.w.VolumeClaimTemplates, VolumeClaim{
			Name: strings.ReplaceAll(strings.ToLower(source), "_", "-"), MountPath: target, Storage: "1Gi"})
		r.notes = append(r.notes, fmt.Sprintf("services.%s.%s became a claim of 1Gi; set what it needs in %s", r.name, at, SpecFile))
	}
}
