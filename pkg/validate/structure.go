package validate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// checker holds a document against its schema.
type checker struct {
	kinds   *catalogue
	file    string
	object  string
	partial bool // a patch: nothing is required, and kustomize's directives may be there
	out     []Finding
}

func (c *checker) add(line int, at path, message, next string) {
	const most = 50 // a file that is something else altogether
	if len(c.out) < most {
		c.out = append(c.out, Finding{File: c.file, Line: line, Object: c.object, Field: at.String(), Severity: Error, Rule: "schema", Message: message, Next: next, at: at})
	}
}

func (c *checker) warn(line int, at path, message, next string) {
	c.out = append(c.out, Finding{File: c.file, Line: line, Object: c.object, Field: at.String(), Severity: Warning, Rule: "schema", Message: message, Next: next, at: at})
}

// structure checks one object, or a patch of one.
func structure(kinds *catalogue, d *document, partial bool) []Finding {
	c := &checker{kinds: kinds, file: d.file, object: objectName(d.root), partial: partial}
	if d.root.Kind != yaml.MappingNode {
		c.add(d.root.Line, nil, "holds "+nodeKind(d.root)+", not an object", "an object begins with apiVersion and kind")
		return c.out
	}
	apiVersion, kind := text(d.root, "apiVersion"), text(d.root, "kind")
	if apiVersion == "" || kind == "" {
		for _, name := range []string{"apiVersion", "kind"} {
			switch n, line := field(d.root, name); {
			case n == nil:
				c.add(d.root.Line, path{name}, "is missing", "")
			case n.Kind != yaml.ScalarNode:
				c.add(line, path{name}, "is "+nodeKind(n)+" where text is wanted", "")
			case text(d.root, name) == "":
				c.add(line, path{name}, "is empty", "such as "+map[string]string{"apiVersion": "apps/v1", "kind": "Deployment"}[name])
			}
		}
		return c.out
	}
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		c.add(d.root.Line, path{"apiVersion"}, fmt.Sprintf("%q is not GROUP/VERSION", apiVersion), "")
		return c.out
	}
	def, known := c.kinds.kinds[gv.WithKind(kind)]
	switch {
	case !known && c.kinds.builtIn(gv.Group):
		_, line := field(d.root, "kind")
		c.add(line, path{"kind"}, fmt.Sprintf("Kubernetes %s has no kind %q in %s", c.kinds.Version, kind, apiVersion), c.kinds.unknownKind(gv.WithKind(kind)))
	case !known:
		c.out = append(c.out, Finding{File: d.file, Line: d.root.Line, Object: c.object, Severity: Note, Rule: "custom-resource",
			Message: "is of a kind that Kubernetes does not bring itself; its fields were not checked"})
		c.duplicates(d.root, nil)
	default:
		c.value(d.root, def, nil)
	}
	if known && !partial && !strings.HasSuffix(kind, "List") && text(d.root, "metadata", "name") == "" && text(d.root, "metadata", "generateName") == "" {
		c.add(d.root.Line, path{"metadata", "name"}, "is missing", "")
	}
	return c.out
}

// duplicates looks for fields that are there twice where no schema is known.
func (c *checker) duplicates(n *yaml.Node, at path) {
	n = real(n)
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i++ {
		if n.Kind == yaml.SequenceNode {
			c.duplicates(n.Content[i], at.with(i))
			continue
		}
		if i+1 >= len(n.Content) {
			return
		}
		c.twice(seen, n.Content[i], at)
		c.duplicates(n.Content[i+1], at.with(n.Content[i].Value))
		i++
	}
}

func (c *checker) twice(seen map[string]int, key *yaml.Node, at path) bool {
	first, twice := seen[key.Value]
	if twice {
		c.add(key.Line, at.with(key.Value), fmt.Sprintf("is there twice, first on line %d", first), "remove one")
		return true
	}
	seen[key.Value] = key.Line
	return false
}

