package generate

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Set sets one field of svcx.yaml from a text FIELD=VALUE, such as
// "service.externalTrafficPolicy=Local": any field, by its path in the file (the
// leading "spec." may be left out), with a value as the file would hold it.
// "service.ports[0].nodePort=30080" reaches into a list, whose next index adds to
// it; behind a map's name stands its key, dots and all:
// "service.annotations.example.com/owner=team-a". An empty value removes the field,
// or the item of a list, and changes nothing where there is none. What cannot be set
// is an *InvalidError.
func (a *App) Set(assignment string) error {
	name, value, ok := strings.Cut(assignment, "=")
	field := SetField(name)
	if name == "" || !ok {
		return &InvalidError{Problems: []Problem{{Reason: fmt.Sprintf("%q is not FIELD=VALUE", shorten(assignment)), Next: "such as service.externalTrafficPolicy=Local"}}}
	}
	body, err := encode(a)
	if err != nil {
		return err
	}
	root, problem := document(body)
	if problem != nil {
		return &InvalidError{Problems: []Problem{*problem}}
	}
	s := setter{field: field, value: value}
	if err := s.set(root, reflect.TypeOf(*a), "", field); err != nil {
		return err
	}
	b := &App{}
	d := &decoder{}
	d.decode(root, b)
	if len(d.problems) > 0 {
		for i := range d.problems {
			d.problems[i].Line = 0 // of no file
		}
		return &InvalidError{Problems: d.problems}
	}
	*a = *b
	return nil
}

// SetField is the path in svcx.yaml of the field that Set is given by a name.
func SetField(name string) string {
	if first := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '[' }); len(first) > 0 && first[0] != "metadata" && first[0] != "spec" {
		return "spec." + name
	}
	return name
}

type setter struct{ field, value string }

var pathPart = regexp.MustCompile(`^([^.\[\]]+)((?:\[\d+\])*)(?:\.|$)`)

func (s setter) wrong(path, reason, next string) error {
	return &InvalidError{Problems: []Problem{{Field: path, Reason: reason, Next: next}}}
}

// set sets the field that rest names within a map; t is the type behind it, nil
// when that is not known.
func (s setter) set(n *yaml.Node, t reflect.Type, path, rest string) error {
	t = behind(t)
	if t != nil && t.Kind() == reflect.Map {
		s.put(n, rest, t.Elem())
		return nil
	}
	m := pathPart.FindStringSubmatch(rest)
	if m == nil {
		return s.wrong(s.field, "is not the path of a field", "such as service.ports[0].nodePort")
	}
	name, indices, rest := m[1], m[2], rest[len(m[0]):]
	if path != "" {
		path += "."
	}
	path += name
	types := fieldTypes(t)
	t = types[name]
	if indices == "" && rest == "" && (s.value != "" || t != nil || field(n, name) != nil) {
		s.put(n, name, t)
		return nil
	}
	child := field(n, name)
	if child == nil && s.value == "" {
		if t == nil && len(types) > 0 {
			return s.wrong(path, "unknown field"+didYouMean(name, slices.Sorted(maps.Keys(types))), "")
		}
		return nil // what is not there need not be removed
	}
	if child == nil {
		child = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if indices != "" {
			child = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		}
		n.Content = append(n.Content, textNode(name), child)
	}
	places := strings.FieldsFunc(indices, func(r rune) bool { return r == '[' || r == ']' })
	for i, index := range places {
		if child.Kind != yaml.SequenceNode {
			return s.wrong(path, "is not a list", "leave the ["+index+"] out")
		}
		at, err := strconv.Atoi(index)
		if err != nil {
			return s.wrong(path+"["+index+"]", "is no place in a list", "the first is [0]")
		}
		if s.value == "" && at >= len(child.Content) {
			return nil
		}
		if at > len(child.Content) {
			return s.wrong(path+"["+index+"]", fmt.Sprintf("is beyond the end of a list of %d", len(child.Content)), fmt.Sprintf("[%d] adds to it", len(child.Content)))
		}
		path += "[" + index + "]"
		if t = behind(t); t != nil && t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if at == len(child.Content) {
			child.Content = append(child.Content, &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"})
		}
		switch last := rest == "" && i == len(places)-1; {
		case last && s.value == "":
			child.Content = slices.Delete(child.Content, at, at+1)
			return nil
		case last:
			child.Content[at] = s.node(t)
			return nil
		}
		child = child.Content[at]
	}
	if child.Kind != yaml.MappingNode {
		return s.wrong(path, "is "+nodeKind(child)+", which has no fields", "")
	}
	return s.set(child, t, path, rest)
}

// put gives a map's field its value, or takes it out.
func (s setter) put(n *yaml.Node, name string, t reflect.Type) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != name {
			continue
		}
		if s.value == "" {
			n.Content = append(n.Content[:i], n.Content[i+2:]...)
		} else {
			n.Content[i+1] = s.node(t)
		}
		return
	}
	if s.value != "" {
		n.Content = append(n.Content, textNode(name), s.node(t))
	}
}

// node is the value as YAML: what stands where a text is wanted is one.
func (s setter) node(t reflect.Type) *yaml.Node {
	if t = behind(t); t != nil && t.Kind() == reflect.String {
		return textNode(s.value)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(s.value), &doc); err != nil || len(doc.Content) != 1 {
		return textNode(s.value)
	}
	return doc.Content[0]
}

// behind is the type that pointers lead to.
func behind(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// fieldTypes are the types of a struct's fields, by the names of their json tags;
// none for what is no struct.
func fieldTypes(t reflect.Type) map[string]reflect.Type {
	if t = behind(t); t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	types := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && (options == "inline" || f.Anonymous):
			maps.Copy(types, fieldTypes(f.Type))
		case name != "" && name != "-":
			types[name] = f.Type
		}
	}
	return types
}
