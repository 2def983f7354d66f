package verify

import (
	"testing"

	"sigs.k8s.io/yaml"
)

// TestEndpointsOnly: what is judged without asking the network is good only
// where an endpoint is ready.
func TestEndpointsOnly(t *testing.T) {
	const draining = `EndpointSlice/redis-x: {endpoints: [{addresses: [10.244.0.8], conditions: {ready: false, serving: true, terminating: true}, targetRef: {kind: Pod, namespace: demo, name: redis-7f9c-a}}]}`
	cases := []struct {
		name, patch, expected, target string
		state                         State
		summary                       string // of the last check
		findings                      int
	}{
		{name: "ready", state: StateProven, summary: "redis 2/2 ready"},
		{name: "ready, and alien labels", patch: `Service/redis: {metadata: {labels: {service.kubernetes.io/service-proxy-name: other}}}`, state: StateProven, summary: "redis 2/2 ready"},
		{name: "the tree's Service is absent", target: "cache", expected: `[{apiVersion: v1, kind: Service, metadata: {name: cache}, spec: {ports: [{port: 6379}]}}]`,
			state: StateFailed, summary: "not in namespace demo; the tree has it", findings: 1},
		{name: "an alias", patch: `Service/redis: {spec: {type: ExternalName, externalName: does.not.exist.invalid, selector: null, clusterIP: null, clusterIPs: null}}`, state: StateNotProven},
		{name: "an alias of an address", patch: `Service/redis: {spec: {type: ExternalName, externalName: 192.0.2.7, selector: null, clusterIP: null, clusterIPs: null}}`, state: StateFailed, findings: 1},
		{name: "terminating only", patch: draining, state: StateFailed, summary: "redis 0/2 ready", findings: 1},
		{name: "terminating only, headless", patch: draining + "\nService/redis: {spec: {clusterIP: None, clusterIPs: [None]}}", state: StateFailed, summary: "redis 0/2 ready", findings: 1},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			jc := judgeCase{Target: tc.target}
			if err := yaml.Unmarshal([]byte(tc.patch), &jc.Patch); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(tc.expected), &jc.Expected); err != nil {
				t.Fatal(err)
			}
			v := endpointsOnly(jc.snapshot(t))
			sv := v.Services[0]
			summary := ""
			if n := len(sv.Checks); n > 0 {
				summary = sv.Checks[n-1].Summary
			}
			if v.State != tc.state || sv.State != tc.state || summary != tc.summary || len(sv.Findings) != tc.findings || (sv.NotProven != "") != (tc.state == StateNotProven) {
				got, _ := yaml.Marshal(sv)
				t.Errorf("want %s with %q and %d findings, got %s", tc.state, tc.summary, tc.findings, got)
			}
		})
	}
}
