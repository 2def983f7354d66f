package generate

import (
	"errors"
	"strings"
	"testing"
)

func TestSpecKeepsItsTextWhenFlagsChangeIt(t *testing.T) {
	tests := map[string]struct {
		change   func(a *App)
		old, new string // what differs in the text
	}{
		"a number": {func(a *App) { a.Spec.Workload.Replicas = int32p(5) },
			"    replicas: 2\n", "    replicas: 5\n"},
		"a text in quotes, before a comment": {func(a *App) { a.Spec.Workload.Image = "redis:8-alpine" },
			`    image: "redis:alpine"   # pinned`, `    image: "redis:8-alpine"   # pinned`},
		"a field that was left out": {func(a *App) { a.Spec.Service.Type = NodePort },
			"    name: redis-svc\n", "    name: redis-svc\n    type: NodePort\n"},
		"a field that goes": {func(a *App) { a.Spec.Service.ExternalName = "" },
			"    externalName: server.example.com\n", ""},
		"in a list, where the name stays": {func(a *App) { a.Spec.Service.Ports[0].Port = 7000 },
			"      - port: 6379\n", "      - port: 7000\n"},
		"to something that needs quotes": {func(a *App) { a.Spec.Service.Name = "on" },
			"    name: redis-svc\n", "    name: \"on\"\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, SpecFile, specByHand)
			app, err := LoadApp(dir)
			if err != nil {
				t.Fatal(err)
			}
			mustWrite(t, dir, app)
			test.change(app)
			mustWrite(t, dir, app)
			want := strings.Replace(specByHand, test.old, test.new, 1)
			if got := readTree(t, dir)[SpecFile]; got != want || want == specByHand {
				t.Errorf("svcx.yaml became:\n%s\nwant:\n%s", got, want)
			}
			if again := mustWrite(t, dir, app); len(again.Updated) > 0 {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

func TestSpecThatCannotKeepItsText(t *testing.T) {
	tests := map[string]func(a *App){
		"a field more in {}": func(a *App) { a.Metadata.Namespace = "shop" },
		"one port more": func(a *App) {
			a.Spec.Service.Ports = append(a.Spec.Service.Ports, ServicePort{Port: 80})
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, SpecFile, specByHand)
			app, err := LoadApp(dir)
			if err != nil {
				t.Fatal(err)
			}
			mustWrite(t, dir, app)
			before := readTree(t, dir)
			change(app)
			_, err = write(t, dir, app, WriteOptions{})
			var conflict *EditedError
			if !errors.As(err, &conflict) {
				t.Fatalf("error is %v", err)
			}
			wantList(t, "files", conflict.Files, SpecFile)
			if !strings.Contains(conflict.Diff, "-# our cache\n") {
				t.Errorf("diff:\n%s", conflict.Diff)
			}
			wantTree(t, dir, before)
			if _, err := write(t, dir, app, WriteOptions{Overwrite: true}); err != nil {
				t.Fatal(err)
			}
			if again := mustWrite(t, dir, app); len(again.Updated) > 0 {
				t.Errorf("again: %+v", again)
			}
		})
	}
}
