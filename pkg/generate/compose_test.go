package generate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
)

const composeFile = `x-common: &common
  restart: unless-stopped
  environment: [A=1]
services:
  web_app:
    <<: *common
    image: "example.com/web:${TAG:-${OTHER:-1.2}}"
    command: serve --name "a b" $$HOME
    ports: ["127.0.0.1:8080:80", "53:53/udp"]
    environment: {LEVEL: info, FROM_HOST: }
    env_file: [{path: web.env, required: false}]
    deploy:
      replicas: 3
      resources: {limits: {cpus: "0.5", memory: 512M}}
    healthcheck: {test: [CMD, curl, -f, localhost], interval: 1m30s, retries: 5}
    user: "1000:1001"
    volumes: [data:/var/lib/web, ./conf:/etc/web]
    working_dir: /srv
    depends_on: [db]
  db: {image: postgres:17}
`

func TestCompose(t *testing.T) {
	c, err := ParseCompose([]byte(composeFile), "compose.yaml", func(string) string { return "" }, func(string) ([]byte, error) {
		return []byte("# comment\nexport FILE=\"x y\" # and why\n"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	a, notes, err := c.App("web_app")
	if err != nil {
		t.Fatal(err)
	}
	data, err := encode(a)
	if err != nil {
		t.Fatal(err)
	}
	const want = `apiVersion: svcx/v1alpha1
kind: App
metadata:
  name: web-app
spec:
  workload:
    kind: StatefulSet
    image: example.com/web:1.2
    replicas: 3
    args:
    - serve
    - --name
    - a b
    - $HOME
    env:
    - name: FILE
      value: x y
    - name: LEVEL
      value: info
    resources:
      limits:
        cpu: 500m
        memory: 512Mi
    readinessProbe:
      exec:
        command:
        - curl
        - -f
        - localhost
      timeoutSeconds: 30
      periodSeconds: 90
      failureThreshold: 5
    podSecurityContext:
      runAsUser: 1000
      runAsGroup: 1001
    volumeClaimTemplates:
    - name: data
      mountPath: /var/lib/web
      storage: 1Gi
`
	if got, _, _ := strings.Cut(string(data), "  service:\n"); got != want {
		t.Errorf("the App is\n%s\nwant\n%s", got, want)
	}
	all := strings.Join(notes, "\n")
	for _, want := range []string{"environment.FROM_HOST", "volumes[1]", "working_dir", "volumes[0] became a claim", "is called web-app"} {
		if !strings.Contains(all, want) {
			t.Errorf("no note of %s in\n%s", want, all)
		}
	}
	if _, err := Files(a); err != nil {
		t.Error(err)
	}
}

func TestComposeRefuses(t *testing.T) {
	bomb := "x-a: &a [1,2,3,4,5,6,7,8,9,0]\n"
	for c := 'b'; c < 'h'; c++ {
		bomb += "x-" + string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 10), ",") + "]\n"
	}
	for name, test := range map[string]struct{ data, want string }{
		"empty":             {"", "has no services"},
		"no map":            {"- a\n", "has no services"},
		"bomb":              {bomb + "services: {web: {image: x, command: *g}}\n", "expand to too much"},
		"cycle":             {"services: {web: &w {image: x, x-y: *w}}\n", ""},
		"unknown field":     {"services: {web: {imagee: x}}\n", "did you mean image?"},
		"no image":          {"services: {web: {build: .}}\n", "image: is missing"},
		"a range":           {"services: {web: {image: x, ports: ['80-90:80-90']}}\n", "write ranges out"},
		"a field on top":    {"servces: {}\nservices: {web: {image: x}}\n", ":1: servces is no field of a Compose file; did you mean services?"},
		"deeper":            {"services:\n  web:\n    image: x\n    healthcheck:\n      tests: a\n", ":5: services.web.healthcheck.tests: is no field that it has; did you mean test?"},
		"of another kind":   {"services:\n  web:\n    image: x\n    ports: {80: 80}\n", ":4: services.web.ports: is a map where a list is wanted"},
		"an item":           {"services: {web: {image: x, command: [a, {b: c}]}}\n", "command[1]: is not what this list holds"},
		"a long time":       {"services: {web: {image: x, healthcheck: {test: a, interval: 9999999h}}}\n", "is no duration"},
		"retries":           {"services: {web: {image: x, healthcheck: {test: a, retries: many}}}\n", "is not a number of 1 or more"},
		"no variable":       {"services: {web: {image: 'x:${-}'}}\n", "Invalid template"},
		"a required name":   {"services: {web: {image: 'x:${TAG:?say which}'}}\n", "say which"},
		"unset in default":  {"services: {web: {image: 'x:${TAG:-${OTHER}}'}}\n", "the variable OTHER is not set"},
		"env file's format": {"services: {web: {image: x, env_file: [{path: a, format: raw}]}}\n", "format: is not understood"},
		"an env file":       {"services: {web: {image: x, env_file: [a]}}\n", "env_file: a: none"},
		"an unset name":     {"services:\n  web:\n    image: x:$TAG\n", ":3: services.web: the variable TAG is not set"},
		"a tab":             {"services:\n\tweb: {}\n", ":2: is indented with a tab"},
		"not UTF-8":         {"services: \xff\n", "is not UTF-8"},
		"include":           {"include: [x.yaml]\nservices: {web: {image: x}}\n", "docker compose config"},
		"a quote":           {"services: {web: {image: x, command: \"a 'b\"}}\n", "a quote without its end"},
		"a name that goes":  {"services: {../../etc: {image: x, ports: ['80']}}\n", "metadata.name"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseCompose([]byte(test.data), "compose.yaml", func(string) string { return "" }, func(string) ([]byte, error) { return nil, errors.New("none") })
			if err == nil {
				_, _, err = c.App(c.Services()[0])
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// What is not carried over is named, and nothing else is.
func TestComposeNamesWhatItLeaves(t *testing.T) {
	for _, test := range []struct{ field, want string }{
		{"volumes: ['data:/data:ro']", "volumes[0].ro"},
		{"volumes: ['data:/data:rw']", ""},
		{"volumes: [{type: volume, source: data, target: /data, read_only: true}]", "volumes[0].read_only"},
		{"volumes: [{type: volume, source: data, target: /data, read_only: false}]", ""},
		{"volumes: [{type: volume, source: data, target: /data, volume: {subpath: a}}]", "volumes[0].volume.subpath"},
		{"volumes: ['old:/data']", "volumes.old.external"},
		{"volumes: ['shared:/data']", "services.other mounts the volume shared too"},
		{"deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", "deploy.resources.reservations.devices"},
		{"deploy: {resources: {reservations: {generic_resources: []}}}", "deploy.resources.reservations.generic_resources"},
		{"deploy: {resources: {limits: {pids: 10, cpus: '1'}}}", "deploy.resources.limits.pids"},
		{"deploy: {restart_policy: {condition: none}}", "deploy.restart_policy"},
		{"deploy: {restart_policy: {condition: any, max_attempts: 3}}", "deploy.restart_policy.max_attempts"},
		{"healthcheck: {test: a, start_interval: 1s}", "healthcheck.start_interval"},
		{"healthcheck: {interval: 1s}", "healthcheck (it has no test"},
		{"tty: true", "tty"},
		{"tty: false", ""},
		{"stdin_open: true", "stdin_open"},
		{"init: true", "init"},
		{"logging: {driver: none}", "logging"},
		{"networks: {default: {aliases: [db]}}", "networks.default.aliases"},
		{"networks: [default]", ""},
		{"networks: [default, back]", "services.web.networks (Pods of every network reach each other"},
		{"networks: {back: }", "services.web.networks (Pods of every network"},
		{"depends_on: [other]", "depends_on (Kubernetes starts all at once"},
		{"profiles: [debug]", "profiles (the service is imported like one that always runs"},
		{"attach: false", ""},
		{"develop: {watch: []}", "develop"},
		{"volumes: [{type: tmpfs, target: /cache}]", ""},
		{"volumes: [{type: tmpfs, target: /cache, tmpfs: {size: 64m, mode: 1777}}]", "volumes[0].tmpfs.mode"},
		{"tmpfs: /cache", ""},
		{"tmpfs: ['/cache:size=64m,mode=1777']", "tmpfs[0] mode=1777"},
		{"read_only: true", ""},
		{"cap_drop: [ALL]", ""},
		{"cap_drop: [NET_RAW]", "cap_drop"},
		{"security_opt: ['no-new-privileges:true']", ""},
		{"security_opt: ['seccomp:unconfined']", "security_opt"},
		{"volumes: [{type: bind, source: ./a, target: /a}]", "volumes[0] (only named volumes are carried over; put files of the host"},
		{"volumes: [/data]", "volumes[0] (only named volumes are carried over; give it a name"},
		{"links: ['other:database']", "links[0]"},
		{"links: [other]", ""},
		{"container_name: db", "container_name"},
		{"restart: 'no'", "restart"},
		{"restart: always", ""},
		{"user: '1000:staff'", "user (of its group"},
		{"ports: [{target: 80, app_protocol: http}]", "ports[0].app_protocol"},
		{"ports: ['80']", ""},
		{"ports: ['8080:80']", "services.web.ports[0] (that it is published on the host as 8080;"},
		{"ports: ['127.0.0.1:8080:80/tcp']", "as 127.0.0.1:8080;"},
		{"ports: [{target: 80, mode: ingress, protocol: tcp}]", ""},
		{"ports: [{target: 80, published: '8080', host_ip: 127.0.0.1}]", "as 127.0.0.1:8080;"},
	} {
		file := "services:\n  web: {image: x, expose: ['80'], " + test.field + "}\n  other: {image: x, volumes: ['shared:/x']}\nvolumes: {data: , old: {external: true, name: older}, shared: {}}\n"
		c, err := ParseCompose([]byte(file), "compose.yaml", func(string) string { return "" }, nil)
		if err != nil {
			t.Errorf("%s: %v", test.field, err)
			continue
		}
		_, notes, err := c.App("web")
		notes = slices.DeleteFunc(notes, func(n string) bool { return strings.Contains(n, "became a claim") })
		switch {
		case err != nil:
			t.Errorf("%s: %v", test.field, err)
		case test.want == "" && len(notes) > 0, test.want != "" && (len(notes) != 1 || !strings.Contains(notes[0], test.want)):
			t.Errorf("%s: notes are %q, want %q", test.field, notes, test.want)
		}
	}
}

// Folders in memory are such volumes, whichever way they are said.
func TestComposeTmpfs(t *testing.T) {
	for said, want := range map[string]string{
		"tmpfs: /cache":                  "tmpfs-0 /cache <nil>",
		"tmpfs: ['/cache:size=64m', /b]": "tmpfs-0 /cache 64Mi, tmpfs-1 /b <nil>",
		"tmpfs: ['/cache:rw,size=0']":    "tmpfs-0 /cache <nil>",
		"volumes: [{type: tmpfs, target: /a, tmpfs: {size: 1048576}}]\n    tmpfs: [/b]": "tmpfs-0 /a 1048576, tmpfs-1 /b <nil>",
		"tmpfs: ['/cache:size=10%']":             "is no size",
		"tmpfs: {a: b}":                          "is a map where one value or a list is wanted",
		"volumes: [/cache]\n    tmpfs: [/c, /c]": "/c",
	} {
		c, err := ParseCompose([]byte("services:\n  web:\n    image: x\n    expose: ['80']\n    "+said+"\n"), "compose.yaml", func(string) string { return "" }, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, _, err := c.App("web")
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", said, err, want)
			}
			continue
		}
		var got []string
		for i, v := range a.Spec.Workload.Volumes {
			if v.EmptyDir.Medium != corev1.StorageMediumMemory {
				t.Errorf("%s: %s is not in memory", said, v.Name)
			}
			got = append(got, fmt.Sprintf("%s %s %v", v.Name, a.Spec.Workload.VolumeMounts[i].MountPath, v.EmptyDir.SizeLimit))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, want %q", said, got, want)
		}
	}
}

// Where a check is refused, none is made up.
func TestComposeWithoutACheck(t *testing.T) {
	for _, check := range []string{"{test: [NONE]}", "{disable: true}", "{test: [CMD, a], disable: true}"} {
		c, err := ParseCompose([]byte("services: {web: {image: x, expose: ['80'], healthcheck: "+check+"}}\n"), "compose.yaml", func(string) string { return "" }, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, notes, err := c.App("web")
		if err != nil || len(notes) > 0 {
			t.Fatal(err, notes)
		}
		for _, f := range mustFiles(t, a) {
			if strings.Contains(string(f.Data), "Probe:") {
				t.Errorf("%s: a probe is made\n%s", check, f.Data)
			}
		}
	}
}

func TestDotEnv(t *testing.T) {
	environ := map[string]string{"HERE": "environment", "EMPTY": ""}
	getenv, _, err := WithDotEnv([]byte("\xef\xbb\xbf# why\r\nHERE=file\r\nEMPTY=file\nBOTH=\"$HERE and ${EMPTY}\"\nexport PLAIN='a $HERE'\n"), ".env", func(name string) string { return environ[name] })
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"HERE": "environment", "EMPTY": "file", "BOTH": "environment and file", "PLAIN": "a $HERE", "NONE": ""} {
		if got := getenv(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for data, want := range map[string]string{
		"A=1\n\n!B=secret\n":         ".env:3: is not what an env file holds: unexpected character \"!\"",
		"A=1\nB='secret\nC=1\nD=1\n": ".env:2: is not what an env file holds: unterminated quoted value",
		"A B=secret\n":               ".env:1: is not what an env file holds: key cannot contain a space",
		"A=sec${ret\n":               ".env: is not what an env file holds: a value asks for a variable",
		"A=${B:?is wanted}\n":        "is wanted",
		"A=\x00":                     ".env:1: holds a NUL byte",
		"A=x\n" + strings.Repeat("A=$A$A$A$A$A$A$A$A\n", 20): "become too long",
		"A='\n" + strings.Repeat("$A", 5000) + "'\n":         "become too long",
	} {
		if _, _, err := WithDotEnv([]byte(data), ".env", func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sec") {
			t.Errorf("%q: error is %v, want %s", data, err, want)
		}
	}
}

// A variable that is not set is told once, not for each line that is looked at, and not
// by the library.
func TestDotEnvWarnsOnce(t *testing.T) {
	var said bytes.Buffer
	logrus.SetOutput(&said)
	t.Cleanup(func() { logrus.SetOutput(os.Stderr) })
	_, notes, err := WithDotEnv([]byte("A=$NOPE\nB=x$A${NOPE}\nC=$A$B${D:-x}\n"), ".env", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) != 1 || !strings.HasPrefix(notes[0], ".env: the variable NOPE is not set") || said.Len() > 0 {
		t.Errorf("notes are %q; the library says %q", notes, said.String())
	}
}

// What Compose passes on as it is, Kubernetes does too, which has a syntax of its own.
func TestComposeTextsStayAsTheyAre(t *testing.T) {
	const file = `services: {web: {image: x, expose: ["80"], env_file: [a.env],
  environment: {A: "1", B: "$$(A)", C: "$$$$", D: "a$$b"}, entrypoint: [sh, -c], command: ["echo $$(A) $$$$ $$A"]}}`
	c, err := ParseCompose([]byte(file), "compose.yaml", func(string) string { return "" }, func(string) ([]byte, error) { return []byte("E='$(A)'\n"), nil })
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := c.App("web")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range a.Spec.Workload.Env {
		got = append(got, e.Name+"="+e.Value)
	}
	got = append(got, a.Spec.Workload.Args...)
	if want := []string{"E=$$(A)", "A=1", "B=$$(A)", "C=$$$", "D=a$b", "echo $$(A) $$$ $A"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A volume that is mounted twice is one claim.
func TestComposeMountsAVolumeTwice(t *testing.T) {
	c, err := ParseCompose([]byte("services: {a: {image: 'nginx:1', volumes: ['d:/a', 'd:/b']}}\nvolumes: {d: }\n"), "compose.yaml", func(string) string { return "" }, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, notes, err := c.App("a")
	if err != nil {
		t.Fatal(err)
	}
	set := string(file(mustFiles(t, a), "base/statefulset.yaml"))
	if strings.Count(set, "mountPath: /a\n") != 1 || strings.Count(set, "mountPath: /b\n") != 1 || len(a.Spec.Workload.VolumeClaimTemplates) != 1 || len(notes) != 1 {
		t.Errorf("notes %q\n%s", notes, set)
	}
}

func TestComposeDollarSigns(t *testing.T) {
	for text, want := range map[string]string{"$$HOME2 ${HOME2:-x}": "$HOME2 x", "$$$$A${A-}": "$$A", "a$$": "a$"} {
		if got, err := interpolate(text, func(string) string { return "" }); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	if _, err := interpolate("$$$A ${A:-x}", func(string) string { return "" }); err == nil {
		t.Error("the last of three dollar signs begins a variable")
	}
}
