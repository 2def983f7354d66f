//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
)

var redis = []string{"up", "redis", "--image=redis:alpine", "--port=6379"}

// TestNamespaceThatDoesNotExist wants the missing namespace and the flag that
// makes it named, nothing created, and the flag to work.
func TestNamespaceThatDoesNotExist(t *testing.T) {
	t.Parallel()
	c, dir := client(t), t.TempDir()
	ns := fmt.Sprintf("svcx-e2e-new-%d", os.Getpid())
	svcx(t, dir, append(redis, "-n", ns)...).want(t, 1).contains(t, ns, "--create-namespace")
	if _, err := c.CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("namespace %s: %v, want not found", ns, err)
	}
	t.Cleanup(func() { deleteNamespace(t, c, ns) })
	svcx(t, dir, append(redis, "-n", ns, "--create-namespace")...).want(t, 0).contains(t, "VERIFIED")
}

// TestRefusedCredentials wants a context whose credentials are no longer good
// told apart from other failures, by name.
func TestRefusedCredentials(t *testing.T) {
	t.Parallel()
	cfg, err := clientcmd.LoadFromFile(cluster.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	for name := range cfg.AuthInfos {
		cfg.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: "expired"}
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatal(err)
	}
	svcx(t, t.TempDir(), "verify", "redis", "--kubeconfig", path).want(t, 1).
		contains(t, cfg.CurrentContext, "credentials")
}

// TestWithoutTheRightToCreatePods wants what needs a probe Pod to be not proven,
// with the right that is missing named; never failed, never green.
func TestWithoutTheRightToCreatePods(t *testing.T) {
	t.Parallel()
	ns, dir := namespace(t, restricted), t.TempDir()
	svcx(t, dir, append(redis, "-n", ns)...).want(t, 0)
	const user = "svcx-e2e-reader"
	grant(t, ns, rbacv1.Subject{Kind: rbacv1.UserKind, Name: user}, look,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create", "get"}})
	r := svcx(t, dir, "verify", "redis", "--in-cluster", "-n", ns, "--as", user, "-o", "json").want(t, 3)
	v := r.verdict(t)
	if v.State != verify.StateNotProven {
		t.Fatalf("verdict %s\n%s", v.State, r)
	}
	states := map[string]verify.State{}
	for _, check := range v.Services[0].Checks {
		states[check.Name] = check.State
	}
	for check, want := range map[string]verify.State{
		"selector": verify.StateProven, "endpoints": verify.StateProven, "tunnel": verify.StateProven,
		"pod": verify.StateNotProven, "cluster-ip": verify.StateNotProven, "dns": verify.StateNotProven,
	} {
		if states[check] != want {
			t.Errorf("%s is %s, want %s", check, states[check], want)
		}
	}
	svcx(t, dir, "verify", "redis", "--in-cluster", "-n", ns, "--as", user).want(t, 3).contains(t, "NOT PROVEN", "permission to create Pods")
	svcx(t, dir, "up", "redis", "--dir=redis", "--replicas=1", "-n", ns, "--as", user).want(t, 1).contains(t, "forbidden", user)
}

// TestVerifyAloneCreatesNothing wants the answer without a probe Pod to be
// honest about what it did not see, and the cluster unchanged.
func TestVerifyAloneCreatesNothing(t *testing.T) {
	t.Parallel()
	c, ns, dir := client(t), namespace(t, restricted), t.TempDir()
	svcx(t, dir, append(redis, "-n", ns)...).want(t, 0)
	pods, err := c.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.CoreV1().Pods(ns).Watch(t.Context(), metav1.ListOptions{ResourceVersion: pods.ResourceVersion, LabelSelector: probePodSelector})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	svcx(t, dir, "verify", "redis", "-n", ns).want(t, 3).contains(t, "NOT PROVEN", "--in-cluster")
	select {
	case e := <-w.ResultChan():
		t.Fatalf("verify made a probe Pod: %s", e.Type)
	default:
	}
}
