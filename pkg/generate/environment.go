package generate

import (
	"strings"
)

// completeEnvironment brings an environment to the API's spelling; what it
// leaves out stays open, so that it follows the rest of the Spec.
func (a *App) completeEnvironment(e *Environment) {
	if t, err := ParseServiceType(string(e.Type)); err == nil {
		e.Type = t
	}
}

// typeOf is the Service's type in an environment.
func (a *App) typeOf(e Environment) ServiceType {
	if e.Type != "" {
		return e.Type
	}
	return a.Spec.Service.Type
}

// hostOf is what the Service stands for in an environment where it is an alias.
func (a *App) hostOf(e Environment) string {
	if e.ExternalName != "" {
		return e.ExternalName
	}
	return a.Spec.Service.ExternalName
}

// Dir returns the folder of an environment's overlay within a tree,
// slash-separated: "overlays/prod".
func (e Environment) Dir() string { return "overlays/" + e.Name }

// Environment returns the environment of a name, nil when there is none.
func (a *App) Environment(name string) *Environment {
	for i := range a.Spec.Overlays {
		if a.Spec.Overlays[i].Name == name {
			return &a.Spec.Overlays[i]
		}
	}
	return nil
}

// EnvironmentNames lists the names of the environments, in their order.
func (a *App) EnvironmentNames() []string {
	var names []string
	for _, e := range a.Spec.Overlays {
		names = append(names, e.Name)
	}
	return names
}

// environment is the overlay of an environment: that of its type, in its
// namespace, with its replicas and its image.
func (t *tree) environment(a *App, e Environment) {
	namespace := a.Metadata.Namespace
	if e.Namespace != "" {
		namespace = e.Namespace
	}
	typ := a.typeOf(e)
	if typ == ExternalName {
		t.alias(a, e.Dir(), a.hostOf(e), namespace)
		return
	}
	k := newKustomization("../../base").in(namespace)
	if p := a.servicePatch(typ); p != nil {
		t.add(e.Dir()+"/service-patch.yaml", p)
		k = k.patched("service-patch.yaml", "Service", a.Spec.Service.Name)
	}
	if e.Image != "" && e.Image != a.Spec.Workload.Image {
		k.Images = []kustomizeImage{imageChange(a.Spec.Workload.Image, e.Image)}
	}
	if e.Replicas != nil {
		k.Replicas = []kustomizeReplicas{{Name: a.Metadata.Name, Count: *e.Replicas}}
	}
	t.add(e.Dir()+"/kustomization.yaml", k)
}

// imageChange says what of an image becomes another.
func imageChange(from, to string) kustomizeImage {
	name := imageName(from)
	out := kustomizeImage{Name: name}
	if other := imageName(to); other != name {
		out.NewName = other
	}
	img, _ := parseImage(to)
	out.NewTag, out.Digest = img.tag, img.digest
	if out.NewTag == "" && out.Digest == "" {
		out.NewTag = "latest" // what a runtime takes it for; kustomize would keep the base's
	}
	return out
}

// imageName is a reference without its tag and digest.
func imageName(ref string) string {
	name, _, _ := strings.Cut(ref, "@")
	if slash, colon := strings.LastIndex(name, "/"), strings.LastIndex(name, ":"); colon > slash {
		name = name[:colon]
	}
	return name
}

// WithTag returns an image reference with another tag, and no digest.
func WithTag(ref, tag string) string { return imageName(ref) + ":" + tag }
