package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

const docsDir = "../../docs"

// schemas builds the JSON Schema of App and of the types in it. Draft 7 is what
// editors know best.
type schemas struct {
	t           *testing.T
	docs        typeDocs
	definitions map[string]any
}

type object = map[string]any

// enums are the values of the types that have a few.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[ServiceType]():                         {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "Headless"},
	reflect.TypeFor[WorkloadKind]():                        {"Deployment", "StatefulSet"},
	reflect.TypeFor[corev1.Protocol]():                     {"TCP", "UDP", "SCTP"},
	reflect.TypeFor[corev1.ServiceExternalTrafficPolicy](): {"Cluster", "Local"},
	reflect.TypeFor[corev1.ServiceInternalTrafficPolicy](): {"Cluster", "Local"},
	reflect.TypeFor[corev1.ServiceAffinity]():              {"None", "ClientIP"},
	reflect.TypeFor[corev1.IPFamily]():                     {"IPv4", "IPv6"},
	reflect.TypeFor[corev1.IPFamilyPolicy]():               {"SingleStack", "PreferDualStack", "RequireDualStack"},
	reflect.TypeFor[corev1.PullPolicy]():                   {"Always", "IfNotPresent", "Never"},
	reflect.TypeFor[corev1.URIScheme]():                    {"HTTP", "HTTPS"},
}

// fieldSchemas add to the schema of single fields what their types do not tell.
func fieldSchemas() map[string]object {
	port := object{"minimum": 1, "maximum": 65535}
	return map[string]object{
		"App.apiVersion":              {"const": APIVersion},
		"App.kind":                    {"const": Kind},
		"Service.trafficDistribution": {"enum": []string{"PreferSameZone", "PreferSameNode", "PreferClose"}},
		"Service.healthCheckNodePort": port,
		"ServicePort.port":            port,
		"ServicePort.nodePort":        port,
		"Check.type":                  {"enum": checkTypes()},
		"Workload.replicas":           {"minimum": 0},
		"Environment.replicas":        {"minimum": 0},
	}
}

func (s *schemas) of(t reflect.Type) object {
	if values, ok := enums[t]; ok {
		return object{"type": "string", "enum": values}
	}
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		return object{"type": []string{"string", "number"}}
	case reflect.TypeFor[intstr.IntOrString]():
		return object{"type": []string{"integer", "string"}}
	case reflect.TypeFor[metav1.Time]():
		return object{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		s.define(t)
		return object{"$ref": "#/definitions/" + s.name(t)}
	}
	s.t.Fatalf("no schema for %s", t)
	return nil
}

// name is that of a definition: our own types by theirs, the API's with its group.
func (s *schemas) name(t reflect.Type) string {
	path, ours := strings.CutPrefix(t.PkgPath(), "k8s.io/")
	if !ours {
		return t.Name()
	}
	path = strings.TrimPrefix(strings.TrimPrefix(path, "api/"), "apimachinery/pkg/apis/")
	return strings.ReplaceAll(path, "/", ".") + "." + t.Name()
}

func own(t reflect.Type) bool { return t.PkgPath() == reflect.TypeFor[App]().PkgPath() }

func (s *schemas) define(t reflect.Type) {
	name := s.name(t)
	if _, ok := s.definitions[name]; ok {
		return
	}
	properties := object{}
	definition := object{"type": "object", "additionalProperties": false, "properties": properties}
	s.definitions[name] = definition
	if d := s.docs.of(t, ""); d != "" && own(t) {
		definition["description"] = d
	}
	var required []string
	s.fields(t, properties, &required)
	if len(required) > 0 {
		definition["required"] = required
	}
}

func (s *schemas) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && (f.Anonymous || options == "inline"):
			s.fields(f.Type, properties, required)
			continue
		case name == "" || name == "-":
			continue
		}
		p := s.of(f.Type)
		for k, v := range fieldSchemas()[t.Name()+"."+name] {
			if own(t) {
				p[k] = v
			}
		}
		if d := s.docs.of(t, name); d != "" {
			if _, ref := p["$ref"]; ref {
				p = object{"allOf": []any{p}} // draft 7 takes nothing beside a $ref
			}
			p["description"] = d
		}
		properties[name] = p
		if own(t) && options == "" && name != "service" {
			*required = append(*required, name)
		}
	}
}

