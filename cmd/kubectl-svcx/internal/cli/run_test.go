package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

const up = "up redis --image=redis:alpine --port=6379"

func interrupts() *apply.Transition {
	return &apply.Transition{From: apply.Headless, To: apply.ClusterIP, Via: apply.ExternalName, Interrupts: true, Effects: []string{"the name is an alias for a moment"}}
}

var stuck = &apply.StuckError{
	Object: apply.Ref{Kind: "Deployment", Name: "redis"}, Pod: "redis-1", Reason: "ImagePullBackOff", Message: "not found", Next: "correct the image's tag",
}

func TestRun(t *testing.T) {
	warning := []verify.Finding{{ID: "SVC305", Severity: verify.SeverityWarning, Message: "published too early"}}
	for _, c := range []struct {
		name  string
		args  string
		fake  fakeCluster
		code  int
		calls string
		out   []string
		err   []string
	}{
		{name: "up", args: up + " --type=NodePort", code: 0, calls: "plan apply wait verify",
			out: []string{"Service redis  default", "VERIFIED"},
			err: []string{"generated  redis/  base + 4 overlays", "commit it: git add redis", "applied    overlays/nodeport  ", "Service/redis", " created", "ready      ", "2/2 ready"}},
		{name: "up fails", args: up, fake: fakeCluster{state: verify.StateFailed}, code: 2, calls: "plan apply wait verify", out: []string{"FAILED"}},
		{name: "up is not proven", args: up, fake: fakeCluster{state: verify.StateNotProven}, code: 3, calls: "plan apply wait verify", out: []string{"NOT PROVEN"}},
		// What does not run is verified all the same, and never a success.
		{name: "up is stuck", args: up, fake: fakeCluster{waitErr: stuck, state: verify.StateFailed}, code: 2, calls: "plan apply wait verify",
			out: []string{"FAILED"}, err: []string{"error: Deployment/redis: Pod/redis-1: ImagePullBackOff: not found\n", "       correct the image's tag"}},
		{name: "up is stuck json", args: up + " -o json", fake: fakeCluster{waitErr: stuck, state: verify.StateFailed}, code: 2, calls: "plan apply wait verify", out: []string{`"state": "failed"`}},
		{name: "up is stuck, old Pods serve", args: up, fake: fakeCluster{waitErr: stuck}, code: 2, calls: "plan apply wait verify", out: []string{"VERIFIED"}},
		{name: "up is stuck, not proven", args: up, fake: fakeCluster{waitErr: stuck, state: verify.StateNotProven}, code: 2, calls: "plan apply wait verify"},
		{name: "up is stuck and the API server gone", args: up, fake: fakeCluster{waitErr: stuck, verifyErr: errors.New("gone")}, code: 1, calls: "plan apply wait verify", err: []string{"ImagePullBackOff", "error: gone"}},
		{name: "up cannot wait", args: up, fake: fakeCluster{waitErr: errors.New("gone")}, code: 1, calls: "plan apply wait", err: []string{"error: gone"}},
		{name: "apply verify is stuck json", args: "apply -k tree --verify -o json", fake: fakeCluster{waitErr: stuck, state: verify.StateFailed}, code: 2, calls: "plan apply wait verify", out: []string{`"state": "failed"`}},
		{name: "apply wait is stuck elsewhere", args: "apply -k tree --wait --context=prod --as=jo", fake: fakeCluster{waitErr: stuck}, code: 2, calls: "plan apply wait",
			err: []string{"kubectl svcx verify db -n default --in-cluster --context=prod --as=jo\n"}},
		{name: "up dry-run client", args: up + " --dry-run=client", code: 0, calls: "", out: []string{"generated  redis/", "(dry run)", "Deployment/redis", "Service/redis"}},
		{name: "up dry-run alone", args: up + " --dry-run", code: 0, calls: "", out: []string{"(dry run)"}},
		{name: "up dry-run server", args: up + " --dry-run=server", code: 0, calls: "plan", out: []string{"+ Service/redis"}, err: []string{"(dry run)"}},
		{name: "up interrupts", args: up, fake: fakeCluster{transition: interrupts()}, code: 1, calls: "plan",
			err: []string{"Headless → ClusterIP, by way of ExternalName", "interrupts clients of Service/redis", "nothing was applied", "--yes"}},
		{name: "up agreed", args: up + " --yes", fake: fakeCluster{transition: interrupts()}, code: 0, calls: "plan apply wait verify",
			err: []string{"the name is an alias for a moment", "Service/redis Headless → ClusterIP"}},
		{name: "up namespace", args: up + " -n shop --create-namespace", code: 0, calls: "plan apply wait verify", out: []string{"Service redis  shop"}},
		{name: "up json", args: up + " -o json", code: 0, calls: "plan apply wait verify", out: []string{`"kind": "Verdict"`}},
		{name: "up dry-run in two words", args: up + " --dry-run server", code: 1, err: []string{"--dry-run=server, in one word"}},
		{name: "up refused", args: up, fake: fakeCluster{planErr: errors.New("no")}, code: 1, calls: "plan", err: []string{"error: no"}},

		{name: "apply", args: "apply -k tree", code: 0, calls: "plan apply", out: []string{"Service/db created"}},
		{name: "apply with warnings", args: "apply -k tree", fake: fakeCluster{warnings: []string{"spec.x is\x1b[31m deprecated"}, planNotes: []string{"a Deployment is left"}}, code: 0, calls: "plan apply",
			out: []string{"Service/db created\n"}, err: []string{"note: a Deployment is left\nwarning: spec.x is deprecated\n"}},
		{name: "apply with warnings, and an error", args: "apply -k tree", fake: fakeCluster{warnings: []string{"spec.x is deprecated"}, applyErr: errors.New("no")}, code: 1, calls: "plan apply",
			err: []string{"warning: spec.x is deprecated\n", "error: no"}},
		{name: "up with warnings", args: up, fake: fakeCluster{warnings: []string{"spec.x is deprecated"}}, code: 0, calls: "plan apply wait verify",
			err: []string{"warning: spec.x is deprecated\n"}},
		{name: "apply creates namespaces", args: "apply -k tree --create-namespace", fake: fakeCluster{creates: "a, b"}, code: 0, calls: "plan apply", out: []string{"Namespace/a created\nNamespace/b created\nService/db created\n"}},
		{name: "apply creates namespaces, names", args: "apply -k tree --create-namespace -o name", fake: fakeCluster{creates: "a, b"}, code: 0, calls: "plan apply", out: []string{"namespace/a\nnamespace/b\nservice/db\n"}},
		{name: "diff with a new namespace", args: "diff -k tree --create-namespace", fake: fakeCluster{creates: "a, b"}, code: 1, calls: "plan", out: []string{"+ Namespace/a   created first; what is in it was checked offline only\n+ Namespace/b   created first; what is in it was checked offline only\n"}},
		{name: "apply wait", args: "apply -k tree --wait", code: 0, calls: "plan apply wait", out: []string{"Service/db created"}},
		{name: "apply verify", args: "apply -k tree --verify -o name", code: 0, calls: "plan apply wait verify", out: []string{"service/db\n"}},
		{name: "apply json", args: "apply -k tree -o json", code: 0, calls: "plan apply", out: []string{`"changes"`}},
		{name: "apply dry-run client", args: "apply -k tree --dry-run=client", code: 0, calls: "", out: []string{"Service/db (dry run)"}},
		{name: "apply dry-run client json", args: "apply -k tree --dry-run=client -o json", code: 0, calls: "", out: []string{`"kind": "List"`, `"externalName": "db.example.com"`}},
		{name: "apply dry-run client yaml", args: "apply -k tree --dry-run=client -o yaml", code: 0, calls: "", out: []string{"externalName: db.example.com\n"}},
		{name: "apply dry-run client name", args: "apply -k tree --dry-run=client -o name", code: 0, calls: "", out: []string{"service/db\n"}},
		{name: "up dry-run client name", args: up + " --dry-run=client -o name", code: 0, calls: "", out: []string{"service/redis\n", "deployment.apps/redis\n"}},
		{name: "up dry-run client yaml", args: up + " --dry-run=client -o yaml", code: 0, calls: "", out: []string{"kind: Service\n", "---\n", "kind: Deployment\n"}},
		{name: "apply dry-run server", args: "apply -k tree --dry-run=server", code: 0, calls: "plan", out: []string{"+ Service/db"}},
		{name: "apply without -k", args: "apply", code: 1, err: []string{"-k is missing"}},
		{name: "apply dry-run verify", args: "apply -k tree --dry-run --verify", code: 1, err: []string{"--verify"}},
		{name: "apply check without verify", args: "apply -k tree --check=redis --auth-secret=a/b", code: 1, err: []string{"--check: nothing is verified", "add --verify"}},
		{name: "apply manifests", args: "apply -f tree/service.yaml --wait", code: 0, calls: "plan apply wait", out: []string{"Service/db created"}},
		{name: "apply a folder of manifests", args: "apply -f . -R --dry-run=client -o name", code: 1, err: []string{"-f: there is a kustomization among", "-k "}},
		{name: "apply the root of a tree as manifests", args: "apply -f rooted", code: 1, err: []string{`-f: rooted is the tree of "redis"`, "give one instead: -k rooted/overlays/nodeport"}},
		{name: "apply a kustomization as manifests", args: "apply -f kustomized", code: 1, err: []string{"-f: there is a kustomization", "give its folder instead: -k kustomized"}},
		{name: "apply -k and -f", args: "apply -k tree -f tree/service.yaml", code: 1, err: []string{"-f: the objects come from -k already"}},
		{name: "apply -R", args: "apply -k tree -R", code: 1, err: []string{"-R: which folder?"}},
		{name: "apply verify manifests", args: "apply -f tree/service.yaml --verify -o junit", code: 0, calls: "plan apply wait verify", out: []string{"<testsuite"}},
		{name: "apply junit", args: "apply -k tree -o junit", code: 1, err: []string{"-o junit: this is for a verdict"}},
		{name: "up sarif", args: up + " -o sarif", code: 0, calls: "plan apply wait verify", out: []string{"sarif"}},
		{name: "diff manifests", args: "diff -f tree/service.yaml", code: 1, calls: "plan", out: []string{"+ Service/db"}},
		{name: "diff html", args: "diff -k tree -o html", code: 2, err: []string{"-o html: this is for a verdict"}},
		{name: "up fails, and says what explains it", args: up, fake: fakeCluster{state: verify.StateFailed, findings: []verify.Finding{{ID: "SVC204", Severity: verify.SeverityFailure, Message: "wrong port", Field: "spec.ports",
			Object: verify.ObjectRef{Kind: "Service", Namespace: "default", Name: "redis"}}}}, code: 2, calls: "plan apply wait verify", out: []string{"kubectl svcx explain SVC204", "redis/base/service.yaml:"}},
		{name: "version as a flag", args: "--version", code: 1, err: []string{"it is a command: kubectl svcx version"}},
		{name: "apply nowhere", args: "apply -k nowhere", code: 1, err: []string{"nowhere"}},
		{name: "apply argument", args: "apply tree", code: 1, err: []string{`unexpected argument "tree"`, "apply -k DIR"}},
		{name: "apply dry-run in two words", args: "apply -k tree --dry-run server", code: 1, err: []string{"--dry-run=server, in one word"}},
		{name: "apply timeout", args: "apply -k tree --timeout=0s", code: 1, err: []string{"--timeout"}},
		{name: "apply timeout text", args: "apply -k tree --timeout=soon", code: 1, err: []string{`--timeout: "soon" is not a duration`}},

		{name: "diff", args: "diff -k tree", code: 1, calls: "plan", out: []string{"+ Service/db"}},
		{name: "diff error", args: "diff -k tree", fake: fakeCluster{planErr: errors.New("no")}, code: 2, calls: "plan", err: []string{"error: no"}},
		{name: "diff usage", args: "diff --kk", code: 2, err: []string{"unknown flag"}},
		{name: "diff without -k", args: "diff", code: 2, err: []string{"-k is missing"}},

		{name: "verify", args: "verify redis", code: 0, calls: "verify", out: []string{"VERIFIED"}},
		{name: "verify fails", args: "verify redis", fake: fakeCluster{state: verify.StateFailed}, code: 2, calls: "verify"},
		{name: "verify not proven", args: "verify redis", fake: fakeCluster{state: verify.StateNotProven}, code: 3, calls: "verify"},
		{name: "verify not proven accepted", args: "verify redis --fail-on=failure", fake: fakeCluster{state: verify.StateNotProven}, code: 0, calls: "verify"},
		{name: "verify warning", args: "verify redis", fake: fakeCluster{findings: warning}, code: 0, calls: "verify", out: []string{"WARNING  SVC305"}},
		{name: "verify warning refused", args: "verify redis --fail-on=warning", fake: fakeCluster{findings: warning}, code: 2, calls: "verify"},
		{name: "verify error", args: "verify redis", fake: fakeCluster{verifyErr: &verify.NotFoundError{Namespace: "default", Name: "redis", Near: []string{"redis-svc"}}}, code: 1, calls: "verify", err: []string{"did you mean redis-svc?"}},
		{name: "verify tree", args: "verify -k tree", code: 0, calls: "verify", out: []string{"Service db  default"}},
		{name: "verify tree, other name", args: "verify -k tree nope", code: 1, err: []string{`tree has no Service "nope"`}},
		{name: "verify fail-on", args: "verify --fail-on=warnign", code: 1, err: []string{"did you mean warning?", "one of failure"}},
		{name: "verify output", args: "verify -o jsn", code: 1, err: []string{`--output: unknown value "jsn"; did you mean json?`}},
		{name: "verify check", args: "verify --check=redsi", code: 1, err: []string{"did you mean redis?"}},
		{name: "verify kind", args: "verify deplyoment/redis", code: 1, err: []string{"did you mean deployment?"}},
		{name: "verify name and label", args: "verify redis -l a=b", code: 1, err: []string{"-l"}},

		{name: "cleanup", args: "cleanup -n shop", fake: fakeCluster{leftovers: []verify.ObjectRef{{Kind: "Pod", Namespace: "shop", Name: "svcx-probe-1"}}}, code: 0, calls: "cleanup shop", out: []string{"Pod/svcx-probe-1 removed from namespace shop"}},
		{name: "cleanup nothing", args: "cleanup -A", code: 0, calls: "cleanup all", err: []string{"no probe Pod in any namespace is past its deadline", "kubectl get pods -A -l "}},
		{name: "cleanup both", args: "cleanup -A -n shop", code: 1, err: []string{"exclude each other"}},

		{name: "version", args: "version", code: 0, calls: "version", out: []string{"Client Version: v0.0.0-dev", "Server Version: v1.37.2"}},
		{name: "version client", args: "version --client -o json", code: 0, out: []string{`"version": "v0.0.0-dev"`}},
		{name: "version yaml", args: "version --client -o yaml", code: 0, out: []string{"clientVersion:"}},
		{name: "version without server", args: "version", fake: fakeCluster{planErr: errors.New("gone")}, code: 1, calls: "version", out: []string{"Client Version"}, err: []string{"gone"}},

		{name: "schema", args: "schema", code: 0, out: []string{"svcx.yaml, svcx/v1alpha1"}},
		{name: "schema verdict", args: "schema verdict", code: 0, out: []string{`"#/definitions/ServiceVerdict"`}},
		{name: "schema unknown", args: "schema verdct", code: 1, err: []string{`schema: unknown value "verdct"; did you mean verdict?`}},
		{name: "schema many", args: "schema app verdict", code: 1, err: []string{"takes one name"}},

		{name: "unknown verb", args: "verfy", code: 1, err: []string{`unknown command "verfy"; did you mean "kubectl svcx verify"?`, "one of apply"}},
		{name: "help", args: "help apply", code: 0, out: []string{"kubectl svcx apply -k DIR"}},
		{name: "help for nothing", args: "help", code: 0, out: []string{"The whole walk:"}},
		{name: "help for an unknown verb", args: "help aply", code: 1, err: []string{`unknown command "aply"; did you mean "kubectl svcx apply"?`}},
		{name: "completion", args: "completion bash", code: 0, out: []string{"kubectl-svcx"}},
		{name: "completion shell", args: "completion bsh", code: 1, err: []string{"did you mean bash?"}},
		{name: "completion nothing", args: "completion", code: 1, err: []string{"which shell?"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inFolder(t, map[string]string{
				"tree/kustomization.yaml":       "resources:\n- service.yaml\n",
				"rooted/svcx.yaml":              "apiVersion: svcx/v1alpha1\nkind: App\nmetadata: {name: redis}\nspec: {workload: {image: redis}, service: {type: NodePort}}\n",
				"kustomized/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ../tree\n",
				"tree/service.yaml":             "apiVersion: v1\nkind: Service\nmetadata:\n  name: db\nspec:\n  type: ExternalName\n  externalName: db.example.com\n",
			})
			fake := c.fake
			r := runWith(t, t.Context(), &fake, nil, strings.Fields(c.args)...)
			if r.code != c.code {
				t.Errorf("exit %d, want %d", r.code, c.code)
			}
			if got := strings.Join(fake.calls, " "); got != c.calls {
				t.Errorf("asked the cluster %q, want %q", got, c.calls)
			}
			wants(t, "stdout", r.out, c.out...)
			wants(t, "stderr", r.err, c.err...)
			if strings.Contains(r.out+r.err, "\x1b") {
				t.Error("an escape sequence, and no terminal is there")
			}
			if t.Failed() {
				t.Logf("stdout:\n%sstderr:\n%s", r.out, r.err)
			}
		})
	}
}

