//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// TestInterruptLeavesNoProbePod sends Ctrl-C at each stage of up and wants the
// command to end by itself, to say that it was interrupted, and to leave no
// probe Pod behind.
func TestInterruptLeavesNoProbePod(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"generated", "applied", "waiting"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			ns := namespace(t, restricted)
			interrupt(t, ns, func(_ context.Context, lines <-chan string) bool {
				for line := range lines {
					if strings.HasPrefix(strings.TrimSpace(line), stage) {
						return true
					}
				}
				return false
			})
		})
	}
	probes, err := metav1.ParseToLabelSelector(probePodSelector)
	if err != nil {
		t.Fatal(err)
	}
	for _, phase := range []corev1.PodPhase{corev1.PodPending, corev1.PodRunning} {
		t.Run("probe Pod "+string(phase), func(t *testing.T) {
			t.Parallel()
			ns := namespace(t, restricted)
			c := client(t)
			mute(t, c, ns, *probes)
			w, err := c.CoreV1().Pods(ns).Watch(t.Context(), metav1.ListOptions{LabelSelector: probePodSelector})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			interrupt(t, ns, func(ctx context.Context, lines <-chan string) bool {
				for {
					select {
					case e, more := <-w.ResultChan():
						if !more {
							t.Error("the watch of the probe Pod ended")
							return false
						}
						if pod, ok := e.Object.(*corev1.Pod); ok && e.Type != watch.Deleted && pod.Status.Phase == phase {
							return true
						}
					case _, more := <-lines:
						if !more {
							return false
						}
					case <-ctx.Done():
						return false
					}
				}
			})
		})
	}
}

// mute lets nothing out of some Pods of a namespace. One that is answered at
// once may be done before its kubelet has said that it runs.
func mute(t *testing.T, c kubernetes.Interface, ns string, probes metav1.LabelSelector) {
	t.Helper()
	policy := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "mute"},
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: probes, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}},
	}
	if _, err := c.NetworkingV1().NetworkPolicies(ns).Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// interrupt runs up in the namespace, sends SIGINT once reached says so, and
// checks how it ended and what it left.
func interrupt(t *testing.T, ns string, reached func(ctx context.Context, stderr <-chan string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := command(t, ctx, t.TempDir(), "svcx", "up", "redis", "--image=redis:alpine", "--port=6379", "-n", ns)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, all := make(chan string, 1000), make(chan string, 1)
	go func() {
		var said strings.Builder
		for scan := bufio.NewScanner(stderr); scan.Scan(); {
			said.WriteString(scan.Text() + "\n")
			lines <- scan.Text()
		}
		close(lines)
		all <- said.String()
	}()
	if !reached(ctx, lines) {
		t.Fatalf("up ended before the stage was reached:\n%s", <-all)
	}
	go func() {
		for range lines {
		}
	}()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	said := <-all
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("ended with %v, want exit 130\n%s", err, said)
	}
	if took := time.Since(sent); took > 15*time.Second {
		t.Errorf("took %s to end after the interrupt", took)
	}
	if !strings.Contains(said, "interrupted") {
		t.Errorf("stderr does not say that it was interrupted:\n%s", said)
	}
	waitGone(t, client(t).CoreV1().Pods(ns), probePodSelector, 10*time.Second)
}
