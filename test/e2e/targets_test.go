//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// TestTargets wants each way to say what to verify to mean the same Services.
func TestTargets(t *testing.T) {
	t.Parallel()
	ns, dir := namespace(t, restricted), t.TempDir()
	svcx(t, dir, append(redis, "-n", ns)...).want(t, 0)
	// A second Service of the same Pods, which the tree does not know.
	kubectl(t, dir, "expose", "deployment/redis", "-n", ns, "--name=cache", "--port=6379", "--labels=tier=cache").want(t, 0)
	kubectl(t, dir, "wait", "-n", ns, "endpointslices", "-l", "kubernetes.io/service-name=cache", "--for=create", "--timeout=30s").want(t, 0)
	pods := kubectl(t, dir, "get", "pods", "-n", ns, "-o", "jsonpath={.items[0].metadata.name}").want(t, 0)
	file := filepath.Join(dir, "cache.yaml")
	live := kubectl(t, dir, "get", "service", "cache", "-n", ns, "-o", "yaml").want(t, 0)
	if err := os.WriteFile(file, []byte(live.stdout), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"a whole namespace", []string{"-n", ns}, "cache redis"},
		{"names", []string{"svc/redis", "-n", ns}, "redis"},
		{"labels", []string{"-l", "tier=cache", "-n", ns}, "cache"},
		{"labels, everywhere", []string{"-A", "-l", "tier=cache"}, "cache"},
		{"a Deployment", []string{"deploy/redis", "-n", ns}, "cache redis"},
		{"a Pod", []string{"pod/" + pods.stdout, "-n", ns}, "cache redis"},
		{"a Service and its Deployment, each once", []string{"redis", "deploy/redis", "-n", ns}, "cache redis"},
		{"a kustomization", []string{"-k", filepath.Join("redis", "overlays", "clusterip"), "-n", ns}, "redis"},
		{"a file", []string{"-f", file}, "cache"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := svcx(t, dir, append([]string{"verify", "--for=endpoints", "-o", "json"}, tc.args...)...).want(t, 0).verdict(t)
			var got []string
			for _, s := range v.Services {
				if s.Namespace == ns {
					got = append(got, s.Name)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tc.want {
				t.Errorf("it verified %q, want %q", got, tc.want)
			}
		})
	}
}

// TestLeftovers: what a killed run has left is removed by the next run, and by
// cleanup, once its time is over.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	ns, dir, c := namespace(t, restricted), t.TempDir(), client(t)
	svcx(t, dir, append(redis, "-n", ns)...).want(t, 0)
	leave := func() {
		t.Helper()
		life, no, yes := int64(1), false, true
		user := int64(65532)
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "left", Labels: map[string]string{
				"app.kubernetes.io/name": "svcx-probe", "app.kubernetes.io/managed-by": "kubectl-svcx", verify.LabelProbe: "killed"}},
			Spec: corev1.PodSpec{ActiveDeadlineSeconds: &life, AutomountServiceAccountToken: &no, RestartPolicy: corev1.RestartPolicyNever,
				SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
				Containers: []corev1.Container{{Name: "probe", Image: "redis:alpine", SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}}}},
		}
		if _, err := c.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		kubectl(t, dir, "wait", "-n", ns, "pod/left", "--for=jsonpath={.status.reason}=DeadlineExceeded", "--timeout=60s").want(t, 0)
	}
	leave()
	svcx(t, dir, "verify", "redis", "-n", ns).want(t, 3)
	if n := len(probePods(t, c, ns)); n != 1 {
		t.Fatalf("a run that may change nothing has left %d Pods of one", n)
	}
	svcx(t, dir, "verify", "redis", "--in-cluster", "-n", ns).want(t, 0)
	waitGone(t, c.CoreV1().Pods(ns), probePodSelector, time.Minute)
	leave()
	svcx(t, dir, "cleanup", "-n", ns).want(t, 0).contains(t, "Pod/left removed from namespace "+ns)
	waitGone(t, c.CoreV1().Pods(ns), probePodSelector, time.Minute)
	svcx(t, dir, "cleanup", "-n", ns).want(t, 0).contains(t, "no probe Pod")
}
