package verify

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// The path of a readiness probe is asked only as the kubelet asks it.
func TestRepeatable(t *testing.T) {
	header := func(name, value string) []corev1.HTTPHeader { return []corev1.HTTPHeader{{Name: name, Value: value}} }
	cases := []struct {
		name       string
		get        corev1.HTTPGetAction
		check      probe.Check
		path, host string
	}{
		{"a path", corev1.HTTPGetAction{Path: "/healthz"}, probe.CheckHTTP, "/healthz", ""},
		{"a Host header", corev1.HTTPGetAction{Path: "/healthz", HTTPHeaders: header("host", "shop.example.com")}, probe.CheckHTTP, "/healthz", "shop.example.com"},
		{"another header", corev1.HTTPGetAction{Path: "/healthz", HTTPHeaders: header("Authorization", "x")}, probe.CheckHTTP, "", ""},
		{"a Host header that is none", corev1.HTTPGetAction{Path: "/healthz", HTTPHeaders: header("Host", "x\r\nX: y")}, probe.CheckHTTP, "", ""},
		{"another address", corev1.HTTPGetAction{Path: "/healthz", Host: "10.0.0.1"}, probe.CheckHTTP, "", ""},
		{"HTTPS of HTTP", corev1.HTTPGetAction{Path: "/healthz", Scheme: corev1.URISchemeHTTPS}, probe.CheckHTTP, "", ""},
		{"HTTP of HTTPS", corev1.HTTPGetAction{Path: "/healthz", Scheme: corev1.URISchemeHTTP}, probe.CheckHTTPS, "", ""},
		{"HTTPS", corev1.HTTPGetAction{Path: "/healthz", Scheme: corev1.URISchemeHTTPS}, probe.CheckHTTPS, "/healthz", ""},
	}
	for _, tc := range cases {
		if path, host := repeatable(&tc.get, tc.check); path != tc.path || host != tc.host {
			t.Errorf("%s: %q for %q, want %q for %q", tc.name, path, host, tc.path, tc.host)
		}
	}
}

// A server with TLS that is asked by its address is told the Service's name.
func TestSNI(t *testing.T) {
	cases := []struct {
		name  string
		probe probe.Probe
		want  string
	}{
		{"https at a Pod's address", probe.Probe{Service: "demo/web", Path: probe.PathPod, Check: probe.CheckHTTPS}, "web.demo.svc"},
		{"tls at the cluster IP", probe.Probe{Service: "demo/web", Path: probe.PathClusterIP, Check: probe.CheckTLS}, "web.demo.svc"},
		{"redis inside TLS", probe.Probe{Service: "demo/web", Path: probe.PathTunnel, Check: probe.CheckRedis, TLS: true}, "web.demo.svc"},
		{"grpc inside TLS", probe.Probe{Service: "demo/web", Path: probe.PathPod, Check: probe.CheckGRPC, TLS: true}, "web.demo.svc"},
		{"redis", probe.Probe{Service: "demo/web", Path: probe.PathPod, Check: probe.CheckRedis}, ""},
		{"a path, as the kubelet asks it", probe.Probe{Service: "demo/web", Path: probe.PathPod, Check: probe.CheckHTTPS, HTTPPath: "/healthz"}, ""},
		{"by its name", probe.Probe{Service: "demo/web", Path: probe.PathDNS, Check: probe.CheckHTTPS}, ""},
		{"from outside", probe.Probe{Service: "demo/web", Path: probe.PathLoadBalancer, Check: probe.CheckHTTPS}, ""},
	}
	for _, tc := range cases {
		list := []probe.Probe{tc.probe}
		PlanOptions{}.finish(&Snapshot{}, list)
		if list[0].SNI != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, list[0].SNI, tc.want)
		}
	}
}

// TestInsideTLS: who says so, the port or the user, and of which checks.
func TestInsideTLS(t *testing.T) {
	for _, tc := range []struct {
		port string // of the Service
		all  bool   // --tls
		want bool
	}{
		{`{port: 50051, appProtocol: grpc}`, false, false},
		{`{port: 50051, appProtocol: grpc}`, true, true},
		{`{port: 50051, appProtocol: GRPCS}`, false, true},
		{`{port: 50051, name: grpcs-api}`, false, true},
		{`{port: 50051, name: grpc-tls}`, false, true},
		{`{port: 6379, appProtocol: rediss}`, false, true},
		{`{port: 6379, name: rediss-cache}`, false, true},
		{`{port: 6379, name: redis-cache}`, false, false},
		{`{port: 80, appProtocol: http}`, true, false},
	} {
		var port map[string]any
		if err := yaml.Unmarshal([]byte(tc.port), &port); err != nil {
			t.Fatal(err)
		}
		port["targetPort"] = 6379
		jc := judgeCase{Patch: map[string]map[string]any{"Service/redis": {"spec": map[string]any{"ports": []any{port}}},
			"EndpointSlice/redis-x": {"ports": []any{map[string]any{"name": port["name"], "port": 6379, "protocol": "TCP"}}}}}
		probes := PlanProbes(jc.snapshot(t), PlanOptions{TLS: tc.all})
		asked := 0
		for _, p := range probes {
			if p.Path == probe.PathPod && !p.Exploratory {
				if asked++; p.TLS != tc.want {
					t.Errorf("%s, --tls=%t: %s inside TLS %t, want %t", tc.port, tc.all, p.Check, p.TLS, tc.want)
				}
			}
		}
		if asked == 0 {
			t.Errorf("%s: no Pod is asked", tc.port)
		}
	}
}