func (c *checker) value(n *yaml.Node, def *definition, at path) {
	def, name := c.kinds.resolve(def)
	n = real(n)
	if def == nil || n.Tag == "!!null" {
		return // absent, to the API
	}
	switch {
	case strings.HasSuffix(name, "intstr.IntOrString"):
		if _, older := olderBool(n); older {
			c.ambiguous(n, at)
		} else if n.Tag == "!!int" || n.Tag == "!!float" {
			c.integer(n, true, at)
		} else if n.Tag != "!!str" {
			c.add(n.Line, at, "is "+nodeKind(n)+" where a number or a name is wanted", unquoted(n))
		}
		return
	case strings.HasSuffix(name, "resource.Quantity"):
		c.quantity(n, at)
		return
	case def.Type == "" || def.PreserveUnknownFields:
		c.duplicates(n, at)
		return
	}
	switch def.Type {
	case "object":
		c.mapping(n, def, at)
	case "array":
		if n.Kind != yaml.SequenceNode {
			c.add(n.Line, at, "is "+nodeKind(n)+` where a list is wanted`, `each item goes after "- "`)
			return
		}
		for i, item := range n.Content {
			if !(c.partial && isDirective(item)) {
				c.value(item, def.Items, at.with(i))
			}
		}
	default:
		c.scalar(n, def, at)
	}
}

// isDirective reports whether a list item only tells kustomize what to do with the list.
func isDirective(n *yaml.Node) bool {
	d, _ := field(n, "$patch")
	return d != nil
}

// mapping checks a struct or a map.
func (c *checker) mapping(n *yaml.Node, def *definition, at path) {
	if n.Kind != yaml.MappingNode {
		c.add(n.Line, at, "is "+nodeKind(n)+" where a map of fields is wanted", "")
		return
	}
	seen := map[string]int{}
	names := slices.Sorted(maps.Keys(def.Properties)) // of names equally near, always the same
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if c.twice(seen, key, at) || c.partial && strings.HasPrefix(key.Value, "$") {
			continue
		}
		prop := def.Properties[key.Value]
		switch {
		case prop != nil:
			c.value(value, prop, at.with(key.Value))
		case def.AdditionalProperties != nil:
			if name := fieldName(key); name != key.Value {
				c.warn(key.Line, at.with(key.Value), fmt.Sprintf("%s without quotes is %q to kubectl", key.Value, name), "put it in quotes: "+strconv.Quote(key.Value))
			}
			c.value(value, def.AdditionalProperties, at.with(key.Value))
		case len(def.Properties) == 0:
			// Free-form, such as a RawExtension or managedFields' fieldsV1.
		default:
			next := ""
			if near := nearest.Name(key.Value, names); near != "" {
				next = "did you mean " + near + "?"
			}
			c.add(key.Line, at.with(key.Value), "unknown field", next)
		}
	}
	if c.partial {
		return
	}
	for _, name := range def.Required {
		if v, _ := field(n, name); v == nil || v.Tag == "!!null" {
			c.add(n.Line, at.with(name), "is missing", "")
		}
	}
}

