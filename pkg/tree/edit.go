package tree

import (
	"encoding/json"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
	k8syaml "sigs.k8s.io/yaml"
)

// walk follows a path as far as it leads: the node reached, the key that names
// it (nil for an element), the node that holds it, and how many steps were made.
func walk(root *yaml.Node, path []step) (node, key, parent *yaml.Node, steps int) {
	node = root
	for i, s := range path {
		var k, next *yaml.Node
		switch {
		case s.match != nil:
			for _, e := range elements(node) {
				if e.Kind == yaml.MappingNode && matches(s.match, func(name string) (string, bool) {
					v := get(e, name)
					return value(v), v != nil
				}) {
					next = e
				}
			}
		case s.field != "":
			k, next = pair(node, s.field)
		default:
			if list := elements(node); s.index < len(list) {
				next = list[s.index]
			}
		}
		if next == nil {
			return node, key, parent, i
		}
		parent, node, key = node, next, k
	}
	return node, key, parent, len(path)
}

// page is a file's lines, each with its end.
type page struct {
	lines []string
	eol   string
}

func newPage(data []byte) *page {
	p := &page{lines: strings.SplitAfter(string(data), "\n"), eol: "\n"}
	if strings.Contains(string(data), "\r\n") {
		p.eol = "\r\n"
	}
	if n := len(p.lines); n > 0 && p.lines[n-1] == "" {
		p.lines = p.lines[:n-1]
	}
	return p
}

func (p *page) bytes() []byte { return []byte(strings.Join(p.lines, "")) }

// replace puts one plain value in the place of another and touches nothing else
// of the line.
func (p *page) replace(n *yaml.Node, v any) bool {
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || n.Line < 1 || n.Line > len(p.lines) {
		return false
	}
	line := p.lines[n.Line-1]
	at := offset(line, n.Column)
	if at < 0 {
		return false
	}
	length := spelled(line[at:], n)
	if length < 0 {
		return false
	}
	text, ok := spell(v, n.Style)
	if !ok {
		return false
	}
	p.lines[n.Line-1] = line[:at] + text + line[at+length:]
	return true
}

// offset turns a column, counted in letters from 1, into bytes.
func offset(line string, column int) int {
	n := 1
	for i := range line {
		if n == column {
			return i
		}
		n++
	}
	return -1
}

// spelled is the length of a value's text at the beginning of rest; -1 where
// the text does not end on its line.
func spelled(rest string, n *yaml.Node) int {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := 1; i < len(rest); i++ {
			if rest[i] != '\'' {
				continue
			}
			if i+1 < len(rest) && rest[i+1] == '\'' {
				i++
				continue
			}
			return i + 1
		}
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && n.Value != "" && strings.HasPrefix(rest, n.Value):
		return len(n.Value)
	}
	return -1
}

// spell writes a plain value on one line, in the quotes that were there if it is text.
func spell(v any, style yaml.Style) (string, bool) {
	switch v.(type) {
	case map[string]any, []any:
		return "", false
	}
	if s, ok := v.(string); ok {
		if style&yaml.DoubleQuotedStyle != 0 {
			b, err := json.Marshal(s)
			return string(b), err == nil
		}
		if style&yaml.SingleQuotedStyle != 0 && !strings.Contains(s, "\n") {
			return "'" + strings.ReplaceAll(s, "'", "''") + "'", true
		}
	}
	b, err := k8syaml.Marshal(v)
	out := strings.TrimSuffix(string(b), "\n")
	return out, err == nil && !strings.Contains(out, "\n")
}

// insert adds what a path still lacks below node, which is as far as it leads.
// The line returned is the one that the new ones follow.
func (p *page) insert(node *yaml.Node, rest []step, v any) (int, bool) {
	if len(rest) == 0 {
		return 0, false
	}
	switch {
	case rest[0].match != nil && node.Kind == yaml.SequenceNode && len(node.Content) > 0 && node.Style&yaml.FlowStyle == 0:
		return p.below(node, node.Column, []any{build(rest, v)})
	case rest[0].field == "" || node.Kind != yaml.MappingNode:
		return 0, false
	case node.Style&yaml.FlowStyle != 0:
		return p.inline(node, rest, v)
	case len(node.Content) > 0:
		return p.below(node, node.Content[0].Column, build(rest, v))
	}
	return 0, false
}

// build is the value that has v at the end of a path.
func build(path []step, v any) any {
	if len(path) == 0 {
		return v
	}
	if m := path[0].match; m != nil {
		out := map[string]any{}
		for k, x := range m {
			out[k] = x
		}
		if rest, ok := build(path[1:], v).(map[string]any); ok {
			for k, x := range rest {
				out[k] = x
			}
		}
		return out
	}
	next := build(path[1:], v)
	if len(path) > 1 && path[1].match != nil {
		next = []any{next}
	}
	return map[string]any{path[0].field: next}
}

// below writes a value after the last line of node, from a column on.
func (p *page) below(node *yaml.Node, column int, v any) (int, bool) {
	added, ok := block(v, column, p.eol)
	if !ok {
		return 0, false
	}
	at := p.end(node, column-1)
	if at > 0 && !strings.HasSuffix(p.lines[at-1], "\n") {
		p.lines[at-1] += p.eol
	}
	p.lines = append(p.lines[:at:at], append(added, p.lines[at:]...)...)
	return at, true
}

// block writes a value on lines of its own, from a column on.
func block(v any, column int, eol string) ([]string, bool) {
	out, err := k8syaml.Marshal(v)
	if err != nil {
		return nil, false
	}
	var lines []string
	for l := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n"), "\n") {
		lines = append(lines, strings.Repeat(" ", column-1)+l+eol)
	}
	return lines, true
}

// end is the last line of a node whose lines are indented by indent or more.
func (p *page) end(n *yaml.Node, indent int) int {
	last := lastLine(n)
	for i := last; i < len(p.lines); i++ {
		body := strings.TrimLeft(p.lines[i], " ")
		if strings.TrimSpace(body) == "" {
			continue
		}
		if len(p.lines[i])-len(body) <= indent {
			break
		}
		last = i + 1
	}
	return min(last, len(p.lines))
}

func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}

// remove takes a field out, with all its lines where they are its own. The only
// field of a map stays.
func (p *page) remove(parent, key, val *yaml.Node) bool {
	if key == nil || parent == nil || parent.Kind != yaml.MappingNode || len(parent.Content) <= 2 {
		return false
	}
	if parent.Style&yaml.FlowStyle != 0 {
		return p.cut(key, val)
	}
	line := p.lines[key.Line-1]
	at := offset(line, key.Column)
	if at < 0 || strings.TrimLeft(line[:at], " ") != "" {
		return false
	}
	end := max(key.Line, p.end(val, key.Column-1))
	p.lines = append(p.lines[:key.Line-1:key.Line-1], p.lines[end:]...)
	return true
}
