//go:build e2e

package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// deployment is a Deployment of Redis with more in its container and Pod.
func deployment(t *testing.T, name, image, container, pod string) *unstructured.Unstructured {
	t.Helper()
	return fromYAML(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: 2
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: redis
        image: %[2]s
        %[3]s
      %[4]s
`, name, image, container, pod))[0]
}

const redisImage = "redis:alpine"

func TestWaitReady(t *testing.T) {
	ctx, c, ns := lab(t)
	objs := []*unstructured.Unstructured{deployment(t, "redis", redisImage,
		"readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}", "")}
	for _, replicas := range []int64{2, 3} { // a new one, and a change of it
		if err := unstructured.SetNestedField(objs[0].Object, replicas, "spec", "replicas"); err != nil {
			t.Fatal(err)
		}
		p, _ := run(ctx, t, c, objs, PlanOptions{Namespace: ns})
		var seen []string
		if err := c.Wait(ctx, p, func(e Event) { seen = append(seen, e.Message) }); err != nil {
			t.Fatalf("%v after %q", err, seen)
		}
		if want := fmt.Sprintf("%d/%d ready", replicas, replicas); len(seen) == 0 || seen[len(seen)-1] != want {
			t.Errorf("progress %q", seen)
		}
		t.Logf("%q", seen)
	}
}

// What cannot heal by itself ends the wait early, with its cause and the next step.
func TestWaitStuck(t *testing.T) {
	for name, tt := range map[string]struct {
		image, container, pod string
		before                string // what is applied first
		reason, message, next string
	}{
		"not-found":    {image: "redis:nosuchtag", message: "cannot pull image redis:nosuchtag: not found", next: "kubectl describe pod/"},
		"unauthorised": {image: cluster.PrivateImage(t), message: "not authorised", next: "imagePullSecrets"},
		"invalid-name": {image: "REDIS::alpine", reason: "InvalidImageName", next: "correct the image"},
		"crash": {image: redisImage, container: "args: [redis-server, --port, nonsense]\n        readinessProbe: {tcpSocket: {port: 6379}}",
			reason: "CrashLoopBackOff", message: "exited with code 1", next: "kubectl logs pod/"},
		"crash-unprobed": {image: redisImage, container: "args: [redis-server, --port, nonsense]",
			reason: "CrashLoopBackOff", message: "exited with code 1", next: "kubectl logs pod/"},
		"no-configmap": {image: redisImage, container: "envFrom: [{configMapRef: {name: nosuch}}]",
			reason: "CreateContainerConfigError", message: `configmap "nosuch" not found`, next: "kubectl get configmap nosuch"},
		"no-secret-volume": {image: redisImage, pod: "volumes: [{name: v, secret: {secretName: nosuch}}]",
			container: "volumeMounts: [{name: v, mountPath: /v}]", reason: "FailedMount", message: `secret "nosuch" not found`, next: "kubectl get secret nosuch"},
		"unschedulable": {image: redisImage, container: `resources: {requests: {cpu: "999"}}`,
			reason: "Unschedulable", message: "Insufficient cpu", next: "kubectl describe pod/"},
		"no-account": {image: redisImage, pod: "serviceAccountName: nosuch", reason: "ServiceAccountMissing", message: `"nosuch" not found`, next: "serviceaccount"},
		"quota": {image: redisImage, before: "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none}\nspec: {hard: {pods: \"0\"}}",
			reason: "QuotaExceeded", message: "exceeded quota", next: "kubectl describe quota"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, c, ns := lab(t)
			if tt.before != "" {
				run(ctx, t, c, fromYAML(t, tt.before), PlanOptions{Namespace: ns})
			}
			p, _ := run(ctx, t, c, []*unstructured.Unstructured{deployment(t, name, tt.image, tt.container, tt.pod)}, PlanOptions{Namespace: ns})
			var seen []string
			start := time.Now()
			err := c.Wait(ctx, p, func(e Event) { seen = append(seen, e.Message) })
			t.Logf("after %s: %v\n%q", time.Since(start).Round(time.Second), err, seen)
			var stuck *StuckError
			if !errors.As(err, &stuck) {
				t.Fatal("not stuck")
			}
			if (tt.reason != "" && stuck.Reason != tt.reason) || !strings.Contains(stuck.Message, tt.message) || !strings.Contains(stuck.Next, tt.next) {
				t.Errorf("got %+v", stuck)
			}
		})
	}
}

// A probe that fails may heal, so it is told and waited for until the time is over.
func TestWaitProbeFails(t *testing.T) {
	ctx, c, ns := lab(t)
	p, _ := run(ctx, t, c, []*unstructured.Unstructured{deployment(t, "redis", redisImage,
		"readinessProbe: {tcpSocket: {port: 7777}, periodSeconds: 1}", "")}, PlanOptions{Namespace: ns})
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	told := make(chan struct{})
	var seen []string
	err := c.Wait(ctx, p, func(e Event) {
		seen = append(seen, e.Message)
		if strings.Contains(e.Message, "readiness probe failed") && !slices.Contains(seen[:len(seen)-1], e.Message) {
			select {
			case <-told:
			default:
				close(told)
				cancel() // as Ctrl-C does
			}
		}
	})
	var late *WaitError
	if !errors.As(err, &late) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "readiness probe failed") {
		t.Errorf("%v after %q", err, seen)
	}
}

// A load balancer that nobody serves does not hold the wait up for ever.
func TestWaitBalancer(t *testing.T) {
	ctx, c, ns := lab(t)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p, _ := run(ctx, t, c, []*unstructured.Unstructured{services(t, "lb")[LoadBalancer]}, PlanOptions{Namespace: ns})
	var seen []string
	if err := c.Wait(ctx, p, func(e Event) { seen = append(seen, e.Message) }); err != nil {
		t.Fatal(err)
	}
	if last := seen[len(seen)-1]; last != `no address yet: no controller of class "example.com/none" has taken it up` {
		t.Errorf("progress %q", seen)
	}
}

// Under OnDelete a StatefulSet is ready once its Pods are, of whichever revision,
// and never before there are any.
func TestWaitOnDelete(t *testing.T) {
	ctx, c, ns := lab(t)
	objs := fromYAML(t, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis}
spec:
  serviceName: redis
  replicas: 1
  updateStrategy: {type: OnDelete}
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: redis
        image: redis:alpine
        readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
`)
	for _, want := range []string{"1/1 ready", "1/1 ready · 1 Pod keeps the old revision until somebody deletes it (OnDelete)"} {
		p, _ := run(ctx, t, c, objs, PlanOptions{Namespace: ns})
		var seen []string
		if err := c.Wait(ctx, p, func(e Event) { seen = append(seen, e.Message) }); err != nil {
			t.Fatalf("%v after %q", err, seen)
		}
		if len(seen) == 0 || seen[len(seen)-1] != want {
			t.Errorf("progress %q, want %q", seen, want)
		}
		if err := unstructured.SetNestedField(objs[0].Object, "changed", "spec", "template", "metadata", "annotations", "note"); err != nil {
			t.Fatal(err)
		}
	}
}
