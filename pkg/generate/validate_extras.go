package generate

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// extras checks what may be there beside workload and Service.
func (v *validator) extras(a *App) {
	s := a.Spec
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"configMaps", len(s.ConfigMaps) > 0}, {"secrets", len(s.Secrets) > 0}, {"podDisruptionBudget", s.PodDisruptionBudget != nil},
		{"horizontalPodAutoscaler", s.HorizontalPodAutoscaler != nil}, {"networkPolicy", s.NetworkPolicy != nil},
	} {
		if f.set && s.Workload == nil {
			v.add("spec."+f.name, "", "is for Pods, and an alias has none", "remove it, or give the app a workload")
		}
	}
	if s.Workload == nil {
		return
	}
	v.generated(a)
	v.budget(s.PodDisruptionBudget)
	v.autoscaler(a)
	if s.NetworkPolicy != nil {
		v.policy(s.NetworkPolicy)
	}
}

func (v *validator) generated(a *App) {
	seen := map[string]bool{}
	check := func(field, kind, name string, data map[string]string, lists ...[]string) {
		limits.ObjectName(v.at(field+".name"), name)
		if seen[kind+name] {
			v.add(field+".name", name, "is there twice", "give each a name of its own")
		}
		seen[kind+name] = true
		for _, key := range sortedKeys(data) {
			at := field + ".data." + key
			if kind == "Secret" {
				at = field + ".stringData." + key
			}
			limits.DataKey(v.at(at), key)
			v.texts(at, []string{data[key]})
			v.rewritten(at, key, data[key])
		}
		for i, list := range lists {
			for j, file := range list {
				v.baseFile(fmt.Sprintf("%s.%s[%d]", field, []string{"files", "envs"}[i], j), file)
			}
		}
	}
	for i, c := range a.Spec.ConfigMaps {
		check(fmt.Sprintf("spec.configMaps[%d]", i), "ConfigMap", c.Name, c.Data, c.Files, c.Envs)
	}
	for i, s := range a.Spec.Secrets {
		v.promised(fmt.Sprintf("spec.secrets[%d]", i), s)
		check(fmt.Sprintf("spec.secrets[%d]", i), "Secret", s.Name, s.StringData, s.Files, s.Envs)
	}
}

// promised demands the keys that a Secret's type promises.
func (v *validator) promised(field string, s Secret) {
	if len(s.Envs) > 0 {
		return // their keys are not known here
	}
	for _, key := range limits.SecretKeys(s.Type) {
		text, there := s.StringData[key]
		if there {
			limits.SecretValue(v.at(field+".stringData."+key), key, []byte(text))
		}
		if !there && !slices.ContainsFunc(s.Files, func(f string) bool { return f == key || strings.HasPrefix(f, key+"=") || strings.HasSuffix(f, "/"+key) }) {
			v.add(field+".stringData."+key, "", "is missing, which a Secret of type "+string(s.Type)+" has", "give it here, or as one of files")
		}
	}
}

// baseFile demands a file within base/: kustomize reads no other.
func (v *validator) baseFile(field, file string) {
	if key, name, ok := strings.Cut(file, "="); ok && strings.Contains(field, "files") {
		if errs := validation.IsConfigMapKey(key); len(errs) > 0 {
			v.add(field, file, "has a key that is none: "+strings.Join(errs, "; "), "such as redis.conf=conf/redis.conf")
		}
		file = name
	}
	clean := path.Clean(file)
	if file == "" || path.IsAbs(file) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsAny(file, "\\\x00\n") || strings.Contains(file, "://") {
		v.add(field, file, "is not a file within the tree's base/", "such as redis.conf, for base/redis.conf")
	}
}

func (v *validator) budget(p *PodDisruptionBudget) {
	if p == nil {
		return
	}
	const at = "spec.podDisruptionBudget"
	if (p.MinAvailable != nil) == (p.MaxUnavailable != nil) {
		v.add(at, "", "says how many Pods must stay or how many may be missing, and exactly one of the two", "such as maxUnavailable: 1")
	}
	limits.Share(v.at(at+".minAvailable"), p.MinAvailable)
	limits.Share(v.at(at+".maxUnavailable"), p.MaxUnavailable)
	if u := p.UnhealthyPodEvictionPolicy; u != nil {
		limits.OneOf(v.at(at+".unhealthyPodEvictionPolicy"), *u, policyv1.IfHealthyBudget, policyv1.AlwaysAllow)
	}
}

