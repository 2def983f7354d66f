package generate

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// items brings a list from what old says to what new says. Items of one name, or that
// say the same, are the same, so that what is written beside one stays with it. Where
// none of those has another place and there are as many as before, the others are
// taken for the same too.
func (r *respeller) items(there, old, new *yaml.Node) bool {
	if len(old.Content) > maxMatched || len(new.Content) > maxMatched {
		return false
	}
	at := matches(identities(old), identities(new)) // its place in new, -1 for none
	moved := false
	for i, j := range at {
		moved = moved || j >= 0 && j != i
	}
	// In brackets on one line there is nothing beside an item.
	inline := there.Style&yaml.FlowStyle != 0 && lastLine(there) == there.Line
	if len(old.Content) == len(new.Content) && (!moved || inline) {
		for i := range at {
			at[i] = i
		}
	}
	for i, is := range there.Content {
		if at[i] >= 0 && r.value(is, old.Content[i], new.Content[at[i]]) {
			continue
		}
		if at[i] < 0 && !r.removeAbove(is.Line-1, there.Column-1) || !r.removeItem(there, is) || at[i] >= 0 && !r.insertItems(there, i, new.Content[at[i]:at[i]+1]) {
			return false
		}
	}
	last := -1 // the item that the new ones come after
	var added []*yaml.Node
	for j := range len(new.Content) + 1 {
		i := slices.Index(at, j)
		if i < 0 && j < len(new.Content) {
			added = append(added, new.Content[j])
			continue
		}
		if len(added) > 0 && !r.insertItems(there, last, added) {
			return false
		}
		last, added = i, nil
	}
	return true
}

// identities is by what the items of a list are told apart: their names or, without one,
// all that they say.
func identities(list *yaml.Node) []string {
	var out []string
	for _, item := range list.Content {
		if name := field(item, "name"); item.Kind == yaml.MappingNode && name != nil {
			item = name
		}
		out = append(out, said(item))
	}
	return out
}

// said is all that a node says, whatever its style.
func said(n *yaml.Node) string {
	var out strings.Builder
	var write func(n *yaml.Node)
	write = func(n *yaml.Node) {
		out.WriteString(n.Tag + " " + n.Value + "(")
		for _, c := range n.Content {
			write(c)
		}
		out.WriteString(")")
	}
	write(n)
	return out.String()
}

// insert adds fields of new, each below the one before it that is there already.
func (r *respeller) insert(there, new *yaml.Node, fields []int) bool {
	if there.Style&yaml.FlowStyle != 0 {
		all := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, i := range fields {
			all.Content = append(all.Content, new.Content[i:i+2]...)
		}
		return r.inline(there, len(there.Content)-1, all)
	}
	if len(there.Content) < 2 {
		return false
	}
	for _, i := range fields {
		key, value := there.Content[0], there.Content[1]
		for j := range i / 2 {
			for k := 0; k+1 < len(there.Content); k += 2 {
				if there.Content[k].Value == new.Content[2*j].Value {
					key, value = there.Content[k], there.Content[k+1]
				}
			}
		}
		one := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: new.Content[i : i+2]}
		if !r.block(r.lastLine(value, key.Column-1), key.Column-1, one) {
			return false
		}
	}
	return true
}

// insertItems adds items to a list below one of its own, or above all of them (-1).
func (r *respeller) insertItems(there *yaml.Node, below int, items []*yaml.Node) bool {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
	switch {
	case there.Style&yaml.FlowStyle != 0:
		return r.inline(there, below, list)
	case below >= 0:
		return r.block(r.lastLine(there.Content[below], there.Column-1), there.Column-1, list)
	}
	line := there.Line - 2
	for line > 0 && strings.HasPrefix(strings.TrimLeft(r.lines[line], " "), "#") {
		line-- // what is said of the first item
	}
	return line >= 0 && r.block(line, there.Column-1, list)
}

// block adds the fields of a map or the items of a list on lines of their own.
func (r *respeller) block(below, indent int, n *yaml.Node) bool {
	text, err := writeNode(n)
	if err != nil || below >= len(r.lines) {
		return false
	}
	var out strings.Builder
	for _, line := range lines(text) {
		if strings.TrimSpace(line) != "" {
			out.WriteString(strings.Repeat(" ", indent))
		}
		out.WriteString(line)
	}
	r.edits = append(r.edits, lineEdit{line: below, after: true, text: out.String()})
	return true
}

