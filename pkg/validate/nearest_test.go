package validate

import (
	"reflect"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Two known names may be as near as each other; which one is proposed does not change
// from run to run.
func TestNearestNameIsAlwaysTheSame(t *testing.T) {
	type near struct {
		A int `json:"pa"`
		B int `json:"pb"`
		C int `json:"pc"`
	}
	def := &definition{Type: "object", Properties: map[string]*definition{"pa": {}, "pb": {}, "pc": {}}}
	n := yaml.MustParse("px: 1\n").YNode()
	for range 50 {
		c := &checker{}
		c.goStruct(n, reflect.TypeFor[near](), path{})
		c.value(n, def, path{})
		for _, f := range c.out {
			if f.Next != "did you mean pa?" {
				t.Fatal(f)
			}
		}
		if len(c.out) != 2 {
			t.Fatal(c.out)
		}
	}
}
