//go:build e2e

package apply

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// The e2e tests need a real API server (make test). Each makes a namespace of its own.

func clientFor(t *testing.T, cfg *rest.Config) *Client {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(cfg, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lab returns a client and a namespace that goes away with the test, which runs
// beside others.
func lab(t *testing.T) (context.Context, *Client, string) {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	c := clientFor(t, cluster.Config(t))
	ns := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"generateName": "svcx-apply-"},
	}}
	ri, err := c.resource(context.Background(), ns)
	if err != nil {
		t.Fatal(err)
	}
	made, err := ri.Create(ctx, ns, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		after, stop := context.WithTimeout(context.Background(), 30*time.Second)
		defer stop()
		_ = ri.Delete(after, made.GetName(), metav1.DeleteOptions{})
	})
	return ctx, c, made.GetName()
}

func fromYAML(t *testing.T, docs string) []*unstructured.Unstructured {
	t.Helper()
	var objs []*unstructured.Unstructured
	for doc := range strings.SplitSeq(docs, "\n---\n") {
		var m map[string]any
		if err := yaml.Unmarshal([]byte(doc), &m); err != nil {
			t.Fatal(err)
		}
		u, err := fromMap(m)
		if err != nil {
			t.Fatal(err)
		}
		objs = append(objs, u)
	}
	return objs
}

// run plans and applies, and returns the plan with the events' messages.
func run(ctx context.Context, t *testing.T, c *Client, objs []*unstructured.Unstructured, o PlanOptions) (*Plan, []string) {
	t.Helper()
	p, err := c.Plan(ctx, objs, o)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	var events []string
	if err := c.Apply(ctx, p, func(e Event) { events = append(events, e.Object.String()+" "+e.Message) }); err != nil {
		t.Fatalf("apply: %v", err)
	}
	return p, events
}

func liveOf(ctx context.Context, t *testing.T, c *Client, ns string, u *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	u = u.DeepCopy()
	u.SetNamespace(ns)
	live, err := c.get(ctx, u)
	if err != nil || live == nil {
		t.Fatalf("%s: live %v, %v", refOf(u), live, err)
	}
	return live
}

// services has a manifest of each type, as the overlays have them.
func services(t *testing.T, name string) map[ServiceType]*unstructured.Unstructured {
	t.Helper()
	const common = `
apiVersion: v1
kind: Service
metadata: {name: %s, labels: {app: %[1]s}}
spec:
  type: %[2]s
  selector: {app: %[1]s}
  ports: [{name: redis, port: 6379, protocol: TCP, targetPort: 6379}]%[3]s
`
	const alias = `
apiVersion: v1
kind: Service
metadata: {name: %s, labels: {app: %[1]s}}
spec: {type: ExternalName, externalName: server.example.com}
`
	m := func(format string, args ...any) *unstructured.Unstructured {
		return fromYAML(t, fmt.Sprintf(format, args...))[0]
	}
	return map[ServiceType]*unstructured.Unstructured{
		ClusterIP:    m(common, name, "ClusterIP", ""),
		NodePort:     m(common, name, "NodePort", "\n  externalTrafficPolicy: Local"),
		LoadBalancer: m(common, name, "LoadBalancer", "\n  loadBalancerSourceRanges: [10.0.0.0/8]\n  loadBalancerClass: example.com/none\n  externalTrafficPolicy: Local"),
		Headless:     m(common, name, "ClusterIP", "\n  clusterIP: None"),
		ExternalName: m(alias, name),
	}
}

var allTypes = []ServiceType{ClusterIP, NodePort, LoadBalancer, ExternalName, Headless}

func typeOf(t *testing.T, u *unstructured.Unstructured) ServiceType {
	t.Helper()
	s, err := toService(u)
	if err != nil {
		t.Fatal(err)
	}
	return TypeOf(s)
}
