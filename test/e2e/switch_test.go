//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

var types = []generate.ServiceType{
	generate.ClusterIP, generate.NodePort, generate.LoadBalancer, generate.ExternalName, generate.Headless,
}

// tour returns a walk over the types in which each of the 20 ordered pairs is
// stepped exactly once: an Euler circuit of the complete directed graph.
func tour() []generate.ServiceType {
	unused := map[generate.ServiceType][]generate.ServiceType{}
	for _, from := range types {
		for _, to := range types {
			if from != to {
				unused[from] = append(unused[from], to)
			}
		}
	}
	var walk []generate.ServiceType
	stack := []generate.ServiceType{types[0]}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		if next := unused[at]; len(next) > 0 {
			unused[at] = next[1:]
			stack = append(stack, next[0])
			continue
		}
		walk = append(walk, at)
		stack = stack[:len(stack)-1]
	}
	slices.Reverse(walk)
	return walk
}

// liveType is a Service's type as a user names it.
func liveType(s *corev1.Service) generate.ServiceType {
	if s.Spec.ClusterIP == corev1.ClusterIPNone {
		return generate.Headless
	}
	return generate.ServiceType(s.Spec.Type)
}

// TestEveryTypeAndEverySwitch takes one live Service through all five types and
// all 20 ordered switches between them, each verified along its paths, and the
// object is the same one at the end.
func TestEveryTypeAndEverySwitch(t *testing.T) {
	t.Parallel()
	c, ns, dir := client(t), namespace(t, restricted), t.TempDir()
	walk := tour()
	if len(walk) != 21 {
		t.Fatalf("the tour has %d steps, want all 20 ordered pairs", len(walk)-1)
	}
	up := []string{"up", "redis", "--image=redis:alpine", "--replicas=2", "--port=6379", "--service-name=redis-svc",
		"--external-name=" + externalName(), "-n", ns, "--yes", "-o", "json"}
	var uid, previous string
	for i, typ := range walk {
		name := fmt.Sprintf("%02d from %s to %s", i, previous, typ)
		r := svcx(t, dir, append(up, "--type="+string(typ))...)
		if r.code != 0 {
			t.Fatalf("%s\n%s", name, r)
		}
		v := r.verdict(t)
		if v.State != verify.StateProven || len(v.Services) != 1 || v.Services[0].Type != string(typ) {
			t.Fatalf("%s: verdict %s\n%s", name, v.State, r)
		}
		wantPaths(t, name, v.Services[0])
		live, err := c.CoreV1().Services(ns).Get(t.Context(), "redis-svc", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := liveType(live); got != typ {
			t.Fatalf("%s: the live Service is %s\n%s", name, got, r)
		}
		if uid == "" {
			uid = string(live.UID)
		}
		if string(live.UID) != uid {
			t.Fatalf("%s: the Service was replaced by another", name)
		}
		wantNoStaleField(t, name, live)
		previous = string(typ)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "redis", "overlays", "*")); len(files) != len(types) {
		t.Errorf("overlays: %v, want one a type", files)
	}
	if left := probePods(t, c, ns); len(left) != 0 {
		t.Errorf("%d probe Pods are left", len(left))
	}
}

// wantPaths fails the test unless each path that the type has was proven.
func wantPaths(t *testing.T, name string, s verify.ServiceVerdict) {
	t.Helper()
	inside := []string{"selector", "endpoints", "tunnel", "pod", "dns"}
	want := map[generate.ServiceType][]string{
		generate.Headless:     inside,
		generate.ClusterIP:    append(inside, "cluster-ip"),
		generate.NodePort:     append(inside, "cluster-ip", "node-port"),
		generate.LoadBalancer: append(inside, "cluster-ip", "node-port", "load-balancer"),
		generate.ExternalName: {"external-name"},
	}[generate.ServiceType(s.Type)]
	states := map[string]verify.State{}
	for _, check := range s.Checks {
		states[check.Name] = check.State
	}
	for _, path := range want {
		if states[path] != verify.StateProven {
			t.Fatalf("%s: %s is %q, want proven; checks %+v", name, path, states[path], s.Checks)
		}
	}
}

// wantNoStaleField fails the test if a field of another type survived.
func wantNoStaleField(t *testing.T, name string, s *corev1.Service) {
	t.Helper()
	typ := liveType(s)
	exposed := typ == generate.NodePort || typ == generate.LoadBalancer
	for _, p := range s.Spec.Ports {
		if (p.NodePort != 0) != exposed {
			t.Errorf("%s: nodePort %d on a %s Service", name, p.NodePort, typ)
		}
	}
	if (s.Spec.ExternalName != "") != (typ == generate.ExternalName) {
		t.Errorf("%s: externalName %q on a %s Service", name, s.Spec.ExternalName, typ)
	}
	if (len(s.Spec.Selector) == 0) != (typ == generate.ExternalName) {
		t.Errorf("%s: selector %v on a %s Service", name, s.Spec.Selector, typ)
	}
	if len(s.Status.LoadBalancer.Ingress) != 0 && typ != generate.LoadBalancer {
		t.Errorf("%s: load balancer address left on a %s Service", name, typ)
	}
}

// restricted asks the API server to hold a namespace to the strictest Pod Security standard.
var restricted = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