func (c *checker) scalar(n *yaml.Node, def *definition, at path) {
	want := map[string]string{"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}[def.Type]
	if n.Kind != yaml.ScalarNode {
		c.add(n.Line, at, "is "+nodeKind(n)+" where "+want+" is wanted", "")
		return
	}
	switch def.Type {
	case "string":
		c.string(n, def, at)
	case "boolean":
		truth, older := olderBool(n)
		next := unquoted(n)
		if older {
			next = fmt.Sprintf("write %t", truth)
		}
		if n.Tag != "!!bool" && !(older && !c.partial) { // kustomize, which reads patches, takes yes for text
			c.add(n.Line, at, fmt.Sprintf("%s is %s where true or false is wanted", show(n.Value), nodeKind(n)), next)
		}
	case "integer":
		c.integer(n, def.Format == "int32", at)
	case "number":
		if n.Tag != "!!int" && n.Tag != "!!float" {
			c.add(n.Line, at, fmt.Sprintf("%s is %s where a number is wanted", show(n.Value), nodeKind(n)), unquoted(n))
		}
	}
}

// integer checks a whole number as the JSON that kubectl makes of it: 80.0 is one.
func (c *checker) integer(n *yaml.Node, short bool, at path) {
	data, err := json.Marshal(plain(n))
	number := string(data)
	whole := err == nil && !strings.ContainsAny(number, ".e")
	if n.Tag != "!!int" && n.Tag != "!!float" || !whole {
		c.add(n.Line, at, fmt.Sprintf("%s is %s where a whole number is wanted", show(n.Value), nodeKind(n)), unquoted(n))
		return
	}
	bits := 64
	if short {
		bits = 32
	}
	if _, err := strconv.ParseInt(number, 10, bits); err != nil {
		c.add(n.Line, at, n.Value+" is out of range", fmt.Sprintf("write a number that %d bits hold", bits))
	}
}

func unquoted(n *yaml.Node) string {
	switch {
	case foreign(n):
		return "remove the tag " + n.Tag
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return "remove the quotes"
	}
	return ""
}

// foreign reports whether a value has a tag of somebody's own, which is no part of
// YAML. A Kubernetes reader takes what has one for text.
func foreign(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") && n.Tag != "!"
}

func (c *checker) string(n *yaml.Node, def *definition, at path) {
	unmarked := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	switch {
	case n.Tag == "!!timestamp" && def.Format == "date-time":
	case n.Tag == "!!merge": // << as a value is text; only as a key it is more
	case foreign(n):
		c.warn(n.Line, at, "has the tag "+n.Tag+", which means nothing here", "remove it")
	case n.Tag != "!!str" && n.Tag != "!!timestamp" && n.Tag != "!!binary" && n.Tag != "!":
		c.add(n.Line, at, fmt.Sprintf("%s is %s where text is wanted", show(n.Value), nodeKind(n)), "put it in quotes: "+strconv.Quote(n.Value))
		return
	case unmarked && n.Tag == "!!str" && yaml.IsYaml1_1NonString(n):
		c.ambiguous(n, at)
		return
	}
	if def.Format == "byte" {
		// JSON writes bytes as base64; !!binary is decoded before it is written as JSON.
		if value, text := plain(n).(string); !text || !isBase64(value) {
			next := ""
			if len(at) > 0 && at[0] == "data" {
				next = "write plain text under stringData"
			}
			c.add(n.Line, at, show(n.Value)+" is not base64", next)
		}
		return
	}
	if def.Format == "date-time" {
		if _, err := time.Parse(time.RFC3339, n.Value); err != nil {
			c.add(n.Line, at, show(n.Value)+" is not a time", "such as 2026-01-02T15:04:05Z")
		}
	}
	if len(def.Enum) == 0 || slices.Contains(def.Enum, n.Value) || c.partial && n.Value == "" {
		return
	}
	next := "one of " + strings.Join(def.Enum, ", ")
	if near := nearest.Name(n.Value, def.Enum); near != "" {
		next = "did you mean " + near + "? " + next
	}
	c.add(n.Line, at, show(n.Value)+" is not a value of this field", next)
}

func isBase64(s string) bool {
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil
}

// ambiguous tells of a word that is text to one YAML reader and no text to another.
func (c *checker) ambiguous(n *yaml.Node, at path) {
	c.add(n.Line, at, fmt.Sprintf("%s without quotes is not text to every YAML reader (kubectl's reads it as true, false or a number)", show(n.Value)), "put it in quotes: "+strconv.Quote(n.Value))
}

func (c *checker) quantity(n *yaml.Node, at path) {
	if n.Kind != yaml.ScalarNode {
		c.add(n.Line, at, "is "+nodeKind(n)+" where a quantity is wanted", "such as 500m or 128Mi")
		return
	}
	value := n.Value
	if n.Tag == "!!int" || n.Tag == "!!float" { // 1_000 is 1000 by the time that the API reads it
		if data, err := json.Marshal(plain(n)); err == nil {
			value = string(data)
		}
	}
	if _, err := resource.ParseQuantity(value); err != nil {
		c.add(n.Line, at, show(n.Value)+" is not a quantity", "such as 500m or 128Mi")
	}
}

// objectName is Kind/name.
func objectName(root *yaml.Node) string {
	kind, name := text(root, "kind"), text(root, "metadata", "name")
	switch {
	case kind == "":
		return ""
	case name == "":
		return printable(kind)
	}
	return printable(kind + "/" + name)
}

// show quotes a value for a message, shortened.
func show(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}

// printable keeps what a file holds from acting on a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// nodeKind names what a node holds, for people. A timestamp is one only to YAML: an API
// server is sent text.
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
	default:
		return "text"
	}
}
