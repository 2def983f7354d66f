package generate

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
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
		"within {}": {func(a *App) { a.Metadata.Namespace = "shop" },
			"{name: redis}", "{name: redis, namespace: shop}"},
		"one port more": {func(a *App) { a.Spec.Service.Ports = append(a.Spec.Service.Ports, ServicePort{Port: 80}) },
			"      - port: 6379\n", "      - port: 6379\n      - name: http\n        port: 80\n        targetPort: 80\n        protocol: TCP\n        appProtocol: http\n"},
		"a first list": {func(a *App) { a.Spec.Workload.Env = []corev1.EnvVar{{Name: "A", Value: "1"}} },
			"    replicas: 2\n", "    replicas: 2\n    env:\n    - name: A\n      value: \"1\"\n"},
		"two at the end, of different depth": {func(a *App) {
			a.Spec.Service.Ports = append(a.Spec.Service.Ports, ServicePort{Name: "x", Port: 1000})
			a.Spec.Overlays = []Environment{{Name: "prod", Type: LoadBalancer}}
		}, "      - port: 6379\n", "      - port: 6379\n      - name: x\n        port: 1000\n        targetPort: 1000\n        protocol: TCP\n  overlays:\n  - name: prod\n    type: LoadBalancer\n"},
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

// Lists in svcx.yaml grow and shrink, and what is written beside them stays.
func TestSpecKeepsTheTextAroundLists(t *testing.T) {
	const head = "apiVersion: svcx/v1alpha1\nkind: App\nmetadata: {name: web}\n"
	env := func(names ...string) func(a *App) {
		return func(a *App) {
			a.Spec.Workload.Env = nil
			for _, name := range names {
				a.Spec.Workload.Env = append(a.Spec.Workload.Env, corev1.EnvVar{Name: name, Value: "v"})
			}
		}
	}
	const twoOverlays = "spec:\n  workload:\n    image: nginx\n  service: {}\n  overlays:\n  # laptops\n  - name: dev\n    type: NodePort\n  - name: prod # customers\n    type: NodePort\n"
	overlays := func(names ...string) func(a *App) {
		return func(a *App) {
			a.Spec.Overlays = nil
			for _, name := range names {
				a.Spec.Overlays = append(a.Spec.Overlays, Environment{Name: name, Type: NodePort})
			}
		}
	}
	const twoEnv = "spec:\n  workload:\n    image: nginx\n    env:\n      # first\n      - name: A # one\n        value: v\n\n      # second\n      - name: B\n        value: v\n      # no more\n\n  service: {}\n"
	for name, test := range map[string]struct {
		text   string
		change func(a *App)
		want   string // empty: a conflict
	}{
		"one less and another more": {strings.Replace(twoOverlays, "# laptops\n", "# laptops\n\n", 1), overlays("prod", "stage"),
			strings.Replace(strings.Replace(twoOverlays, "# laptops\n", "# laptops\n\n", 1), "  - name: dev\n    type: NodePort\n", "", 1) + "  - name: stage\n    type: NodePort\n"},
		"one less, with a comment above":        {twoOverlays, overlays("prod"), ""},
		"a field less, with a comment above":    {strings.Replace(twoOverlays, "  overlays", "  # where\n  overlays", 1), overlays(), ""},
		"one of another name":                   {twoOverlays, overlays("dev", "live"), strings.Replace(twoOverlays, "prod", "live", 1)},
		"one less, with its comment":            {strings.Replace(twoOverlays, "dev", "dev # mine", 1), overlays("prod", "stage"), ""},
		"one less, with a comment behind a tab": {strings.Replace(twoOverlays, "type: NodePort", "type: NodePort\t# agreed", 1), overlays("prod"), ""},
		"others in brackets": {"spec:\n  workload: {image: nginx, env: [{name: A, value: v}, {name: B, value: v}]}\n  service: {}\n", env("B", "C"),
			"spec:\n  workload: {image: nginx, env: [{name: B, value: v}, {name: C, value: v}]}\n  service: {}\n"},
		"one more":          {twoEnv, env("A", "B", "C"), strings.Replace(twoEnv, "      # no more", "      - name: C\n        value: v\n      # no more", 1)},
		"one before":        {twoEnv, env("Z", "A", "B"), strings.Replace(twoEnv, "      # first", "      - name: Z\n        value: v\n      # first", 1)},
		"one between":       {twoEnv, env("A", "M", "B"), strings.Replace(twoEnv, "\n\n      # second", "\n      - name: M\n        value: v\n\n      # second", 1)},
		"one less":          {strings.Replace(twoEnv, "# second\n", "# second\n\n", 1), env("A"), strings.Replace(twoEnv, "# second\n      - name: B\n        value: v\n", "# second\n\n", 1)},
		"a map in brackets": {twoEnv, func(a *App) { a.Spec.Service.Type = NodePort }, strings.Replace(twoEnv, "{}", "{type: NodePort}", 1)},
		"a list in brackets": {"spec:\n  workload: {image: nginx, env: [{name: A, value: v}]} # all of it\n  service: {}\n", env("A", "C"),
			"spec:\n  workload: {image: nginx, env: [{name: A, value: v}, {name: C, value: v}]} # all of it\n  service: {}\n"},
		"a first item in brackets": {"spec:\n  workload: {image: nginx, env: [{name: A, value: v}]} # all of it\n  service: {}\n", env("C", "A"),
			"spec:\n  workload: {image: nginx, env: [{name: C, value: v}, {name: A, value: v}]} # all of it\n  service: {}\n"},
		"an empty list in brackets": {"spec:\n  workload:\n    env: [] # none\n    image: nginx\n  service: {}\n", env("A"),
			"spec:\n  workload:\n    env: [{name: A, value: v}] # none\n    image: nginx\n  service: {}\n"},
		"a list that goes": {"# all\nspec:\n  workload:\n    image: nginx\n  service: {}\n  overlays:\n  - name: a\n    type: NodePort\n  - name: b\n    type: NodePort\n# end\n", overlays(),
			"# all\nspec:\n  workload:\n    image: nginx\n  service: {}\n# end\n"},
		"without a line's end": {"spec:\n  workload:\n    image: nginx\n  service: {} # end", overlays("a"),
			"spec:\n  workload:\n    image: nginx\n  service: {} # end\n  overlays:\n  - name: a\n    type: NodePort\n"},
		"below lines of text": {"spec:\n  workload:\n    image: nginx\n    command:\n    - sh\n    - -c\n    - |\n      # no comment\n\n      exec nginx\n  # reached\n  service: {}\n", env("A"),
			"spec:\n  workload:\n    image: nginx\n    command:\n    - sh\n    - -c\n    - |\n      # no comment\n\n      exec nginx\n    env:\n    - name: A\n      value: v\n  # reached\n  service: {}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, SpecFile, head+test.text)
			app, err := LoadApp(dir)
			if err != nil {
				t.Fatal(err)
			}
			mustWrite(t, dir, app)
			test.change(app)
			_, err = write(t, dir, app, WriteOptions{})
			var conflict *EditedError
			if test.want == "" && !errors.As(err, &conflict) || test.want != "" && err != nil {
				t.Fatalf("error is %v", err)
			}
			if test.want == "" {
				test.want = test.text
			}
			if got := readTree(t, dir)[SpecFile]; got != head+test.want {
				t.Errorf("svcx.yaml became:\n%s\nwant:\n%s", got, head+test.want)
			}
		})
	}
}

