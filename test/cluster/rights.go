package cluster

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// AwaitRights returns once the API server lets somebody do something in a namespace; it fails
// the test after half a minute. What a Role and its binding say counts only when the
// server's authorizer, which watches them, has heard of it; and that cannot be watched.
// A ServiceAccount without a namespace is of that one. A resource is named as for kubectl
// auth can-i: deployments.apps, pods/exec.
func AwaitRights(t *testing.T, kube kubernetes.Interface, namespace string, who rbacv1.Subject, verb, resource string) {
	t.Helper()
	name, sub, _ := strings.Cut(resource, "/")
	gr := schema.ParseGroupResource(name)
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: who.Name,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: gr.Group, Resource: gr.Resource, Subresource: sub}}}
	switch who.Kind {
	case rbacv1.ServiceAccountKind:
		review.Spec.User = "system:serviceaccount:" + cmp.Or(who.Namespace, namespace) + ":" + who.Name
	case rbacv1.GroupKind:
		review.Spec.User, review.Spec.Groups = "somebody", []string{who.Name}
	}
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		answer, err := kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed, err
	})
	if err != nil {
		t.Fatalf("%s %s may not %s %s in namespace %s: %v", who.Kind, who.Name, verb, resource, namespace, err)
	}
}
