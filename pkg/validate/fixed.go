package validate

import (
	"cmp"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fixedField is a field that the API server lets nobody change.
type fixedField struct {
	rule  string
	at    path
	value string // with what the API server fills in
	long  bool   // too long to be shown
	next  string
}

// first is where a fixed field was built first, and as what.
type first struct{ value, dir string }

// unchanged finds an object that cannot be applied over the one that was built of its
// name before, for a field that can never change.
func (t *tree) unchanged(o *object, dir string, firsts map[string]first) {
	for _, f := range o.fixed() {
		key := fmt.Sprintf("%q %q %q %s", o.namespace, o.kind, o.name, f.at)
		before, there := firsts[key]
		if !there {
			firsts[key] = first{f.value, dir}
		}
		if !there || before.value == f.value {
			continue
		}
		differs := fmt.Sprintf("is %s in %s and %s in %s", cmp.Or(f.value, "unset"), dir, cmp.Or(before.value, "unset"), before.dir)
		if f.long {
			differs = "is another in " + dir + " than in " + before.dir
		}
		t.add(ruled{Finding{Severity: Warning, Rule: f.rule, at: f.at, Message: differs + ": it can never change, so one cannot be applied over the other", Next: f.next}, o}.locate(o.sources()))
	}
}

// fixed lists what can never change of an object.
func (o *object) fixed() []fixedField {
	const apart = "keep it the same, or give one of the two another name or namespace"
	switch groupOf(o.doc) + "/" + o.kind {
	case "apps/StatefulSet":
		s := as[appsv1.StatefulSet](o)
		if s == nil {
			return nil
		}
		return append(o.fixedSelector(),
			fixedField{rule: "immutable-field", at: path{"spec", "serviceName"}, value: s.Spec.ServiceName, next: apart},
			fixedField{rule: "immutable-field", at: path{"spec", "podManagementPolicy"}, value: cmp.Or(string(s.Spec.PodManagementPolicy), string(appsv1.OrderedReadyPodManagement)), next: apart},
			fixedField{rule: "immutable-field", at: path{"spec", "volumeClaimTemplates"}, value: claims(s.Spec.VolumeClaimTemplates), long: true, next: apart})
	case "/Service": // which gives its class up with its type, and may get another then
		if s := o.service; s != nil && s.Spec.Type == corev1.ServiceTypeLoadBalancer {
			class := ""
			if s.Spec.LoadBalancerClass != nil {
				class = *s.Spec.LoadBalancerClass
			}
			return []fixedField{{rule: "immutable-field", at: path{"spec", "loadBalancerClass"}, value: class, next: apart}}
		}
		return nil
	}
	return o.fixedSelector()
}

func (o *object) fixedSelector() []fixedField {
	if o.workload == nil || !o.workload.selectable || o.workload.selector == nil {
		return nil
	}
	return []fixedField{{rule: "immutable-selector", at: path{"spec", "selector", "matchLabels"}, value: metav1.FormatLabelSelector(o.workload.selector),
		next: "keep what differs between overlays out of the selector"}}
}

// claims writes claim templates the same way wherever they mean the same.
func claims(list []corev1.PersistentVolumeClaim) string {
	if len(list) == 0 {
		return ""
	}
	type claim struct {
		Name        string                           `json:"name"`
		Labels      map[string]string                `json:"labels,omitempty"`
		Annotations map[string]string                `json:"annotations,omitempty"`
		Spec        corev1.PersistentVolumeClaimSpec `json:"spec"`
	}
	var out []claim
	for _, c := range list {
		if c.Spec.VolumeMode == nil {
			filesystem := corev1.PersistentVolumeFilesystem
			c.Spec.VolumeMode = &filesystem
		}
		out = append(out, claim{c.Name, c.Labels, c.Annotations, c.Spec})
	}
	data, err := json.Marshal(out)
	if err != nil {
		return ""
	}
	return string(data)
}
