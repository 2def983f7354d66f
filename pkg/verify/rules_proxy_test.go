package verify

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// TestTheClusterIPFailsFromOneNode: what is said of a node rests on what was
// asked from there, and a policy that keeps traffic on the node is no fault of
// its service proxy, whatever the node's taints.
func TestTheClusterIPFailsFromOneNode(t *testing.T) {
	local := corev1.ServiceInternalTrafficPolicyLocal
	for _, tc := range []struct {
		name     string
		policy   *corev1.ServiceInternalTrafficPolicy
		id       string
		evidence string
	}{
		{"a tainted node, traffic stays on the node", &local, "SVC408", "timeout from node cp: 10.96.0.10:6379"},
		{"a tainted node", nil, "SVC407", "pod: PONG from 2/2, asked from node cp"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := (&judgeCase{}).snapshot(t)
			s.Services[0].Spec.InternalTrafficPolicy = tc.policy
			s.Nodes = append(s.Nodes, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cp"},
				Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}}})
			probes := PlanProbes(s, PlanOptions{EveryNode: true})
			var outcomes []probe.Outcome
			for _, p := range probes {
				o := probe.Outcome{Probe: p.ID, Attempts: 1, Answers: 1, Class: probe.ClassOK, Resolved: p.Resolves, Facts: map[string]string{factNode: p.FromNode}}
				if p.FromNode == "cp" && p.Path == probe.PathClusterIP {
					o.Answers, o.Class = 0, probe.ClassTimeout
				}
				outcomes = append(outcomes, o)
			}
			sv := Judge(s, probes, outcomes).Services[0]
			if len(sv.Findings) != 1 || sv.Findings[0].ID != tc.id || !slices.Contains(sv.Findings[0].Evidence, tc.evidence) {
				t.Errorf("%+v, want %s by %q", sv.Findings, tc.id, tc.evidence)
			}
		})
	}
}
