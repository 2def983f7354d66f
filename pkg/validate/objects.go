package validate

import (
	"encoding/json"
	"strconv"
	"strings"

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
	told                              bool  // the schema has an error, which may be why it cannot be read
	unread                            error // why it cannot be read, where nothing else tells

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
	endless    bool // its Pods run until somebody ends them
}

// newObject reads an object; one whose fields have wrong types takes part by its
// name only. told says that an error of it was found already.
func newObject(d *document, told bool) *object {
	o := &object{doc: d, apiVersion: text(d.root, "apiVersion"), kind: text(d.root, "kind"), told: told,
		namespace: text(d.root, "metadata", "namespace"), name: text(d.root, "metadata", "name")}
	data, err := json.Marshal(plain(d.root))
	if err != nil {
		o.cannot(err)
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
		o.service = as[corev1.Service](o)
	case "/Pod":
		if p := as[corev1.Pod](o); p != nil {
			o.workload = &workload{template: corev1.PodTemplateSpec{ObjectMeta: p.ObjectMeta, Spec: p.Spec}}
		}
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet":
		type same struct { // the four have the same shape where it matters
			Spec struct {
				Replicas *int32                 `json:"replicas"`
				Selector *metav1.LabelSelector  `json:"selector"`
				Template corev1.PodTemplateSpec `json:"template"`
			} `json:"spec"`
		}
		if w := as[same](o); w != nil {
			o.workload = &workload{selector: w.Spec.Selector, template: w.Spec.Template, at: template, replicas: w.Spec.Replicas, selectable: true, endless: true}
		}
	case "/ReplicationController":
		if c := as[corev1.ReplicationController](o); c != nil && c.Spec.Template != nil {
			o.workload = &workload{template: *c.Spec.Template, at: template, replicas: c.Spec.Replicas, endless: true}
			if len(c.Spec.Selector) > 0 { // else it selects what the template has
				o.workload.selector = &metav1.LabelSelector{MatchLabels: c.Spec.Selector}
			}
		}
	case "batch/Job":
		if j := as[batchv1.Job](o); j != nil {
			o.workload = &workload{template: j.Spec.Template, at: template}
		}
	case "batch/CronJob":
		if c := as[batchv1.CronJob](o); c != nil {
			o.workload = &workload{template: c.Spec.JobTemplate.Spec.Template, at: path{"spec", "jobTemplate", "spec", "template"}}
		}
	}
	return o
}

// ends reports whether an object's Pods do their work and end.
func (o *object) ends() bool { return o.kind == "Job" || o.kind == "CronJob" }

// cannot keeps why an object cannot be read.
func (o *object) cannot(err error) {
	if !o.told && o.unread == nil {
		o.unread = err
	}
}

// as reads an object as one of the API's types; nil when it is none, which is told
// of by the schema or by rules.
func as[T any](o *object) *T {
	v := new(T)
	if o.json == nil {
		return nil
	}
	if err := json.Unmarshal(o.json, v); err != nil {
		o.cannot(err)
		return nil
	}
	return v
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
			m[fieldName(n.Content[i])] = plain(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			list = append(list, plain(c))
		}
		return list
	}
	if truth, older := olderBool(n); older {
		return truth
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

// fieldName is what a key is called once it is JSON: one that is true or false is text.
func fieldName(key *yaml.Node) string {
	if truth, ok := plain(key).(bool); ok {
		return strconv.FormatBool(truth)
	}
	return key.Value
}

// olderBool reads what is text of today's YAML, and true or false to kubectl's reader,
// which reads the YAML of 2005.
func olderBool(n *yaml.Node) (truth, older bool) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || n.Style != 0 {
		return false, false
	}
	switch n.Value {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
		return true, true
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

// flatten takes Lists apart.
func flatten(docs []*document) []*document {
	var out []*document
	for _, d := range docs {
		items, _ := field(d.root, "items")
		if text(d.root, "kind") == "List" && text(d.root, "apiVersion") == "v1" && items != nil && (items.Kind == yaml.SequenceNode || items.Tag == "!!null") {
			for _, i := range items.Content {
				out = append(out, &document{file: d.file, root: real(i), lost: d.lost})
			}
			continue
		}
		out = append(out, d)
	}
	return out
}
