//go:build e2e

package verify

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// ask runs on one Service as the options say, and logs the verdict.
func (c *cluster) ask(name string, o Options) ServiceVerdict {
	c.t.Helper()
	o.InCluster, o.Timeout = true, time.Minute
	if o.ProbeImage == "" && o.Probers == nil {
		o.ProbeImage = c.image
	}
	v, err := Run(context.Background(), c.cfg, Target{Namespace: c.namespace, Names: []string{name}}, o)
	if err != nil {
		c.t.Fatal(err)
	}
	data, _ := json.Marshal(v.Services[0])
	c.t.Logf("%s", data)
	return v.Services[0]
}

// line returns a line of the report.
func (c *cluster) line(sv ServiceVerdict, name string) CheckResult {
	c.t.Helper()
	for _, r := range sv.Checks {
		if r.Name == name {
			return r
		}
	}
	c.t.Fatalf("no line %s in %+v", name, sv.Checks)
	return CheckResult{}
}

func (c *cluster) asks(s string) Checks {
	c.t.Helper()
	checks, err := ParseChecks([]string{s})
	if err != nil {
		c.t.Fatal(err)
	}
	return checks
}

// built is the svcx-probe that make build has made, for these nodes.
func built(t *testing.T) []Prober {
	t.Helper()
	const path = "../../bin/svcx-probe"
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal("make build is needed first: ", err)
	}
	return []Prober{{Arch: runtime.GOARCH, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(path) }}}
}

// clientPod is a Deployment that the restricted standard admits.
func clientPod(name string) string {
	return `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `}
