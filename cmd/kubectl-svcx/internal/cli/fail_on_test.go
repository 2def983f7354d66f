package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// What each --fail-on makes of each verdict, of one Service and of many.
func TestFailOn(t *testing.T) {
	one := func(s verify.State, sev ...verify.Severity) verify.ServiceVerdict {
		v := verify.ServiceVerdict{Namespace: "default", Name: "redis", Type: "ClusterIP", State: s}
		for _, x := range sev {
			v.Findings = append(v.Findings, verify.Finding{ID: "SVC305", Severity: x, Message: "x"})
		}
		return v
	}
	proven, failed, open := one(verify.StateProven), one(verify.StateFailed, verify.SeverityFailure), one(verify.StateNotProven)
	warned, noted := one(verify.StateProven, verify.SeverityWarning), one(verify.StateProven, verify.SeverityNote)
	openWarned := one(verify.StateNotProven, verify.SeverityWarning)
	for _, c := range []struct {
		name                         string
		services                     []verify.ServiceVerdict
		failure, notProven, strictly int // the codes with --fail-on=failure, not-proven, warning
	}{
		{"verified", []verify.ServiceVerdict{proven}, 0, 0, 0},
		{"verified with a note", []verify.ServiceVerdict{noted}, 0, 0, 0},
		{"verified with a warning", []verify.ServiceVerdict{warned}, 0, 0, 2},
		{"failed", []verify.ServiceVerdict{failed}, 2, 2, 2},
		{"not proven", []verify.ServiceVerdict{open}, 0, 3, 3},
		{"not proven with a warning", []verify.ServiceVerdict{openWarned}, 0, 3, 2},
		{"many verified", []verify.ServiceVerdict{proven, noted}, 0, 0, 0},
		{"one of many failed", []verify.ServiceVerdict{proven, failed, open}, 2, 2, 2},
		{"one of many not proven", []verify.ServiceVerdict{proven, open}, 0, 3, 3},
		{"one of many with a warning", []verify.ServiceVerdict{proven, warned}, 0, 0, 2},
		{"none at all", nil, 3, 3, 3},
	} {
		for flag, want := range map[string]int{"failure": c.failure, "not-proven": c.notProven, "warning": c.strictly, "": c.notProven} {
			t.Run(fmt.Sprint(c.name, " ", flag), func(t *testing.T) {
				inFolder(t, nil)
				fake := &fakeCluster{verdict: &verify.Verdict{APIVersion: verify.VerdictAPIVersion, Kind: "Verdict", Services: slices.Clone(c.services), State: verify.StateProven}}
				if len(c.services) == 0 {
					fake.verdict.State = verify.StateNotProven
				}
				for i := range fake.verdict.Services {
					fake.verdict.Services[i].Name = fmt.Sprint("redis-", i)
				}
				for _, s := range c.services {
					if worse(s.State, fake.verdict.State) {
						fake.verdict.State = s.State
					}
				}
				args := "verify -A"
				if flag != "" {
					args += " --fail-on=" + flag
				}
				if r := runWith(t, t.Context(), fake, nil, strings.Fields(args)...); r.code != want {
					t.Errorf("exit %d, want %d\n%s%s", r.code, want, r.out, r.err)
				}
			})
		}
	}
}

// Where there is nothing to verify nothing was verified, whatever --fail-on says.
func TestNoServices(t *testing.T) {
	for _, args := range []string{"verify -n empty", "verify -A", "verify -l app=none --fail-on=failure", "verify -n empty -o json", "verify -n empty --for=endpoints"} {
		inFolder(t, nil)
		fake := &fakeCluster{verifyErr: &verify.NoServicesError{Where: "in namespace empty"}}
		r := runWith(t, t.Context(), fake, nil, strings.Fields(args)...)
		if r.code != exitError || r.out != "" {
			t.Errorf("%s: exit %d\n%s", args, r.code, r.out)
		}
		wants(t, args, r.err, "no Service found in namespace empty")
	}
}
