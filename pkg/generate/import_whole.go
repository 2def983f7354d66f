package generate

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// whole is the Spec that says all that the objects say, where they are such as a
// Spec is made of; nil where they are not. Whether it gives them back is for its
// caller to see. It is the shortest that does: what is known without it is left out.
func whole(workload, service *unstructured.Unstructured, others []*unstructured.Unstructured) *App {
	a := &App{Metadata: Metadata{Name: service.GetName(), Namespace: service.GetNamespace()}}
	s := &corev1.Service{}
	if decodeInto(clean(service), s) != nil {
		return nil
	}
	a.Spec.Service = serviceOf(s)
	a.Spec.Service.Labels = without(s.Labels, nameLabel, managedByLabel)
	if name := s.Labels[nameLabel]; name != "" {
		a.Metadata.Name = name
	}
	if workload != nil {
		a.Metadata.Name = workload.GetName()
		if !a.wholeWorkload(workload, s) {
			return nil
		}
	}
	for _, o := range others {
		if !a.whole(o) {
			return nil
		}
	}
	return a.least()
}

func without(m map[string]string, keys ...string) map[string]string {
	m = maps.Clone(m)
	maps.DeleteFunc(m, func(k, _ string) bool { return slices.Contains(keys, k) })
	if len(m) == 0 {
		return nil
	}
	return m
}

func (a *App) wholeWorkload(u *unstructured.Unstructured, s *corev1.Service) bool {
	var d appsv1.Deployment
	var set appsv1.StatefulSet
	object := clean(u)
	if decodeInto(object, &d) != nil || decodeInto(object, &set) != nil || len(d.Spec.Template.Spec.Containers) != 1 {
		return false
	}
	w := workloadOf(&d, s)
	pod, c := d.Spec.Template.Spec, d.Spec.Template.Spec.Containers[0]
	w.Kind, w.Ports = WorkloadKind(u.GetKind()), c.Ports // also those without a name, in their order
	w.SecurityContext, w.PodSecurityContext = c.SecurityContext, pod.SecurityContext
	w.AutomountServiceAccountToken, w.EnableServiceLinks = pod.AutomountServiceAccountToken, pod.EnableServiceLinks
	if w.EnableServiceLinks == nil {
		yes := true
		w.EnableServiceLinks = &yes
	}
	if c.ReadinessProbe == nil {
		w.Check = &Check{Type: "none"} // not even what is known of the image
	}
	w.Volumes, w.VolumeMounts = pod.Volumes, c.VolumeMounts
	w.Affinity, w.TopologySpreadConstraints, w.Tolerations = pod.Affinity, pod.TopologySpreadConstraints, pod.Tolerations
	w.TerminationGracePeriodSeconds, w.Lifecycle = pod.TerminationGracePeriodSeconds, c.Lifecycle
	w.MinReadySeconds = d.Spec.MinReadySeconds
	w.PodLabels = without(d.Spec.Template.Labels, nameLabel)
	w.PodAnnotations = d.Spec.Template.Annotations
	if w.Kind == StatefulSet {
		w.PodManagementPolicy = set.Spec.PodManagementPolicy
		if set.Spec.UpdateStrategy.Type != "" || set.Spec.UpdateStrategy.RollingUpdate != nil {
			w.UpdateStrategy = &set.Spec.UpdateStrategy
		}
		for _, t := range set.Spec.VolumeClaimTemplates {
			claim := VolumeClaim{Name: t.Name, Storage: t.Spec.Resources.Requests.Storage().String(), AccessModes: t.Spec.AccessModes}
			if t.Spec.StorageClassName != nil {
				claim.StorageClassName = *t.Spec.StorageClassName
			}
			w.VolumeClaimTemplates = append(w.VolumeClaimTemplates, claim)
		}
	} else if d.Spec.Strategy.Type != "" || d.Spec.Strategy.RollingUpdate != nil {
		w.Strategy = &d.Spec.Strategy
	}
	a.Spec.Workload = w
	return true
}

// hashed is the name of what a kustomize generator makes.
var hashed = regexp.MustCompile(`^(.+)-[bcdfghkmt2456789]{10}$`)

// whole takes one of the objects beside the Service and the workload into the Spec.
func (a *App) whole(o *unstructured.Unstructured) bool {
	spec := o.Object["spec"]
	into := func(field any) bool {
		data, err := json.Marshal(spec)
		return o.GetName() == a.Metadata.Name && err == nil && json.Unmarshal(data, field) == nil
	}
	switch o.GetKind() {
	case "Service":
		return a.Spec.Workload != nil && a.Spec.Workload.Kind == StatefulSet && o.GetName() == a.Metadata.Name+peersSuffix
	case "PodDisruptionBudget":
		a.Spec.PodDisruptionBudget = &PodDisruptionBudget{}
		return into(a.Spec.PodDisruptionBudget)
	case "HorizontalPodAutoscaler":
		a.Spec.HorizontalPodAutoscaler = &HorizontalPodAutoscaler{}
		return into(a.Spec.HorizontalPodAutoscaler)
	case "NetworkPolicy":
		var p networkingv1.NetworkPolicySpec
		if !into(&p) || len(p.Ingress) == 0 {
			return false
		}
		// A second rule is the one for peers, or is missed when all is built again.
		a.Spec.NetworkPolicy = &NetworkPolicy{From: append([]networkingv1.NetworkPolicyPeer{}, p.Ingress[0].From...)}
		return true
	case "ConfigMap":
		m := hashed.FindStringSubmatch(o.GetName())
		if m == nil || a.Spec.Workload == nil {
			return false
		}
		var c corev1.ConfigMap
		if decodeInto(clean(o), &c) != nil || len(c.BinaryData) > 0 {
			return false
		}
		a.Spec.ConfigMaps = append(a.Spec.ConfigMaps, ConfigMap{Name: m[1], Data: c.Data})
		data, err := json.Marshal(a.Spec.Workload)
		if err != nil {
			return false
		}
		w := &Workload{}
		if json.Unmarshal([]byte(strings.ReplaceAll(string(data), `"name":"`+o.GetName()+`"`, `"name":"`+m[1]+`"`)), w) != nil {
			return false
		}
		a.Spec.Workload = w
		return true
	}
	return false
}

