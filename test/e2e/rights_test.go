//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
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
		for _, name := range []string{"svcx-observe", "svcx-probe", "svcx-from", "svcx-stream", "svcx-ephemeral", "svcx-exec"} {
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
	bind := func(name, verb, resource string) {
		here := rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: user + "-" + name}, Subjects: subject, RoleRef: role(name)}
		if _, err := c.RbacV1().RoleBindings(ns).Create(t.Context(), &here, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		cluster.AwaitRights(t, c, ns, subject[0], verb, resource)
	}
	cluster.AwaitRights(t, c, metav1.NamespaceAll, subject[0], "list", "services")
	bind("svcx-probe", "create", "pods")
	verify := func(flags ...string) result {
		return svcx(t, dir, append([]string{"verify", "redis", "-n", ns, "--as", user}, flags...)...)
	}
	verify("--in-cluster").want(t, 0).contains(t, "VERIFIED")

	// What an option needs is refused without its role, by its name; with it, granted.
	exec := []string{"--in-cluster", "--check=exec:redis-cli -p $SVCX_PORT ping"}
	verify(exec...).want(t, 3).contains(t, "permission to create pods/exec")
	bind("svcx-exec", "create", "pods/exec")
	verify(exec...).want(t, 0).contains(t, "exit code 0 from 1/1")
	// The prober beside the plugin, sent into a Pod of the target's own image.
	stream := []string{"--in-cluster", "--probe-via=stream"}
	verify(stream...).want(t, 3).contains(t, "permission to create pods/attach")
	bind("svcx-stream", "create", "pods/attach")
	verify(stream...).want(t, 0).contains(t, "VERIFIED", "cluster-ip")
	verify("--from=deploy/redis").want(t, 1).contains(t, "get deployments.apps")
	bind("svcx-from", "get", "deployments.apps")
	verify("--from=deploy/redis").want(t, 0).contains(t, "VERIFIED")
	within := []string{"--from=deploy/redis", "--ephemeral", "--yes"}
	verify(within...).want(t, 3).contains(t, "permission to patch pods/ephemeralcontainers")
	bind("svcx-ephemeral", "patch", "pods/ephemeralcontainers")
	verify(within...).want(t, 0).contains(t, "VERIFIED")
}
