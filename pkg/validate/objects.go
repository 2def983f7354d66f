package validate

import (
	"encoding/json"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// object is one object with what the rules read of it.
type object struct {
	doc                               *document
	apiVersion, kind, namespace, name string
	from                              []*document // where it comes from, the outermost patch first
	json                              []byte

	service  *corev1.Service
	workload *workload
}

// workload is anything that makes Pods.
type workload struct {
	selector   *metav1.LabelSelector // nil where the kind has none of its own
	template   corev1.PodTemplateSpec
	at         path // of the template
	replicas   *int32
	selectable bool // its selector is part of its identity
}

// newObject reads an object; one whose fields have wrong types takes part by its
// name only.
func newObject(d *document) *object {
	o := &object{doc: d, apiVersion: text(d.root, "apiVersion"), kind: text(d.root, "kind"),
		namespace: text(d.root, "metadata", "namespace"), name: text(d.root, "metadata", "name")}
	data, err := json.Marshal(plain(d.root))
	if err != nil {
		return o
	}
	o.json = data
	group, _, slash := strings.Cut(o.apiVersion, "/")
	if !slash {
		group = ""
	}
	template := path{"spec", "template"}
	switch group + "/" + o.kind {
	case "/Service":
		s := &corev1.Service{}
		if json.Unmarshal(data, s) == nil {
			o.service = s
		}
	case "/Pod":
		p := &corev1.Pod{}
		if json.Unmarshal(data, p) == nil {
			o.workload = &workload{template: corev1.PodTemplateSpec{ObjectMeta: p.ObjectMeta, Spec: p.Spec}}
		}
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet":
		w := &appsv1.Deployment{} // the four have the same shape where it matters
		var same struct {
			Spec struct {
				Replicas *int32                 `json:"replicas"`
				Selector *metav1.LabelSelector  `json:"selector"`
				Template corev1.PodTemplateSpec `json:"template"`
			} `json:"spec"`
		}
		if json.Unmarshal(data, &same) == nil {
			w.Spec.Selector = same.Spec.Selector
			o.workload = &workload{selector: w.Spec.Selector, template: same.Spec.Template, at: template, replicas: same.Spec.Replicas, selectable: true}
		}
	case "batch/Job":
		j := &batchv1.Job{}
		if json.Unmarshal(data, j) == nil {
			o.workload = &workload{template: j.Spec.Template, at: template}
		}
	}
	return o
}

// sources are the documents in which a field of the object may stand.
func (o *object) sources() []*document {
	if len(o.from) > 0 {
		return o.from
	}
	return []*document{o.doc}
}

// plain turns a document into what JSON knows.
func plain(n *yaml.Node) any {
	n = real(n)
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			value := plain(n.Content[i+1])
			if merged, ok := value.(map[string]any); ok && n.Content[i].Tag == "!!merge" {
				for k, v := range merged {
					if _, there := m[k]; !there {
						m[k] = v
					}
				}
				continue
			}
			m[n.Content[i].Value] = value
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			list = append(list, plain(c))
		}
		return list
	}
	if n.Tag == "!!str" || n.Tag == "!!timestamp" {
		return n.Value
	}
	var v any
	if n.Decode(&v) != nil {
		return n.Value
	}
	return v
}

// flatten takes Lists apart.
func flatten(docs []*document) []*document {
	var out []*document
	for _, d := range docs {
		items, _ := field(d.root, "items")
		if text(d.root, "kind") == "List" && text(d.root, "apiVersion") == "v1" && items != nil && items.Kind == yaml.SequenceNode {
			for _, i := range items.Content {
				out = append(out, &document{file: d.file, root: real(i)})
			}
			continue
		}
		out = append(out, d)
	}
	return out
}
