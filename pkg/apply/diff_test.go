package apply

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"apiVersion": "v1", "kind": "Thing"} {
		if m[k] == nil {
			m[k] = v
		}
	}
	u, err := fromMap(m)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDiffObjects(t *testing.T) {
	for name, tt := range map[string]struct{ before, after, want string }{
		"same": {"spec: {a: 1}", "spec: {a: 1}", ""},
		"server fields": {
			"{metadata: {resourceVersion: '1', generation: 1}, status: {a: 1}}",
			"{metadata: {resourceVersion: '2', generation: 2}, status: {a: 2}}", ""},
		"scalar": {"spec: {type: NodePort}", "spec: {type: ClusterIP}", "spec.type: NodePort -> ClusterIP"},
		"added":  {"spec: {}", "spec: {replicas: 2}", "spec.replicas:  -> 2"},
		"gone":   {"spec: {a: true}", "spec: {}", "spec.a: true -> "},
		"port by name": {
			"spec: {ports: [{name: redis, port: 6379, nodePort: 30688}]}",
			"spec: {ports: [{name: redis, port: 6379}]}", "spec.ports[name=redis].nodePort: 30688 -> "},
		"port without name": {
			"spec: {ports: [{port: 6379, protocol: TCP, targetPort: 1}]}",
			"spec: {ports: [{port: 6379, protocol: TCP, targetPort: 2}]}", "spec.ports[port=6379,protocol=TCP].targetPort: 1 -> 2"},
		"port added": {
			"spec: {ports: [{name: a, port: 1}]}",
			"spec: {ports: [{name: a, port: 1}, {name: b, port: 2}]}", "spec.ports[name=b]:  -> {name: b, port: 2}"},
		"args":               {"spec: {args: [a, b]}", "spec: {args: [a, c]}", "spec.args: [a, b] -> [a, c]"},
		"order alone":        {"spec: {env: [{name: A}, {name: B}]}", "spec: {env: [{name: B}, {name: A}]}", `spec.env: ["name=A", "name=B"] -> ["name=B", "name=A"]`},
		"label":              {"metadata: {labels: {app.kubernetes.io/name: a}}", "metadata: {labels: {app.kubernetes.io/name: b}}", "metadata.labels[app.kubernetes.io/name]: a -> b"},
		"quoted":             {"spec: {a: 'true'}", "spec: {a: '2'}", `spec.a: "true" -> "2"`},
		"control characters": {"spec: {a: b}", "spec: {a: \"x\\e[1m\\ny\"}", `spec.a: b -> "x\x1b[1m\ny"`},
		"spaces alone":       {"spec: {a: 'x  y'}", "spec: {a: 'x y'}", `spec.a: "x  y" -> x y`},
		"what is not seen":   {"spec: {a: x}", "spec: {a: \"x\\u200b\"}", `spec.a: x -> "x\u200b"`},
		"the end of a long one": {"data: {a: '" + strings.Repeat("x", 1000) + "1'}", "data: {a: '" + strings.Repeat("x", 1000) + "2'}",
			"data.a: " + strings.Repeat("x", 1000) + "1 -> " + strings.Repeat("x", 1000) + "2"},
		"a Secret's": {"{kind: Secret, data: {p: YQ==}}", "{kind: Secret, data: {p: Yg==, q: YQ==}}",
			"data.p: *** (before) -> *** (after)\ndata.q:  -> *** (after)"},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			for _, d := range diffObjects(object(t, tt.before), object(t, tt.after)) {
				lines = append(lines, fmt.Sprintf("%s: %s -> %s", d.Path, d.Old, d.New))
			}
			if got := strings.Join(lines, "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"a":                       "a",
		" a\t\n b ":               "a b",
		"\x1b[31mred\x00\x07":     "red",
		"\u202eright\u200b":       "right",
		"\xff\xfe":                "",
		strings.Repeat("x", 1000): strings.Repeat("x", maxUntrusted-len("…")) + "…",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
