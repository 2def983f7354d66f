package tree

import (
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// each makes a list what v says by changing single values of its elements, so
// that comments and the order of fields stay; false when more has to change.
func (p *page) each(n *yaml.Node, v any) bool {
	want, ok := v.([]any)
	if !ok || n.Kind != yaml.SequenceNode || len(n.Content) != len(want) {
		return false
	}
	changed := false
	for i, e := range n.Content {
		elem, ok := want[i].(map[string]any)
		if !ok || e.Kind != yaml.MappingNode {
			return false
		}
		for _, k := range slices.Sorted(maps.Keys(elem)) {
			have := get(e, k)
			switch {
			case have == nil && k == "protocol" && elem[k] == "TCP": // the default
			case have == nil:
				return false
			case value(have) != scalar(elem[k]):
				if !p.replace(have, elem[k]) {
					return false
				}
				changed = true
			}
		}
	}
	return changed
}

// rewrite puts a whole list in the place of another.
func (p *page) rewrite(n *yaml.Node, v any) bool {
	list, ok := v.([]any)
	if !ok || len(list) == 0 || n.Kind != yaml.SequenceNode || n.Anchor != "" || n.Line < 1 || n.Line > len(p.lines) {
		return false
	}
	line := p.lines[n.Line-1]
	at := offset(line, n.Column)
	if at < 0 {
		return false
	}
	if n.Style&yaml.FlowStyle != 0 {
		length, text := closed(line[at:]), flow(v)
		if length < 0 || text == "" {
			return false
		}
		p.lines[n.Line-1] = line[:at] + text + line[at+length:]
		return true
	}
	if strings.TrimLeft(line[:at], " ") != "" {
		return false
	}
	end := p.end(n, n.Column-1)
	after := slices.Clone(p.lines[end:])
	p.lines = p.lines[:n.Line-1]
	added, ok := block(v, n.Column, p.eol)
	p.lines = append(append(p.lines, added...), after...)
	return ok
}

// inline adds a field to a map written in braces.
func (p *page) inline(node *yaml.Node, rest []step, v any) (int, bool) {
	built, ok := build(rest, v).(map[string]any)
	line := p.lines[node.Line-1]
	at := offset(line, node.Column)
	if !ok || at < 0 || line[at] != '{' {
		return 0, false
	}
	text := flow(built[rest[0].field])
	if text == "" {
		return 0, false
	}
	added := rest[0].field + ": " + text
	if len(node.Content) > 0 {
		added += ", "
	}
	p.lines[node.Line-1] = line[:at+1] + added + line[at+1:]
	return node.Line, true
}

// cut takes a field out of a map written in braces on one line.
func (p *page) cut(key, val *yaml.Node) bool {
	if val.Line != key.Line || key.Line < 1 || key.Line > len(p.lines) {
		return false
	}
	line := p.lines[key.Line-1]
	from, at := offset(line, key.Column), offset(line, val.Column)
	if from < 0 || at < 0 {
		return false
	}
	length := closed(line[at:])
	if val.Kind == yaml.ScalarNode {
		length = spelled(line[at:], val)
	}
	if length < 0 {
		return false
	}
	before, after := line[:from], line[at+length:]
	if rest := strings.TrimLeft(after, " "); strings.HasPrefix(rest, ",") {
		after = strings.TrimLeft(rest[1:], " ")
	} else if trimmed := strings.TrimRight(before, " "); strings.HasSuffix(trimmed, ",") {
		before = trimmed[:len(trimmed)-1]
	} else {
		return false
	}
	p.lines[key.Line-1] = before + after
	return true
}

// closed is the length of a list or map in brackets at the beginning of text;
// -1 where it does not end on its line.
func closed(text string) int {
	depth := 0
	var quote byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// flow writes a value on one line, in brackets; "" when it cannot be.
func flow(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var fields []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			name, ok := spell(k, 0)
			text := flow(v[k])
			if !ok || text == "" {
				return ""
			}
			fields = append(fields, name+": "+text)
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case []any:
		var items []string
		for _, e := range v {
			text := flow(e)
			if text == "" {
				return ""
			}
			items = append(items, text)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	text, ok := spell(v, 0)
	if !ok {
		return ""
	}
	if _, isText := v.(string); isText && strings.ContainsAny(text, "[]{},") && !strings.ContainsAny(text[:1], `"'`) {
		text, _ = spell(v, yaml.DoubleQuotedStyle)
	}
	return text
}
