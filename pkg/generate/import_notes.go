package generate

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// oneNamespace is the namespace of the app: that of the first of its Services and its
// workload that names one. Objects of other namespaces are refused, as the overlay would
// move them into it. What names no namespace comes into it too, which is noted.
func (i *Imported) oneNamespace(apps, others []*unstructured.Unstructured) (string, error) {
	app := apps[0]
	if at := slices.IndexFunc(apps, func(o *unstructured.Unstructured) bool { return o.GetNamespace() != "" }); at >= 0 {
		app = apps[at]
	}
	namespace := app.GetNamespace()
	objs := slices.Concat(apps, others)
	var moved, unknown []string
	for _, o := range objs {
		id := o.GetKind() + "/" + o.GetName()
		namespaced, known := openapi.IsNamespaceScoped(yaml.TypeMeta{APIVersion: o.GetAPIVersion(), Kind: o.GetKind()})
		switch of := o.GetNamespace(); {
		case of == namespace:
		case namespace == "":
			return "", fmt.Errorf("%s is in namespace %q, and %s/%s names none; say with -n in which it is, or write it into the file", id, of, app.GetKind(), app.GetName())
		case of != "":
			return "", fmt.Errorf("%s is in namespace %q, and %s/%s in %q: a tree is of one namespace, and no Service reaches into another namespace; import what is in one, and keep the rest beside it",
				id, of, app.GetKind(), app.GetName(), namespace)
		case known && namespaced:
			moved = append(moved, id)
		case !known && isLive(o):
			return "", fmt.Errorf("%s is of the whole cluster, and the overlay would put it into %s, as kustomize does not know its kind; import the rest, and keep it beside the tree", id, namespace)
		case !known:
			unknown = append(unknown, id)
		}
	}
	if len(moved) > 0 {
		i.Notes = append(i.Notes, fmt.Sprintf("%s: no namespace is named, and the overlay puts it into %s with the rest", strings.Join(moved, ", "), namespace))
	}
	if len(unknown) > 0 {
		i.Notes = append(i.Notes, fmt.Sprintf("%s: no namespace is named, and the overlay puts into %s every kind that kustomize does not know; what belongs to the whole cluster has to go out of base/kustomization.yaml", strings.Join(unknown, ", "), namespace))
	}
	return namespace, nil
}

// note says of objects what was left out of them, and who else writes them.
func (i *Imported) note(objs []*unstructured.Unstructured) {
	for _, o := range objs {
		if len(o.GetFinalizers()) > 0 && !isLive(o) {
			i.Notes = append(i.Notes, fmt.Sprintf("%s/%s: its finalizers (%s) were left out, as a controller adds its own; write them into base/ where they are yours", o.GetKind(), o.GetName(), strings.Join(o.GetFinalizers(), ", ")))
		}
		if o.GetKind() == "Secret" {
			i.Notes = append(i.Notes, fmt.Sprintf("Secret/%s: its values are in the tree now, for everyone who reads it to see; keep the file out of what is committed", o.GetName()))
		}
		for _, owner := range o.GetOwnerReferences() {
			i.Notes = append(i.Notes, fmt.Sprintf("%s/%s is kept by %s/%s, which may set back what is applied here", o.GetKind(), o.GetName(), owner.Kind, owner.Name))
		}
		if live := o.GetResourceVersion() != ""; live && o.GetKind() == "Service" && len(o.GetManagedFields()) == 0 && lastApplied(o) == nil && strings.Contains(fmt.Sprint(o.Object["spec"]), "nodePort:") {
			i.Notes = append(i.Notes, fmt.Sprintf("service/%s: its node ports were left out, as the file does not say whether somebody chose them (kubectl get --show-managed-fields does)", o.GetName()))
		}
		if marked(o) && o.GetLabels()["app.kubernetes.io/managed-by"] == "Helm" {
			i.Notes = append(i.Notes, fmt.Sprintf("%s/%s is of a Helm release, whose next upgrade sets back what is applied here", o.GetKind(), o.GetName()))
		}
	}
}
