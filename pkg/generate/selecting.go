package generate

import (
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// selecting has the policy and the budget select the Pods as the tree has them: where a
// person has given them other labels, or they were imported with others, by the selector
// that the file has already, or else by the workload's own.
func (p *writePlan) selecting(files []File) []File {
	workload := p.editedWorkload(files)
	if workload == nil {
		return files
	}
	files = slices.Clone(files)
	for i, f := range files {
		there, _, _ := p.read(f.Path)
		switch f.Path {
		case "base/networkpolicy.yaml":
			var o, has policy
			if yaml.Unmarshal(f.Data, &o) != nil {
				continue
			}
			_ = yaml.Unmarshal(there, &has)
			was := o.Spec.PodSelector
			o.Spec.PodSelector = workload.selector(was, has.Spec.PodSelector)
			for _, rule := range o.Spec.Ingress {
				for k := range rule.From { // its peers are the same Pods
					if s := rule.From[k].PodSelector; s != nil && reflect.DeepEqual(*s, was) {
						rule.From[k].PodSelector = &o.Spec.PodSelector
					}
				}
			}
			files[i] = again(f, o)
		case "base/poddisruptionbudget.yaml":
			var o, has budget
			if yaml.Unmarshal(f.Data, &o) != nil || o.Spec.Selector == nil {
				continue
			}
			_ = yaml.Unmarshal(there, &has)
			if has.Spec.Selector == nil {
				has.Spec.Selector = &metav1.LabelSelector{}
			}
			s := workload.selector(*o.Spec.Selector, *has.Spec.Selector)
			o.Spec.Selector = &s
			files[i] = again(f, o)
		}
	}
	return files
}

// again is a generated file of changed content.
func again(f File, content any) File {
	body, err := encode(content)
	if err != nil {
		return f
	}
	return File{Path: f.Path, Data: stamp(f.Path, body)}
}

// podsOf is a workload as far as it says which Pods are its own; of a StatefulSet that
// stands in the same fields.
type podsOf appsv1.Deployment

// editedWorkload is the workload of the tree, where a person has edited it.
func (p *writePlan) editedWorkload(files []File) *podsOf {
	at := slices.IndexFunc(files, func(f File) bool {
		return f.Path == "base/deployment.yaml" || f.Path == "base/statefulset.yaml"
	})
	if at < 0 {
		return nil
	}
	data, _, err := p.read(files[at].Path)
	if err != nil {
		return nil
	}
	w := &podsOf{}
	if was, body := unstamp(data); was == digest(files[at].Path, body) || yaml.Unmarshal(data, w) != nil {
		return nil
	}
	return w
}

// selector is the first that selects the workload's Pods of what is generated, what the
// tree has, and the workload's own; none of them where its labels say nothing.
func (w *podsOf) selector(generated, there metav1.LabelSelector) metav1.LabelSelector {
	choices := []metav1.LabelSelector{generated, there}
	if w.Spec.Selector != nil {
		choices = append(choices, *w.Spec.Selector)
	}
	for _, c := range choices {
		s, err := metav1.LabelSelectorAsSelector(&c)
		if err == nil && !s.Empty() && s.Matches(labels.Set(w.Spec.Template.Labels)) {
			return c
		}
	}
	return generated
}
