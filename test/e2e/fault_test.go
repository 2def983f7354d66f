//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// TestFaultsAreNamed breaks a verified Service in three ways and wants the
// cause named, with the evidence that tells it from its neighbours.
func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	for _, f := range []struct {
		name     string
		command  []string // of the container
		patch    string   // of the Service, after it works
		id       string
		field    string
		evidence string // part of what the finding says
		heals    bool   // the finding's patch makes the same verification pass
	}{
		{
			name:  "selector",
			patch: `{"spec":{"selector":{"app.kubernetes.io/name":"reddis"}}}`,
			id:    "SVC101", field: "spec.selector", evidence: "redis", heals: true,
		},
		{
			name:  "target port",
			patch: `{"spec":{"ports":[{"name":"redis","port":6379,"protocol":"TCP","targetPort":6380}]}}`,
			id:    "SVC204", field: "spec.ports[0].targetPort", evidence: "6379", heals: true,
		},
		{
			name:    "loopback",
			command: []string{"--", "redis-server", "--bind", "127.0.0.1"},
			id:      "SVC205", evidence: "127.0.0.1",
		},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			ns, dir := namespace(t, restricted), t.TempDir()
			up := append([]string{"up", "redis", "--image=redis:alpine", "--replicas=2", "--port=6379", "-n", ns}, f.command...)
			if f.command == nil {
				svcx(t, dir, up...).want(t, 0)
				kubectl(t, dir, "patch", "service", "redis", "-n", ns, "-p", f.patch).want(t, 0)
			} else {
				svcx(t, dir, up...).want(t, 2).contains(t, f.id)
			}
			r := svcx(t, dir, "verify", "redis", "--in-cluster", "-n", ns, "-o", "json").want(t, 2)
			finding := onlyFailure(t, r)
			if finding.ID != f.id || !strings.HasSuffix(finding.Field, f.field) {
				t.Fatalf("%s at %q, want %s at %q\n%s", finding.ID, finding.Field, f.id, f.field, r)
			}
			if all := finding.Message + strings.Join(finding.Evidence, "\n"); !strings.Contains(all, f.evidence) {
				t.Fatalf("neither message nor evidence says %q\n%s", f.evidence, r)
			}
			svcx(t, dir, "verify", "redis", "--in-cluster", "-n", ns).want(t, 2).contains(t, "FAILED", f.id)
			if !f.heals {
				return
			}
			if finding.Fix == nil || finding.Fix.Patch == "" {
				t.Fatalf("no patch\n%s", r)
			}
			kubectl(t, dir, "patch", "service", "redis", "-n", ns, "--type=strategic", "-p", finding.Fix.Patch).want(t, 0)
			svcx(t, dir, "verify", "redis", "--in-cluster", "-n", ns).want(t, 0)
		})
	}
}

// onlyFailure returns the one finding that made a verification fail.
func onlyFailure(t *testing.T, r result) verify.Finding {
	t.Helper()
	var failures []verify.Finding
	for _, s := range r.verdict(t).Services {
		for _, f := range s.Findings {
			if f.Severity == verify.SeverityFailure {
				failures = append(failures, f)
			}
		}
	}
	if len(failures) != 1 {
		t.Fatalf("%d failures, want one cause\n%s", len(failures), r)
	}
	return failures[0]
}
