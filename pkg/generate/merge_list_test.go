package generate

import (
	"errors"
	"strings"
	"testing"
)

func TestMergeLists(t *testing.T) {
	const (
		resources = "kind: K\nresources:\n- a.yaml\n- b.yaml\nlabels:\n- x\n"
		ports     = "spec:\n  ports:\n  - name: redis\n    port: 6379\n  type: ClusterIP\n"
		env       = "env:\n- name: A\n  value: a\n"
		mounts    = "mounts:\n- mountPath: /a\n  name: data\n"
	)
	added := func(text, after, lines string) string {
		if !strings.Contains(text, after) {
			t.Fatalf("no %q in %q", after, text)
		}
		return strings.Replace(text, after, after+lines, 1)
	}
	for name, test := range map[string]struct {
		base, edited, wanted string
		wins                 winner
		want                 string // empty: a conflict
	}{
		"one more on both sides": {resources, added(resources, "- b.yaml\n", "- pdb.yaml\n"), added(resources, "- b.yaml\n", "# ours\n- map.yaml\n\n"), nobodyWins,
			added(resources, "- b.yaml\n", "# ours\n- map.yaml\n\n- pdb.yaml\n")},
		"at the end": {"l:\n- a\n", "l:\n- a\n- c\n", "l:\n- a\n- b\n", nobodyWins, "l:\n- a\n- b\n- c\n"},
		"items of several lines": {ports, added(ports, "port: 6379\n", "  - name: b\n    port: 2\n"), added(ports, "port: 6379\n", "  - name: a\n    port: 1\n"), nobodyWins,
			added(ports, "port: 6379\n", "  - name: a\n    port: 1\n  - name: b\n    port: 2\n")},
		"the same name":           {ports, added(ports, "port: 6379\n", "  - name: b\n    port: 2\n"), added(ports, "port: 6379\n", "  - name: b\n    port: 1\n"), nobodyWins, ""},
		"the same name that wins": {ports, added(ports, "port: 6379\n", "  - name: b\n    port: 2\n"), added(ports, "port: 6379\n", "  - name: b\n    port: 1\n"), editsWin, added(ports, "port: 6379\n", "  - name: b\n    port: 2\n")},
		"the same port":           {ports, added(ports, "port: 6379\n", "  - name: a\n    port: 2\n"), added(ports, "port: 6379\n", "  - name: b\n    port: 2\n    protocol: TCP\n"), nobodyWins, ""},
		"over another protocol": {ports, added(ports, "port: 6379\n", "  - name: a\n    port: 2\n"), added(ports, "port: 6379\n", "  - name: b\n    port: 2\n    protocol: UDP\n"), nobodyWins,
			added(ports, "port: 6379\n", "  - name: a\n    port: 2\n  - name: b\n    port: 2\n    protocol: UDP\n")},
		"the same port elsewhere": {ports, added(ports, "ports:\n", "  - name: m\n    port: 9121\n"), added(ports, "port: 6379\n", "  - name: metrics\n    port: 9121\n    protocol: TCP\n"), nobodyWins, ""},
		"the same word elsewhere": {resources, added(resources, "resources:\n", "- pdb.yaml\n"), added(resources, "- b.yaml\n", "- pdb.yaml\n"), nobodyWins, added(resources, "resources:\n", "- pdb.yaml\n")},
		"what was there twice":    {"l:\n- a\n- a\nx: 1\ny: 2\nz: 3\n", "l:\n- a\n- a\nx: 1\ny: 2\nz: 4\n", "l:\n- a\n- a\nx: 3\ny: 2\nz: 3\n", nobodyWins, "l:\n- a\n- a\nx: 3\ny: 2\nz: 4\n"},
		"one volume at two places": {mounts, added(mounts, "name: data\n", "- mountPath: /b\n  name: data\n"), added(mounts, "name: data\n", "- mountPath: /c\n  name: data\n"), nobodyWins,
			added(mounts, "name: data\n", "- mountPath: /b\n  name: data\n- mountPath: /c\n  name: data\n")},
		"one place for two volumes":              {mounts, added(mounts, "name: data\n", "- mountPath: /b\n  name: x\n"), added(mounts, "name: data\n", "- mountPath: /b\n  name: y\n"), nobodyWins, ""},
		"variables, which may name those before": {env, added(env, "value: a\n", "- name: C\n  value: $(B)\n"), added(env, "value: a\n", "- name: B\n  value: b\n"), nobodyWins, ""},
		"patches, of which the last wins":        {"patches:\n- path: a.yaml\n", "patches:\n- path: a.yaml\n- path: c.yaml\n", "patches:\n- path: a.yaml\n- path: b.yaml\n", nobodyWins, ""},
		"sources, of which the last wins":        {"c:\n- envFrom:\n  - prefix: A\n", "c:\n- envFrom:\n  - prefix: A\n  - prefix: C\n", "c:\n- envFrom:\n  - prefix: A\n  - prefix: B\n", nobodyWins, ""},
		"words of a command":                     {"args:\n- a\n", "args:\n- a\n- c\n", "args:\n- a\n- b\n", nobodyWins, ""},
		"lines of a text":                        {"l:\n- t: |\n    l:\n    - a\n", "l:\n- t: |\n    l:\n    - a\n    - c\n", "l:\n- t: |\n    l:\n    - a\n    - b\n", nobodyWins, ""},
		"lists of different depth":               {"l:\n- a\n", "l:\n- a\n- c\n", "l:\n- a\nm:\n- b\n", nobodyWins, "l:\n- a\n- c\nm:\n- b\n"},
		"a kind of probe by each":                {"p:\n  tcpSocket:\n    port: 1\n", "p:\n  exec:\n    command: [a]\n", "p:\n  httpGet:\n    port: 1\n", nobodyWins, ""},
		"a container that has another name": {"c:\n- name: web\n  image: a:1\n  ports: [1]\n", "c:\n- name: app\n  image: a:1\n", "c:\n- name: web\n  image: a:2\n  ports: [1]\n", nobodyWins,
			"c:\n- name: app\n  image: a:2\n"},
		"amid an item": {"l:\n- a: 1\n  x: 1\n", "l:\n- a: 1\n- a: 2\n  x: 1\n", "l:\n- a: 1\n- a: 3\n  x: 1\n", nobodyWins, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := mergeText([]byte(test.base), []byte(test.edited), []byte(test.wanted), test.wins)
			if string(got) != test.want || ok != (test.want != "") {
				t.Errorf("merged %v to\n%s\nwant\n%s", ok, got, test.want)
			}
		})
	}
}

