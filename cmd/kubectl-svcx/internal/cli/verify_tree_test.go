package cli

import (
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// What somebody changed in the cluster only is mended by applying the tree; what
// the tree says wrong, by changing the tree.
func TestLocateTellsDriftFromTheTree(t *testing.T) {
	cases := []struct{ name, inTree, command, diff string }{
		{"the tree is right", "redis", "kubectl svcx apply -k redis -n shop --verify --check=redis --context=prod", ""},
		{"the tree is wrong too", "6380", "", "+    targetPort: redis"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			fs := filesys.MakeFsInMemory()
			for path, text := range map[string]string{
				"redis/kustomization.yaml": "resources:\n- service.yaml\n",
				"redis/service.yaml":       "apiVersion: v1\nkind: Service\nmetadata:\n  name: redis\nspec:\n  ports:\n  - port: 6379\n    protocol: TCP\n    targetPort: " + tc.inTree + "\n",
			} {
				if err := fs.WriteFile(path, []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			p := &program{fs: fs}
			v := &verify.Verdict{Services: []verify.ServiceVerdict{{Findings: []verify.Finding{{
				ID: "SVC204", Severity: verify.SeverityFailure, Field: "spec.ports[0].targetPort",
				Object: verify.ObjectRef{Kind: "Service", Namespace: "shop", Name: "redis"},
				Fix:    &verify.Fix{Summary: "point targetPort at redis", Command: "kubectl patch …", Patch: "spec:\n  ports:\n  - port: 6379\n    protocol: TCP\n    targetPort: redis\n"},
			}}}}}
			if _, err := p.locate(&verifyOptions{kustomize: "redis", namespace: "shop", asked: " --check=redis", cluster: " --context=prod"}, v); err != nil {
				t.Fatal(err)
			}
			fix := v.Services[0].Findings[0].Fix
			if tc.command != "" && (fix.Command != tc.command || fix.Patch != "") {
				t.Errorf("fix %+v, want the command %q", fix, tc.command)
			}
			if tc.diff != "" && (len(fix.Edits) != 1 || !strings.Contains(fix.Edits[0].Diff, tc.diff)) {
				t.Errorf("edits %+v, want %q", fix.Edits, tc.diff)
			}
		})
	}
}

// The command that writes a fix asks what was asked, of the same cluster.
func TestFixCommandAsksTheSame(t *testing.T) {
	inFolder(t, map[string]string{
		"tree/kustomization.yaml": "resources:\n- all.yaml\n",
		"tree/all.yaml":           "apiVersion: v1\nkind: Service\nmetadata: {name: redis}\nspec:\n  ports:\n  - port: 6379\n    targetPort: 6380\n",
	})
	fake := &fakeCluster{state: verify.StateFailed, findings: []verify.Finding{{
		ID: "SVC204", Severity: verify.SeverityFailure, Field: "spec.ports[0].targetPort", Message: "x",
		Object: verify.ObjectRef{Kind: "Service", Namespace: "default", Name: "redis"},
		Fix:    &verify.Fix{Summary: "point targetPort at 6379", Patch: "spec:\n  ports:\n  - port: 6379\n    targetPort: 6379\n"},
	}}}
	r := runWith(t, t.Context(), fake, nil, strings.Fields("verify -k tree --in-cluster --check=redis --timeout=30s --context=prod")...)
	wants(t, "stdout", r.out, "kubectl svcx verify -k tree --in-cluster --check=redis --fix --context=prod")
}
