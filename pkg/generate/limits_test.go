package generate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// The limits of the API, each passed in svcx.yaml: an error with file, line and
// field, and nothing written. A value just within its limit is no error.
func TestLimits(t *testing.T) {
	long := strings.Repeat("a", 64)
	type limit struct {
		field string
		bad   []string
		good  []string
	}
	ids := []string{"-1", "2147483648", "9223372036854775808"}
	ports := []string{"0", "-1", "65536", "2147483648", "1e3", "http"}
	limits := []limit{
		{"metadata.name", []string{long, "../x", "a/b", "/etc", "A", "a.b", "-a", `a\b`, "a b", "é", "\u202ea"}, []string{long[1:]}},
		{"metadata.namespace", []string{long, "../x", "A", "a_b"}, []string{long[1:], "'123'"}},
		{"workload.replicas", []string{"-1", "2147483648", "1.5", "0x10"}, []string{"0", "2147483647"}},
		{"workload.image", []string{"a b", "http://x", "redis:" + strings.Repeat("t", 129), "../redis", "redis@sha256:00"}, []string{"redis:" + strings.Repeat("t", 128)}},
		{"workload.imagePullSecrets", []string{"[{name: A}]", "[{name: ../x}]", "[{}]"}, nil},
		{"workload.env", []string{"[{name: ''}]", "[{name: 'a=b', value: x}]", `[{name: A, value: "\0"}]`}, []string{"[{name: A, value: b}]"}},
		{"workload.serviceAccountName", []string{"a/b", "A", strings.Repeat("a", 254)}, []string{strings.Repeat("a", 253)}},
		{"workload.priorityClassName", []string{"a/b", "A"}, nil},
		{"workload.terminationGracePeriodSeconds", []string{"-1", "1.5"}, []string{"0"}},
		{"workload.minReadySeconds", []string{"-1", "600", "2147483648"}, []string{"599"}},
		{"workload.securityContext.runAsUser", ids, []string{"2147483647"}},
		{"workload.securityContext.runAsGroup", ids, []string{"0"}},
		{"workload.podSecurityContext.fsGroup", ids, []string{"0"}},
		{"workload.podSecurityContext.supplementalGroups", []string{"[-1]", "[1, 2147483648]"}, []string{"[1]"}},
		{"workload.securityContext", []string{"{runAsNonRoot: true, runAsUser: 0}", "{privileged: true, allowPrivilegeEscalation: false}", "{runAsuser: 1}",
			"{capabilities: {add: [CAP_SYS_ADMIN]}, allowPrivilegeEscalation: false}", "{seccompProfile: {localhostProfile: a}}", "{seccompProfile: {type: Localhost}}"},
			[]string{"{privileged: true}", "{runAsUser: 0}", "{capabilities: {add: [CAP_SYS_ADMIN]}}", "{capabilities: {add: [SYS_ADMIN]}, allowPrivilegeEscalation: false}"}},
		{"workload.podSecurityContext", []string{"{runAsNonRoot: true, runAsUser: 0}", "{seccompProfile: {localhostProfile: a}}"}, []string{"{runAsUser: 0}", "{seccompProfile: {type: Localhost, localhostProfile: a}}"}},
		{"workload.resources", []string{
			"{limits: {cpu: -1}}", "{limits: {memory: 1Gib}}", "{requests: {cpu: 2}, limits: {cpu: 1}}", "{limits: {memry: 1Gi}}",
			"{limits: {cpu: 1.2.3}}", "{limits: {cpu: ''}}", "{limits: {cpu: [1]}}",
		}, []string{"{limits: {cpu: 500m, memory: 1Gi, example.com/gpu: 1}}"}},
		{"workload.nodeSelector", []string{"{a: " + long + "}", "{'a/b/c': x}", "{'': x}"}, []string{"{a: " + long[1:] + "}"}},
		{"workload.podLabels", []string{"{a: " + long + "}", "{" + long + ": x}", "{a: 'b c'}", "{app.kubernetes.io/name: x}", "{a: 1}"}, []string{"{example.com/" + long[1:] + ": ''}"}},
		{"workload.podAnnotations", []string{"{'a b': x}", "{a: " + strings.Repeat("x", 256<<10) + "}"}, []string{"{a: " + strings.Repeat("x", 256<<10-1) + "}"}},
		{"workload.tolerations", []string{"[{key: 'a b'}]", "[{operator: Like}]", "[{key: a, operator: Exists, value: x}]", "[{key: a, effect: Never}]", "[{key: a, effect: NoSchedule, tolerationSeconds: 1}]"},
			[]string{"[{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 1}]"}},
		{"workload.affinity", []string{
			"{podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {}}]}}",
			"{podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, podAffinityTerm: {topologyKey: a}}]}}",
			"{podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, labelSelector: {matchExpressions: [{key: a, operator: Like}]}}]}}",
			"{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}",
		}, []string{"{podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {topologyKey: a}}]}}"}},
		{"workload.topologySpreadConstraints", []string{
			"[{maxSkew: 0, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]", "[{maxSkew: 1, topologyKey: 'a b', whenUnsatisfiable: DoNotSchedule}]",
			"[{maxSkew: 1, topologyKey: a, whenUnsatisfiable: Sometimes}]", "[{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, minDomains: 0}]",
		}, []string{"[{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]"}},
		{"workload.readinessProbe", []string{
			"{tcpSocket: {port: 0}}", "{tcpSocket: {port: 65536}}", "{tcpSocket: {port: nope}}", "{periodSeconds: -1, tcpSocket: {port: 1}}", "{exec: {command: []}}",
			"{tcpSocket: {port: 1}, exec: {command: [a]}}", "{httpGet: {port: 1, scheme: ftp}}", "{tcpSocket: {port: 1}, terminationGracePeriodSeconds: 0}", "{}",
		}, []string{"{tcpSocket: {port: 1}}"}},
		{"workload.livenessProbe", []string{"{successThreshold: 2, tcpSocket: {port: 1}}"}, nil},
		{"workload.lifecycle", []string{"{preStop: {}}", "{preStop: {exec: {}}}", "{preStop: {sleep: {seconds: -1}}}", "{preStop: {httpGet: {port: 0}}}"}, []string{"{preStop: {sleep: {seconds: 1}}}"}},
		{"workload.strategy", []string{"{type: Rolling}", "{rollingUpdate: {maxSurge: -1}}", "{rollingUpdate: {maxUnavailable: 101%}}", "{rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}", "{type: Recreate, rollingUpdate: {maxSurge: 1}}", "{rollingUpdate: {maxSurge: many}}"},
			[]string{"{rollingUpdate: {maxSurge: 200%, maxUnavailable: 0}}"}},
		{"workload.ports", []string{"[{containerPort: 0}]", "[{containerPort: 65536}]", "[{containerPort: 1, hostPort: 65536}]", "[{containerPort: 1, hostIP: x}]", "[{containerPort: 1, name: " + long[:16] + "}]"}, []string{"[{containerPort: 1, name: " + long[:15] + "}]"}},
		{"workload.volumes", []string{"[{name: A, emptyDir: {}}]", "[{name: ../x, emptyDir: {}}]", "[{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]"}, []string{"[{name: a, emptyDir: {}}]"}},
		{"workload.volumeMounts", []string{"[{name: nope, mountPath: /a}]", "[{name: data, mountPath: a}]", "[{name: data, mountPath: /a, subPath: ../b}]", "[{name: data, mountPath: /a, subPath: /b}]", "[{name: data, mountPath: '/a:b'}]"}, nil},
		{"service.name", []string{long, "1a", "../x", "A"}, []string{long[1:]}},
		{"service.ports[0].port", ports, []string{"1", "65535"}},
		{"service.ports[0].nodePort", []string{"-1", "65536", "x"}, []string{"30000"}},
		{"service.ports[0].name", []string{"Redis", long, "a.b", "-a", "1"}, []string{long[1:], "a--b", "'1'"}},
		{"service.ports[0].targetPort", []string{"-1", "65536", "nope", "0x10"}, []string{"1"}},
		{"service.ports[0].appProtocol", []string{"a b", "a/b/c"}, []string{"kubernetes.io/h2c"}},
		{"service.healthCheckNodePort", []string{"-1", "65536", "30000"}, nil},
		{"service.sessionAffinityConfig.clientIP.timeoutSeconds", []string{"0", "-1", "86401"}, nil},
		{"service.loadBalancerSourceRanges", []string{"[10.0.0.1]", "[10.0.0.1/8]", "[10.0.0.0/33]", "[nope]"}, []string{"[10.0.0.0/8]"}},
		{"service.externalIPs", []string{"[nope]", "[127.0.0.1]", "[0.0.0.0]", "[169.254.1.1]"}, []string{"[192.0.2.1]"}},
		{"service.labels", []string{"{a: " + long + "}", "{'': x}"}, []string{"{a: ''}"}},
		{"service.annotations", []string{"{'a/b/c': x}", "{a: " + strings.Repeat("x", 256<<10) + "}", `{a: "\e[2J"}`}, nil},
		{"service.loadBalancerClass", []string{"a b", "a/b/c"}, []string{"example.com/internal"}},
		{"configMaps", []string{"[{name: ../x}]", "[{name: a, data: {../b: x}}]", "[{name: a, files: [../../etc/passwd]}]", "[{name: a, files: [/etc/passwd]}]", `[{name: a, files: ['a\..\b']}]`, "[{name: a, envs: [../x]}]", "[{name: a, files: ['http://x/y']}]", "[{name: a, files: ['../k=x']}]"},
			[]string{"[{name: a, files: [k=conf/x]}]"}},
		{"secrets", []string{"[{name: A}]", "[{name: a, stringData: {b c: x}}]", "[{name: a, files: [x/../../y]}]"}, nil},
		{"podDisruptionBudget", []string{"{}", "{minAvailable: 1, maxUnavailable: 1}", "{maxUnavailable: -1}", "{maxUnavailable: 101%}", "{maxUnavailable: x}"}, []string{"{maxUnavailable: 100%}"}},
		{"horizontalPodAutoscaler", []string{"{maxReplicas: 0}", "{minReplicas: 3, maxReplicas: 2}", "{minReplicas: -1, maxReplicas: 2}"}, nil},
		{"networkPolicy", []string{"{}", "{from: null}", "{from: [{}]}", "{from: [{ipBlock: {cidr: nope}}]}", "{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [192.0.2.0/24]}}]}", "{from: [{podSelector: {matchLabels: {a: 'b c'}}}]}"}, []string{"{from: []}", "{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}"}},
		{"overlays", []string{"[{name: ../x}]", "[{name: /etc}]", "[{name: a/b}]", "[{name: ..}]", "[{name: '.'}]", "[{name: nodeport}]", "[{name: " + long + "}]", "[{name: a}, {name: a}]", "[{name: a, replicas: -1}]", "[{name: a, namespace: ../x}]"}, []string{"[{name: " + long[1:] + "}]"}},
	}
	for _, l := range limits {
		t.Run(l.field, func(t *testing.T) {
			for _, value := range l.bad {
				dir := specDir(t, l.field, value)
				_, err := LoadApp(dir)
				top, _, _ := strings.Cut(strings.TrimPrefix(l.field, "spec."), "[")
				var invalid *InvalidError
				if !errors.As(err, &invalid) {
					t.Errorf("%s: %.80s: error is %v", l.field, value, err)
					continue
				}
				p := invalid.Problems[0]
				if invalid.File != filepath.Join(dir, SpecFile) || p.Line < 3 || !strings.HasPrefix(strings.TrimPrefix(p.Field, "spec."), strings.Split(top, ".")[0]) || len(err.Error()) > 4000 {
					t.Errorf("%.80s: error is %.400v", value, err)
				}
				if names := names(t, dir); len(names) != 1 {
					t.Errorf("%.80s: wrote %q", value, names)
				}
			}
			for _, value := range l.good {
				if _, err := LoadApp(specDir(t, l.field, value)); err != nil {
					t.Errorf("%.80s: error is %.400v", value, err)
				}
			}
		})
	}
}

