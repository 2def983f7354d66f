package generate

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// decoder fills a struct from YAML by the rules of its json tags, and notes
// every field that is unknown, there twice or of the wrong kind. The strict
// decoders at hand stop at the first, and do not know the lines.
type decoder struct {
	problems []Problem
}

// maxProblems bounds the list for a file that is something else altogether.
const maxProblems = 20

func (d *decoder) add(line int, p Problem) {
	p.Line = line
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, p)
	}
}

// decode fills the struct that into points to.
func (d *decoder) decode(n *yaml.Node, into any) {
	d.value(n, reflect.ValueOf(into).Elem(), "")
}

func (d *decoder) value(n *yaml.Node, into reflect.Value, field string) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.add(n.Line, Problem{Field: field, Reason: "uses a YAML anchor or alias", Next: "write the value out"})
		return
	case n.Tag == "!!null":
		return // as absent, which is how the Kubernetes API reads it
	case n.Style&yaml.TaggedStyle != 0:
		d.add(n.Line, Problem{Field: field, Value: n.Tag, Reason: "is a YAML tag, which this file has no use for", Next: "remove it"})
		return
	}
	if into.CanAddr() {
		if own, ok := into.Addr().Interface().(json.Unmarshaler); ok {
			d.own(n, own, field)
			return
		}
	}
	switch into.Kind() {
	case reflect.Pointer:
		value := reflect.New(into.Type().Elem())
		d.value(n, value.Elem(), field)
		into.Set(value)
	case reflect.Struct:
		if d.wants(n, yaml.MappingNode, "a map of fields", field) {
			d.fields(n, into, field)
		}
	case reflect.Slice:
		if !d.wants(n, yaml.SequenceNode, `a list (each item after "- ")`, field) {
			return
		}
		list := reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content))
		for i, item := range n.Content {
			d.value(item, list.Index(i), fmt.Sprintf("%s[%d]", field, i))
		}
		into.Set(list)
	case reflect.String:
		if !d.wants(n, yaml.ScalarNode, "text", field) {
			return
		}
		if n.Tag != "!!str" {
			d.add(n.Line, Problem{Field: field, Value: n.Value, Reason: "is " + nodeKind(n) + " where text is wanted",
				Next: "put it in quotes: " + strconv.Quote(n.Value)})
			return
		}
		into.SetString(n.Value)
	case reflect.Int32, reflect.Int64:
		d.integer(n, into, field)
	case reflect.Bool:
		if !d.wants(n, yaml.ScalarNode, "true or false", field) {
			return
		}
		truth, err := strconv.ParseBool(n.Value)
		if n.Tag != "!!bool" || err != nil {
			d.add(n.Line, Problem{Field: field, Value: n.Value, Reason: "is " + nodeKind(n) + " where true or false is wanted", Next: "write true or false, without quotes"})
			return
		}
		into.SetBool(truth)
	case reflect.Map:
		if d.wants(n, yaml.MappingNode, "a map", field) {
			d.entries(n, into, field)
		}
	default:
		panic("generate: no decoding for " + into.Type().String()) // a field added to App without its rule
	}
}

// own decodes a value of a type that reads itself: a quantity, or a number or text.
func (d *decoder) own(n *yaml.Node, into json.Unmarshaler, field string) {
	if !d.wants(n, yaml.ScalarNode, "a number or text", field) {
		return
	}
	data := []byte(n.Value)
	if _, quantity := into.(*resource.Quantity); quantity || n.Tag != "!!int" || strings.Trim(n.Value, "-0123456789") != "" {
		data, _ = json.Marshal(n.Value) // of a text, which cannot fail
	}
	if err := into.UnmarshalJSON(data); err != nil {
		reason, next := "is not what this field takes", ""
		if _, quantity := into.(*resource.Quantity); quantity {
			reason, next = "is not a quantity", "such as 500m, 0.5, 64Mi or 1Gi"
		}
		d.add(n.Line, Problem{Field: field, Value: n.Value, Reason: reason, Next: next})
	}
}