func (v *validator) autoscaler(a *App) {
	h := a.Spec.HorizontalPodAutoscaler
	if h == nil {
		return
	}
	const at = "spec.horizontalPodAutoscaler"
	limits.Autoscaler(v.at(at), &autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: h.MinReplicas, MaxReplicas: h.MaxReplicas, Metrics: h.Metrics, Behavior: h.Behavior})
	if a.Spec.Workload.Replicas != nil {
		v.add("spec.workload.replicas", strconv.Itoa(int(*a.Spec.Workload.Replicas)), "would be set back at each apply to fight with the autoscaler", "remove it; the least is horizontalPodAutoscaler.minReplicas")
	}
	if r := a.Spec.Workload.Resources; r != nil && len(h.Metrics) == 0 && r.Requests.Cpu().IsZero() && r.Limits.Cpu().IsZero() {
		v.add("spec.workload.resources.requests.cpu", "", "is missing: the autoscaler measures CPU as a part of what is requested", "such as 50m, or give other metrics")
	}
}

func (v *validator) policy(p *NetworkPolicy) {
	const at = "spec.networkPolicy.from"
	if p.From == nil {
		v.add(at, "", "is missing: it says who is admitted to the app", "state the clients, such as a podSelector with matchLabels; [] admits everybody")
	}
	for i, peer := range p.From {
		limits.Peer(v.at(fmt.Sprintf("%s[%d]", at, i)), peer)
	}
}

// environments checks the overlays of a person's own.
func (v *validator) environments(a *App) {
	seen := map[string]int{}
	for i, e := range a.Spec.Overlays {
		at := fmt.Sprintf("spec.overlays[%d].", i)
		v.label(at+"name", e.Name, "it names a folder, such as prod")
		if t, err := ParseServiceType(e.Name); err == nil && Overlay(t) == e.Dir() {
			v.add(at+"name", e.Name, "is the name of the overlay for the type "+string(t), "choose another, such as dev or prod")
		}
		if first, twice := seen[e.Name]; twice {
			v.add(at+"name", e.Name, fmt.Sprintf("is there twice: also as overlays[%d]", first), "give each a name of its own")
		} else {
			seen[e.Name] = i
		}
		if e.Namespace != "" {
			v.label(at+"namespace", e.Namespace, "such as shop")
		}
		v.environment(a, e, at)
	}
}

func (v *validator) environment(a *App, e Environment, at string) {
	typ := a.typeOf(e)
	if e.Type != "" && !isServiceType(e.Type) {
		_, err := ParseServiceType(string(e.Type))
		v.add(at+"type", "", err.Error(), "")
		return
	}
	if typ == ExternalName {
		if e.ExternalName != "" {
			// The same rules as for the app's own.
			c := *a
			c.Spec.Service.ExternalName = e.ExternalName
			if e.Namespace != "" {
				c.Metadata.Namespace = e.Namespace
			}
			own := &validator{}
			own.externalName(&c)
			for _, p := range own.problems {
				p.Field = at + "externalName"
				v.problems = append(v.problems, p)
			}
		} else if a.Spec.Service.ExternalName == "" {
			v.add(at+"externalName", "", "is missing", "name the host that the Service stands for there, such as db.example.com")
		}
	} else if e.ExternalName != "" {
		v.add(at+"externalName", e.ExternalName, "has no use in a Service of type "+string(typ), "write type: ExternalName, or remove it")
	}
	if a.Spec.Workload == nil && typ != ExternalName && isServiceType(typ) {
		v.add(at+"type", string(typ), "needs Pods to send to, and the app has no workload", "give spec.workload an image, or make it ExternalName")
		return
	}
	v.environmentPods(a, e, at, typ)
}

// environmentPods checks what an environment says of the Pods.
func (v *validator) environmentPods(a *App, e Environment, at string, typ ServiceType) {
	if typ == ExternalName {
		if e.Replicas != nil {
			v.add(at+"replicas", strconv.Itoa(int(*e.Replicas)), "says how many Pods run, and behind an ExternalName none do", "remove it")
		}
		if e.Image != "" {
			v.add(at+"image", e.Image, "says what runs, and behind an ExternalName nothing does", "remove it")
		}
		return
	}
	limits.Least(v.at(at+"replicas"), e.Replicas, 0)
	if e.Replicas != nil && a.Spec.HorizontalPodAutoscaler != nil {
		v.add(at+"replicas", strconv.Itoa(int(*e.Replicas)), "would be set back at each apply to fight with the autoscaler", "remove it")
	}
	if e.Image == "" {
		return
	}
	if _, reason := parseImage(e.Image); reason != "" {
		v.add(at+"image", e.Image, reason, "such as redis:alpine or registry.example.com/team/app:1.2")
		return
	}
	if have, want := presetKey(a.Spec.Workload.Image), presetKey(e.Image); have != want {
		v.add(at+"image", e.Image, "is run in another way than "+a.Spec.Workload.Image+" (its user, paths or probes differ)", "make it an app of its own, or use a version of the same image")
	}
}