// What does not run is said on a line of its own, also where a live line stood.
func TestStuckOnATerminal(t *testing.T) {
	inFolder(t, nil)
	r := runWith(t, t.Context(), &fakeCluster{waitErr: stuck, state: verify.StateFailed}, func(p *program) { p.screen.redraws = true }, strings.Fields(up)...)
	wants(t, "stderr", r.err, "1/2 ready\r\x1b[Kerror: Deployment/redis")
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// A result that does not arrive is no success, whichever verb's.
func TestLostOutput(t *testing.T) {
	for _, args := range []string{
		"apply -k tree", "apply -k tree -o name", "apply -k tree --dry-run=client -o name", "apply -k tree --dry-run=client", "apply -k tree --verify",
		"generate redis --image=redis --dry-run", "version", "version --client", "help", "help apply", "--help", "apply --help", "options",
		"explain SVC204", "cleanup -n shop", "completion bash", "schema", up, up + " --dry-run=client", "diff -k tree",
	} {
		inFolder(t, map[string]string{"tree/kustomization.yaml": "resources:\n- all.yaml\n", "tree/all.yaml": service("a", "one")})
		fake := &fakeCluster{leftovers: []verify.ObjectRef{{Kind: "Pod", Namespace: "shop", Name: "svcx-probe-1"}}}
		r := runWith(t, t.Context(), fake, func(p *program) { p.out.Writer = fullDisk{} }, strings.Fields(args)...)
		want := exitError
		if strings.HasPrefix(args, "diff") {
			want = exitDiffError
		}
		if r.code != want {
			t.Errorf("%s: exit %d, want %d", args, r.code, want)
		}
		wants(t, args, r.err, "no space left on device")
	}
}

// stdout carries the result and nothing else, so that it can be parsed.
func TestStdoutIsTheResult(t *testing.T) {
	inFolder(t, nil)
	r := runWith(t, t.Context(), &fakeCluster{transition: interrupts()}, nil, strings.Fields(up+" --yes -o json")...)
	var v verify.Verdict
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
}

// A dry run and a printed tree leave the folder as it is.
func TestNothingIsWritten(t *testing.T) {
	for _, args := range []string{
		up + " --dry-run=client", up + " --dry-run=server", "generate redis --image=redis --dry-run",
		"generate redis --image=redis -o yaml", "generate redis --image=redis -o name", "generate redis --image=redis -o json",
	} {
		inFolder(t, nil)
		r := runWith(t, t.Context(), &fakeCluster{}, nil, strings.Fields(args)...)
		if r.code != 0 {
			t.Fatalf("%s: exit %d\n%s", args, r.code, r.err)
		}
		left, err := os.ReadDir(".")
		if err != nil {
			t.Fatal(err)
		}
		if len(left) != 0 {
			t.Errorf("%s wrote %v", args, left)
		}
	}
}

// Nothing is written before the change is agreed to, or when it cannot be planned.
func TestNothingIsWrittenBeforeConsent(t *testing.T) {
	for name, c := range map[string]struct {
		fake   fakeCluster
		answer string
	}{
		"no terminal": {fake: fakeCluster{transition: interrupts()}},
		"no":          {fake: fakeCluster{transition: interrupts()}, answer: "n\n"},
		"no plan":     {fake: fakeCluster{planErr: errors.New("no")}},
	} {
		for _, exists := range []bool{false, true} {
			t.Run(fmt.Sprint(name, exists), func(t *testing.T) {
				inFolder(t, nil)
				if exists {
					if r := runWith(t, t.Context(), &fakeCluster{}, nil, strings.Fields(up+" --type=Headless")...); r.code != 0 {
						t.Fatal(r.err)
					}
				}
				before := folder(t)
				r := runWith(t, t.Context(), &c.fake, func(p *program) {
					p.In = strings.NewReader(c.answer)
					p.screen.inTerminal, p.screen.errTerminal = c.answer != "", c.answer != ""
				}, strings.Fields("up redis --image=redis:alpine --port=6379 --type=ClusterIP")...)
				if r.code != exitError {
					t.Errorf("exit %d\n%s", r.code, r.err)
				}
				if after := folder(t); !maps.Equal(before, after) {
					t.Errorf("the folder was %v, and is %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
				}
				if strings.Contains(r.err, "generated") {
					t.Errorf("says that it wrote:\n%s", r.err)
				}
			})
		}
	}
}

// folder is the content of every file below the working directory.
func folder(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A plan is made of the tree as it will be, with the edits of a person in it and
// with what it takes from elsewhere.
func TestPlanOfAnEditedTree(t *testing.T) {
	inFolder(t, nil)
	if r := runWith(t, t.Context(), &fakeCluster{}, nil, strings.Fields("generate redis --image=redis:alpine --port=6379")...); r.code != 0 {
		t.Fatal(r.err)
	}
	edit := func(name, old, now string) {
		data, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(data), old) {
			t.Fatalf("%s: %v, no %q in\n%s", name, err, old, data)
		}
		if err := os.WriteFile(name, []byte(strings.Replace(string(data), old, now, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	edit("redis/base/deployment.yaml", "containers:", "hostname: edited\n      containers:")
	edit("redis/overlays/clusterip/kustomization.yaml", "resources:", "resources:\n- ../../../more")
	if err := os.MkdirAll("more", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"kustomization.yaml": "resources: [more.yaml]\n", "more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"} {
		if err := os.WriteFile("more/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range []string{"up --dir redis --replicas=3 --dry-run=server", "up --dir redis --replicas=3"} {
		fake := &fakeCluster{}
		if r := runWith(t, t.Context(), fake, nil, strings.Fields(args)...); r.code != 0 {
			t.Fatalf("%s: %s", args, r.err)
		}
		text := toJSON(t, fake.objs)
		wants(t, args, text, `"hostname":"edited"`, `"replicas":3`, `"name":"more"`)
	}
}

// Each stage of up can be interrupted; what stays is said.
func TestInterrupted(t *testing.T) {
	for stage, want := range map[string][]string{
		"plan":   {"interrupted before anything was applied"},
		"apply":  {"interrupted while applying", "remove it  kubectl delete -k redis/overlays/clusterip --context=prod\n"},
		"wait":   {"interrupted while waiting", "stays      ", "/redis in namespace default", "go on      kubectl svcx up --dir redis --context=prod\n"},
		"verify": {"interrupted while verifying", "removed    the probe Pod, where there was one\n"},
	} {
		t.Run(stage, func(t *testing.T) {
			inFolder(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			fake := &fakeCluster{onCall: func(call string) {
				if call == stage {
					cancel()
				}
			}}
			r := runWith(t, ctx, fake, nil, append(strings.Fields(up), "--context=prod")...)
			if r.code != exitInterrupted {
				t.Errorf("exit %d", r.code)
			}
			wants(t, "stderr", r.err, want...)
			if strings.Contains(r.err, "error:") {
				t.Errorf("an interruption is no error:\n%s", r.err)
			}
			if last := fake.calls[len(fake.calls)-1]; last != stage {
				t.Errorf("went on to %s", last)
			}
		})
	}
}

// A probe Pod that could not be removed is not said to be.
func TestInterruptedWithAPodLeft(t *testing.T) {
	for args, flags := range map[string]string{up + " --context=prod": "--context=prod ", "verify redis --in-cluster": ""} {
		inFolder(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		fake := &fakeCluster{onCall: func(call string) {
			if call == "verify" {
				cancel()
			}
		}}
		fake.verifyErr = errors.Join(context.Canceled, &verify.LeftError{Pods: []verify.ObjectRef{{Kind: "Pod", Namespace: "demo", Name: "svcx-probe-1"}}})
		r := runWith(t, ctx, fake, nil, strings.Fields(args)...)
		if r.code != exitInterrupted || strings.Contains(r.err, "removed    ") {
			t.Errorf("exit %d:\n%s", r.code, r.err)
		}
		wants(t, "stderr", r.err, "stays      Pod/svcx-probe-1 in namespace demo could not be removed; remove it: kubectl "+flags+"delete pod svcx-probe-1 -n demo\n")
	}
}

// The commands that go on, or take it back, are for the same objects in the same cluster.
func TestInterruptedGoesOnTheSameWay(t *testing.T) {
	for _, c := range []struct{ args, stays, again, remove string }{
		{"apply -k tree --verify --create-namespace --force-conflicts --kubeconfig=k --context=prod", " in namespaces a and b\n",
			"kubectl svcx apply -k tree --verify --create-namespace --force-conflicts --kubeconfig=k --context=prod\n", "kubectl delete -k tree --kubeconfig=k --context=prod\n"},
		{"apply -k cluster --wait --timeout=1m", "Namespace/a\n", "kubectl svcx apply -k cluster --wait --timeout=1m0s\n", "kubectl delete -k cluster\n"},
		{"apply -k tree -n a --wait --yes", "", "kubectl svcx apply -k tree --wait --yes -n a\n", "kubectl delete -k tree -n a\n"},
		{"up redis --image=redis:alpine --port=6379 --check=6379=redis --create-namespace", "", "kubectl svcx up --dir redis --check=6379=redis --create-namespace\n", "kubectl delete -k redis/overlays/clusterip\n"},
	} {
		inFolder(t, map[string]string{
			"tree/kustomization.yaml":    "resources:\n- all.yaml\n",
			"tree/all.yaml":              service("a", "one") + service("b", "two"),
			"cluster/kustomization.yaml": "resources:\n- all.yaml\n",
			"cluster/all.yaml":           "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
		})
		ctx, cancel := context.WithCancel(t.Context())
		fake := &clusterScoped{fakeCluster: fakeCluster{onCall: func(call string) {
			if call == "wait" {
				cancel()
			}
		}}}
		r := runWith(t, ctx, &fake.fakeCluster, func(p *program) { p.connect = func() (cluster, error) { return fake, nil } }, strings.Fields(c.args)...)
		if r.code != exitInterrupted {
			t.Errorf("%s: exit %d", c.args, r.code)
		}
		wants(t, c.args, r.err, c.stays, "go on      "+c.again, "remove it  "+c.remove)
	}
}

// clusterScoped knows that a Namespace is in none.
type clusterScoped struct{ fakeCluster }

func (f *clusterScoped) Plan(ctx context.Context, objs []*unstructured.Unstructured, o apply.PlanOptions) (*apply.Plan, error) {
	plan, err := f.fakeCluster.Plan(ctx, objs, o)
	for i := range plan.Changes {
		if plan.Changes[i].Object.Kind == "Namespace" {
			plan.Changes[i].Object.Namespace = ""
		}
	}
	return plan, err
}

// What became of a Service in the middle of a change of type is said after Ctrl-C, too.
func TestInterruptedInAChangeOfType(t *testing.T) {
	inFolder(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	fake := &fakeCluster{
		onCall: func(call string) {
			if call == "apply" {
				cancel()
			}
		},
		applyErr: &apply.SwitchError{Object: apply.Ref{Kind: "Service", Name: "redis"}, From: apply.ClusterIP, Now: apply.ExternalName, Err: context.Canceled, Undo: errors.New("gone")},
	}
	r := runWith(t, ctx, fake, nil, strings.Fields(up)...)
	if r.code != exitInterrupted {
		t.Errorf("exit %d", r.code)
	}
	wants(t, "stderr", r.err, "interrupted while applying", "but        Service/redis: it could not be put back as it was (gone) and is of type ExternalName now")
}

func TestVerifyTargets(t *testing.T) {
	inFolder(t, nil)
	for _, c := range []struct {
		args string
		want []verify.Target
	}{
		{"verify", []verify.Target{{Namespace: "default"}}},
		{"verify -n shop", []verify.Target{{Namespace: "shop"}}},
		{"verify -A -l app=redis", []verify.Target{{Namespace: "default", AllNamespaces: true, LabelSelector: "app=redis"}}},
		{"verify a svc/b services/c", []verify.Target{{Namespace: "default", Names: []string{"a", "b", "c"}}}},
		{"verify svc a b", []verify.Target{{Namespace: "default", Names: []string{"a", "b"}}}},
		{"verify svc", []verify.Target{{Namespace: "default", Names: []string{"svc"}}}},
		{"verify deploy/a", []verify.Target{{Namespace: "default", Workloads: []verify.Workload{{Kind: "Deployment", Name: "a"}}}}},
		{"verify deployments.apps a b", []verify.Target{{Namespace: "default", Workloads: []verify.Workload{{Kind: "Deployment", Name: "a"}, {Kind: "Deployment", Name: "b"}}}}},
		{"verify sts/a svc/b", []verify.Target{{Namespace: "default", Names: []string{"b"}, Workloads: []verify.Workload{{Kind: "StatefulSet", Name: "a"}}}}},
	} {
		fake := &fakeCluster{}
		if r := runWith(t, t.Context(), fake, nil, strings.Fields(c.args)...); r.code == 1 {
			t.Fatalf("%s: %s", c.args, r.err)
		}
		got, want := toJSON(t, fake.targets), toJSON(t, c.want)
		if got != want {
			t.Errorf("%s: %s, want %s", c.args, got, want)
		}
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// verify alone creates nothing; up includes the probe Pod.
func TestProbePodOnlyWhenAsked(t *testing.T) {
	inFolder(t, nil)
	for args, want := range map[string]bool{"verify redis": false, "verify redis --in-cluster": true, up: true} {
		fake := &fakeCluster{}
		runWith(t, t.Context(), fake, nil, strings.Fields(args)...)
		if fake.options.InCluster != want {
			t.Errorf("%s: InCluster %v", args, fake.options.InCluster)
		}
		if fake.options.ProbeImage != "kubectlsvcx/svcx-probe:latest" {
			t.Errorf("%s: image %s", args, fake.options.ProbeImage)
		}
	}
}

func TestProbeTag(t *testing.T) {
	for v, want := range map[string]string{
		"v1.2.3": "v1.2.3", "v1.2.3-rc.1": "v1.2.3-rc.1",
		"v0.0.0-dev.abc-dirty": "latest", "v1.2.3-4-gabc": "latest", "v1.0.0+build/7": "latest", "": "latest",
	} {
		if got := probeTag(v); got != want {
			t.Errorf("%q: %q, want %q", v, got, want)
		}
	}
}

func TestConsentOnATerminal(t *testing.T) {
	for answer, calls := range map[string]string{"y\n": "plan apply wait verify", "Yes\n": "plan apply wait verify", "\n": "plan", "n\n": "plan", "": "plan", "yo\n": "plan"} {
		inFolder(t, nil)
		fake := &fakeCluster{transition: interrupts()}
		r := runWith(t, t.Context(), fake, func(p *program) {
			p.In = strings.NewReader(answer)
			p.screen.inTerminal, p.screen.errTerminal = true, true
		}, strings.Fields(up)...)
		wants(t, "stderr", r.err, "by way of ExternalName", "Go on? [y/N]")
		if got := strings.Join(fake.calls, " "); got != calls {
			t.Errorf("answer %q: asked the cluster %q, want %q", answer, got, calls)
		}
		if calls == "plan" && r.code != exitError {
			t.Errorf("answer %q: exit %d", answer, r.code)
		}
	}
}
