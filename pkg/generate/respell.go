package generate

import (
	"bytes"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// respell changes the text of svcx.yaml from saying one App to saying another,
// both as encode writes them, and touches only what must change: a person's
// comments, order, blank lines and quotes stay. It knows how to change, add and
// remove a field of one line; false says that this was not enough.
//
// The result is to be parsed and compared: what cannot be told from the lines
// alone (a new value that means something else within [] or {}) shows there.
func respell(text, from, to []byte) ([]byte, bool) {
	root, problem := document(text)
	if problem != nil {
		return nil, false
	}
	old, oldProblem := document(from)
	new, newProblem := document(to)
	if oldProblem != nil || newProblem != nil {
		return nil, false
	}
	r := &respeller{lines: strings.SplitAfter(string(text), "\n")}
	if !r.value(root, old, new) {
		return nil, false
	}
	return r.apply(), true
}

// respeller collects changes to lines; applied from the last to the first, none
// shifts the place of another.
type respeller struct {
	lines []string
	edits []lineEdit
}

type lineEdit struct {
	line   int // from 0
	column int
	length int    // of what goes
	text   string // what comes
	after  bool   // text is a line of its own, after this one
	remove bool   // the whole line goes
}

// value brings the node there from what old says to what new says.
func (r *respeller) value(there, old, new *yaml.Node) bool {
	if old.Kind != new.Kind || there == nil || there.Kind != new.Kind {
		return same(old, new)
	}
	switch new.Kind {
	case yaml.MappingNode:
		return r.fields(there, old, new)
	case yaml.SequenceNode:
		if same(old, new) {
			return true
		}
		if len(old.Content) != len(new.Content) || len(there.Content) != len(new.Content) {
			return false
		}
		for i := range new.Content {
			if !r.value(there.Content[i], old.Content[i], new.Content[i]) {
				return false
			}
		}
		return true
	default:
		return same(old, new) || r.replace(there, new)
	}
}

func (r *respeller) fields(there, old, new *yaml.Node) bool {
	for i := 0; i < len(new.Content); i += 2 {
		name, wanted := new.Content[i], new.Content[i+1]
		was, is := field(old, name.Value), field(there, name.Value)
		switch {
		case was != nil && same(was, wanted):
		case is == nil:
			if !r.insert(there, name, wanted) {
				return false
			}
		case was == nil || !r.value(is, was, wanted):
			return false
		}
	}
	for i := 0; i < len(old.Content); i += 2 {
		name := old.Content[i].Value
		if field(new, name) == nil && field(there, name) != nil && !r.remove(there, name) {
			return false
		}
	}
	return true
}

// field returns the value of a map's field, nil when it is not there.
func field(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && a.Tag == b.Tag &&
		slices.EqualFunc(a.Content, b.Content, same)
}

// replace puts a value in the place of another, in its quotes or none.
func (r *respeller) replace(there, new *yaml.Node) bool {
	line, column := there.Line-1, there.Column-1
	length, ok := r.spelled(there)
	text, plain := spell(new)
	if !ok || !plain {
		return false
	}
	if old := r.lines[line][column]; (old == '"' || old == '\'') && new.Tag == "!!str" && !strings.ContainsAny(new.Value, "\"'\\") && strings.Trim(text, "\"'") == new.Value {
		text = string(old) + new.Value + string(old)
	}
	r.edits = append(r.edits, lineEdit{line: line, column: column, length: length, text: text})
	return true
}

// spelled returns the length of the text of a scalar, or of {}, in its line.
func (r *respeller) spelled(n *yaml.Node) (int, bool) {
	if n.Kind != yaml.ScalarNode && !emptyMap(n) || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Line < 1 || n.Line > len(r.lines) {
		return 0, false
	}
	line := r.lines[n.Line-1]
	// Columns count letters; with others than ASCII before it, it is not worth it.
	if n.Column < 1 || n.Column > len(line) || strings.ContainsFunc(line[:n.Column-1], func(c rune) bool { return c >= 0x80 }) {
		return 0, false
	}
	rest := line[n.Column-1:]
	if emptyMap(n) {
		return len("{}"), strings.HasPrefix(rest, "{}")
	}
	if quote := rest[0]; quote == '"' || quote == '\'' {
		// A value with a quote or an escape in it has another length than its text.
		end := strings.IndexByte(rest[1:], quote)
		return end + 2, end >= 0 && rest[1:end+1] == n.Value
	}
	return len(n.Value), n.Value != "" && strings.HasPrefix(rest, n.Value)
}

func emptyMap(n *yaml.Node) bool { return n.Kind == yaml.MappingNode && len(n.Content) == 0 }

// spell writes a scalar, or a map without fields, on one line.
func spell(n *yaml.Node) (string, bool) {
	if emptyMap(n) {
		return "{}", true
	}
	if n.Kind != yaml.ScalarNode {
		return "", false
	}
	c := *n
	if c.Tag == "!!str" {
		c = *textNode(n.Value)
	}
	var out bytes.Buffer
	if err := yaml.NewEncoder(&out).Encode(&c); err != nil {
		return "", false
	}
	text := strings.TrimSuffix(out.String(), "\n")
	return text, !strings.Contains(text, "\n")
}

// insert adds a field on a line of its own, below one of the same map.
func (r *respeller) insert(there, name, value *yaml.Node) bool {
	text, ok := spell(value)
	if !ok || there.Style&yaml.FlowStyle != 0 {
		return false
	}
	for i := 0; i+1 < len(there.Content); i += 2 {
		key, neighbour := there.Content[i], there.Content[i+1]
		if _, oneLine := r.spelled(neighbour); !oneLine || neighbour.Line != key.Line || !strings.HasSuffix(r.lines[key.Line-1], "\n") {
			continue
		}
		r.edits = append(r.edits, lineEdit{line: key.Line - 1, after: true, text: strings.Repeat(" ", key.Column-1) + name.Value + ": " + text + "\n"})
		return true
	}
	return false
}

// remove takes out a field that has its line to itself, and so has no comment.
func (r *respeller) remove(there *yaml.Node, name string) bool {
	for i := 0; i+1 < len(there.Content); i += 2 {
		key, value := there.Content[i], there.Content[i+1]
		if key.Value != name {
			continue
		}
		length, ok := r.spelled(value)
		if !ok || value.Line != key.Line || there.Style&yaml.FlowStyle != 0 {
			return false
		}
		line := r.lines[key.Line-1]
		if strings.TrimLeft(line[:key.Column-1], " ") != "" || strings.TrimSpace(line[value.Column-1+length:]) != "" {
			return false
		}
		r.edits = append(r.edits, lineEdit{line: key.Line - 1, remove: true})
		return true
	}
	return false
}

func (r *respeller) apply() []byte {
	slices.SortStableFunc(r.edits, func(x, y lineEdit) int {
		if x.line != y.line {
			return y.line - x.line
		}
		return y.column - x.column
	})
	lines := r.lines
	for _, e := range r.edits {
		switch line := lines[e.line]; {
		case e.after:
			// Below what may have become empty by now: the line keeps its place.
			lines[e.line] = line + e.text
		case e.remove:
			lines[e.line] = strings.TrimPrefix(line, r.firstLine(line))
		default:
			lines[e.line] = line[:e.column] + e.text + line[e.column+e.length:]
		}
	}
	return []byte(strings.Join(lines, ""))
}

// firstLine is the line itself, without those added below it.
func (r *respeller) firstLine(line string) string {
	return line[:strings.IndexByte(line+"\n", '\n')+1]
}
