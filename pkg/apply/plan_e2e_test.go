//go:build e2e

package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: %q}"

func TestPlanNewNamespace(t *testing.T) {
	ctx, c, ns := lab(t)
	fresh := ns + "-new"
	objs := fromYAML(t, fmt.Sprintf(configMap, "1"))
	_, err := c.Plan(ctx, objs, PlanOptions{Namespace: fresh})
	var missing *NamespaceError
	if !errors.As(err, &missing) || missing.Namespace != fresh || !strings.Contains(err.Error(), "--create-namespace") || !apierrors.IsNotFound(err) {
		t.Errorf("without consent: %v", err)
	}
	o := PlanOptions{Namespace: fresh, CreateNamespace: true}
	p, err := c.Plan(ctx, objs, o)
	if err != nil {
		t.Fatal(err)
	}
	if p.CreatesNamespace != fresh || p.Changes[0].Action != ActionCreate || len(p.Notes) > 0 {
		t.Errorf("%+v", p)
	}
	if live, err := c.get(ctx, namespaceObject(fresh)); live != nil || err != nil {
		t.Fatalf("planning made the namespace: %v %v", live, err)
	}
	bad := fromYAML(t, "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {typo: 1}")
	if _, err := c.Plan(ctx, bad, o); err == nil || !strings.Contains(err.Error(), `unknown field "spec.typo"`) {
		t.Errorf("a typo in a new namespace: %v", err)
	}
	_, events := run(ctx, t, c, objs, o)
	t.Cleanup(func() {
		ri, err := c.resource(context.Background(), namespaceObject(fresh))
		if err == nil {
			err = ri.Delete(context.WithoutCancel(ctx), fresh, metav1.DeleteOptions{})
		}
		if err != nil {
			t.Error(err)
		}
	})
	if got := strings.Join(events, ", "); got != "Namespace/"+fresh+" created, ConfigMap/c created" {
		t.Error(got)
	}
}

// A namespace that the manifests hold themselves needs no consent.
func TestPlanDeclaredNamespace(t *testing.T) {
	ctx, c, ns := lab(t)
	fresh := ns + "-own"
	objs := append(fromYAML(t, fmt.Sprintf(configMap, "1")), namespaceObject(fresh))
	objs[0].SetNamespace(fresh)
	_, events := run(ctx, t, c, objs, PlanOptions{Namespace: ns})
	if got := strings.Join(events, ", "); got != "Namespace/"+fresh+" created, ConfigMap/c created" {
		t.Error(got)
	}
	ri, err := c.resource(context.Background(), namespaceObject(fresh))
	if err == nil {
		err = ri.Delete(ctx, fresh, metav1.DeleteOptions{})
	}
	if err != nil {
		t.Error(err)
	}
}

// Objects of a kind whose definition stands beside them are applied with it.
func TestPlanDeclaredKind(t *testing.T) {
	ctx, c, ns := lab(t)
	group := ns + ".example.com"
	objs := fromYAML(t, fmt.Sprintf(`
apiVersion: %[1]s/v1
kind: Widget
metadata: {name: w}
spec: {size: 1}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]
`, group))
	remove := func() {
		ri, err := c.resource(context.Background(), objs[1])
		if err == nil {
			err = ri.Delete(context.WithoutCancel(ctx), objs[1].GetName(), metav1.DeleteOptions{})
		}
		if err != nil {
			t.Error(err)
		}
	}
	o := PlanOptions{Namespace: ns}
	if _, err := c.Plan(ctx, objs[:1], o); err == nil || !strings.Contains(err.Error(), "install its CustomResourceDefinition first") {
		t.Errorf("without the definition: %v", err)
	}
	_, events := run(ctx, t, c, objs, o)
	if got := strings.Join(events, ", "); got != "CustomResourceDefinition/widgets."+group+" created, Widget/w created" {
		t.Error(got)
	}
	p, _ := run(ctx, t, c, objs, o)
	for _, ch := range p.Changes {
		if ch.Action != ActionUnchanged {
			t.Errorf("%+v", ch)
		}
	}

	// A definition that goes is missed, although its kind was served a moment ago.
	remove()
	for try := 1; ; try++ {
		if live, err := c.get(ctx, objs[1]); live == nil && err == nil {
			break
		}
		if !again.Pause(ctx, try) {
			t.Fatal(ctx.Err())
		}
	}
	if _, err := c.Plan(ctx, objs[:1], o); err == nil || !strings.Contains(err.Error(), "install its CustomResourceDefinition first") {
		t.Errorf("once the definition is gone: %v", err)
	}
	if _, events = run(ctx, t, c, objs, o); len(events) != 2 || events[1] != "Widget/w created" {
		t.Error(events)
	}
	remove()
}

