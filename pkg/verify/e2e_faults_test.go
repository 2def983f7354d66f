//go:build e2e

package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// app writes a Deployment of one container and a Service for it.
func app(name, container, serviceSpec string) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      enableServiceLinks: false
      terminationGracePeriodSeconds: 1
      containers:
      - {name: main, %[2]s}
`, name, container) + service(name, serviceSpec)
}

// eventually verifies until the verdict is the one wanted: a fault takes a
// while to show. The last verdict is judged.
func (c *cluster) eventually(name string, state State, ids ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	for {
		v, err := Run(ctx, c.cfg, Target{Namespace: c.namespace, Names: []string{name}}, Options{InCluster: true, ProbeImage: c.image})
		if err != nil {
			c.t.Errorf("%s: %v", name, err)
			return
		}
		var got []string
		for _, f := range v.Services[0].Findings {
			if f.Severity == SeverityFailure {
				got = append(got, f.ID)
			}
		}
		if v.Services[0].State == state && strings.Join(got, " ") == strings.Join(ids, " ") {
			for _, f := range v.Services[0].Findings {
				c.t.Logf("%s: %s %s\n   %s", name, f.ID, f.Message, strings.Join(f.Evidence, "\n   "))
			}
			return
		}
		select {
		case <-ctx.Done():
			c.t.Errorf("%s: state %s with %v, want %s with %v\n%+v", name, v.Services[0].State, got, state, ids, v.Services[0])
			return
		case <-time.After(time.Second): // the cluster moves on between two looks
		}
	}
}

// TestRealFaults breaks a Service in each way of the catalogue that real Pods
// can show, and wants the cause by its ID.
func TestRealFaults(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "verify-faults-"+runID()[:6])
	port := func(n int) string {
		return fmt.Sprintf("ports: [{name: redis, port: 6379, targetPort: %d, appProtocol: redis}]", n)
	}
	redis := func(args string) string {
		return "image: redis:alpine, command: [redis-server], args: [" + args + "]"
	}
	ready := func(n int) string {
		return fmt.Sprintf(", readinessProbe: {periodSeconds: 1, tcpSocket: {port: %d}}", n)
	}
	spec := func(name string, n int) string { return "{selector: {app: " + name + "}, " + port(n) + "}" }
	cases := []struct {
		name, container, service string
		state                    State
		ids                      []string
	}{
		{"loopback", redis(`--bind, 127.0.0.1`), spec("loopback", 6379), StateFailed, []string{"SVC205"}},
		{"loopback-ready", redis(`--bind, 127.0.0.1`) + ready(6379), spec("loopback-ready", 6379), StateFailed, []string{"SVC205"}},
		{"elsewhere", redis(`--port, "7777", --protected-mode, "no"`), spec("elsewhere", 6379), StateFailed, []string{"SVC207"}},
		{"declared", redis(`--port, "7777", --protected-mode, "no"`) + ", ports: [{containerPort: 7777}]", spec("declared", 6379), StateFailed, []string{"SVC204"}},
		{"password", redis(`--requirepass, secret`), spec("password", 6379), StateFailed, []string{"SVC702"}},
		{"protected", redis(`--protected-mode, "yes"`), spec("protected", 6379), StateFailed, []string{"SVC701"}},
		{"crash", redis(`--no-such-option`), spec("crash", 6379), StateFailed, []string{"SVC307"}},
		{"no-image", "image: redis:no-such-tag", spec("no-image", 6379), StateFailed, []string{"SVC309"}},
		{"no-node", redis(`--protected-mode, "no"`) + ", resources: {requests: {cpu: 500}}", spec("no-node", 6379), StateFailed, []string{"SVC314"}},
		{"bad-probe", redis(`--protected-mode, "no"`) + ready(6380), spec("bad-probe", 6379), StateFailed, []string{"SVC302"}},
		{"bad-command", redis(`--protected-mode, "no"`) + ", readinessProbe: {periodSeconds: 1, exec: {command: [redis-cli, -p, '6380', ping]}}", spec("bad-command", 6379), StateFailed, []string{"SVC303"}},
		{"no-class", redis(`--protected-mode, "no"`), "{type: LoadBalancer, loadBalancerClass: example.com/none, selector: {app: no-class}, " + port(6379) + "}", StateFailed, []string{"SVC506"}},
		{"fine", redis(`--protected-mode, "no"`), spec("fine", 6379), StateProven, nil},
	}
	var yaml strings.Builder
	for _, tc := range cases {
		yaml.WriteString(app(tc.name, tc.container, tc.service))
	}
	yaml.WriteString(service("nothing", "{"+port(6379)+"}"))
	c.apply(yaml.String())
	c.kubectl("", "rollout", "status", "-n", c.namespace, "deployment/fine", "--timeout=90s")
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := c.in(t)
			c.eventually(tc.name, tc.state, tc.ids...)
		})
	}
	t.Run("no selector and no slice", func(t *testing.T) { c.in(t).eventually("nothing", StateFailed, "SVC107") })
	t.Run("scaled to zero", func(t *testing.T) {
		c := c.in(t)
		c.kubectl("", "scale", "-n", c.namespace, "deployment/fine", "--replicas=0")
		c.eventually("fine", StateFailed, "SVC301")
	})
	t.Run("Pods in another namespace", func(t *testing.T) {
		c := c.in(t)
		other := newCluster(t, c.namespace+"-b")
		other.apply(service("password", spec("password", 6379)))
		// As long as they have a Service where they are, they are not missing elsewhere.
		other.eventually("password", StateFailed, "")
		c.kubectl("", "delete", "service", "password", "-n", c.namespace)
		other.eventually("password", StateFailed, "SVC102")
	})
	t.Run("not there", func(t *testing.T) {
		c := c.in(t)
		_, err := Run(context.Background(), c.cfg, Target{Namespace: c.namespace, Names: []string{"loopbak"}}, Options{})
		var nf *NotFoundError
		if !errors.As(err, &nf) || len(nf.Near) == 0 || nf.Near[0] != "loopback" {
			t.Errorf("error %v, want one that names loopback", err)
		}
	})
}

// TestRealPolicies blocks the way to Pods that answer.
func TestRealPolicies(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "verify-policy-"+runID()[:6])
	c.apply(redisDeployment + service("redis", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}"))
	c.kubectl("", "rollout", "status", "-n", c.namespace, "deployment/redis", "--timeout=90s")
	policy := func(ingress string) string {
		return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: guard}\nspec: {podSelector: {matchLabels: {app.kubernetes.io/name: redis}}, policyTypes: [Ingress]" + ingress + "}\n"
	}
	c.apply(policy(""))
	c.eventually("redis", StateFailed, "SVC401")
	c.apply(policy(", ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]"))
	c.eventually("redis", StateFailed, "SVC402")
	c.apply(policy(", ingress: [{from: [{podSelector: {}}]}]"))
	c.eventually("redis", StateProven)
}

// TestRealCleanup removes what a killed run has left, and nothing else.
func TestRealCleanup(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "verify-cleanup-"+runID()[:6])
	clients, err := newClients(c.cfg)
	if err != nil {
		t.Fatal(err)
	}
	for run, life := range map[string]time.Duration{"dead": time.Second, "alive": 10 * time.Minute} {
		pod, err := newProbePod(podRun{namespace: c.namespace, name: probePodName + run, run: run, image: "redis:alpine", timeout: life - deadlineSlack})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := clients.core.Pods(c.namespace).Create(context.Background(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c.kubectl("", "wait", "-n", c.namespace, "pod/"+probePodName+"dead", "--for=jsonpath={.status.reason}=DeadlineExceeded", "--timeout=120s")
	removed, err := Cleanup(context.Background(), c.cfg, c.namespace, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(removed) != 1 || removed[0].Name != probePodName+"dead" {
		t.Errorf("removed %v, want the dead run's Pod alone", removed)
	}
}

// TestRealLimits verifies where less is permitted than a verification would like.
func TestRealLimits(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "verify-limits-"+runID()[:6])
	c.apply(redisDeployment + service("redis", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}") + `
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: getter}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: reader}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: getter}
rules: [{apiGroups: [""], resources: [services], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: getter}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: getter}
subjects: [{kind: ServiceAccount, name: getter}]
`)
	c.kubectl("", "rollout", "status", "-n", c.namespace, "deployment/redis", "--timeout=90s")
	c.await("ServiceAccount", "reader", "list", "services")
	c.await("ServiceAccount", "getter", "get", "services")
	as := func(name string) *cluster {
		cfg := rest.CopyConfig(c.cfg)
		cfg.Impersonate.UserName = "system:serviceaccount:" + c.namespace + ":" + name
		sub := *c
		sub.cfg = cfg
		return &sub
	}
	t.Run("may read only", func(t *testing.T) {
		c := c.in(t)
		sv := as("reader").in(t).verify("redis", true)
		c.wantIDs(sv, StateNotProven)
		for _, r := range sv.Checks {
			if r.Name == "pod" && !strings.Contains(r.Needs, "permission to create Pods") {
				t.Errorf("pod: needs %q", r.Needs)
			}
		}
	})
	t.Run("may get Services only", func(t *testing.T) {
		c := c.in(t)
		c.wantIDs(as("getter").in(t).verify("redis", true), StateNotProven)
	})
	t.Run("image that is not there", func(t *testing.T) {
		c := c.in(t)
		sub := *c
		sub.image = "kubectlsvcx/svcx-probe:no-such-tag"
		c.wantIDs(sub.verify("redis", true), StateNotProven)
	})
	t.Run("image of something else", func(t *testing.T) {
		c := c.in(t)
		sub := *c
		sub.image = "redis:alpine"
		c.wantIDs(sub.verify("redis", true), StateNotProven)
	})
	t.Run("restricted Pod Security", func(t *testing.T) {
		c := c.in(t)
		c.kubectl("", "label", "namespace", c.namespace, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
		c.wantIDs(c.verify("redis", true), StateProven)
	})
	t.Run("quota", func(t *testing.T) {
		c := c.in(t)
		c.apply("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: full}\nspec: {hard: {pods: '2'}}\n")
		// The quota binds once its controller has counted.
		for i := 0; i < 60; i++ {
			if strings.Contains(c.kubectl("", "get", "resourcequota", "full", "-n", c.namespace, "-o", "jsonpath={.status.used.pods}"), "2") {
				break
			}
			time.Sleep(500 * time.Millisecond)
		}
		c.wantIDs(c.verify("redis", true), StateNotProven)
		c.kubectl("", "delete", "resourcequota", "full", "-n", c.namespace)
	})
	t.Run("canceled at any moment", func(t *testing.T) {
		c := c.in(t)
		for _, after := range []time.Duration{5, 20, 40, 80, 120, 200, 300, 400, 500, 700} {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			time.AfterFunc(after*time.Millisecond, cancel)
			_, err := Run(ctx, c.cfg, Target{Namespace: c.namespace, Names: []string{"redis"}}, Options{InCluster: true, ProbeImage: c.image})
			cancel()
			if pods := strings.TrimSpace(c.kubectl("", "get", "pods", "-n", c.namespace, "-l", LabelProbe, "-o", "name")); pods != "" {
				t.Errorf("canceled after %d ms (%v): %s is left", after, err, pods)
			}
		}
	})
}
