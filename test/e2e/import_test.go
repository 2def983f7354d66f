//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// made are the objects of a case: a Deployment and its Service, with what is
// particular about them.
func made(name, deployment, marks, service string) string {
	return strings.NewReplacer("NAME", name, "DEPLOYMENT", deployment, "MARKS", marks, "SERVICE", service).Replace(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, MARKS}
spec:
  DEPLOYMENT
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers: [{name: c, image: "redis:alpine", ports: [{containerPort: 6379}]}]
---
apiVersion: v1
kind: Service
metadata: {name: NAME, MARKS}
spec: {selector: {app: NAME}, ports: [{port: 6379}], SERVICE}
`)
}

// TestImportChangesNothing imports what others made, in every way in which they
// do: applying the tree would change nothing, as the API server says by a dry run
// of kubectl's and of ours, and has changed nothing when it is done.
func TestImportChangesNothing(t *testing.T) {
	t.Parallel()
	ns := namespace(t, nil)
	dir := t.TempDir()
	svcx(t, dir, "import", "deploy/nobody", "-n", ns).want(t, 1).contains(t, "deploy/nobody does not exist in namespace "+ns, "kubectl get deployments -n "+ns)
	var sub *testing.T // the subtest that runs
	sh := func(args ...string) {
		sub.Helper()
		kubectl(sub, dir, append(args, "-n", ns)...).want(sub, 0)
	}
	file := func(text string) string {
		name := filepath.Join(dir, "made.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	testdata := func(name string) string {
		path, err := filepath.Abs(filepath.Join("testdata", "import", name))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	const helm = "labels: {app: NAME, app.kubernetes.io/managed-by: Helm, helm.sh/chart: x-1.0}, annotations: {meta.helm.sh/release-name: r, meta.helm.sh/release-namespace: x}"
	for _, c := range []struct {
		name string
		make func()
		refs string // what is imported; deploy/NAME svc/NAME when empty
	}{
		{"walk", func() {
			sh("create", "deployment", "walk", "--image=redis:alpine", "--port=6379")
			sh("expose", "deployment", "walk", "--name=walk-svc", "--port=6379", "--type=NodePort")
			sh("scale", "deployment", "walk", "--replicas=3")
		}, "deploy/walk svc/walk-svc"},
		{"alias", func() { sh("create", "service", "externalname", "alias", "--external-name=server.example.com") }, "svc/alias"},
		{"applied", func() {
			sh("apply", "-f", file(made("applied", "replicas: 2", "labels: {a: b}", "")))
			sh("scale", "deployment", "applied", "--replicas=3")
			sh("set", "image", "deployment/applied", "c=redis:8-alpine")
			sh("rollout", "restart", "deployment/applied")
			sh("patch", "service", "applied", "-p", `{"spec":{"type":"NodePort"}}`)
		}, ""},
		{"rich", func() { sh("apply", "-f", testdata("rich.yaml")) }, "deploy/rich svc/rich svc/rich-peers cm/cfg"},
		{"db", func() { sh("apply", "--server-side", "--field-manager=argocd", "-f", testdata("statefulset.yaml")) }, "sts/db svc/db"},
		{"helm", func() {
			sh("create", "--field-manager=helm", "-f", file(made("helm", "replicas: 2", helm, "type: NodePort")))
		}, ""},
		{"helm4", func() {
			sh("apply", "--server-side", "--field-manager=helm", "-f", file(made("helm4", "replicas: 2", helm, "type: LoadBalancer")))
		}, ""},
		{"scaled", func() {
			sh("create", "deployment", "scaled", "--image=redis:alpine", "--port=6379")
			sh("expose", "deployment", "scaled", "--port=6379")
			sh("autoscale", "deployment", "scaled", "--max=3", "--cpu=80%")
		}, "deploy/scaled svc/scaled hpa/scaled"},
		{"dual", func() {
			sh("apply", "--server-side", "-f", file(made("dual", "minReadySeconds: 1", "labels: {}",
				"type: NodePort, ipFamilyPolicy: PreferDualStack, externalTrafficPolicy: Local, internalTrafficPolicy: Local, externalIPs: [192.0.2.9]")))
		}, ""},
		{"pinned", func() {
			sh("create", "-f", file(made("pinned", "paused: true", "labels: {}",
				"type: LoadBalancer, loadBalancerClass: example.com/x, allocateLoadBalancerNodePorts: false, externalTrafficPolicy: Local")))
		}, ""},
		{"headless", func() {
			sh("create", "-f", file(made("headless", "revisionHistoryLimit: 0", "labels: {}", "clusterIP: None, publishNotReadyAddresses: true")))
		}, ""},
		{"own", func() {
			svcx(sub, dir, "generate", "own", "--dir=generated", "--image=redis:alpine", "--type=NodePort").want(sub, 0)
			svcx(sub, dir, "apply", "-k", "generated/overlays/nodeport", "-n", ns).want(sub, 0)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sub = t
			c.make()
			refs := strings.Fields(c.refs)
			if len(refs) == 0 {
				refs = []string{"deploy/" + c.name, "svc/" + c.name}
			}
			tree := "imported-" + c.name
			out := svcx(t, dir, append([]string{"import", "--dir=" + tree, "-n", ns}, refs...)...).want(t, 0)
			overlay := regexp.MustCompile(`(?m)^compare .* -k (\S+) -n `).FindStringSubmatch(out.stdout)
			if overlay == nil {
				t.Fatalf("it does not say which overlay is what was there\n%s", out)
			}
			for line := range strings.Lines(svcx(t, dir, "diff", "-k", overlay[1], "-n", ns).want(t, 0).stdout) {
				if line[0] != '=' && line[0] != ' ' {
					t.Errorf("our plan: %s", line)
				}
			}
			differs := func() result {
				return kubectl(t, dir, "diff", "--server-side", "--field-manager=kubectl-svcx", "-k", overlay[1], "-n", ns)
			}
			// kubectl reads what is there and what would be one after the other: when its
			// controller has written to the object in between, it says nothing of us.
			diff := differs()
			for try := 1; try < 20 && strings.Contains(diff.stdout, "\n-  resourceVersion: "); try++ {
				diff = differs()
			}
			diff.want(t, 0)
			svcx(t, dir, "validate", tree).want(t, 0)
			get := append([]string{"get", "-n", ns, "-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.labels} {.spec} {.data}{"\n"}{end}`}, refs...)
			if len(refs) == 1 {
				get = append(get, refs[0]) // a list all the same
			}
			before := kubectl(t, dir, get...).want(t, 0).stdout
			svcx(t, dir, "apply", "-k", overlay[1], "-n", ns, "--timeout=1ms")
			if after := kubectl(t, dir, get...).want(t, 0).stdout; after != before || before == "" {
				t.Errorf("applied, it is\n%s\nand was\n%s", after, before)
			}
		})
	}
}
