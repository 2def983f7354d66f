package generate

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// typeDocs are the doc comments of this package's types and their fields, by
// "Type" and "Type.field" (as in JSON).
type typeDocs map[string]string

func readDocs(t *testing.T) typeDocs {
	docs := typeDocs{}
	for _, file := range []string{"spec.go", "spec_workload.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				continue
			}
			for _, spec := range decl.Specs {
				docs.read(t, spec.(*ast.TypeSpec), decl.Doc)
			}
		}
	}
	return docs
}

func (docs typeDocs) read(t *testing.T, spec *ast.TypeSpec, doc *ast.CommentGroup) {
	docs[spec.Name.Name] = oneLine(doc.Text())
	body, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range body.Fields.List {
		name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
		text := oneLine(f.Doc.Text())
		if text == "" {
			t.Errorf("%s.%s has no doc comment", spec.Name.Name, name)
		}
		// A comment begins with the Go name; readers of the file know the other.
		if rest, ok := strings.CutPrefix(text, f.Names[0].Name+" "); ok {
			text = name + " " + rest
		}
		docs[spec.Name.Name+"."+name] = text
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// of is what is said of a type, or of a field of it; of the Kubernetes API's own
// types it is the first sentence of what the API says.
func (docs typeDocs) of(t reflect.Type, field string) string {
	if own(t) {
		if field == "" {
			return docs[t.Name()]
		}
		return docs[t.Name()+"."+field]
	}
	documented, ok := reflect.New(t).Interface().(interface{ SwaggerDoc() map[string]string })
	if !ok {
		return ""
	}
	text := oneLine(documented.SwaggerDoc()[field])
	if end := sentence.FindStringIndex(text); end != nil {
		text = text[:end[0]+1]
	}
	return text
}

var sentence = regexp.MustCompile(`\. [A-Z+]`)

// reference is docs/svcx-yaml.md.
func reference(t *testing.T) []byte {
	docs := readDocs(t)
	var b strings.Builder
	fmt.Fprintf(&b, `# svcx.yaml, field by field

<!-- Generated from the doc comments of pkg/generate; go test ./pkg/generate -run TestReference -update writes it. -->

%[1]s at the root of a tree records what was asked; "kubectl svcx generate --dir DIR"
generates the tree from it again. Flags write it: those of single fields, --set
FIELD=VALUE for any field, and --overlay for environments. Fields are named as in
the Kubernetes API wherever it has one, and types such as EnvVar are the API's own
("kubectl explain pod.spec.containers.env"). An unknown field is an error.

"kubectl svcx schema" prints its JSON Schema. An editor with the YAML language
server completes and checks the file with this comment in it:

    # yaml-language-server: $schema=svcx.schema.json

An example with environments:

%[2]syaml
%[3]s%[2]s
`, SpecFile, "```", example)
	seen := map[reflect.Type]bool{}
	queue := []reflect.Type{reflect.TypeFor[App]()}
	for len(queue) > 0 {
		typ := queue[0]
		queue = queue[1:]
		if seen[typ] {
			continue
		}
		seen[typ] = true
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| field | type | |\n|---|---|---|\n", typ.Name(), docs[typ.Name()])
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			text := strings.TrimPrefix(docs[typ.Name()+"."+name], name+" ")
			if options == "" && name != "service" {
				text += " Required."
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, typeName(f.Type), strings.ReplaceAll(text, "|", `\|`))
			inner := f.Type
			for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if own(inner) && inner.Kind() == reflect.Struct && !slices.Contains(queue, inner) {
				queue = append(queue, inner)
			}
		}
	}
	return []byte(b.String())
}

const example = `apiVersion: svcx/v1alpha1
kind: App
metadata:
  name: redis
spec:
  workload:
    image: redis:alpine
    replicas: 2
  service:
    name: redis-svc
    ports:
    - port: 6379
  overlays:
  - name: dev
    namespace: dev
  - name: prod
    type: LoadBalancer
    namespace: shop
    replicas: 3
    image: redis:8-alpine
`

// typeName is how people call a type.
func typeName(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return typeName(t.Elem())
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Map:
		return "map to " + typeName(t.Elem())
	case t.Name() == "IntOrString":
		return "number or text"
	case own(t) && t.Kind() == reflect.Struct:
		return fmt.Sprintf("[%s](#%s)", t.Name(), strings.ToLower(t.Name()))
	case t.Kind() == reflect.String && t.PkgPath() == "", enums[t] != nil, own(t):
		return "text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int32, t.Kind() == reflect.Int64:
		return "number"
	}
	return t.Name()
}

// The reference is what the comments say.
func TestReference(t *testing.T) {
	if _, err := ParseApp([]byte(example), "example"); err != nil {
		t.Error(err)
	}
	compareFile(t, filepath.Join(docsDir, "svcx-yaml.md"), reference(t))
}