// specDir is a directory with an svcx.yaml, in which one field has a value.
func specDir(t *testing.T, field, value string) string {
	t.Helper()
	a := redisApp()
	a.Spec.Service.Type = LoadBalancer
	if strings.HasSuffix(field, "timeoutSeconds") {
		a.Spec.Service.SessionAffinity = "ClientIP"
	}
	if strings.HasPrefix(field, "horizontal") {
		a.Spec.Workload.Replicas = nil
	}
	a.Complete()
	data, err := encode(a)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put(t, dir, SpecFile, withField(t, string(data), field, value))
	return dir
}

// withField writes a field's value, itself YAML, into the text of a Spec.
func withField(t *testing.T, text, field, value string) string {
	t.Helper()
	if !strings.HasPrefix(field, "metadata.") {
		field = "spec." + field
	}
	var doc, wanted yaml.Node
	if err := errors.Join(yaml.Unmarshal([]byte(text), &doc), yaml.Unmarshal([]byte(value), &wanted)); err != nil {
		t.Fatal(err)
	}
	at := doc.Content[0]
	parts := strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
	for i, part := range parts {
		next := child(at, part)
		switch {
		case i < len(parts)-1 && next == nil:
			next = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		case i < len(parts)-1:
			next = pointer(at, part)
		default:
			next = wanted.Content[0]
		}
		if old := pointer(at, part); old != nil {
			*old = *next
			next = old
		} else {
			at.Content = append(at.Content, textNode(part), next)
		}
		at = next
	}
	var out bytes.Buffer
	if err := yaml.NewEncoder(&out).Encode(&doc); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// pointer is child, but for the node itself.
func pointer(n *yaml.Node, part string) *yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return child(n, part)
	}
	return field(n, part)
}

