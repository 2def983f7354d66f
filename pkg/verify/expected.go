package verify

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// expectedOf keeps of a tree's objects those that decide where traffic goes;
// nil when there is no tree. An object that does not convert is left out: the
// API server refuses it too.
func expectedOf(objs []*unstructured.Unstructured) *Expected {
	if len(objs) == 0 {
		return nil
	}
	e := &Expected{}
	for _, o := range objs {
		switch o.GetAPIVersion() + "/" + o.GetKind() {
		case "v1/Service":
			e.Services = addConverted[corev1.Service](e.Services, o)
		case "apps/v1/Deployment":
			e.Deployments = addConverted[appsv1.Deployment](e.Deployments, o)
		case "apps/v1/StatefulSet":
			e.StatefulSets = addConverted[appsv1.StatefulSet](e.StatefulSets, o)
		case "apps/v1/DaemonSet":
			e.DaemonSets = addConverted[appsv1.DaemonSet](e.DaemonSets, o)
		case "networking.k8s.io/v1/NetworkPolicy":
			e.NetworkPolicies = addConverted[networkingv1.NetworkPolicy](e.NetworkPolicies, o)
		}
	}
	return e
}

func addConverted[T any](list []T, o *unstructured.Unstructured) []T {
	var item T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &item); err != nil {
		return list
	}
	return append(list, item)
}

// service finds a Service of the tree; nil when it has none of that name.
func (e *Expected) service(namespace, name string) *corev1.Service {
	if e == nil {
		return nil
	}
	for i := range e.Services {
		if s := &e.Services[i]; s.Name == name && (s.Namespace == "" || s.Namespace == namespace) {
			return s
		}
	}
	return nil
}

// service finds a Service that was seen, by namespace/name; nil: there is none.
func (s *Snapshot) service(key string) *corev1.Service {
	for i := range s.Services {
		if svc := &s.Services[i]; svc.Namespace+"/"+svc.Name == key {
			return svc
		}
	}
	return nil
}

// absent returns the Service of the tree for a target (namespace/name) that the
// cluster does not have; nil when the tree has none either.
func (s *Snapshot) absent(target string) *corev1.Service {
	if s.Expected == nil {
		return nil
	}
	namespace, name, _ := strings.Cut(target, "/")
	return s.Expected.service(namespace, name)
}

// workloads lists what in the tree makes Pods for a namespace.
func (e *Expected) workloads(namespace string) []workload {
	if e == nil {
		return nil
	}
	var out []workload
	for _, w := range workloads(&Snapshot{Deployments: e.Deployments, StatefulSets: e.StatefulSets, DaemonSets: e.DaemonSets}) {
		if w.ref.Namespace == "" {
			w.ref.Namespace = namespace
		}
		if w.ref.Namespace == namespace {
			out = append(out, w)
		}
	}
	return out
}