// least says the same in as few fields: without those whose value is what it
// would be anyway, as far as the overlay of the Service's type shows.
func (a *App) least() *App {
	was, ok := a.shape()
	if !ok {
		return nil
	}
	var tree map[string]any
	data, err := json.Marshal(a)
	if err != nil || json.Unmarshal(data, &tree) != nil {
		return nil
	}
	best := a
	same := func() bool {
		data, err := json.Marshal(tree)
		b := &App{}
		if err != nil || json.Unmarshal(data, b) != nil {
			return false
		}
		if now, ok := b.shape(); !ok || now != was {
			return false
		}
		best = b
		return true
	}
	spec, _ := tree["spec"].(map[string]any)
	for i, p := range items(spec, "service", "ports") {
		if name, ok := p["targetPort"].(string); ok && a.Spec.Workload != nil {
			p["targetPort"] = a.targetNumber(a.Spec.Service.Ports[i])
			if !same() {
				p["targetPort"] = name
			}
		}
	}
	// Once more: what needed a field that is gone now can go too.
	for leave(spec, same) || claimMounts(spec, same) {
	}
	return best
}

// claimMounts says with a claim where it is mounted, instead of in a list of its
// own, and reports whether it did.
func claimMounts(spec map[string]any, same func() bool) (said bool) {
	workload, _ := nested(spec, "workload")
	for _, claim := range items(workload, "volumeClaimTemplates") {
		mounts, _ := workload["volumeMounts"].([]any)
		for i, m := range mounts {
			m, _ := m.(map[string]any)
			if m["name"] != claim["name"] || len(m) != 2 || claim["mountPath"] != nil {
				continue
			}
			claim["mountPath"], workload["volumeMounts"] = m["mountPath"], slices.Delete(slices.Clone(mounts), i, i+1)
			if same() {
				said = true
				break
			}
			delete(claim, "mountPath")
			workload["volumeMounts"] = mounts
		}
	}
	return said
}

// leave takes out of a map what makes no difference, and reports whether it did.
func leave(o map[string]any, same func() bool) (left bool) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		value := o[name]
		delete(o, name)
		if same() {
			left = true
			continue
		}
		o[name] = value
		switch value := value.(type) {
		case map[string]any:
			left = leave(value, same) || left
		case []any:
			// From both ends: what is known of an image comes before the rest, and what
			// the Service's ports need behind it, so that one of it can go only where
			// nothing of it is left before or behind it.
			for i := len(value) - 1; i >= 0; i-- {
				if o[name] = slices.Delete(slices.Clone(value), i, i+1); same() {
					value, left = o[name].([]any), true
				}
			}
			for i := 0; i < len(value); {
				if o[name] = slices.Delete(slices.Clone(value), i, i+1); same() {
					value, left = o[name].([]any), true
					continue
				}
				o[name] = value
				if m, ok := value[i].(map[string]any); ok {
					left = leave(m, same) || left
				}
				i++
			}
			o[name] = value
		}
	}
	return left
}

// shape is what the overlay of the App's type holds, as text without defaults;
// false for an App that is not valid.
func (a *App) shape() (string, bool) {
	a = a.copy()
	if a.Spec.Workload != nil {
		w := *a.Spec.Workload
		a.Spec.Workload = &w
	}
	a.Complete()
	if a.Validate() != nil {
		return "", false
	}
	parts := []any{a.Metadata, a.Spec.Service.Type}
	add := func(o any) {
		u := &unstructured.Unstructured{}
		if data, err := json.Marshal(o); err == nil && json.Unmarshal(data, &u.Object) == nil {
			o = clean(u)
		}
		parts = append(parts, o)
	}
	if a.Spec.Workload == nil {
		add(a.externalService(a.Spec.Service.ExternalName))
	} else {
		if a.workloadKind() == StatefulSet {
			add(a.statefulSet())
			add(a.peersService())
		} else {
			add(a.deployment())
		}
		if a.Spec.Service.Type == ExternalName {
			add(a.externalService(a.Spec.Service.ExternalName))
		} else {
			add(a.baseService())
			p := a.servicePatch(a.Spec.Service.Type)
			if p == nil {
				p = a.emptyPatch() // which is what is left of one that says defaults only
			}
			add(p)
		}
	}
	if a.Spec.PodDisruptionBudget != nil {
		add(a.budget())
	}
	if a.Spec.HorizontalPodAutoscaler != nil {
		add(a.autoscaler())
	}
	if a.Spec.NetworkPolicy != nil {
		add(a.policy())
	}
	configMaps, secrets := a.generators()
	data, err := json.Marshal(append(parts, configMaps, secrets, a.Spec.Overlays))
	return string(data), err == nil
}
