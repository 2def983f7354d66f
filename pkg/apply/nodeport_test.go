package apply

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// nodePort: 0 asks for one that is allocated, as no nodePort does.
func TestCheckNodePortZero(t *testing.T) {
	u := object(t, strings.Replace(balanced, "%s", "", 1))
	eachPort(u, func(p map[string]any) { p["nodePort"] = int64(0) })
	notes, err := (&Client{}).checkNodePorts(t.Context(), nil, u)
	if err != nil || len(notes) > 0 {
		t.Errorf("%v %v", notes, err)
	}
}

func TestSharedNodePort(t *testing.T) {
	read := func(text string) *unstructured.Unstructured {
		t.Helper()
		var m map[string]any
		if err := yaml.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		u, err := fromMap(m)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	service := func(name, ports string) *unstructured.Unstructured {
		return read("apiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: shop}\nspec: {type: NodePort, ports: [" + ports + "]}\n")
	}
	for _, c := range []struct {
		name string
		objs []*unstructured.Unstructured
		want string
	}{
		{"two Services", []*unstructured.Unstructured{service("a", "{port: 1, nodePort: 30080}"), service("b", "{port: 2, nodePort: 30080}")},
			"Service/a in namespace shop and Service/b in namespace shop both ask for node port 30080"},
		{"TCP and UDP of one Service", []*unstructured.Unstructured{service("a", "{port: 53, protocol: TCP, nodePort: 30053}, {port: 53, protocol: UDP, nodePort: 30053}")}, ""},
		{"allocated", []*unstructured.Unstructured{service("a", "{port: 1}"), service("b", "{port: 1}")}, ""},
		{"0 stands for allocated", []*unstructured.Unstructured{service("a", "{port: 1, nodePort: 0}"), service("b", "{port: 1, nodePort: 0}")}, ""},
	} {
		err := sharedNodePort(c.objs)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
