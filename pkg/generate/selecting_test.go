package generate

import (
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A policy and a budget select the Pods of a workload that was imported or edited,
// from the first generation on, through later ones, and when its labels change.
func TestPolicyAndBudgetSelectWhatTheTreeHas(t *testing.T) {
	dir := t.TempDir() + "/redis"
	i, err := Import(readObjects(t, live), kustomizeBuild)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteImported(t.Context(), dir, i, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	one := intstr.FromInt32(1)
	app := func(change func(*App)) *App {
		a, err := LoadApp(dir)
		if err != nil {
			t.Fatal(err)
		}
		change(a)
		return a
	}
	mustWrite(t, dir, app(func(a *App) {
		a.Spec.NetworkPolicy = &NetworkPolicy{From: []networkingv1.NetworkPolicyPeer{}}
		a.Spec.PodDisruptionBudget = &PodDisruptionBudget{MaxUnavailable: &one}
	}))
	both := []string{"base/networkpolicy.yaml", "base/poddisruptionbudget.yaml"}
	selects := func(labels string) {
		t.Helper()
		tree := readTree(t, dir)
		for _, file := range both {
			if !strings.Contains(tree[file], "    matchLabels:\n"+labels+"  ") {
				t.Errorf("%s does not select %q:\n%s", file, labels, tree[file])
			}
		}
	}
	selects("      app: redis\n")
	if r := mustWrite(t, dir, app(func(*App) {})); len(r.Updated) > 0 {
		t.Errorf("generated again, %v is updated", r.Updated)
	}

	// An edit beside the selector goes together with a change of the rest.
	edit(t, dir, "base/networkpolicy.yaml", "  ingress:", "  # mine\n  ingress:")
	r := mustWrite(t, dir, app(func(a *App) { a.Spec.Service.Ports = append(a.Spec.Service.Ports, ServicePort{Port: 7000}) }))
	if !slices.Contains(r.Edited, "base/networkpolicy.yaml") {
		t.Errorf("updated with its edits: %v", r.Edited)
	}
	if text := readTree(t, dir)["base/networkpolicy.yaml"]; !strings.Contains(text, "# mine") || !strings.Contains(text, "port: 7000") {
		t.Errorf("edit and change do not go together:\n%s", text)
	}
	selects("      app: redis\n")

	// A selector that a person chose stays as long as it selects the Pods.
	edit(t, dir, "base/deployment.yaml", "matchLabels:\n      app: redis\n", "matchLabels:\n      app: redis\n      tier: db\n")
	edit(t, dir, "base/deployment.yaml", "labels:\n        app: redis\n", "labels:\n        app: redis\n        tier: db\n")
	if r := mustWrite(t, dir, app(func(*App) {})); len(r.Updated) > 0 {
		t.Errorf("%v is updated, and selected the Pods before", r.Updated)
	}
	edit(t, dir, "base/deployment.yaml", "matchLabels:\n      app: redis\n", "matchLabels:\n      app: other\n")
	edit(t, dir, "base/deployment.yaml", "labels:\n        app: redis\n", "labels:\n        app: other\n")
	mustWrite(t, dir, app(func(*App) {}))
	selects("      app: other\n      tier: db\n")
}

// The peers of a StatefulSet are the same Pods.
func TestPolicyAdmitsThePeersThatTheTreeHas(t *testing.T) {
	dir := t.TempDir()
	app := redisApp()
	app.Spec.Workload.Kind = StatefulSet
	mustWrite(t, dir, app)
	tree := readTree(t, dir)
	put(t, dir, "base/statefulset.yaml", strings.ReplaceAll(tree["base/statefulset.yaml"], "app.kubernetes.io/name: redis", "app: mine"))
	app.Spec.NetworkPolicy = &NetworkPolicy{From: []networkingv1.NetworkPolicyPeer{}}
	mustWrite(t, dir, app)
	if text := readTree(t, dir)["base/networkpolicy.yaml"]; strings.Count(text, "app: mine") != 2 {
		t.Errorf("the policy selects and admits other Pods:\n%s", text)
	}
}
