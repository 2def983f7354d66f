package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// A tree may bring Services to several namespaces. What is wrong in any of them
// is the verdict, wherever it stands in the tree.
func TestProveEveryNamespace(t *testing.T) {
	for _, c := range []struct {
		bad   string // the namespace that is not well
		state verify.State
		code  int
	}{
		{"", verify.StateProven, exitDone},
		{"a", verify.StateFailed, exitFailed},
		{"b", verify.StateFailed, exitFailed},
		{"b", verify.StateNotProven, exitNotProven},
	} {
		t.Run(c.bad+string(c.state), func(t *testing.T) {
			inFolder(t, map[string]string{
				"tree/kustomization.yaml": "resources:\n- all.yaml\n",
				"tree/all.yaml": service("a", "one") + service("b", "two") + service("a", "three") +
					"---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: fn, namespace: c}\n",
			})
			fake := &stateByNamespace{bad: c.bad, state: c.state}
			r := runWith(t, t.Context(), &fake.fakeCluster, func(p *program) {
				p.connect = func() (cluster, error) { return fake, nil }
			}, strings.Fields("apply -k tree --verify -o json")...)
			if r.code != c.code {
				t.Errorf("exit %d, want %d\n%s", r.code, c.code, r.err)
			}
			wants(t, "stdout", r.out, `"name": "one"`, `"name": "two"`, `"name": "three"`)
			if strings.Contains(r.out, `"name": "fn"`) {
				t.Error("a Service of Knative is no Service to verify")
			}
			if n := strings.Count(r.out, `"kind": "Verdict"`); n != 1 {
				t.Errorf("%d verdicts, want one", n)
			}
		})
	}
}

func service(namespace, name string) string {
	return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: " + namespace + "}\n" +
		"spec: {type: ExternalName, externalName: db.example.com}\n"
}

// stateByNamespace is a cluster in which one namespace is not well.
type stateByNamespace struct {
	fakeCluster
	bad   string
	state verify.State
}

func (f *stateByNamespace) Verify(ctx context.Context, t verify.Target, o verify.Options) (*verify.Verdict, error) {
	f.fakeCluster.state = verify.StateProven
	if t.Namespace == f.bad {
		f.fakeCluster.state = f.state
	}
	return f.fakeCluster.Verify(ctx, t, o)
}
