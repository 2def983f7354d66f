package main

import (
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

func TestGrade(t *testing.T) {
	finding := func(id, kind, name, field string, s verify.Severity) verify.Finding {
		return verify.Finding{ID: id, Severity: s, Object: verify.ObjectRef{Kind: kind, Name: name}, Field: field, Message: "m"}
	}
	target := finding("SVC204", "Service", "cart", "spec.ports[0].targetPort", verify.SeverityFailure)
	loopback := finding("SVC205", "Deployment", "cart", "", verify.SeverityFailure)
	want := Expect{ID: "SVC204", Object: "Service/cart", Field: "targetPort"}
	for _, tc := range []struct {
		name   string
		expect []Expect
		state  verify.State
		found  []verify.Finding
		want   Mark
	}{
		{"named", []Expect{want}, verify.StateFailed, []verify.Finding{target}, MarkRight},
		{"a note beside", []Expect{want}, verify.StateFailed, []verify.Finding{target, finding("SVC206", "Pod", "a", "", verify.SeverityNote)}, MarkRight},
		{"a note expected", []Expect{{ID: "SVC206"}}, verify.StateProven, []verify.Finding{finding("SVC206", "Pod", "a", "", verify.SeverityNote)}, MarkRight},
		{"another cause", []Expect{want}, verify.StateFailed, []verify.Finding{loopback}, MarkWrong},
		{"one too many", []Expect{want}, verify.StateFailed, []verify.Finding{target, loopback}, MarkWrong},
		{"another object", []Expect{{ID: "SVC204", Object: "Service/car"}}, verify.StateFailed, []verify.Finding{target}, MarkWrong},
		{"another field", []Expect{{ID: "SVC204", Field: "selector"}}, verify.StateFailed, []verify.Finding{target}, MarkWrong},
		{"nothing", []Expect{want}, verify.StateFailed, nil, MarkMissed},
		{"both of two", []Expect{want, {ID: "SVC205"}}, verify.StateFailed, []verify.Finding{loopback, target}, MarkRight},
		{"one of two", []Expect{want, {ID: "SVC205"}}, verify.StateFailed, []verify.Finding{target}, MarkWrong},
		{"no ID", []Expect{want}, verify.StateFailed, []verify.Finding{finding("", "Service", "cart", "", verify.SeverityFailure)}, MarkWrong},
		{"healthy", nil, verify.StateProven, nil, MarkRight},
		{"healthy, accused", nil, verify.StateFailed, []verify.Finding{target}, MarkFalseAlarm},
		{"healthy, warned", nil, verify.StateProven, []verify.Finding{finding("SVC710", "Pod", "a", "", verify.SeverityWarning)}, MarkFalseAlarm},
		{"healthy, failed without a cause", nil, verify.StateFailed, nil, MarkFalseAlarm},
		{"healthy, not proven", nil, verify.StateNotProven, nil, MarkUnproven},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := &verify.Verdict{State: tc.state, Services: []verify.ServiceVerdict{{Name: "cart", State: tc.state, Findings: tc.found}}}
			if got, _, why := grade(&Case{Expect: tc.expect}, v); got != tc.want {
				t.Errorf("%s (%s), want %s", got, why, tc.want)
			}
		})
	}
}