func TestPlanCreateChangeUnchanged(t *testing.T) {
	ctx, c, ns := lab(t)
	o := PlanOptions{Namespace: ns}
	for _, tt := range []struct {
		value  string
		action Action
		event  string
		diffs  int
	}{{"1", ActionCreate, "created", 0}, {"1", ActionUnchanged, "unchanged", 0}, {"2", ActionUpdate, "configured", 1}, {"2", ActionUnchanged, "unchanged", 0}} {
		p, events := run(ctx, t, c, fromYAML(t, fmt.Sprintf(configMap, tt.value)), o)
		if ch := p.Changes[0]; ch.Action != tt.action || events[0] != "ConfigMap/c "+tt.event || len(ch.Diffs) != tt.diffs {
			t.Errorf("%s: %+v %q", tt.value, ch, events)
		}
		if tt.diffs == 1 && p.Changes[0].Diffs[0] != (FieldDiff{Path: "data.a", Old: `"1"`, New: `"2"`}) {
			t.Errorf("%+v", p.Changes[0].Diffs)
		}
	}
}

func TestPlanConflict(t *testing.T) {
	ctx, c, ns := lab(t)
	objs := fromYAML(t, fmt.Sprintf(configMap, "mine"))
	run(ctx, t, c, objs, PlanOptions{Namespace: ns})
	edit(ctx, t, c, ns, objs[0], map[string]any{"data": map[string]any{"a": "theirs"}})
	_, err := c.Plan(ctx, objs, PlanOptions{Namespace: ns})
	var conflict *ConflictError
	if !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0] != (Conflict{Field: "data.a", Manager: "kubectl-edit"}) {
		t.Fatalf("%v", err)
	}
	if want := "ConfigMap/c: kubectl-edit owns data.a; leave these fields out of the manifest, or take them over with --force-conflicts"; err.Error() != want {
		t.Error(err)
	}
	run(ctx, t, c, objs, PlanOptions{Namespace: ns, ForceConflicts: true})
	if v, _ := nested(liveOf(ctx, t, c, ns, objs[0]), "data", "a"); v != "mine" {
		t.Errorf("data.a %v", v)
	}
}

// What was applied client-side becomes ours: a field that the manifest no
// longer holds goes away, and the plan has said so.
func TestMigrateClientSide(t *testing.T) {
	ctx, c, ns := lab(t)
	for _, old := range []string{
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: old, gone: x}",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 0, paused: true, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i, env: [{name: GONE, value: x}]}]}}}",
	} {
		before := fromYAML(t, old)[0]
		create(ctx, t, c, ns, clientSide(t, ns, before), "kubectl-client-side-apply")
		after := before.DeepCopy()
		var path []string
		if before.GetKind() == "ConfigMap" {
			path = []string{"data", "gone"}
		} else {
			path = []string{"spec", "paused"}
		}
		unstructured.RemoveNestedField(after.Object, path...)
		p, _ := run(ctx, t, c, []*unstructured.Unstructured{after}, PlanOptions{Namespace: ns})
		if ch := p.Changes[0]; len(ch.Diffs) != 1 || ch.Diffs[0].Path != strings.Join(path, ".") || ch.Diffs[0].New != "" {
			t.Errorf("planned %+v", ch.Diffs)
		}
		live := liveOf(ctx, t, c, ns, after)
		if v, ok := nested(live, path...); ok {
			t.Errorf("%v is still %v", path, v)
		}
		if m := migrants(live); m.Len() > 0 {
			t.Errorf("not migrated: %v", m)
		}
		if p, _ := run(ctx, t, c, []*unstructured.Unstructured{after}, PlanOptions{Namespace: ns}); p.Changes[0].Action != ActionUnchanged {
			t.Errorf("again: %+v", p.Changes[0])
		}
	}
}

