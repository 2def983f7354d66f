package generate

// kustomization is as much of kustomize's own type as a tree uses, in the order
// in which people read it. None of its fields is deprecated.
type kustomization struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Namespace  string             `json:"namespace,omitempty"`
	Resources  []string           `json:"resources,omitempty"`
	Labels     []kustomizeLabels  `json:"labels,omitempty"`
	Patches    []kustomizePatches `json:"patches,omitempty"`

	ConfigMapGenerator []kustomizeGenerator `json:"configMapGenerator,omitempty"`
	SecretGenerator    []kustomizeGenerator `json:"secretGenerator,omitempty"`
	Images             []kustomizeImage     `json:"images,omitempty"`
	Replicas           []kustomizeReplicas  `json:"replicas,omitempty"`
}

type kustomizeGenerator struct {
	Name     string   `json:"name"`
	Type     string   `json:"type,omitempty"`
	Literals []string `json:"literals,omitempty"`
	Files    []string `json:"files,omitempty"`
	Envs     []string `json:"envs,omitempty"`
}

type kustomizeImage struct {
	Name    string `json:"name"`
	NewName string `json:"newName,omitempty"`
	NewTag  string `json:"newTag,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

type kustomizeReplicas struct {
	Name  string `json:"name"`
	Count int32  `json:"count"`
}

type kustomizeLabels struct {
	Pairs map[string]string `json:"pairs"`
	// IncludeSelectors is false, and written out, as a selector cannot change
	// once it is applied.
	IncludeSelectors bool `json:"includeSelectors"`
}

type kustomizePatches struct {
	Path   string          `json:"path"`
	Target kustomizeTarget `json:"target"`
}

type kustomizeTarget struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// managedByLabel says what maintains an object.
const managedByLabel = "app.kubernetes.io/managed-by"

func newKustomization(resources ...string) kustomization {
	return kustomization{
		APIVersion: "kustomize.config.k8s.io/v1beta1",
		Kind:       "Kustomization",
		Resources:  resources,
	}
}

// in sets the namespace of everything in it; an empty one leaves the choice to
// whoever applies it.
func (k kustomization) in(namespace string) kustomization {
	k.Namespace = namespace
	return k
}

// labelled adds the label that says what maintains the objects, at one place, so
// that it is one edit to hand them over to something else.
func (k kustomization) labelled() kustomization {
	k.Labels = []kustomizeLabels{{Pairs: map[string]string{managedByLabel: "kubectl-svcx"}}}
	return k
}

func (k kustomization) patched(path, kind, name string) kustomization {
	k.Patches = append(k.Patches, kustomizePatches{Path: path, Target: kustomizeTarget{Kind: kind, Name: name}})
	return k
}
