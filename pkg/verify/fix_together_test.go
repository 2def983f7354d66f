package verify

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// TestTogether makes fixes that replace the same list one after the other, with a tree
// that holds more than has been applied and without one.
func TestTogether(t *testing.T) {
	read := func(into any, text string) {
		t.Helper()
		if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	var svc, treeSvc corev1.Service
	var np, treeNP networkingv1.NetworkPolicy
	read(&svc, "metadata: {name: web, namespace: demo}\nspec: {ports: [{name: a, port: 80, protocol: TCP, targetPort: 8080, nodePort: 30080}, {name: b, port: 81, protocol: TCP, targetPort: 81}]}")
	read(&treeSvc, "metadata: {name: web}\nspec: {ports: [{name: mine, port: 1}, {name: a, port: 80, targetPort: 8080}, {name: b, port: 81}]}")
	read(&np, "metadata: {name: np, namespace: demo}\nspec: {egress: [{ports: [{port: 1, protocol: TCP}]}], ingress: [{ports: [{port: 1, protocol: TCP}]}]}")
	read(&treeNP, "metadata: {name: np}\nspec: {egress: [{ports: [{port: 1}]}, {ports: [{port: 2}]}], ingress: [{ports: [{port: 9}]}]}")
	other := svc.DeepCopy()
	other.Name = "other"

	verdict := func(v *view) *Verdict {
		out := func(port int32) networkingv1.NetworkPolicyEgressRule {
			return networkingv1.NetworkPolicyEgressRule{Ports: []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolTCP, port)}}
		}
		in := func(port int32) *Fix {
			return addPortsFix("in", ingressRule{policy: &v.s.NetworkPolicies[0], index: 0}, corev1.ProtocolTCP, []int32{port})
		}
		service := ObjectRef{Kind: "Service", Namespace: "demo", Name: "web"}
		policy := ObjectRef{Kind: "NetworkPolicy", Namespace: "demo", Name: "np"}
		note := portsFix("note", &svc, 0, map[string]any{"port": 9999})
		return &Verdict{Services: []ServiceVerdict{{Findings: []Finding{
			{Object: service, Severity: SeverityNote, Fix: note},
			{Object: service, Fix: portFix("target", service, &svc, svc.Spec.Ports[1], map[string]any{"targetPort": 9090})},
			{Object: service, Fix: protocolFix(&svc, 0, corev1.ProtocolUDP)},
			{Object: service, Fix: portsFix("port", &svc, 1, map[string]any{"port": 9090})},
			{Object: policy, Fix: v.egressFix("one", policy, out(8080))},
			{Object: policy, Fix: in(8080)},
		}}, {Findings: []Finding{
			{Object: policy, Fix: v.egressFix("two", policy, out(9090))},
			{Object: policy, Fix: v.egressFix("one again", policy, out(8080))},
			{Object: policy, Fix: in(9090)},
			{Object: ObjectRef{Kind: "Service", Namespace: "demo", Name: "other"}, Fix: portsFix("port", other, 1, map[string]any{"port": 9090})},
		}}}}
	}
	check := func(t *testing.T, f Finding, want string) {
		t.Helper()
		var got, wanted any
		read(&got, f.Fix.Patch)
		read(&wanted, want)
		a, _ := yaml.Marshal(got)
		b, _ := yaml.Marshal(wanted)
		if string(a) != string(b) {
			t.Errorf("%s: the patch is\n%swant\n%s", f.Fix.Summary, a, b)
		}
	}

	t.Run("without a tree", func(t *testing.T) {
		v := newView(&Snapshot{Services: []corev1.Service{svc, *other}, NetworkPolicies: []networkingv1.NetworkPolicy{np}})
		out := verdict(v)
		v.together(out)
		one, two := out.Services[0].Findings, out.Services[1].Findings
		check(t, one[2], "spec: {ports: [{$patch: replace}, {name: a, port: 80, protocol: UDP, targetPort: 8080, nodePort: 30080}, {name: b, port: 81, protocol: TCP, targetPort: 9090}]}")
		if !strings.Contains(one[2].Fix.Command, "--type=json") {
			t.Errorf("the command is no longer of this change alone: %s", one[2].Fix.Command)
		}
		check(t, one[3], "spec: {ports: [{$patch: replace}, {name: a, port: 80, protocol: UDP, targetPort: 8080, nodePort: 30080}, {name: b, port: 9090, protocol: TCP, targetPort: 9090}]}")
		check(t, one[4], "spec: {egress: [{ports: [{port: 1, protocol: TCP}]}, {ports: [{port: 8080, protocol: TCP}]}]}")
		check(t, two[0], "spec: {egress: [{ports: [{port: 1, protocol: TCP}]}, {ports: [{port: 8080, protocol: TCP}]}, {ports: [{port: 9090, protocol: TCP}]}]}")
		check(t, two[1], "spec: {egress: [{ports: [{port: 1, protocol: TCP}]}, {ports: [{port: 8080, protocol: TCP}]}, {ports: [{port: 9090, protocol: TCP}]}]}")
		check(t, two[2], "spec: {ingress: [{ports: [{port: 1, protocol: TCP}, {port: 8080, protocol: TCP}, {port: 9090, protocol: TCP}]}]}")
		if !strings.Contains(two[2].Fix.Command, "8080") || !strings.Contains(two[2].Fix.Command, "9090") {
			t.Errorf("the command undoes what the one before has done: %s", two[2].Fix.Command)
		}
		check(t, two[3], "spec: {ports: [{$patch: replace}, {name: a, port: 80, protocol: TCP, targetPort: 8080, nodePort: 30080}, {name: b, port: 9090, protocol: TCP, targetPort: 81}]}")
	})

	t.Run("with a tree", func(t *testing.T) {
		v := newView(&Snapshot{Services: []corev1.Service{svc, *other}, NetworkPolicies: []networkingv1.NetworkPolicy{np},
			Expected: &Expected{Services: []corev1.Service{treeSvc}, NetworkPolicies: []networkingv1.NetworkPolicy{treeNP}}})
		out := verdict(v)
		v.together(out)
		one, two := out.Services[0].Findings, out.Services[1].Findings
		check(t, one[3], "spec: {ports: [{$patch: replace}, {name: mine, port: 1, protocol: TCP}, {name: a, port: 80, protocol: UDP, targetPort: 8080}, {name: b, port: 9090, protocol: TCP, targetPort: 9090}]}")
		check(t, two[0], "spec: {egress: [{ports: [{port: 1, protocol: TCP}]}, {ports: [{port: 2, protocol: TCP}]}, {ports: [{port: 8080, protocol: TCP}]}, {ports: [{port: 9090, protocol: TCP}]}]}")
		for _, f := range []Finding{one[5], two[2]} {
			if !strings.Contains(f.Fix.Unlocated, "spec.ingress") {
				t.Errorf("the rule to change is not in the tree, and it is not said: %q", f.Fix.Unlocated)
			}
		}
	})
}
