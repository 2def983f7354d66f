//go:build e2e

package apply

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// origins are the ways in which a live Service came to be; each leaves fields
// with other owners.
var origins = map[string]func(ctx context.Context, t *testing.T, c *Client, ns string, u *unstructured.Unstructured){
	"applied by us": func(ctx context.Context, t *testing.T, c *Client, ns string, u *unstructured.Unstructured) {
		run(ctx, t, c, []*unstructured.Unstructured{u}, PlanOptions{Namespace: ns})
	},
	"applied client-side": func(ctx context.Context, t *testing.T, c *Client, ns string, u *unstructured.Unstructured) {
		create(ctx, t, c, ns, clientSide(t, ns, u), "kubectl-client-side-apply")
	},
	"created by another": func(ctx context.Context, t *testing.T, c *Client, ns string, u *unstructured.Unstructured) {
		create(ctx, t, c, ns, u, "kubectl-create")
	},
	"applied by us and edited": func(ctx context.Context, t *testing.T, c *Client, ns string, u *unstructured.Unstructured) {
		run(ctx, t, c, []*unstructured.Unstructured{u}, PlanOptions{Namespace: ns})
		spec := map[string]any{"publishNotReadyAddresses": true, "sessionAffinity": "ClientIP"}
		switch typeOf(t, u) {
		case ClusterIP:
			spec["externalIPs"] = []any{"192.0.2.9"}
		case LoadBalancer:
			spec["loadBalancerSourceRanges"] = []any{"192.0.2.0/24"}
			spec["loadBalancerIP"] = "192.0.2.1"
		case NodePort:
			spec["externalTrafficPolicy"], spec["externalIPs"] = "Cluster", []any{"192.0.2.9"}
		case ExternalName:
			spec = map[string]any{"selector": map[string]any{"left": "over"}, "ports": []any{map[string]any{"name": "old", "port": 1, "protocol": "TCP"}}}
		}
		edit(ctx, t, c, ns, u, map[string]any{"spec": spec})
	},
}

func create(ctx context.Context, t *testing.T, c *Client, ns string, u *unstructured.Unstructured, manager string) {
	t.Helper()
	u = u.DeepCopy()
	u.SetNamespace(ns)
	ri, err := c.resource(context.Background(), u)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ri.Create(ctx, u, metav1.CreateOptions{FieldManager: manager}); err != nil {
		t.Fatal(err)
	}
}

// clientSide adds the annotation that client-side apply keeps.
func clientSide(t *testing.T, ns string, u *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	u = u.DeepCopy()
	u.SetNamespace(ns)
	data, err := json.Marshal(u.Object)
	if err != nil {
		t.Fatal(err)
	}
	u.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(data)})
	return u
}

func edit(ctx context.Context, t *testing.T, c *Client, ns string, u *unstructured.Unstructured, patch map[string]any) {
	t.Helper()
	u = u.DeepCopy()
	u.SetNamespace(ns)
	ri, err := c.resource(context.Background(), u)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ri.Patch(ctx, u.GetName(), types.MergePatchType, data, metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
		t.Fatal(err)
	}
}

// Every ordered pair of types, from every origin: the type asked for, the same
// UID, no field of the old type left, and nothing more to do afterwards.
func TestSwitchEveryPair(t *testing.T) {
	ctx, c, ns := lab(t)
	for origin, make := range origins {
		for _, from := range allTypes {
			for _, to := range allTypes {
				if from == to {
					continue
				}
				name := strings.ToLower(strings.ReplaceAll(origin, " ", "-") + "-" + string(from) + "-" + string(to))
				t.Run(name, func(t *testing.T) {
					all := services(t, name)
					make(ctx, t, c, ns, all[from])
					before := liveOf(ctx, t, c, ns, all[from])
					desired := []*unstructured.Unstructured{all[to]}
					o := PlanOptions{Namespace: ns}
					p, err := c.Plan(ctx, desired, o)
					if origin == "created by another" || origin == "applied by us and edited" {
						var conflict *ConflictError
						if errors.As(err, &conflict) {
							o.ForceConflicts = true
							p, err = c.Plan(ctx, desired, o)
						}
					}
					if err != nil {
						t.Fatalf("plan: %v", err)
					}
					tr := p.Changes[0].Transition
					if tr == nil || tr.From != from || tr.To != to {
						t.Fatalf("transition %+v", tr)
					}
					if err := c.Apply(ctx, p, nil); err != nil {
						t.Fatalf("apply: %v", err)
					}
					after := liveOf(ctx, t, c, ns, all[to])
					if got := typeOf(t, after); got != to {
						t.Errorf("type %s, want %s", got, to)
					}
					if after.GetUID() != before.GetUID() {
						t.Error("the Service was deleted and made anew")
					}
					if left := staleFields(after, all[to], to); len(left) > 0 {
						t.Errorf("left over: %v", left)
					}
					if from == ClusterIP && (to == NodePort || to == LoadBalancer) {
						a, _ := nested(after, "spec", "clusterIP")
						if b, _ := nested(before, "spec", "clusterIP"); a != b {
							t.Errorf("cluster IP %v became %v", b, a)
						}
					}
					again, err := c.Plan(ctx, desired, PlanOptions{Namespace: ns})
					if err != nil {
						t.Fatalf("plan again: %v", err)
					}
					if ch := again.Changes[0]; ch.Action != ActionUnchanged || !ch.settled {
						t.Errorf("planned again: %s settled %v %+v", ch.Action, ch.settled, ch.Diffs)
					}
				})
			}
		}
	}
}

