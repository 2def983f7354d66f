package generate

import (
	"bytes"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// respell changes the text of svcx.yaml from saying one App to saying another,
// both as encode writes them, and touches only what must change: a person's
// comments, order, blank lines and quotes stay. It knows how to change a value of
// one line, to add and remove fields and items of lists, and to write anew those that
// it cannot change; false says that this was not enough. A comment within what is to go
// stops it, unless the generated lines win.
//
// The result is to be parsed and compared: what cannot be told from the lines
// alone (a new value that means something else within [] or {}) shows there.
func respell(text, from, to []byte, wins winner) ([]byte, bool) {
	old, oldProblem := document(from)
	new, newProblem := document(to)
	if oldProblem != nil || newProblem != nil {
		return nil, false
	}
	return respellTo(text, old, new, wins)
}

// respellTo is respell for what has been read already.
func respellTo(text []byte, old, new *yaml.Node, wins winner) ([]byte, bool) {
	root, problem := document(text)
	if problem != nil || bytes.ContainsAny(text, "\u0085\u2028\u2029") { // which YAML 1.1 takes for ends of lines
		return nil, false
	}
	r := &respeller{lines: strings.SplitAfter(string(text), "\n"), wins: wins}
	if !r.value(root, old, new) {
		return nil, false
	}
	return r.apply(), true
}

// respeller collects changes to lines.
type respeller struct {
	lines []string
	edits []lineEdit
	wins  winner
}

type lineEdit struct {
	line   int // from 0
	column int
	length int    // of what goes
	text   string // what comes
	after  bool   // text is lines of its own, after this one
	remove bool   // the whole line goes
}

// value brings the node there from what old says to what new says, or changes nothing.
func (r *respeller) value(there, old, new *yaml.Node) bool {
	edits := len(r.edits)
	if r.within(there, old, new) {
		return true
	}
	r.edits = r.edits[:edits]
	return false
}

func (r *respeller) within(there, old, new *yaml.Node) bool {
	if old.Kind != new.Kind || there == nil || there.Kind != new.Kind {
		return same(old, new)
	}
	switch new.Kind {
	case yaml.MappingNode:
		return r.fields(there, old, new)
	case yaml.SequenceNode:
		return same(old, new) || len(there.Content) == len(old.Content) && r.items(there, old, new)
	default:
		return same(old, new) || r.replace(there, new)
	}
}

func (r *respeller) fields(there, old, new *yaml.Node) bool {
	if len(new.Content) == 0 {
		return len(old.Content) == 0 // what is left of the lines would say nothing, not {}
	}
	var missing []int
	for i := 0; i < len(new.Content); i += 2 {
		name, wanted := new.Content[i], new.Content[i+1]
		was, is := field(old, name.Value), field(there, name.Value)
		switch {
		case was != nil && same(was, wanted):
			continue
		case is == nil:
			missing = append(missing, i)
			continue
		case was == nil:
			was = is // said in a way that says nothing: "" or []
		}
		if !r.value(is, was, wanted) && !r.renew(there, name, wanted) {
			return false
		}
	}
	for i := 0; i < len(old.Content); i += 2 {
		name := old.Content[i].Value
		if field(new, name) == nil && field(there, name) != nil && !r.remove(there, name) {
			return false
		}
	}
	// Last, so that they come below what was added within their neighbours.
	return len(missing) == 0 || r.insert(there, new, missing)
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
	if n.Column < 1 || n.Column > len(line) || !plainUntil(line, n.Column-1) {
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

// plainUntil reports whether a line is ASCII up to a column. Columns count letters;
// with others before it, it is not worth it.
func plainUntil(line string, column int) bool {
	return !strings.ContainsFunc(line[:column], func(c rune) bool { return c >= 0x80 })
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

func (r *respeller) apply() []byte {
	// Of a line from its end, so that none shifts the place of another.
	slices.SortStableFunc(r.edits, func(x, y lineEdit) int { return y.column - x.column })
	gone, below := make([]bool, len(r.lines)), make([]string, len(r.lines))
	for _, e := range r.edits {
		switch line := r.lines[e.line]; {
		case e.after:
			below[e.line] += e.text
		case e.remove:
			gone[e.line] = true
		default:
			r.lines[e.line] = line[:e.column] + e.text + line[e.column+e.length:]
		}
	}
	var out strings.Builder
	for i, line := range r.lines {
		if !gone[i] {
			out.WriteString(line)
			if below[i] != "" && !strings.HasSuffix(line, "\n") {
				out.WriteString("\n")
			}
		}
		out.WriteString(below[i])
	}
	return []byte(out.String())
}
