package apply

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// liveServices has a Service of each type as the API server returns it.
var liveServices = map[ServiceType]string{
	ClusterIP: `
spec: {type: ClusterIP, clusterIP: 10.96.8.164, clusterIPs: [10.96.8.164], selector: {app: redis},
  ports: [{name: redis, port: 6379, protocol: TCP}]}`,
	NodePort: `
spec: {type: NodePort, clusterIP: 10.96.8.164, clusterIPs: [10.96.8.164], selector: {app: redis},
  ports: [{name: redis, port: 6379, protocol: TCP, nodePort: 30688}]}`,
	LoadBalancer: `
spec: {type: LoadBalancer, clusterIP: 10.96.8.164, clusterIPs: [10.96.8.164], selector: {app: redis},
  ports: [{name: redis, port: 6379, protocol: TCP, nodePort: 30688}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}`,
	ExternalName: `
spec: {type: ExternalName, externalName: server.example.com}`,
	Headless: `
spec: {type: ClusterIP, clusterIP: None, clusterIPs: [None], selector: {app: redis},
  ports: [{name: redis, port: 6379, protocol: TCP}]}`,
}

// desiredServices has a manifest of each type.
var desiredServices = map[ServiceType]string{
	ClusterIP:    `spec: {type: ClusterIP, ports: [{name: redis, port: 6379, protocol: TCP}]}`,
	NodePort:     `spec: {type: NodePort, ports: [{name: redis, port: 6379, protocol: TCP}]}`,
	LoadBalancer: `spec: {type: LoadBalancer, ports: [{name: redis, port: 6379, protocol: TCP}]}`,
	ExternalName: `spec: {type: ExternalName, externalName: server.example.com}`,
	Headless:     `spec: {type: ClusterIP, clusterIP: None, ports: [{name: redis, port: 6379, protocol: TCP}]}`,
}

func service(t *testing.T, text string) *corev1.Service {
	t.Helper()
	s := &corev1.Service{}
	if err := yaml.UnmarshalStrict([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

var types5 = []ServiceType{ClusterIP, NodePort, LoadBalancer, ExternalName, Headless}

// The golden file is the table of all ordered pairs, as a reader would see it.
func TestTransitionOf(t *testing.T) {
	var b strings.Builder
	for _, from := range types5 {
		for _, to := range types5 {
			tr := TransitionOf(service(t, liveServices[from]), service(t, desiredServices[to]))
			if from == to {
				if tr != nil {
					t.Errorf("%s stays, yet %+v", from, tr)
				}
				continue
			}
			if tr.From != from || tr.To != to {
				t.Fatalf("%s → %s: %+v", from, to, tr)
			}
			detour := from != ExternalName && to != ExternalName && (from == Headless || to == Headless)
			if (tr.Via == ExternalName) != detour {
				t.Errorf("%s → %s: via %q", from, to, tr.Via)
			}
			fmt.Fprintf(&b, "%s → %s", from, to)
			if tr.Via != "" {
				fmt.Fprintf(&b, " via %s", tr.Via)
			}
			if tr.Interrupts {
				b.WriteString(", interrupts")
			}
			b.WriteByte('\n')
			for _, e := range tr.Effects {
				fmt.Fprintf(&b, "  - %s\n", e)
			}
		}
	}
	golden(t, "transitions.txt", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and look at the change\n%s", path, got)
	}
}

func TestTransitionEffects(t *testing.T) {
	for name, tt := range map[string]struct {
		live, desired string
		interrupts    bool
		says, not     string
	}{
		"a pinned node port that changes": {
			live:       liveServices[NodePort],
			desired:    `spec: {type: LoadBalancer, ports: [{name: redis, port: 6379, nodePort: 30700}]}`,
			interrupts: true, says: "node port 30688 becomes 30700", not: "stays 3"},
		"a node port follows its port's name": {
			live:    liveServices[NodePort],
			desired: `spec: {type: LoadBalancer, ports: [{name: redis, port: 6380}]}`,
			says:    "node port 30688 stays"},
		"renamed and renumbered at once loses it": {
			live:       liveServices[NodePort],
			desired:    `spec: {type: LoadBalancer, ports: [{name: other, port: 6380}]}`,
			interrupts: true, says: "node port 30688 is released"},
		"a load balancer without node ports": {
			live:       liveServices[NodePort],
			desired:    `spec: {type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{name: other, port: 1}]}`,
			interrupts: true, says: "node port 30688 is released"},
		"a load balancer that never had an address": {
			live:    `spec: {type: LoadBalancer, clusterIP: 10.96.0.1, ports: [{name: redis, port: 6379, nodePort: 30688}]}`,
			desired: desiredServices[NodePort], says: "no address yet"},
		"a change that was cut short": {
			live:    `spec: {type: ExternalName, externalName: kubectl-svcx.invalid}`,
			desired: desiredServices[Headless], says: "cut short is finished"},
		"text from the cluster": {
			live:    "spec: {type: ExternalName, externalName: \"a\\e[31m\\nb\"}",
			desired: desiredServices[ClusterIP], says: "alias of a b"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := TransitionOf(service(t, tt.live), service(t, tt.desired))
			all := strings.Join(tr.Effects, "\n")
			if tr.Interrupts != tt.interrupts || !strings.Contains(all, tt.says) || (tt.not != "" && strings.Contains(all, tt.not)) {
				t.Errorf("interrupts %v\n%s", tr.Interrupts, all)
			}
		})
	}
}
