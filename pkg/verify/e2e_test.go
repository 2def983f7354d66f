//go:build e2e

package verify

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	testcluster "github.com/kubectl-svcx/kubectl-svcx/test/cluster"
)

// The tests of this file run on a real cluster, and find kubectl on the PATH.
type cluster struct {
	t         *testing.T
	cfg       *rest.Config
	config    string
	image     string
	namespace string
}

func newCluster(t *testing.T, namespace string) *cluster {
	t.Helper()
	c := &cluster{t: t, cfg: testcluster.Config(t), config: testcluster.Kubeconfig(t), image: testcluster.ProbeImage(t), namespace: namespace}
	c.kubectl("", "create", "namespace", namespace)
	t.Cleanup(func() { c.kubectl("", "delete", "namespace", namespace, "--wait=false") })
	return c
}

// in returns the cluster for a subtest.
func (c *cluster) in(t *testing.T) *cluster {
	sub := *c
	sub.t = t
	return &sub
}

func (c *cluster) kubectl(stdin string, args ...string) string {
	c.t.Helper()
	cmd := exec.Command("kubectl", append([]string{"--kubeconfig", c.config}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (c *cluster) apply(yaml string) {
	c.t.Helper()
	c.kubectl(yaml, "apply", "-n", c.namespace, "-f", "-")
}

// await returns once somebody has a right in the namespace.
func (c *cluster) await(kind, name, verb, resource string) {
	c.t.Helper()
	kube, err := kubernetes.NewForConfig(c.cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	testcluster.AwaitRights(c.t, kube, c.namespace, rbacv1.Subject{Kind: kind, Name: name}, verb, resource)
}

// verify runs on one Service and logs the verdict.
func (c *cluster) verify(name string, inCluster bool) ServiceVerdict {
	c.t.Helper()
	start := time.Now()
	v, err := Run(context.Background(), c.cfg, Target{Namespace: c.namespace, Names: []string{name}},
		Options{InCluster: inCluster, ProbeImage: c.image, Timeout: time.Minute})
	if err != nil {
		c.t.Fatal(err)
	}
	sv := v.Services[0]
	data, _ := json.Marshal(sv)
	c.t.Logf("%s in %.2f s %s", name, time.Since(start).Seconds(), data)
	if pods := c.kubectl("", "get", "pods", "-n", c.namespace, "-l", LabelProbe, "-o", "name"); strings.TrimSpace(pods) != "" {
		c.t.Errorf("probe Pods are left: %s", pods)
	}
	return sv
}

func (c *cluster) wantIDs(sv ServiceVerdict, state State, ids ...string) {
	c.t.Helper()
	var got []string
	for _, f := range sv.Findings {
		if f.Severity == SeverityFailure {
			got = append(got, f.ID)
		}
	}
	if sv.State != state || strings.Join(got, " ") != strings.Join(ids, " ") {
		c.t.Errorf("%s: state %s with %v, want %s with %v", sv.Name, sv.State, got, state, ids)
	}
}

const redisDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis, labels: {app.kubernetes.io/name: redis}}
spec:
  replicas: 2
  selector: {matchLabels: {app.kubernetes.io/name: redis}}
  template:
    metadata: {labels: {app.kubernetes.io/name: redis}}
    spec:
      enableServiceLinks: false
      terminationGracePeriodSeconds: 1
      containers:
      - name: redis
        image: redis:alpine
        ports: [{name: redis, containerPort: 6379}]
        readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
`

// service writes a Service for the Pods of redisDeployment.
func service(name, spec string) string {
	return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
}

// TestRealPaths verifies healthy Services of every type, and the first faults
// of the catalogue, on real Pods.
func TestRealPaths(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "verify-e2e-"+runID()[:6])
	sel := `selector: {app.kubernetes.io/name: redis}`
	port := `ports: [{name: redis, port: 6379, targetPort: redis, protocol: TCP, appProtocol: redis}]`
	c.apply(redisDeployment +
		service("cip", "{"+sel+", "+port+"}") +
		service("np", "{type: NodePort, "+sel+", "+port+"}") +
		service("lb", "{type: LoadBalancer, "+sel+", "+port+"}") +
		service("headless", "{clusterIP: None, "+sel+", "+port+"}") +
		service("ext", "{type: ExternalName, externalName: server.example.com, "+port+"}") +
		service("ext-unknown", "{type: ExternalName, externalName: nowhere.example.com}") +
		service("ext-ip", "{type: ExternalName, externalName: 192.0.2.1}") +
		service("typo", "{selector: {app.kubernetes.io/name: rediss}, "+port+"}") +
		service("wrong-port", "{"+sel+", ports: [{name: redis, port: 6379, targetPort: 6380, appProtocol: redis}]}") +
		service("wrong-name", "{"+sel+", ports: [{name: redis, port: 6379, targetPort: redis-port, appProtocol: redis}]}"))
	c.kubectl("", "rollout", "status", "-n", c.namespace, "deployment/redis", "--timeout=90s")

	t.Run("healthy", func(t *testing.T) {
		c := c.in(t)
		for _, name := range []string{"cip", "np", "lb", "headless", "ext"} {
			c.wantIDs(c.verify(name, true), StateProven)
		}
	})
	t.Run("without a probe Pod", func(t *testing.T) {
		c := c.in(t)
		c.wantIDs(c.verify("cip", false), StateNotProven)
	})
	t.Run("faults", func(t *testing.T) {
		c := c.in(t)
		c.wantIDs(c.verify("typo", true), StateFailed, "SVC101")
		c.wantIDs(c.verify("wrong-port", true), StateFailed, "SVC204")
		c.wantIDs(c.verify("wrong-port", false), StateFailed, "SVC204")
		c.wantIDs(c.verify("wrong-name", true), StateFailed, "SVC201")
		c.wantIDs(c.verify("ext-unknown", true), StateFailed, "SVC602")
		c.wantIDs(c.verify("ext-ip", false), StateFailed, "SVC601")
	})
}