// What a person lists in base/kustomization.yaml stays beside what is generated there.
func TestListedByHandAndGenerated(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	put(t, dir, "base/configmap.yaml", "kind: ConfigMap\n")
	edit(t, dir, "base/kustomization.yaml", "- service.yaml\n", "- service.yaml\n- configmap.yaml\n")
	app := redisApp()
	if err := app.Set("podDisruptionBudget.maxUnavailable=1"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, dir, app)
	if got := readTree(t, dir)["base/kustomization.yaml"]; !strings.Contains(got, "- service.yaml\n- configmap.yaml\n- poddisruptionbudget.yaml\nlabels:\n") {
		t.Errorf("kustomization.yaml became:\n%s", got)
	}
}

// A port that was first added by hand and then to svcx.yaml is not there twice.
func TestPortAddedByHandAndThenAsked(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, redisApp())
	edit(t, dir, "base/service.yaml", "  ports:\n", "  ports:\n  - name: metrics\n    port: 9121\n")
	before := readTree(t, dir)
	app := redisApp()
	app.Spec.Service.Ports = append(app.Spec.Service.Ports, ServicePort{Name: "metrics", Port: 9121})
	_, err := write(t, dir, app, WriteOptions{})
	var conflict *EditedError
	if !errors.As(err, &conflict) {
		t.Fatalf("error is %v", err)
	}
	wantList(t, "files", conflict.Files, "base/service.yaml")
	wantList(t, "whole", conflict.Whole)
	wantTree(t, dir, before)
	if _, err := write(t, dir, app, WriteOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if got := readTree(t, dir)["base/service.yaml"]; strings.Count(got, "9121") != 1 {
		t.Errorf("service.yaml became:\n%s", got)
	}
}
