//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestTheRightsOfTheManifestsSuffice verifies as a user who holds the roles of
// manifests/rbac and nothing else: all of it is proven.
func TestTheRightsOfTheManifestsSuffice(t *testing.T) {
	t.Parallel()
	c, ns, dir := client(t), namespace(t, restricted), t.TempDir()
	svcx(t, dir, append(redis, "--type=NodePort", "-n", ns)...).want(t, 0)
	kubectl(t, "../..", "apply", "--server-side", "-k", "manifests/rbac").want(t, 0)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, name := range []string{"svcx-observe", "svcx-probe"} {
			if err := c.RbacV1().ClusterRoles().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}
		if err := c.RbacV1().ClusterRoleBindings().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "svcx-e2e=" + ns}); err != nil {
			t.Error(err)
		}
	})

	user := "svcx-e2e-gate-" + ns
	subject := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	role := func(name string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
	}
	everywhere := rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: user, Labels: map[string]string{"svcx-e2e": ns}}, Subjects: subject, RoleRef: role("svcx-observe")}
	if _, err := c.RbacV1().ClusterRoleBindings().Create(t.Context(), &everywhere, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	here := rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: user}, Subjects: subject, RoleRef: role("svcx-probe")}
	if _, err := c.RbacV1().RoleBindings(ns).Create(t.Context(), &here, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	svcx(t, dir, "verify", "redis", "--in-cluster", "-n", ns, "--as", user).want(t, 0).contains(t, "VERIFIED")
}
