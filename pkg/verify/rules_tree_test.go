package verify

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestDrift(t *testing.T) {
	cases := []struct{ name, live, service, want string }{
		{"same, with defaults left out", "", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}", ""},
		{"another type", "", "{type: NodePort, selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}", "spec.type: ClusterIP in the cluster, NodePort in the tree"},
		{"another selector", "", "{selector: {app: x}, ports: [{name: redis, port: 6379}]}", "spec.selector: app.kubernetes.io/name=redis in the cluster, app=x in the tree"},
		{"another target", "", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379, targetPort: redis}]}", "spec.ports[0].targetPort: 6379 in the cluster, redis in the tree"},
		{"one more port", "", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}, {name: more, port: 1}]}", `spec.ports[1]: "more" in the tree, not in the cluster`},
		{"all defaults said", "", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}], clusterIP: 10.96.0.10, internalTrafficPolicy: Cluster, sessionAffinity: None, publishNotReadyAddresses: false}", ``},
		{"defaults filled in", "{type: NodePort, internalTrafficPolicy: Cluster, externalTrafficPolicy: Cluster, sessionAffinity: None, ports: [{name: redis, port: 6379, targetPort: 6379, protocol: TCP, nodePort: 30001}]}", "{type: NodePort, selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}", ``},
		{"headless in the tree", "", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}], clusterIP: None}", `spec.clusterIP: an address in the cluster, None in the tree`},
		{"headless in the cluster", "{clusterIP: None, clusterIPs: [None]}", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}", `spec.clusterIP: None in the cluster, an address in the tree`},
		{"another protocol", "", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379, protocol: UDP}]}", `spec.ports[0].protocol: TCP in the cluster, UDP in the tree`},
		{"another external policy", "{type: NodePort, ports: [{name: redis, port: 6379, targetPort: 6379, protocol: TCP, nodePort: 30001}]}", "{type: NodePort, externalTrafficPolicy: Local, selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379, nodePort: 30001}]}", `spec.externalTrafficPolicy: Cluster in the cluster, Local in the tree`},
		{"another internal policy", "{internalTrafficPolicy: Local}", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}", `spec.internalTrafficPolicy: Local in the cluster, Cluster in the tree`},
		{"another affinity", "", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}], sessionAffinity: ClientIP}", `spec.sessionAffinity: None in the cluster, ClientIP in the tree`},
		{"unready addresses", "", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}], publishNotReadyAddresses: true}", `spec.publishNotReadyAddresses: false in the cluster, true in the tree`},
		{"one port too many", "{ports: [{name: redis, port: 6379, targetPort: 6379}, {name: more, port: 1, targetPort: 1}]}", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}", `spec.ports[1]: "more" in the cluster, not in the tree`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			jc := judgeCase{}
			if tc.live != "" {
				var spec map[string]any
				if err := yaml.Unmarshal([]byte(tc.live), &spec); err != nil {
					t.Fatal(err)
				}
				jc.Patch = map[string]map[string]any{"Service/redis": {"spec": spec}}
			}
			s := jc.snapshot(t)
			var obj map[string]any
			if err := yaml.Unmarshal([]byte("{apiVersion: v1, kind: Service, metadata: {name: redis}, spec: "+tc.service+"}"), &obj); err != nil {
				t.Fatal(err)
			}
			s.Expected = expectedOf([]*unstructured.Unstructured{{Object: normal(t, obj)}})
			v := Judge(s, nil, nil)
			got := ""
			for _, f := range v.Services[0].Findings {
				if f.ID != "SVC801" {
					continue // nothing was asked, and one more port has no endpoints
				}
				if f.Severity != SeverityWarning {
					t.Errorf("severity %s, want warning", f.Severity)
				}
				got += strings.Join(f.Evidence, "; ")
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
