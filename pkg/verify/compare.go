package verify

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// compare notes where a live Service differs from the tree that it should come
// from: a verdict on the one says nothing of the other.
func compare(v *Verdict, s *Snapshot, expected []*unstructured.Unstructured) {
	view := newView(s)
	for i := range v.Services {
		sv := &v.Services[i]
		live := view.service(sv.Namespace + "/" + sv.Name)
		want := expectedService(expected, sv.Namespace, sv.Name)
		if live == nil || want == nil {
			continue
		}
		if diff := serviceDiff(live, want); len(diff) > 0 {
			sv.Findings = append(sv.Findings, Finding{Severity: SeverityWarning,
				Object:   ObjectRef{Kind: "Service", Namespace: sv.Namespace, Name: sv.Name},
				Message:  fmt.Sprintf("Service/%s in the cluster differs from the tree; what was verified is the one in the cluster.", sv.Name),
				Evidence: diff, Fix: &Fix{Summary: "apply the tree, or change it to what is wanted"}})
		}
	}
}

// expectedService finds a Service in the objects of a tree.
func expectedService(objs []*unstructured.Unstructured, namespace, name string) *corev1.Service {
	for _, o := range objs {
		if o.GetKind() != "Service" || o.GetAPIVersion() != "v1" || o.GetName() != name ||
			(o.GetNamespace() != "" && o.GetNamespace() != namespace) {
			continue
		}
		var svc corev1.Service
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &svc); err == nil {
			return &svc
		}
	}
	return nil
}

// serviceDiff lists the fields that decide where traffic goes and that differ.
func serviceDiff(live, want *corev1.Service) []string {
	var diff []string
	add := func(field, l, w string) {
		if l != w {
			diff = append(diff, fmt.Sprintf("%s: %s in the cluster, %s in the tree", field, orNone(l), orNone(w)))
		}
	}
	wantType := want.Spec.Type
	if wantType == "" {
		wantType = corev1.ServiceTypeClusterIP
	}
	add("spec.type", string(live.Spec.Type), string(wantType))
	if wantType == corev1.ServiceTypeExternalName {
		add("spec.externalName", live.Spec.ExternalName, want.Spec.ExternalName)
		return diff
	}
	add("spec.selector", selectorText(live.Spec.Selector), selectorText(want.Spec.Selector))
	have := map[string]corev1.ServicePort{}
	for _, p := range live.Spec.Ports {
		have[PortKey(p)] = p
	}
	for i, p := range want.Spec.Ports {
		l, ok := have[PortKey(p)]
		if !ok {
			diff = append(diff, fmt.Sprintf("spec.ports[%d]: %q is not in the cluster", i, PortKey(p)))
			continue
		}
		add(fmt.Sprintf("spec.ports[%d].port", i), fmt.Sprint(l.Port), fmt.Sprint(p.Port))
		target := targetText(p)
		if target == "" {
			target = fmt.Sprint(p.Port) // what the API server fills in
		}
		add(fmt.Sprintf("spec.ports[%d].targetPort", i), targetText(l), target)
	}
	return diff
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