// entries fills a map, whose keys are texts.
func (d *decoder) entries(n *yaml.Node, into reflect.Value, field string) {
	into.Set(reflect.MakeMapWithSize(into.Type(), len(n.Content)/2))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		path := field + "." + key.Value
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || key.Anchor != "":
			d.add(key.Line, Problem{Field: field, Reason: "uses a YAML feature that this file has no use for (a merge key, an anchor or a map as a key)", Next: "write the fields out"})
			continue
		case key.Tag != "!!str":
			d.add(key.Line, Problem{Field: shorten(path), Reason: "is " + nodeKind(key) + " where a name is wanted", Next: "put it in quotes: " + strconv.Quote(key.Value)})
			continue
		}
		name := reflect.ValueOf(key.Value).Convert(into.Type().Key())
		if into.MapIndex(name).IsValid() {
			d.add(key.Line, Problem{Field: path, Reason: "is there twice", Next: "remove one"})
			continue
		}
		item := reflect.New(into.Type().Elem()).Elem()
		d.value(value, item, path)
		into.SetMapIndex(name, item)
	}
}

func (d *decoder) integer(n *yaml.Node, into reflect.Value, field string) {
	const want = "a whole number"
	if !d.wants(n, yaml.ScalarNode, want, field) {
		return
	}
	number, err := strconv.ParseInt(n.Value, 10, 64)
	switch {
	case n.Tag == "!!str" && err == nil:
		d.add(n.Line, Problem{Field: field, Value: n.Value, Reason: "is text where " + want + " is wanted", Next: "remove the quotes"})
	case n.Tag != "!!int" || err != nil:
		d.add(n.Line, Problem{Field: field, Value: n.Value, Reason: "is not " + want})
	case into.OverflowInt(number):
		d.add(n.Line, Problem{Field: field, Value: n.Value, Reason: "is out of range"})
	default:
		into.SetInt(number)
	}
}

// wants notes a problem unless the node is of the kind that the field takes.
func (d *decoder) wants(n *yaml.Node, kind yaml.Kind, want, field string) bool {
	if n.Kind == kind {
		return true
	}
	d.add(n.Line, Problem{Field: field, Reason: "is " + nodeKind(n) + " where " + want + " is wanted"})
	return false
}

// fields fills a struct's fields from a map.
func (d *decoder) fields(n *yaml.Node, into reflect.Value, field string) {
	known := map[string]reflect.Value{}
	names := fieldNames(into, known)
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		path := key.Value
		if field != "" {
			path = field + "." + path
		}
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || key.Anchor != "" {
			d.add(key.Line, Problem{Field: field, Reason: "uses a YAML feature that this file has no use for (a merge key, an anchor or a map as a key)", Next: "write the fields out"})
			continue
		}
		target, ok := known[key.Value]
		if !ok {
			next := "one of " + strings.Join(names, ", ")
			if near := nearest.Name(key.Value, names); near != "" {
				next = "did you mean " + near + "?"
			}
			d.add(key.Line, Problem{Field: shorten(path), Reason: "unknown field", Next: next})
			continue
		}
		if first, twice := seen[key.Value]; twice {
			d.add(key.Line, Problem{Field: path, Reason: fmt.Sprintf("is there twice, first on line %d", first), Next: "remove one"})
			continue
		}
		seen[key.Value] = key.Line
		d.value(value, target, path)
	}
}

// fieldNames lists a struct's fields by the names of their json tags, those of
// structs inlined in it too.
func fieldNames(into reflect.Value, known map[string]reflect.Value) []string {
	var names []string
	for i := range into.NumField() {
		tag := into.Type().Field(i).Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case name == "" && (options == "inline" || into.Type().Field(i).Anonymous):
			names = append(names, fieldNames(into.Field(i), known)...)
		case name != "" && name != "-":
			known[name] = into.Field(i)
			names = append(names, name)
		}
	}
	return names
}

// nodeKind names what a node holds, for people.
func nodeKind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a map"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!bool":
		return "true or false"
	case n.Tag == "!!null":
		return "nothing"
	case n.Tag == "!!str":
		return "text"
	default:
		return "a " + strings.TrimPrefix(n.Tag, "!!")
	}
}
