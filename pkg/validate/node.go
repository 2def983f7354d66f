package validate

import (
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// real returns the node that an alias stands for.
func real(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// field returns a map's field, and the line on which it begins; nil when it is not there.
func field(n *yaml.Node, name string) (*yaml.Node, int) {
	n = real(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, 0
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return real(n.Content[i+1]), n.Content[i].Line
		}
	}
	return nil, 0
}

// text returns the scalar at a path of field names, empty when there is none.
func text(n *yaml.Node, path ...string) string {
	for _, name := range path {
		n, _ = field(n, name)
	}
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// path is a field's place: names, and numbers of list items.
type path []any

func (p path) with(part any) path { return append(append(path{}, p...), part) }

// String writes it as spec.ports[0].port.
func (p path) String() string {
	var b strings.Builder
	for _, part := range p {
		switch part := part.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(part) + "]")
		case string:
			switch {
			case part == "":
				b.WriteString(`[""]`)
				continue
			case strings.Contains(part, "."):
				b.WriteString("[" + part + "]")
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(part)
		}
	}
	return b.String()
}

// identifying are the fields by which items of one list are told apart.
var identifying = []string{"name", "containerPort", "port", "mountPath", "protocol"}

// isSteps reports whether a document is a JSON patch.
func (d *document) isSteps() bool { return d.root.Kind == yaml.SequenceNode }

// place finds a field of an object in a document about it. It returns how many parts of
// the way to it were found, and the line of the last; -1 for none of a JSON patch.
func (d *document) place(object *yaml.Node, at path) (depth, line int) {
	if !d.isSteps() {
		return lineIn(d.root, object, at)
	}
	depth, line = -1, d.root.Line
	for _, step := range d.root.Content {
		names := strings.Split(text(step, "path"), "/")[1:]
		wanted, there := object, len(names) > 0 && text(step, "op") != "test"
		for i, name := range names {
			if there = there && i < len(at); !there {
				break
			}
			name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
			switch part := at[i].(type) {
			case string:
				there = part == name
				wanted, _ = field(wanted, part)
			case int: // - is behind the last, which it is then
				there = strconv.Itoa(part) == name || name == "-" && wanted != nil && part == len(wanted.Content)-1
				wanted = item(wanted, part)
			}
		}
		if !there || len(names) < depth {
			continue
		}
		_, line = field(step, "path")
		depth = len(names)
		if value, _ := field(step, "value"); value != nil && wanted != nil {
			if deeper, at := lineIn(value, wanted, at[depth:]); deeper > 0 {
				depth, line = depth+deeper, at
			}
		}
	}
	return depth, line
}

// lineIn is place for what has the form of the object: where list items stand
// elsewhere they are found by what identifies them.
func lineIn(there, object *yaml.Node, at path) (depth, line int) {
	line = there.Line
	for i, part := range at {
		var next *yaml.Node
		var nextLine int
		switch part := part.(type) {
		case string:
			next, nextLine = field(there, part)
			object, _ = field(object, part)
		case int:
			object = item(object, part)
			next = counterpart(there, object, part)
			if next != nil {
				nextLine = next.Line
			}
		}
		if next == nil {
			return i, line
		}
		there, line = next, nextLine
	}
	return len(at), line
}

func item(n *yaml.Node, i int) *yaml.Node {
	n = real(n)
	if n == nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
		return nil
	}
	return real(n.Content[i])
}

// counterpart returns the list's item that is about the same as the one wanted.
func counterpart(list, wanted *yaml.Node, i int) *yaml.Node {
	list = real(list)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	if own := item(list, i); wanted == nil || wanted.Kind != yaml.MappingNode || own == wanted {
		return own
	}
	for _, key := range identifying {
		value := text(wanted, key)
		if value == "" {
			continue
		}
		for _, c := range list.Content {
			if text(c, key) == value {
				return real(c)
			}
		}
	}
	return nil
}
