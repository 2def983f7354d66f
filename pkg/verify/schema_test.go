package verify

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

const verdictSchemaFile = "../../docs/verdict.schema.json"

type object = map[string]any

// verdictEnums are the values of the types that have a few. What may grow
// within a version, such as checks and paths, is any text.
var verdictEnums = map[reflect.Type][]any{
	reflect.TypeFor[State]():          {StateProven, StateFailed, StateNotProven, StateNotProbed},
	reflect.TypeFor[Severity]():       {SeverityFailure, SeverityWarning, SeverityNote},
	reflect.TypeFor[probe.Location](): {probe.FromHere, probe.FromTunnel, probe.FromCluster},
}

// verdictFields add to single fields what their types do not tell.
var verdictFields = map[string]object{
	"Verdict.apiVersion":   {"const": VerdictAPIVersion},
	"Verdict.kind":         {"const": "Verdict"},
	"Verdict.state":        {"enum": []any{StateProven, StateFailed, StateNotProven}},
	"ServiceVerdict.state": {"enum": []any{StateProven, StateFailed, StateNotProven}},
	"Verdict.seconds":      {"minimum": 0},

	"CheckResult.chanceMissed": {"minimum": 0, "maximum": 1},
	"PortSummary.port":         {"minimum": 1, "maximum": 65535},
	"PortSummary.nodePort":     {"minimum": 1, "maximum": 65535},
	"Source.line":              {"minimum": 1},
	"Finding.id":               {"pattern": "^(SVC[0-9]{3})?$"},
}

// verdictSchemas builds the JSON Schema of Verdict from the types, with their
// comments. Unknown fields are allowed: a version may gain some.
type verdictSchemas struct {
	t           *testing.T
	docs        map[string]string
	definitions object
}

func (s *verdictSchemas) of(t reflect.Type) object {
	if values, ok := verdictEnums[t]; ok {
		return object{"type": "string", "enum": values}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int32:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map: // from names
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		if _, done := s.definitions[t.Name()]; !done {
			definition := object{"type": "object", "description": s.docs[t.Name()]}
			s.definitions[t.Name()] = definition
			properties, required := object{}, []string{}
			s.fields(t, properties, &required)
			definition["properties"], definition["required"] = properties, required
		}
		return object{"$ref": "#/definitions/" + t.Name()}
	}
	s.t.Fatalf("no schema for %s", t)
	return nil
}

func (s *verdictSchemas) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			s.fields(f.Type, properties, required)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := s.of(f.Type)
		if p["$ref"] != nil {
			p = object{"allOf": []any{p}} // draft 7 takes nothing beside a $ref
		}
		for k, v := range verdictFields[t.Name()+"."+name] {
			p[k] = v
		}
		if d := s.docs[t.Name()+"."+f.Name]; d != "" {
			p["description"] = d
		}
		properties[name] = p
		if options == "" {
			*required = append(*required, name)
		}
	}
}

// typeComments are the comments of types and fields, by "Type" and "Type.Field".
func typeComments(t *testing.T, files ...string) map[string]string {
	t.Helper()
	oneLine := func(groups ...*ast.CommentGroup) string {
		text := ""
		for _, g := range groups {
			text += " " + g.Text()
		}
		return strings.Join(strings.Fields(text), " ")
	}
	out := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				continue
			}
			spec := decl.Specs[0].(*ast.TypeSpec)
			out[spec.Name.Name] = oneLine(decl.Doc)
			if body, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range body.Fields.List {
					for _, n := range f.Names {
						out[spec.Name.Name+"."+n.Name] = oneLine(f.Doc, f.Comment)
					}
				}
			}
		}
	}
	return out
}

func verdictSchema(t *testing.T) []byte {
	s := &verdictSchemas{t: t, docs: typeComments(t, "verdict.go", "snapshot.go"), definitions: object{}}
	root := s.of(reflect.TypeFor[Verdict]())
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Verdict of kubectl svcx verify -o json, " + VerdictAPIVersion
	root["definitions"] = s.definitions
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(root); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The published schema is that of the types as they are.
func TestVerdictSchema(t *testing.T) {
	want := verdictSchema(t)
	if *update {
		if err := os.WriteFile(verdictSchemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(verdictSchemaFile)
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("%s is not what the types and their comments say (%v); go test ./pkg/verify -run %s -update writes it", verdictSchemaFile, err, t.Name())
	}
}

// compiledVerdictSchema is the schema, ready to validate.
func compiledVerdictSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(verdictSchema(t)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("verdict.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("verdict.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// Every verdict that the rules' cases give fits the schema, and what is no
// verdict does not.
func TestVerdictsFitTheSchema(t *testing.T) {
	schema := compiledVerdictSchema(t)
	files, err := filepath.Glob("testdata/verdicts/*.yaml")
	if err != nil || len(files) < 100 {
		t.Fatal(len(files), err)
	}
	states := map[any]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if data, err = yaml.YAMLToJSON(data); err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		state := v.(object)["state"]
		v = object{"apiVersion": VerdictAPIVersion, "kind": "Verdict", "state": state, "services": []any{v}}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		states[state]++
	}
	if states["proven"] == 0 || states["failed"] == 0 || states["not-proven"] == 0 {
		t.Errorf("the cases have %v", states)
	}
	for what, text := range map[string]string{
		"another version":   `{"apiVersion":"svcx/v2","kind":"Verdict","state":"proven","services":[]}`,
		"no services":       `{"apiVersion":"svcx/v1alpha1","kind":"Verdict","state":"proven"}`,
		"null for services": `{"apiVersion":"svcx/v1alpha1","kind":"Verdict","state":"proven","services":null}`,
		"another state":     `{"apiVersion":"svcx/v1alpha1","kind":"Verdict","state":"not-probed","services":[]}`,
		"a bare service":    `{"apiVersion":"svcx/v1alpha1","kind":"Verdict","state":"failed","services":[{"name":"a"}]}`,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(v) == nil {
			t.Errorf("%s fits", what)
		}
	}
}
