package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// fakeCluster records what it is asked and answers as it is told.
type fakeCluster struct {
	namespace string
	given     bool
	calls     []string

	transition *apply.Transition
	planNotes  []string
	creates    string   // namespaces, as in a plan
	warnings   []string // of each object, when it is applied
	planErr    error
	applyErr   error
	waitErr    error
	verifyErr  error
	state      verify.State
	findings   []verify.Finding
	verdict    *verify.Verdict // in place of one made of state and findings
	leftovers  []verify.ObjectRef
	onCall     func(call string)
	changes    chan string

	objs    []*unstructured.Unstructured
	planned apply.PlanOptions
	targets []verify.Target
	options verify.Options
}

func (f *fakeCluster) called(name string) {
	f.calls = append(f.calls, name)
	if f.onCall != nil {
		f.onCall(name)
	}
}

func (f *fakeCluster) Namespace() (string, bool) {
	if f.namespace == "" {
		return "default", f.given
	}
	return f.namespace, f.given
}

func (f *fakeCluster) Plan(ctx context.Context, objs []*unstructured.Unstructured, o apply.PlanOptions) (*apply.Plan, error) {
	f.called("plan")
	f.objs, f.planned = objs, o
	if f.planErr != nil {
		return nil, f.planErr
	}
	plan := &apply.Plan{Notes: f.planNotes, CreatesNamespace: f.creates}
	for _, obj := range objs {
		ns := obj.GetNamespace()
		if ns == "" {
			ns = o.Namespace
		}
		c := apply.Change{Action: apply.ActionCreate, Object: apply.Ref{APIVersion: obj.GetAPIVersion(), Kind: obj.GetKind(), Namespace: ns, Name: obj.GetName()}}
		if obj.GetKind() == "Service" && f.transition != nil {
			c.Action, c.Transition = apply.ActionTransition, f.transition
		}
		plan.Changes = append(plan.Changes, c)
	}
	return plan, ctx.Err()
}

func (f *fakeCluster) Apply(ctx context.Context, plan *apply.Plan, progress func(apply.Event)) error {
	f.called("apply")
	for i := range plan.Changes {
		progress(apply.Event{Phase: "apply", Object: plan.Changes[i].Object, Message: "created", Done: true})
		plan.Changes[i].Warnings = append(plan.Changes[i].Warnings, f.warnings...)
	}
	if f.applyErr != nil {
		return f.applyErr
	}
	return ctx.Err()
}

func (f *fakeCluster) Wait(ctx context.Context, plan *apply.Plan, progress func(apply.Event)) error {
	f.called("wait")
	progress(apply.Event{Phase: "wait", Object: plan.Changes[0].Object, Message: "1/2 ready", Done: false})
	if f.waitErr != nil {
		return f.waitErr
	}
	if ctx.Err() != nil { // as the real one does
		return &apply.WaitError{Waiting: []apply.Event{{Object: plan.Changes[0].Object, Message: "1/2 ready"}}, Err: ctx.Err()}
	}
	progress(apply.Event{Phase: "wait", Object: plan.Changes[0].Object, Message: "2/2 ready", Done: true})
	return nil
}

func (f *fakeCluster) Verify(ctx context.Context, t verify.Target, o verify.Options) (*verify.Verdict, error) {
	f.called("verify")
	f.targets = append(f.targets, t)
	f.options = o
	o.Progress(verify.Event{Message: "reading the cluster"})
	if f.verifyErr != nil {
		return nil, f.verifyErr
	}
	if f.verdict != nil {
		return f.verdict, ctx.Err()
	}
	v := &verify.Verdict{APIVersion: verify.VerdictAPIVersion, Kind: "Verdict", State: f.state}
	if v.State == "" {
		v.State = verify.StateProven
	}
	for _, n := range t.Names {
		v.Services = append(v.Services, verify.ServiceVerdict{Namespace: t.Namespace, Name: n, Type: "ClusterIP", State: v.State, Findings: f.findings})
	}
	return v, ctx.Err()
}

func (f *fakeCluster) Watch(context.Context, []string) (<-chan string, error) {
	f.called("watch")
	return f.changes, nil
}

func (f *fakeCluster) Cleanup(_ context.Context, namespace string, all bool) ([]verify.ObjectRef, error) {
	f.called("cleanup " + namespace)
	if all {
		f.calls[len(f.calls)-1] = "cleanup all"
	}
	return f.leftovers, nil
}

func (f *fakeCluster) ServerVersion(context.Context) (string, error) {
	f.called("version")
	return "v1.37.2", f.planErr
}

// ran is what a run of the program came to.
type ran struct {
	out, err string
	code     int
}

// runWith runs the program in an empty folder with a cluster of the test's own.
func runWith(t *testing.T, ctx context.Context, c *fakeCluster, change func(*program), args ...string) ran {
	t.Helper()
	var out, errOut bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errOut}
	p := newProgram(streams, func(string) string { return "" })
	p.now = func() time.Time { return time.Unix(0, 0) }
	p.connect = func() (cluster, error) {
		if ns := *p.config.Namespace; ns != "" {
			c.namespace, c.given = ns, true
		}
		return c, nil
	}
	if change != nil {
		change(p)
	}
	code := p.run(ctx, args)
	return ran{out.String(), errOut.String(), code}
}

// inFolder moves the test into an empty folder, with files in it.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// wants checks that text holds every part.
func wants(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, text)
		}
	}
}

// quiet are streams that nobody reads.
func quiet() genericiooptions.IOStreams {
	return genericiooptions.IOStreams{In: strings.NewReader(""), Out: &bytes.Buffer{}, ErrOut: &bytes.Buffer{}}
}
