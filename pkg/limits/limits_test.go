package limits_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// What is refused is tested where it is told of: TestRefused and TestTaken of validate,
// TestLimits and TestValidatorsAgree of generate. Here is how it is told.
func TestProblems(t *testing.T) {
	for _, c := range []struct {
		name  string
		check func(limits.Report)
		want  []string
	}{
		{"a place in lists", func(r limits.Report) {
			limits.Tolerations(r, []corev1.Toleration{{Key: "a"}, {Key: "a", Operator: corev1.TolerationOpExists, Value: "b"}})
		}, []string{"[spec 1 value] b has no use with operator Exists; remove it false"}},
		{"what the schema lists too", func(r limits.Report) { limits.OneOf(r, corev1.PullPolicy("always"), corev1.PullAlways) },
			[]string{"[spec] always is not a value that it takes; one of Always true"}},
		{"what is there no more", func(r limits.Report) {
			limits.TopologySpread(r, []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "a"}})
		}, []string{"[spec 0 whenUnsatisfiable]  is missing; one of DoNotSchedule, ScheduleAnyway true"}},
		{"a quantity", func(r limits.Report) {
			limits.Resources(r, corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": resource.MustParse("-1Gi")}})
		}, []string{"[spec limits memory] -1Gi is negative; 0 or more false"}},
		{"two of one", func(r limits.Report) {
			limits.Probe(r, &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"a"}}, GRPC: &corev1.GRPCAction{Port: 1}}}, true)
		}, []string{"[spec] <nil> must ask in exactly one way, and here are exec and grpc; remove the others false"}},
		{"an address that is no range", func(r limits.Report) { limits.CIDR(r, "::ffff:192.0.2.1") },
			[]string{"[spec] ::ffff:192.0.2.1 is not a range of addresses (CIDR); for one address write 192.0.2.1/32 false"}},
		{"none", func(r limits.Report) { limits.Share(r, nil) }, nil},
	} {
		var got []string
		report := limits.Report(func(p limits.Problem) {
			got = append(got, fmt.Sprintf("%v %v %s; %s %t", p.At, p.Value, p.Reason, p.Next, p.Schema))
		})
		if c.check(report.At("spec")); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestShare(t *testing.T) {
	for text, want := range map[string]int{"1": 1, "0": 0, "0%": 0, "100%": 100, "all": -1, "+5%": -1, "-0%": -1} {
		n := intstr.Parse(text)
		refused := false
		if got := limits.Share(func(limits.Problem) { refused = true }, &n); got != want || refused != (want < 0) {
			t.Errorf("%s: %d, and refused is %t", text, got, refused)
		}
	}
}
