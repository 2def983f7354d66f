//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// TestWhoAndWhere wants the flags and variables that choose a cluster, a
// namespace and a user to mean what they mean to kubectl itself: each case is
// asked of both.
func TestWhoAndWhere(t *testing.T) {
	t.Parallel()
	ns, elsewhere, dir := namespace(t, restricted), namespace(t, restricted), t.TempDir()
	svcx(t, dir, append(redis, "-n", ns)...).want(t, 0)
	const group = "svcx-e2e-lookers"
	grant(t, ns, rbacv1.Subject{Kind: rbacv1.GroupKind, Name: group}, look)

	real, err := clientcmd.LoadFromFile(cluster.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	at := real.Contexts[real.CurrentContext]
	// Two files, as in KUBECONFIG=a:b: one knows the cluster and the user, the
	// other the contexts. The first to say something wins.
	where, how := clientcmdapi.NewConfig(), clientcmdapi.NewConfig()
	where.Clusters, where.AuthInfos = real.Clusters, real.AuthInfos
	for name, namespace := range map[string]string{"full": ns, "empty": elsewhere} {
		how.Contexts[name] = &clientcmdapi.Context{Cluster: at.Cluster, AuthInfo: at.AuthInfo, Namespace: namespace}
	}
	where.CurrentContext, how.CurrentContext = "full", "empty"
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for path, cfg := range map[string]*clientcmdapi.Config{a: where, b: how} {
		if err := clientcmd.WriteToFile(*cfg, path); err != nil {
			t.Fatal(err)
		}
	}
	list := a + string(filepath.ListSeparator) + b

	for _, tc := range []struct {
		name       string
		kubeconfig string // of the environment; empty: the tests' own
		flags      []string
		found      bool
		says       string
	}{
		{"-n", "", []string{"-n", ns}, true, ""},
		{"-n elsewhere", "", []string{"-n", elsewhere}, false, "redis"},
		{"--namespace=", "", []string{"--namespace=" + ns}, true, ""},
		{"the context's namespace", list, nil, true, ""},
		{"--context", list, []string{"--context=empty"}, false, elsewhere},
		{"--context and -n", list, []string{"--context=empty", "-n", ns}, true, ""},
		{"a context that is not there", list, []string{"--context=ful"}, false, "ful"},
		{"a file of the list that is not there", list + string(filepath.ListSeparator) + "/nowhere", nil, true, ""},
		{"--kubeconfig wins over KUBECONFIG", list, []string{"--kubeconfig", cluster.Kubeconfig(t), "-n", ns}, true, ""},
		{"--cluster and --user", list, []string{"--context=empty", "--cluster", at.Cluster, "--user", at.AuthInfo, "-n", ns}, true, ""},
		{"--as a user without rights", "", []string{"-n", ns, "--as", "svcx-e2e-nobody"}, false, "svcx-e2e-nobody"},
		{"--as with a group that has them", "", []string{"-n", ns, "--as", "svcx-e2e-nobody", "--as-group", group}, true, ""},
		{"--as-group without --as", "", []string{"-n", ns, "--as-group", group}, false, "impersonat"},
		{"no kubeconfig and no cluster around", "/nowhere", nil, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			run := func(args ...string) result {
				cmd := command(t, t.Context(), t.TempDir(), append(args, tc.flags...)...)
				if tc.kubeconfig != "" {
					cmd.Env = append(cmd.Env, "KUBECONFIG="+tc.kubeconfig)
				}
				return finish(t, cmd)
			}
			theirs := run("get", "service", "redis")
			if (theirs.code == 0) != tc.found {
				t.Fatalf("kubectl itself: exit %d, found is to be %v\n%s", theirs.code, tc.found, theirs)
			}
			ours := run("svcx", "verify", "redis", "--for=endpoints")
			if want := map[bool]int{true: 0, false: 1}[tc.found]; ours.code != want {
				t.Errorf("exit %d, want %d\n%s", ours.code, want, ours)
			}
			if !strings.Contains(ours.stderr, tc.says) {
				t.Errorf("stderr lacks %q\n%s", tc.says, ours)
			}
		})
	}
}