// A list of any length costs little memory and time to change.
func TestHostileListTakesLittleMemory(t *testing.T) {
	const items = 20000
	var list strings.Builder
	for i := range items {
		fmt.Fprintf(&list, "- name: A%d\n  value: v\n", i)
	}
	from := "env:\n" + list.String() + "image: redis\n"
	for name, to := range map[string]string{
		"one more":    "env:\n" + list.String() + "- name: B\n  value: v\nimage: redis\n",
		"none":        "image: redis\n",
		"another one": strings.Replace(from, "A0", "B", 1),
	} {
		t.Run(name, func(t *testing.T) {
			var was, is runtime.MemStats
			runtime.ReadMemStats(&was)
			begun := time.Now()
			got, ok := respell([]byte(from), []byte(from), []byte(to), nobodyWins)
			took := time.Since(begun)
			runtime.ReadMemStats(&is)
			if allocated := is.TotalAlloc - was.TotalAlloc; allocated > 600<<20 {
				t.Errorf("allocated %d MiB", allocated>>20)
			}
			if took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if !ok || string(got) != to {
				t.Errorf("changed %t to %d bytes, want %d", ok, len(got), len(to))
			}
		})
	}
}

// A file of any size, and one that would grow beyond measure, costs little memory
// and leaves the tree as it was.
func TestHostileFilesTakeLittleMemory(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'z'; c++ {
		previous := "*" + string(c-1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat(previous+",", 8) + previous + "]\n"
	}
	for name, test := range map[string]struct {
		write func(f *os.File) error
		want  string
	}{
		"100 MB": {func(f *os.File) error { return f.Truncate(100 << 20) }, "is larger than 1024 KiB"},
		"a bomb": {func(f *os.File) error { _, err := f.WriteString(specHead + bomb); return err }, "unknown field"},
		"deep nesting": {func(f *os.File) error {
			_, err := f.WriteString(specHead + "spec: " + strings.Repeat("[", 1<<19))
			return err
		}, "is not YAML"},
		"deep blocks": {func(f *os.File) error {
			_, err := f.WriteString(specHead + "spec:\n" + strings.Repeat("- ", 1<<18) + "a\n")
			return err
		}, SpecFile},
	} {
		for _, at := range []string{SpecFile, "base/service.yaml", lastSpecFile} {
			t.Run(name+" as "+at, func(t *testing.T) {
				dir := t.TempDir()
				mustWrite(t, dir, redisApp())
				f, err := os.Create(filepath.Join(dir, at))
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(test.write(f), f.Close()); err != nil {
					t.Fatal(err)
				}
				before := names(t, dir)
				var was, is runtime.MemStats
				runtime.ReadMemStats(&was)
				_, loaded := LoadApp(dir)
				_, err = write(t, dir, movedApp(), WriteOptions{})
				runtime.ReadMemStats(&is)
				if allocated := is.TotalAlloc - was.TotalAlloc; allocated > 200<<20 {
					t.Errorf("allocated %d MiB", allocated>>20)
				}
				if at == lastSpecFile && err == nil {
					return // it is only asked when there are edits
				}
				if err == nil || at == SpecFile && (loaded == nil || !strings.Contains(loaded.Error(), test.want)) {
					t.Errorf("errors are %.200v and %.200v", loaded, err)
				}
				if after := names(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("left %q, was %q", after, before)
				}
			})
		}
	}
}