// inline adds the fields of a map or the items of a list within brackets, behind one
// of its own or (-1) before all of them.
func (r *respeller) inline(there *yaml.Node, behind int, n *yaml.Node) bool {
	flow := *n
	flow.Style = yaml.FlowStyle // which all within it follow
	var out strings.Builder
	if err := yaml.NewEncoder(&out).Encode(&flow); err != nil {
		return false
	}
	text := strings.TrimSuffix(out.String(), "\n")
	if len(text) < 2 || strings.Contains(text, "\n") {
		return false
	}
	text = text[1 : len(text)-1]
	edit := lineEdit{line: there.Line - 1, column: there.Column}
	switch {
	case behind >= 0:
		var ok bool
		if edit.line, edit.column, ok = r.end(there.Content[behind]); !ok {
			return false
		}
		text = ", " + text
	case len(there.Content) > 0:
		text += ", "
	}
	// Where there is nothing yet, or nothing before it, the bracket is where it is said to be.
	if behind < 0 && !r.has(edit.line, edit.column-1, "[{") {
		return false
	}
	edit.text = text
	r.edits = append(r.edits, edit)
	return true
}

// has reports whether one of some ASCII characters stands at a place.
func (r *respeller) has(line, column int, chars string) bool {
	return line >= 0 && line < len(r.lines) && column >= 0 && column < len(r.lines[line]) && plainUntil(r.lines[line], column) &&
		strings.IndexByte(chars, r.lines[line][column]) >= 0
}

// end returns the line and column behind a value that ends on the line it begins on.
func (r *respeller) end(n *yaml.Node) (line, column int, ok bool) {
	if n.Kind == yaml.ScalarNode {
		length, ok := r.spelled(n)
		return n.Line - 1, n.Column - 1 + length, ok
	}
	line, column = n.Line-1, n.Column
	if n.Style&yaml.FlowStyle == 0 || !r.has(line, column-1, "[{") {
		return 0, 0, false
	}
	if len(n.Content) > 0 {
		if line, column, ok = r.end(n.Content[len(n.Content)-1]); !ok {
			return 0, 0, false
		}
	}
	for r.has(line, column, " ,") {
		column++
	}
	return line, column + 1, r.has(line, column, "]}")
}

// lastLine is the last line of a value: of those below the one it begins on, what is
// indented further than the field or item it belongs to, or closes its brackets.
func (r *respeller) lastLine(n *yaml.Node, indent int) int {
	last := lastLine(n) - 1
	for i := last + 1; i < len(r.lines); i++ {
		text := strings.TrimLeft(r.lines[i], " ")
		if strings.TrimSpace(text) == "" {
			continue
		}
		if len(r.lines[i])-len(text) <= indent && !strings.ContainsAny(text[:1], "]}") {
			break
		}
		last = i
	}
	return last
}

// remove takes out a field that has its lines to itself.
func (r *respeller) remove(there *yaml.Node, name string) bool {
	for i := 0; i+1 < len(there.Content); i += 2 {
		if key := there.Content[i]; key.Value == name {
			return r.removeAbove(key.Line-1, key.Column-1) && r.removeField(there, i)
		}
	}
	return false
}

func (r *respeller) removeField(there *yaml.Node, i int) bool {
	key := there.Content[i]
	return there.Style&yaml.FlowStyle == 0 && r.removeLines(key.Line-1, key.Column-1, there.Content[i+1])
}

// renew writes a field anew that has its lines to itself.
func (r *respeller) renew(there, name, value *yaml.Node) bool {
	for i := 0; i+1 < len(there.Content); i += 2 {
		if key := there.Content[i]; key.Value == name.Value {
			one := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{name, value}}
			return r.removeField(there, i) && r.block(r.lastLine(there.Content[i+1], key.Column-1), key.Column-1, one)
		}
	}
	return false
}

// removeItem takes out an item of a list that has its lines to itself.
func (r *respeller) removeItem(there, item *yaml.Node) bool {
	return there.Style&yaml.FlowStyle == 0 && r.has(item.Line-1, there.Column-1, "-") && r.removeLines(item.Line-1, there.Column-1, item)
}

// removeAbove takes out the comment that stands right above what is to go, and so is
// about it: left there, it would be about what comes next.
func (r *respeller) removeAbove(line, column int) bool {
	for i := line - 1; i >= 0 && i < len(r.lines); i-- {
		text := strings.TrimLeft(r.lines[i], " ")
		if !strings.HasPrefix(text, "#") || len(r.lines[i])-len(text) != column {
			break
		}
		if r.wins != generatedWins {
			return false
		}
		r.edits = append(r.edits, lineEdit{line: i, remove: true})
	}
	return true
}

// removeLines takes out what begins at a line and column and holds a value.
func (r *respeller) removeLines(from, column int, value *yaml.Node) bool {
	if from < 0 || from >= len(r.lines) || column > len(r.lines[from]) || strings.TrimLeft(r.lines[from][:column], " ") != "" {
		return false
	}
	var edits []lineEdit
	last := r.lastLine(value, column)
	for i := from; i <= last; i++ {
		text := strings.TrimSpace(r.lines[i])
		if r.wins != generatedWins && (strings.HasPrefix(text, "#") || strings.Contains(text, " #") || strings.Contains(text, "\t#")) {
			return false
		}
		edits = append(edits, lineEdit{line: i, remove: true})
	}
	r.edits = append(r.edits, edits...)
	return true
}