func TestPlanRefusals(t *testing.T) {
	ctx, c, ns := lab(t)
	o := PlanOptions{Namespace: ns}
	run(ctx, t, c, fromYAML(t, "apiVersion: v1\nkind: Service\nmetadata: {name: owner}\nspec: {type: NodePort, ports: [{port: 1, nodePort: 31999}]}"), o)
	for name, tt := range map[string]struct{ manifest, says string }{
		"node port taken": {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: NodePort, ports: [{port: 1, nodePort: 31999}]}",
			"node port 31999 is taken by Service/owner in namespace " + ns},
		"unknown field":    {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {typo: 1, ports: [{port: 1}]}", `.spec.typo`},
		"unknown kind":     {"apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: s}", "the cluster has no kind Thing in example.com/v1"},
		"other namespace":  {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: elsewhere}", `is for namespace "elsewhere"`},
		"listed twice":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}", "listed twice"},
		"several problems": {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: []}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: []}", "Service/b"},
	} {
		o := o
		o.EnforceNamespace = name == "other namespace"
		if _, err := c.Plan(ctx, fromYAML(t, tt.manifest), o); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := deployment(t, "d", redisImage, "", "")
	if err := unstructured.SetNestedField(d.Object, int64(0), "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	run(ctx, t, c, []*unstructured.Unstructured{d}, o)
	for _, path := range [][]string{{"spec", "selector", "matchLabels", "more"}, {"spec", "template", "metadata", "labels", "more"}} {
		if err := unstructured.SetNestedField(d.Object, "x", path...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Plan(ctx, []*unstructured.Unstructured{d}, o); err == nil || !strings.Contains(err.Error(), "kubectl delete deployment/d -n "+ns) {
		t.Errorf("selector: %v", err)
	}
}

func TestPlanNodePortOutOfRange(t *testing.T) {
	ctx, c, ns := lab(t)
	p, err := c.Plan(ctx, fromYAML(t, "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: NodePort, ports: [{port: 1, nodePort: 3000}]}"), PlanOptions{Namespace: ns})
	if err != nil || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "node port 3000 is outside the usual range 30000-32767") {
		t.Fatalf("%v %+v", err, p)
	}
	err = c.Apply(ctx, p, nil)
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "applying Service/s: ") || !strings.Contains(err.Error(), "nothing was applied") {
		t.Errorf("%v", err)
	}
}

func TestPlanWarnings(t *testing.T) {
	ctx, c, ns := lab(t)
	p, err := c.Plan(ctx, fromYAML(t, "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {clusterIP: None, sessionAffinity: ClientIP, ports: [{port: 1}]}"), PlanOptions{Namespace: ns})
	if err != nil || len(p.Changes[0].Warnings) != 1 || !strings.Contains(p.Changes[0].Warnings[0], "SessionAffinity") {
		t.Errorf("%v %+v", err, p)
	}
}

// A Deployment that an alias leaves behind is named, not deleted.
func TestPlanLeftBehind(t *testing.T) {
	ctx, c, ns := lab(t)
	all := services(t, "redis")
	for _, u := range all {
		u.SetLabels(map[string]string{nameLabel: "redis"})
	}
	d := deployment(t, "redis", redisImage, "", "")
	if err := unstructured.SetNestedField(d.Object, "redis", "spec", "template", "metadata", "labels", nameLabel); err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedField(d.Object, int64(0), "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	run(ctx, t, c, []*unstructured.Unstructured{all[ClusterIP], d}, PlanOptions{Namespace: ns})
	p, _ := run(ctx, t, c, []*unstructured.Unstructured{all[ExternalName]}, PlanOptions{Namespace: ns})
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "kubectl delete deployment/redis -n "+ns) {
		t.Errorf("%q", p.Notes)
	}
	// The selector is gone by now, and the Deployment still there.
	p, _ = run(ctx, t, c, []*unstructured.Unstructured{all[ExternalName]}, PlanOptions{Namespace: ns})
	if len(p.Notes) != 1 {
		t.Errorf("afterwards: %q", p.Notes)
	}
	liveOf(ctx, t, c, ns, d)
}

func TestApplyCancelled(t *testing.T) {
	ctx, c, ns := lab(t)
	objs := append(fromYAML(t, fmt.Sprintf(configMap, "1")), services(t, "redis")[ClusterIP])
	p, err := c.Plan(ctx, objs, PlanOptions{Namespace: ns})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	err = c.Apply(ctx, p, func(Event) { cancel() })
	var incomplete *IncompleteError
	if !errors.As(err, &incomplete) || !errors.Is(err, context.Canceled) || refList(incomplete.Applied) != "ConfigMap/c" || refList(incomplete.Pending) != "Service/redis" {
		t.Errorf("%v", err)
	}
}

func TestUnreachable(t *testing.T) {
	ctx, c, ns := lab(t)
	objs := fromYAML(t, fmt.Sprintf(configMap, "1"))
	closed := cluster.Config(t)
	closed.Host = "https://127.0.0.1:1"
	away, err := NewClient(closed, c.mapper)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := away.Plan(ctx, objs, PlanOptions{Namespace: ns}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("closed port: %v", err)
	}
	nobody := rest.AnonymousClientConfig(cluster.Config(t))
	nobody.BearerToken = "expired"
	if c, err = NewClient(nobody, c.mapper); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Plan(ctx, objs, PlanOptions{Namespace: ns}); !apierrors.IsUnauthorized(err) {
		t.Errorf("expired token: %v", err)
	}
}

// With no right to see Pods or events the wait says less and works the same;
// with none to see the Deployment it fails.
func TestPermissions(t *testing.T) {
	ctx, c, ns := lab(t)
	run(ctx, t, c, fromYAML(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: some}
rules:
- {apiGroups: [apps], resources: [deployments], verbs: [get, list, watch, create, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: some}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: some}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: some}]
`), PlanOptions{Namespace: ns})
	kube, err := kubernetes.NewForConfig(cluster.Config(t))
	if err != nil {
		t.Fatal(err)
	}
	cluster.AwaitRights(t, kube, ns, rbacv1.Subject{Kind: rbacv1.UserKind, Name: "some"}, "patch", "deployments.apps")
	as := func(user string) *Client {
		cfg := cluster.Config(t)
		cfg.Impersonate.UserName = user
		limited, err := NewClient(cfg, c.mapper)
		if err != nil {
			t.Fatal(err)
		}
		return limited
	}
	objs := []*unstructured.Unstructured{deployment(t, "redis", redisImage, "readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}", "")}
	p, _ := run(ctx, t, as("some"), objs, PlanOptions{Namespace: ns})
	var seen []string
	if err := as("some").Wait(ctx, p, func(e Event) { seen = append(seen, e.Message) }); err != nil || seen[len(seen)-1] != "2/2 ready" {
		t.Errorf("%v %q", err, seen)
	}
	if err := as("nobody").Wait(ctx, p, nil); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "Deployment/redis") {
		t.Errorf("%v", err)
	}
	if _, err := as("nobody").Plan(ctx, objs, PlanOptions{Namespace: ns}); !apierrors.IsForbidden(err) {
		t.Errorf("%v", err)
	}
}
