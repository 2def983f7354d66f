package servicetype

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A name that is no field's would never be found stale.
func TestFieldsAreOfTheAPI(t *testing.T) {
	var names []string
	spec := reflect.TypeFor[corev1.ServiceSpec]()
	for i := range spec.NumField() {
		name, _, _ := strings.Cut(spec.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	for _, name := range Fields() {
		if !slices.Contains(names, name) {
			t.Errorf("a Service's spec has no %s", name)
		}
	}
	if !Uses(ExternalName, "ports") || Uses(Headless, "sessionAffinity") || !Uses(Headless, "selector") {
		t.Error("of all types is what is not told of, and of some what is")
	}
}