// schemaJSON is docs/svcx.schema.json.
func schemaJSON(t *testing.T) []byte {
	s := &schemas{t: t, docs: readDocs(t), definitions: map[string]any{}}
	s.define(reflect.TypeFor[App]())
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(object{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "svcx.yaml, " + APIVersion,
		"$ref":        "#/definitions/App",
		"definitions": s.definitions,
	}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The published schema is that of the types as they are.
func TestSchema(t *testing.T) {
	compareFile(t, filepath.Join(docsDir, "svcx.schema.json"), schemaJSON(t))
}

func compareFile(t *testing.T, name string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not what the types and their comments say; go test ./pkg/generate -run '%s' -update writes it", name, t.Name())
	}
}

// Every svcx.yaml of the golden trees fits the schema, and what does not parse does not.
func TestSchemaFits(t *testing.T) {
	var root object
	if err := json.Unmarshal(schemaJSON(t), &root); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/golden/*/" + SpecFile)
	if err != nil || len(files) < len(matrixSpecs) {
		t.Fatal(files, err)
	}
	read := func(data []byte) any {
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, misfit := range misfits(root, root, read(data), "") {
			t.Errorf("%s: %s", file, misfit)
		}
	}
	const head = "apiVersion: svcx/v1alpha1\nkind: App\nmetadata: {name: a}\n"
	for spec, want := range map[string]string{
		"spec: {srvice: {}}":                            "spec.srvice: unknown",
		"spec: {service: {type: Nodeport}}":             "spec.service.type: not one of",
		"spec: {service: {ports: [{port: x}]}}":         "spec.service.ports[0].port: string",
		"spec: {workload: {replicas: 1}}":               "spec.workload: image is missing",
		"spec: {workload: {image: a, env: [{nam: a}]}}": "spec.workload.env[0].nam: unknown",
	} {
		if got := misfits(root, root, read([]byte(head+spec)), ""); !slices.ContainsFunc(got, func(m string) bool { return strings.HasPrefix(m, want) }) {
			t.Errorf("%s: %v, want %q", spec, got, want)
		}
	}
}

// misfits says where a value does not fit a schema, as far as this one's words go.
func misfits(root, s object, v any, path string) []string {
	if ref, ok := s["$ref"].(string); ok {
		return misfits(root, root["definitions"].(object)[strings.TrimPrefix(ref, "#/definitions/")].(object), v, path)
	}
	if all, ok := s["allOf"].([]any); ok {
		return misfits(root, all[0].(object), v, path)
	}
	var out []string
	kind := map[reflect.Kind]string{reflect.Map: "object", reflect.Slice: "array", reflect.String: "string", reflect.Float64: "number", reflect.Bool: "boolean"}[reflect.ValueOf(v).Kind()]
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		kind = "integer"
	}
	types := fmt.Sprint(s["type"])
	if s["type"] != nil && !strings.Contains(types, kind) && !(kind == "integer" && strings.Contains(types, "number")) {
		return []string{fmt.Sprintf("%s: %s, want %s", path, kind, types)}
	}
	if enum, ok := s["enum"].([]any); ok && !slices.Contains(enum, v) {
		out = append(out, fmt.Sprintf("%s: not one of %v", path, enum))
	}
	if c, ok := s["const"]; ok && c != v {
		out = append(out, fmt.Sprintf("%s: not %v", path, c))
	}
	switch v := v.(type) {
	case object:
		properties, _ := s["properties"].(object)
		for name, value := range v {
			at := strings.TrimPrefix(path+"."+name, ".")
			if p, ok := properties[name].(object); ok {
				out = append(out, misfits(root, p, value, at)...)
			} else if more, ok := s["additionalProperties"].(object); ok {
				out = append(out, misfits(root, more, value, at)...)
			} else {
				out = append(out, at+": unknown")
			}
		}
		required, _ := s["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				out = append(out, fmt.Sprintf("%s: %s is missing", path, name))
			}
		}
	case []any:
		for i, item := range v {
			out = append(out, misfits(root, s["items"].(object), item, fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	return out
}
