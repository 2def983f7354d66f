package apply

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// kindOrder is the order in which objects are applied: what others need comes
// first. A Service comes before the Pods, which get their environment variables
// from the Services that exist when they start; webhooks come last, since they
// judge everything applied after them. Kinds not named here come before them.
var kindOrder = []string{
	"Namespace", "ResourceQuota", "LimitRange", "StorageClass", "CustomResourceDefinition",
	"PriorityClass", "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding",
	"ConfigMap", "Secret", "PersistentVolume", "PersistentVolumeClaim", "NetworkPolicy",
	"Service", "EndpointSlice", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "Pod", "Job", "CronJob",
	"HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress",
	"", // any other kind
	"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
}

func rank(kind string) int {
	if i := slices.Index(kindOrder, kind); i >= 0 {
		return i
	}
	return slices.Index(kindOrder, "")
}

// sorted returns the objects in the order of kindOrder, else in their own order.
func sorted(objs []*unstructured.Unstructured) []*unstructured.Unstructured {
	out := slices.Clone(objs)
	slices.SortStableFunc(out, func(a, b *unstructured.Unstructured) int {
		return rank(a.GetKind()) - rank(b.GetKind())
	})
	return out
}

// duplicate finds an object that is listed twice; the second would undo the first.
func duplicate(objs []*unstructured.Unstructured) error {
	seen := map[string]bool{}
	for _, u := range objs {
		gvk := u.GroupVersionKind()
		id := gvk.GroupKind().String() + "|" + u.GetNamespace() + "|" + u.GetName()
		if seen[id] {
			return fmt.Errorf("%s is listed twice; keep one of them", refOf(u))
		}
		seen[id] = true
	}
	return nil
}