spec:
  selector: {matchLabels: {app: ` + name + `}}
  template:
    metadata: {labels: {app: ` + name + `}}
    spec:
      terminationGracePeriodSeconds: 1
      enableServiceLinks: false
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: main
        image: redis:alpine
        ports: [{containerPort: 6379}]
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`
}

// TestRealClients asks as somebody, from within somebody, and where the image
// of the prober cannot be had.
func TestRealClients(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "verify-clients-"+runID()[:6])
	shop := newCluster(t, c.namespace+"-shop")
	c.kubectl("", "label", "namespace", shop.namespace, "pod-security.kubernetes.io/enforce=restricted")
	c.apply(redisDeployment + service("redis", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}") +
		app("locked", `image: redis:alpine, command: [redis-server], args: [--user, app, "on", ">s3cret", "~*", "+@all", --user, default, "off"]`, "{selector: {app: locked}, ports: [{name: redis, port: 6379}]}") +
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {who: app, password: s3cret}\n" +
		app("echo", `image: kubectlsvcx/svcx-testserver:latest, args: ["--udp=:5353", "--tcp=:9000", "--http=:8080"]`,
			"{selector: {app: echo}, ports: [{name: udp, port: 5353, protocol: UDP}, {name: web, port: 80, targetPort: 8080}, {name: raw, port: 9000}]}"))
	shop.apply(clientPod("web") + clientPod("cron") + service("web", "{selector: {app: web}, ports: [{port: 6379}]}"))
	for _, at := range []*cluster{c, shop} {
		c.kubectl("", "wait", "-n", at.namespace, "--for=condition=Available", "deployment", "--all", "--timeout=120s")
	}
	from := func(name string, ephemeral bool) *From {
		return &From{Namespace: shop.namespace, Kind: "Deployment", Name: name, Ephemeral: ephemeral}
	}

	t.Run("streamed", func(t *testing.T) {
		c := c.in(t)
		c.wantIDs(c.ask("redis", Options{Probers: built(t)}), StateProven)
		c.wantIDs(c.ask("redis", Options{Probers: built(t), From: from("web", false)}), StateProven)
		sv := c.ask("echo", Options{Probers: built(t)})
		if r := c.line(sv, "pod"); r.State != StateNotProven || !strings.Contains(r.Summary, "does not start a shell") || !strings.Contains(r.Needs, "--probe-image") {
			t.Errorf("an image without a shell: %+v", r)
		}
		c.wantIDs(c.ask("echo", Options{Probers: built(t), ProbeImage: "redis:alpine"}), StateProven)
		half := built(t)
		half[0].Open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("cut off")), nil }
		if r := c.line(c.ask("redis", Options{Probers: half}), "pod"); r.State != StateNotProven || !strings.Contains(r.Summary, "incomplete") {
			t.Errorf("a program that was cut off: %+v", r)
		}
		if r := c.line(c.ask("redis", Options{ProbeImage: "no-registry.invalid/x:1"}), "pod"); !strings.Contains(r.Needs, "--probe-via=stream") {
			t.Errorf("an image that cannot be had: %+v", r)
		}
		c.clean()
	})
	t.Run("policies see the client", func(t *testing.T) {
		c := c.in(t)
		c.apply("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: only-web}\nspec: {podSelector: {matchLabels: {app.kubernetes.io/name: redis}}, policyTypes: [Ingress], " +
			"ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: " + shop.namespace + "}}, podSelector: {matchLabels: {app: web}}}]}]}\n")
		defer c.kubectl("", "delete", "networkpolicy", "only-web", "-n", c.namespace)
		stop := shop.in(t).watchEndpoints()
		c.wantIDs(c.ask("redis", Options{From: from("web", false)}), StateProven)
		if seen, taken := stop(); seen == 0 || taken != "" {
			t.Errorf("the stand-in was an endpoint of its client's Service (%q), or was not seen at all (%d)", taken, seen)
		}
		for _, ephemeral := range []bool{false, true} {
			sv := c.ask("redis", Options{From: from("cron", ephemeral)})
			c.wantIDs(sv, StateFailed, "SVC402")
			if who := sv.Findings[0].Message; !strings.Contains(who, "cron") {
				t.Errorf("the client is not named: %s", who)
			}
		}
		c.wantIDs(c.ask("redis", Options{From: from("web", true)}), StateProven)
		c.clean()
		shop.in(t).clean()
		// What stays is small, holds none of the questions, and ends when they do.
		c.kubectl("", "wait", "pods", "-n", shop.namespace, "-l", "app=web", "--for=jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.finishedAt}", "--timeout=15s")
		left := c.kubectl("", "get", "pods", "-n", shop.namespace, "-l", "app=web", "-o", "jsonpath={.items[0].spec.ephemeralContainers}")
		if !strings.Contains(left, "--attended") || strings.Contains(left, "redis:6379") {
			t.Errorf("in the client's Pod: %s", left)
		}
	})
	t.Run("a Service that takes Pods that are not Ready", func(t *testing.T) {
		c := c.in(t)
		shop.in(t).apply(service("peers", "{clusterIP: None, publishNotReadyAddresses: true, selector: {app: cron}, ports: [{port: 6379}]}"))
		_, err := Run(context.Background(), c.cfg, Target{Namespace: c.namespace, Names: []string{"redis"}}, Options{InCluster: true, ProbeImage: c.image, From: from("cron", false)})
		if err == nil || !strings.Contains(err.Error(), "Service/peers") {
			t.Errorf("error %v, want one that names Service/peers", err)
		}
	})
	t.Run("commands", func(t *testing.T) {
		c := c.in(t)
		ping := c.asks(`exec:redis-cli -h $SVCX_HOST -p $SVCX_PORT ping`)
		sv := c.ask("redis", Options{Checks: ping, From: from("web", false)})
		c.wantIDs(sv, StateProven)
		for _, name := range []string{"tunnel", "pod", "cluster-ip"} {
			if r := c.line(sv, name); !strings.HasPrefix(r.Summary, "exit code 0") {
				t.Errorf("%s: %+v", name, r)
			}
		}
		// Without a client the command asks the backends, and the port's own check the rest.
		sv = c.ask("redis", Options{Checks: c.asks(`exec:["redis-cli","-p","$(SVCX_PORT)","ping"]`)})
		c.wantIDs(sv, StateProven)
		if r := c.line(sv, "pod"); !strings.HasPrefix(r.Summary, "PONG") {
			t.Errorf("pod: %+v", r)
		}
		if r := c.line(c.ask("redis", Options{Checks: c.asks("exec:echo out; echo no way >&2; exit 3")}), "tunnel"); r.State != StateFailed || !strings.Contains(r.Summary, "exit code 3: no way") {
			t.Errorf("a command that fails: %+v", r)
		}
		if r := c.line(c.ask("redis", Options{Checks: c.asks("exec:no-such-command")}), "tunnel"); r.State != StateNotProven {
			t.Errorf("a command that is not there: %+v", r)
		}
	})
	t.Run("expected replies and checks of single ports", func(t *testing.T) {
		c := c.in(t)
		good := Options{Checks: c.asks("web=http,raw=tcp"), Send: "hello\n", Expect: "hello"}
		c.wantIDs(c.ask("echo", good), StateProven)
		good.Expect = "goodbye"
		sv := c.ask("echo", good)
		if sv.State != StateFailed || sv.Ports[1].Check != probe.CheckHTTP {
			t.Errorf("state %s, ports %+v", sv.State, sv.Ports)
		}
	})
	t.Run("user and password", func(t *testing.T) {
		c := c.in(t)
		c.apply(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: prober}
rules:
- {apiGroups: [""], resources: [pods, pods/log, pods/portforward], verbs: [get, list, watch, create, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: prober}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: prober}
subjects: [{kind: User, name: no-secrets, apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: User, name: no-secrets, apiGroup: rbac.authorization.k8s.io}]
`)
		c.await("User", "no-secrets", "delete", "pods")
		c.await("User", "no-secrets", "list", "endpointslices.discovery.k8s.io")
		sub := *c
		sub.cfg = rest.CopyConfig(c.cfg)
		sub.cfg.Impersonate.UserName = "no-secrets"
		sv := sub.ask("locked", Options{Auth: &Auth{Secret: "login", UserKey: "who"}})
		if r := c.line(sv, "cluster-ip"); r.State != StateProven {
			t.Errorf("with the password: %+v", r)
		}
		if data, _ := json.Marshal(sv); strings.Contains(string(data), "s3cret") {
			t.Error("the password is in the verdict")
		}
		c.wantIDs(c.ask("locked", Options{Auth: &Auth{Secret: "login", User: "app", Here: true}}), StateProven)
		c.wantIDs(c.ask("locked", Options{Auth: &Auth{Secret: "login", User: "nobody", Here: true}}), StateFailed, "SVC702")
	})
}

