package verify

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestDrift(t *testing.T) {
	cases := []struct{ name, service, want string }{
		{"same, with defaults left out", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}", ""},
		{"another type", "{type: NodePort, selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}]}", "spec.type: ClusterIP in the cluster, NodePort in the tree"},
		{"another selector", "{selector: {app: x}, ports: [{name: redis, port: 6379}]}", "spec.selector: app.kubernetes.io/name=redis in the cluster, app=x in the tree"},
		{"another target", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379, targetPort: redis}]}", "spec.ports[0].targetPort: 6379 in the cluster, redis in the tree"},
		{"one more port", "{selector: {app.kubernetes.io/name: redis}, ports: [{name: redis, port: 6379}, {name: more, port: 1}]}", `spec.ports[1]: "more" in the tree, not in the cluster`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			jc := judgeCase{}
			s := jc.snapshot(t)
			var obj map[string]any
			if err := yaml.Unmarshal([]byte("{apiVersion: v1, kind: Service, metadata: {name: redis}, spec: "+tc.service+"}"), &obj); err != nil {
				t.Fatal(err)
			}
			s.Expected = expectedOf([]*unstructured.Unstructured{{Object: normal(t, obj)}})
			v := Judge(s, nil, nil)
			got := ""
			for _, f := range v.Services[0].Findings {
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
