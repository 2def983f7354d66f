//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
)

// goneWithin is how long what a killed run left may stay. The cluster removes it after
// half a minute; its controllers and kubelets share a small machine.
const goneWithin = 2 * time.Minute

// TestKilledAtAnyMoment ends a verification at 100 random moments, half of them
// by Ctrl-C and half so that it can do nothing any more, and wants none of its
// probe Pods, nor what owns them, to stay. It is not parallel to the others: it alone
// keeps a small machine busy.
func TestKilledAtAnyMoment(t *testing.T) {
	const namespaces, rounds = 5, 10 // of each kind in each namespace
	seed := cluster.Seed(t)

	c := client(t)
	var all []string
	for range namespaces {
		ns := namespace(t, restricted)
		svcx(t, t.TempDir(), append(redis, "-n", ns)...).want(t, 0)
		all = append(all, ns)
	}
	// The moments are spread over what a whole run takes, now and here, with as
	// many others beside it.
	started := time.Now()
	var runs sync.WaitGroup
	for _, ns := range all {
		runs.Go(func() {
			if code, err := endAfter(t, ns, syscall.SIGKILL, time.Minute); code != 0 || err != nil {
				t.Errorf("a run that is let be: exit %d, %v", code, err)
			}
		})
	}
	runs.Wait()
	whole := time.Since(started)

	var made, interrupted, completed atomic.Int32
	var wg sync.WaitGroup
	for i, ns := range all {
		w, err := c.CoreV1().Pods(ns).Watch(t.Context(), metav1.ListOptions{LabelSelector: probePodSelector})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		go func() {
			for e := range w.ResultChan() {
				if e.Type == watch.Added {
					made.Add(1)
				}
			}
		}()
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for range rounds {
				for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
					after := time.Duration(random.Int64N(int64(whole)))
					code, err := endAfter(t, ns, signal, after)
					switch {
					case err != nil:
						t.Errorf("%s after %s: %v", signal, after, err)
					case code == 0:
						completed.Add(1)
					case signal == syscall.SIGKILL && code == -1:
						interrupted.Add(1)
					case signal == syscall.SIGINT && (code == 130 || code == -1): // -1: before it had begun to listen
						interrupted.Add(1)
					default:
						t.Errorf("%s after %s: exit %d", signal, after, code)
					}
				}
			}
		})
	}
	wg.Wait()
	last := time.Now()
	t.Logf("of %d runs %d were ended and %d completed before; a whole one took %s; %d probe Pods were made",
		2*namespaces*rounds, interrupted.Load(), completed.Load(), whole.Round(time.Millisecond), made.Load())
	if made.Load() < namespaces || interrupted.Load() < namespaces*rounds/2 {
		t.Errorf("too few runs got to make a Pod, or were ended, to prove anything")
	}
	for _, ns := range all {
		waitGone(t, c.CoreV1().Pods(ns), probePodSelector, goneWithin)
		waitGone(t, c.BatchV1().Jobs(ns), probePodSelector, goneWithin)
	}
	t.Logf("the last was gone %s after the last kill", time.Since(last).Round(time.Second))
}

// TestKilledAsAClient ends a verification whose probe Pod stands for a client, so
// that it can do nothing any more: the cluster removes the Pod, which until then is
// nobody else's.
func TestKilledAsAClient(t *testing.T) {
	t.Parallel()
	ns := namespace(t, nil)
	c := client(t)
	svcx(t, t.TempDir(), append(redis, "-n", ns)...).want(t, 0)
	mute(t, c, ns, metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: verify.LabelProbe, Operator: metav1.LabelSelectorOpExists}}})
	w, err := c.CoreV1().Pods(ns).Watch(t.Context(), metav1.ListOptions{LabelSelector: verify.LabelProbe})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	cmd := command(t, t.Context(), t.TempDir(), "svcx", "verify", "redis", "--from=deploy/redis", "-n", ns)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for running := false; !running; {
		select {
		case err := <-ended:
			t.Fatalf("verify ended before its Pod ran: %v\n%s", err, said.String())
		case e, more := <-w.ResultChan():
			if !more {
				t.Fatal("the watch of the probe Pod ended before it ran")
			}
			pod, ok := e.Object.(*corev1.Pod)
			if running = ok && pod.Status.Phase == corev1.PodRunning; !running {
				continue
			}
			if owner := metav1.GetControllerOf(pod); owner == nil || owner.Kind != "Job" || len(pod.OwnerReferences) != 1 {
				t.Errorf("the Pod is owned by %+v, want one Job that is its controller", pod.OwnerReferences)
			}
		}
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Fatalf("verify was done before it could be killed\n%s", said.String())
	}
	killed := time.Now()
	waitGone(t, c.CoreV1().Pods(ns), verify.LabelProbe, goneWithin)
	waitGone(t, c.BatchV1().Jobs(ns), verify.LabelProbe, goneWithin)
	t.Logf("gone %s after the kill", time.Since(killed).Round(time.Second))
}

// endAfter starts a verification and sends it a signal so long after; -1 is the
// exit code of what a signal ended.
func endAfter(t *testing.T, ns string, signal syscall.Signal, after time.Duration) (int, error) {
	cmd := command(t, t.Context(), t.TempDir(), "svcx", "verify", "redis", "--in-cluster", "-n", ns)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	timer := time.AfterFunc(after, func() { _ = syscall.Kill(-cmd.Process.Pid, signal) })
	defer timer.Stop()
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() == 1 || cmd.ProcessState.ExitCode() == 2 {
		return cmd.ProcessState.ExitCode(), fmt.Errorf("it ended by itself: %s", cmd.ProcessState)
	}
	return cmd.ProcessState.ExitCode(), nil
}