// What a change of type that died on its way leaves behind is finished by the next one.
func TestSwitchResumes(t *testing.T) {
	ctx, c, ns := lab(t)
	for _, to := range []ServiceType{ClusterIP, NodePort, LoadBalancer, Headless} {
		t.Run(string(to), func(t *testing.T) {
			all := services(t, "resume-"+strings.ToLower(string(to)))
			from := Headless
			if to == Headless {
				from = NodePort
			}
			run(ctx, t, c, []*unstructured.Unstructured{all[from]}, PlanOptions{Namespace: ns})
			if _, err := c.direct(ctx, liveOf(ctx, t, c, ns, all[from]), all[to], ExternalName); err != nil {
				t.Fatal(err)
			}
			p, _ := run(ctx, t, c, []*unstructured.Unstructured{all[to]}, PlanOptions{Namespace: ns})
			if p.Interrupts() {
				t.Error("finishing asks for consent again")
			}
			after := liveOf(ctx, t, c, ns, all[to])
			if got := typeOf(t, after); got != to {
				t.Errorf("type %s", got)
			}
			if left := staleFields(after, all[to], to); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

// A detour that the API server refuses at its second half is undone.
func TestSwitchPutBack(t *testing.T) {
	ctx, c, ns := lab(t)
	all := services(t, "putback")
	run(ctx, t, c, []*unstructured.Unstructured{all[ClusterIP]}, PlanOptions{Namespace: ns})
	before := liveOf(ctx, t, c, ns, all[ClusterIP])
	bad := all[Headless].DeepCopy()
	bad.SetNamespace(ns)
	if err := unstructured.SetNestedField(bad.Object, "Local", "spec", "externalTrafficPolicy"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Plan(ctx, []*unstructured.Unstructured{bad}, PlanOptions{Namespace: ns}); err == nil || !strings.Contains(err.Error(), `Service "putback" is invalid`) {
		t.Errorf("plan: %v", err)
	}
	sw, err := switchOf(before, bad)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.applySwitch(ctx, sw, false)
	if err == nil || !strings.Contains(err.Error(), "put back as it was") {
		t.Fatalf("apply: %v", err)
	}
	after := liveOf(ctx, t, c, ns, all[ClusterIP])
	a, _ := nested(after, "spec", "clusterIP")
	if b, _ := nested(before, "spec", "clusterIP"); a != b || typeOf(t, after) != ClusterIP {
		t.Errorf("it is %s %v, was %v", typeOf(t, after), a, b)
	}
}

// What a load balancer's annotation said is there again after a detour that was
// undone: without it, the Service would be open to everybody.
func TestSwitchPutBackWithSourceRanges(t *testing.T) {
	const key = "service.beta.kubernetes.io/load-balancer-source-ranges"
	ctx, c, ns := lab(t)
	all := services(t, "putback-ranges")
	lb := all[LoadBalancer]
	lb.SetAnnotations(map[string]string{key: "192.0.2.0/24"})
	run(ctx, t, c, []*unstructured.Unstructured{lb}, PlanOptions{Namespace: ns})
	bad := all[Headless].DeepCopy()
	bad.SetNamespace(ns)
	if err := unstructured.SetNestedField(bad.Object, "Local", "spec", "externalTrafficPolicy"); err != nil {
		t.Fatal(err)
	}
	sw, err := switchOf(liveOf(ctx, t, c, ns, lb), bad)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.applySwitch(ctx, sw, false); err == nil || !strings.Contains(err.Error(), "put back as it was; its load balancer may give it another address") {
		t.Fatalf("apply: %v", err)
	}
	after := liveOf(ctx, t, c, ns, lb)
	if typeOf(t, after) != LoadBalancer || after.GetAnnotations()[key] != "192.0.2.0/24" {
		t.Errorf("it is %s with %v", typeOf(t, after), after.GetAnnotations())
	}
}