// clean reports probe Pods that are left.
func (c *cluster) clean() {
	c.t.Helper()
	if pods := strings.TrimSpace(c.kubectl("", "get", "pods", "-n", c.namespace, "-l", LabelProbe, "-o", "name")); pods != "" {
		c.t.Errorf("probe Pods are left: %s", pods)
	}
}

// watchEndpoints notes how often a probe Pod is seen in the EndpointSlices of a
// namespace, and the first that traffic may be sent to.
func (c *cluster) watchEndpoints() (stop func() (seen int, taken string)) {
	c.t.Helper()
	clients, err := newClients(c.cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	w, err := clients.discovery.EndpointSlices(c.namespace).Watch(context.Background(), metav1.ListOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	var seen int
	var taken string
	var wg sync.WaitGroup
	wg.Go(func() {
		for ev := range w.ResultChan() {
			slice, ok := ev.Object.(*discoveryv1.EndpointSlice)
			if !ok {
				continue
			}
			for _, e := range slice.Endpoints {
				if e.TargetRef == nil || !strings.HasPrefix(e.TargetRef.Name, probePodName) {
					continue
				}
				seen++
				for _, may := range []*bool{e.Conditions.Ready, e.Conditions.Serving} {
					if (may == nil || *may) && taken == "" {
						taken = slice.Name + " " + strings.Join(slices.Clone(e.Addresses), " ")
					}
				}
			}
		}
	})
	return func() (int, string) {
		w.Stop()
		wg.Wait()
		return seen, taken
	}
}