// What this program wrote and a person has commented on takes any change, with the
// comments where they were.
func TestCommentsInSpecSurviveAnyChange(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2026))
	kept, conflicts := 0, 0
	for range 40 {
		from, to := randomApp(r), randomApp(r)
		from.Complete()
		to.Complete()
		to.Metadata.Name = from.Metadata.Name
		base, err := encode(from)
		if err != nil {
			t.Fatal(err)
		}
		wanted, err := encode(to)
		if err != nil {
			t.Fatal(err)
		}
		if meaning(base) == nil || !bytes.Equal(meaning(wanted), wanted) {
			continue
		}
		text := "# yaml-language-server: $schema=svcx.schema.json\n" + strings.Replace(string(base), "spec:\n", "\nspec: # what runs\n", 1)
		got, ok := (&writePlan{}).respelled([]byte(text), base, wanted)
		if !ok {
			conflicts++
			continue
		}
		kept++
		if !strings.HasPrefix(string(got), "# yaml-language-server: $schema=svcx.schema.json\n") || !strings.Contains(string(got), "\nspec: # what runs\n") {
			t.Fatalf("from\n%s\nto\n%s\nbecame\n%s", text, wanted, got)
		}
	}
	if conflicts > kept/10 {
		t.Errorf("%d kept, %d conflicts", kept, conflicts)
	}
}

func TestSpecThatCannotKeepItsText(t *testing.T) {
	tests := map[string]func(a *App){
		"a comment in what goes": func(a *App) { a.Spec.Workload, a.Spec.Service.Type = nil, ExternalName },
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
			for _, o := range []WriteOptions{{}, {KeepEdits: true}} {
				_, err = write(t, dir, app, o)
				var conflict *EditedError
				if !errors.As(err, &conflict) {
					t.Fatalf("error is %v", err)
				}
				wantList(t, "files", conflict.Files, SpecFile)
				if !strings.Contains(conflict.Diff, "-# our cache\n") {
					t.Errorf("diff:\n%s", conflict.Diff)
				}
				wantTree(t, dir, before)
			}
			if _, err := write(t, dir, app, WriteOptions{Overwrite: true}); err != nil {
				t.Fatal(err)
			}
			// Only that comment goes.
			if got := readTree(t, dir)[SpecFile]; !strings.HasPrefix(got, "# our cache\n") || strings.Contains(got, "pinned") {
				t.Errorf("svcx.yaml became:\n%s", got)
			}
			if again := mustWrite(t, dir, app); len(again.Updated) > 0 {
				t.Errorf("again: %+v", again)
			}
		})
	}
}
