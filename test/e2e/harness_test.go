//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
)

// bin is where make build puts the binaries.
var bin, _ = filepath.Abs("../../bin")

// externalName is a name that resolves inside the cluster to a Redis outside of
// it. The lab has the one of the examples.
func externalName() string {
	if name := os.Getenv("SVCX_E2E_EXTERNAL_NAME"); name != "" {
		return name
	}
	return "server.example.com"
}

func client(t *testing.T) kubernetes.Interface {
	t.Helper()
	cfg := cluster.Config(t)
	cfg.QPS, cfg.Burst = 100, 200
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// result is how a command ended.
type result struct {
	args           []string
	stdout, stderr string
	code           int
}

// String shows the whole of a result in a test's failure.
func (r result) String() string {
	return fmt.Sprintf("$ %s\n-- exit %d, stdout:\n%s-- stderr:\n%s", strings.Join(r.args, " "), r.code, r.stdout, r.stderr)
}

// want fails the test unless the command ended with the code.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit %d, want %d\n%s", r.code, code, r)
	}
	return r
}

// contains fails the test unless each text stands in the command's output.
func (r result) contains(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Fatalf("the output lacks %q\n%s", text, r)
		}
	}
}

// verdict decodes stdout of a command that was given -o json.
func (r result) verdict(t *testing.T) verify.Verdict {
	t.Helper()
	var v verify.Verdict
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
		t.Fatalf("stdout is no verdict: %v\n%s", err, r)
	}
	return v
}

// command prepares `kubectl ARGS` in dir, with the plugin on PATH and nothing
// of this machine's own kubeconfig.
func command(t *testing.T, ctx context.Context, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+cluster.Kubeconfig(t), "HOME="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// kubectl runs `kubectl ARGS` in dir to its end.
func kubectl(t *testing.T, dir string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	return finish(t, command(t, ctx, dir, args...))
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	return result{cmd.Args, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// svcx runs `kubectl svcx ARGS` in dir to its end.
func svcx(t *testing.T, dir string, args ...string) result {
	t.Helper()
	return kubectl(t, dir, append([]string{"svcx"}, args...)...)
}

// namespace makes a namespace that goes with the test.
func namespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	c := client(t)
	ns, err := c.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "svcx-e2e-", Labels: labels},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deleteNamespace(t, c, ns.Name) })
	return ns.Name
}

func deleteNamespace(t *testing.T, c kubernetes.Interface, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	zero := int64(0)
	if err := c.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &zero}); err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("delete namespace %s: %v", name, err)
	}
}

// probePods returns the probe Pods that a namespace holds.
func probePods(t *testing.T, c kubernetes.Interface, namespace string) []corev1.Pod {
	t.Helper()
	pods, err := c.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: probePodSelector})
	if err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

// waitGone waits until no object is left that a label selector finds, by watching.
func waitGone[L runtime.Object](t *testing.T, objects interface {
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}, selector string, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		list, err := objects.List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			t.Fatalf("what %s finds is not gone after %s: %v", selector, limit, err)
		}
		if meta.LenList(list) == 0 {
			return
		}
		about, err := meta.ListAccessor(list)
		if err != nil {
			t.Fatal(err)
		}
		w, err := objects.Watch(ctx, metav1.ListOptions{LabelSelector: selector, ResourceVersion: about.GetResourceVersion()})
		if err != nil {
			t.Fatal(err)
		}
		for e := range w.ResultChan() {
			if e.Type == watch.Deleted {
				break
			}
		}
		w.Stop()
	}
}

// probePodSelector finds the Pods that verify makes for itself.
const probePodSelector = "app.kubernetes.io/managed-by=kubectl-svcx,app.kubernetes.io/name=svcx-probe"
