package generate

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// ofCluster leaves out what a cluster makes by itself, of which a dump of a namespace
// is full: the Pods and ReplicaSets of workloads, endpoints, events and the like.
func (i *Imported) ofCluster(objs []*unstructured.Unstructured) []*unstructured.Unstructured {
	var left []string
	objs = slices.DeleteFunc(slices.Clone(objs), func(o *unstructured.Unstructured) bool {
		if !madeByCluster(o, objs) {
			return false
		}
		left = append(left, o.GetKind()+"/"+o.GetName())
		return true
	})
	if len(left) > 0 {
		i.Notes = append(i.Notes, fmt.Sprintf("left out: %s (made by the cluster itself, or by Helm for itself)", someOf(left)))
	}
	return objs
}

func madeByCluster(o *unstructured.Unstructured, objs []*unstructured.Unstructured) bool {
	switch o.GroupVersionKind().GroupKind().String() {
	case "Pod", "ReplicaSet.apps", "Job.batch", "ControllerRevision.apps", "EndpointSlice.discovery.k8s.io":
		return metav1.GetControllerOf(o) != nil
	case "Endpoints":
		return slices.ContainsFunc(objs, func(s *unstructured.Unstructured) bool {
			return s.GetKind() == "Service" && s.GetName() == o.GetName() && len(selectorOf(s)) > 0
		})
	case "Event", "Event.events.k8s.io":
		return true
	case "ConfigMap":
		return o.GetName() == "kube-root-ca.crt"
	case "Secret":
		return o.Object["type"] == "helm.sh/release.v1"
	case "Service":
		return o.GetName() == "kubernetes" && o.GetLabels()["provider"] == "kubernetes"
	}
	return false
}

// selectorOf is what a Service selects Pods by.
func selectorOf(service *unstructured.Unstructured) map[string]string {
	selector, _, _ := unstructured.NestedStringMap(service.Object, "spec", "selector")
	return selector
}

// leadsTo reports whether a Service selects the Pods of a workload.
func leadsTo(service, workload *unstructured.Unstructured) bool {
	if workload == nil || len(selectorOf(service)) == 0 {
		return false
	}
	return labels.SelectorFromSet(selectorOf(service)).Matches(templateLabels(workload))
}

func templateLabels(workload *unstructured.Unstructured) labels.Set {
	of, _, _ := unstructured.NestedStringMap(workload.Object, "spec", "template", "metadata", "labels")
	return of
}

// mainFirst puts first the Service that gives the tree its type: of those that lead to
// the workload the one that is exposed the furthest, and then the one of its name.
func mainFirst(services []*unstructured.Unstructured, workload *unstructured.Unstructured) {
	reach := []string{"ExternalName", "Headless", "ClusterIP", "NodePort", "LoadBalancer"}
	rank := func(s *unstructured.Unstructured) int {
		typ, _, _ := unstructured.NestedString(s.Object, "spec", "type")
		ip, _, _ := unstructured.NestedString(s.Object, "spec", "clusterIP")
		switch {
		case ip == "None":
			typ = "Headless"
		case typ == "":
			typ = "ClusterIP"
		}
		n := 2 * slices.Index(reach, typ)
		if workload != nil && s.GetName() == workload.GetName() {
			n++
		}
		if leadsTo(s, workload) {
			n += 2 * len(reach)
		}
		return n
	}
	slices.SortStableFunc(services, func(x, y *unstructured.Unstructured) int { return rank(y) - rank(x) })
}

// astray notes of a Service that does not lead to the workload it was named with.
func (i *Imported) astray(service, workload *unstructured.Unstructured) {
	if workload == nil || leadsTo(service, workload) {
		return
	}
	selects, id := "has no selector", workload.GetKind()+"/"+workload.GetName()
	if s := selectorOf(service); len(s) > 0 {
		selects = "selects " + labels.Set(s).String()
	}
	i.Notes = append(i.Notes, fmt.Sprintf("Service/%s %s, and so does not lead to %s, whose Pods have %s; import the Service that does, or mend base/service.yaml",
		service.GetName(), selects, id, templateLabels(workload)))
}
