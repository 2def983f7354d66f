package generate

import (
	"fmt"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

// What a tree puts nowhere any more is named with where it was, and only that: what
// another overlay still puts there is in use, and where none named a namespace nobody
// can tell.
func TestGone(t *testing.T) {
	app := func(change func(a *App)) *App {
		a := redisApp()
		a.Metadata.Namespace = "shop"
		a.Spec.NetworkPolicy = &NetworkPolicy{From: []networkingv1.NetworkPolicyPeer{}}
		a.Spec.Overlays = []Environment{{Name: "dev", Namespace: "dev"}, {Name: "prod", Namespace: "prod"}, {Name: "alike", Namespace: "prod"}}
		change(a)
		return a
	}
	without := func(names ...string) func(a *App) {
		return func(a *App) {
			var left []Environment
			for _, e := range a.Spec.Overlays {
				keep := true
				for _, n := range names {
					keep = keep && e.Name != n
				}
				if keep {
					left = append(left, e)
				}
			}
			a.Spec.Overlays = left
		}
	}
	const all = "[deployment/redis networkpolicy/redis service/redis-svc]"
	for name, test := range map[string]struct {
		before, after func(a *App)
		edited        string
		want          string
	}{
		"nothing":             {after: func(*App) {}, want: "[]"},
		"an object":           {after: func(a *App) { a.Spec.NetworkPolicy = nil }, want: "[{dev [networkpolicy/redis]} {prod [networkpolicy/redis]} {shop [networkpolicy/redis]}]"},
		"an environment":      {after: without("dev"), want: "[{dev " + all + "}]"},
		"one of two in there": {after: without("prod"), want: "[]"},
		"both of them":        {after: without("prod", "alike"), want: "[{prod " + all + "}]"},
		"another namespace":   {after: func(a *App) { a.Metadata.Namespace = "other" }, want: "[{shop " + all + "}]"},
		"one that is used":    {before: func(a *App) { a.Metadata.Namespace = "dev" }, after: func(a *App) { a.Metadata.Namespace = "other" }, want: "[]"},
		"no namespace now":    {after: func(a *App) { a.Metadata.Namespace = "" }, want: "[]"},
		"none before":         {before: func(a *App) { a.Metadata.Namespace = "" }, after: func(*App) {}, want: "[]"},
		"an object of none":   {before: func(a *App) { a.Metadata.Namespace = "" }, after: func(a *App) { a.Metadata.Namespace, a.Spec.NetworkPolicy, a.Spec.Overlays = "", nil, nil }, want: "[{ [networkpolicy/redis]} {dev " + all + "} {prod " + all + "}]"},
		"an alias":            {before: without("dev", "alike"), after: func(a *App) { without("dev", "alike")(a); a.Spec.Overlays[0].Type = ExternalName }, want: "[{prod [deployment/redis networkpolicy/redis]}]"},
		"the app's name": {before: without("dev", "prod", "alike"), after: func(a *App) {
			without("dev", "prod", "alike")(a)
			a.Metadata.Name = "other"
		}, want: "[{shop [deployment/redis networkpolicy/redis]}]"},
		"an edited environment": {after: without("dev"), edited: "overlays/dev/kustomization.yaml", want: "[]"},
		"an edited object":      {after: func(a *App) { a.Spec.NetworkPolicy = nil }, edited: "base/networkpolicy.yaml", want: "[{dev [networkpolicy/redis]} {prod [networkpolicy/redis]} {shop [networkpolicy/redis]}]"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if test.before == nil {
				test.before = func(*App) {}
			}
			mustWrite(t, dir, app(test.before))
			if test.edited != "" {
				edit(t, dir, test.edited, "\napiVersion", "\n# mine\napiVersion")
			}
			r, err := write(t, dir, app(test.after), WriteOptions{Overwrite: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(r.Gone()); got != test.want {
				t.Errorf("gone: %s, want %s", got, test.want)
			}
		})
	}
}
