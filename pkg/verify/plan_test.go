package verify

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

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
