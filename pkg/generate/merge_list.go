package generate

import (
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// join keeps both of what the two sides have added between two lines, where that is
// whole items of one list: one more resource by hand and one more that is generated
// are no conflict. before and the afters are the lines around.
func (m *merger) join(base, edited, wanted, before, afterEdited, afterWanted []string) ([]string, bool) {
	if !m.joins || len(base) > 0 || slices.Equal(edited, wanted) {
		return nil, false
	}
	indent, ok := listItems(edited)
	other, ok2 := listItems(wanted)
	if !ok || !ok2 || indent != other || goesOn(afterEdited, indent) || goesOn(afterWanted, indent) || !anyOrder(before, indent) {
		return nil, false
	}
	m.joined = true
	if slices.Compare(edited, wanted) > 0 { // in an order that does not depend on whose they are
		edited, wanted = wanted, edited
	}
	return slices.Concat(edited, wanted), true
}

// indented returns a line's indentation and the rest of it; false for blank lines
// and comments, which stand anywhere.
func indented(line string) (int, string, bool) {
	text := strings.TrimLeft(line, " ")
	return len(line) - len(text), text, strings.TrimSpace(text) != "" && text[0] != '#'
}

func dashed(text string) bool { return strings.HasPrefix(text, "- ") || text == "-\n" }

// listItems returns the indentation of the items that lines consist of.
func listItems(chunk []string) (int, bool) {
	indent := -1
	for _, line := range chunk {
		at, text, says := indented(line)
		switch {
		case !says:
		case dashed(text) && (indent < 0 || at == indent):
			indent = at
		case indent < 0 || at <= indent:
			return 0, false
		}
	}
	return indent, indent >= 0
}

// goesOn reports whether lines begin amid an item.
func goesOn(after []string, indent int) bool {
	for _, line := range after {
		if at, _, says := indented(line); says {
			return at > indent
		}
	}
	return false
}

var (
	blockOfText = regexp.MustCompile(`[|>][-+0-9]*\s*(#.*)?$`)
	ordered     = regexp.MustCompile(`^(- )?(args|command|initContainers|env|envFrom|patches|components|transformers):`)
)

// anyOrder reports whether what follows some lines, at an indentation, are items of
// a list in which the order says nothing, and not lines of a text.
func anyOrder(before []string, indent int) bool {
	first := true
	for _, line := range slices.Backward(before) {
		at, text, says := indented(line)
		if !says || at > indent || at == indent && (dashed(text) || !first) {
			continue
		}
		if blockOfText.MatchString(text) || first && ordered.MatchString(text) {
			return false
		}
		first, indent = false, at
	}
	return true
}

// sound reports whether a merge is YAML in which no field is there twice, and in no
// list an item that neither side has twice.
func sound(merged, edited, wanted []byte) bool {
	docs, err := documents(merged)
	if err != nil || len(docs) == 0 {
		return false
	}
	for _, doc := range docs {
		var m map[string]any
		if doc.Decode(&m) != nil {
			return false
		}
	}
	twice := map[string]bool{}
	for _, doc := range docs {
		itemsTwice(doc, "", twice)
	}
	if len(twice) == 0 {
		return true
	}
	had := map[string]bool{}
	for _, side := range [][]byte{edited, wanted} {
		docs, _ := documents(side) // up to what is no YAML
		for _, doc := range docs {
			itemsTwice(doc, "", had)
		}
	}
	for item := range twice {
		if !had[item] {
			return false
		}
	}
	return true
}

// itemsTwice collects the items that are in a list more than once.
func itemsTwice(n *yaml.Node, path string, out map[string]bool) {
	seen := map[string]bool{}
	for i, c := range n.Content {
		at := path
		switch n.Kind {
		case yaml.MappingNode:
			if i%2 == 0 {
				continue
			}
			at += "." + n.Content[i-1].Value
		case yaml.SequenceNode:
			if len(n.Content) == 1 {
				break
			}
			for _, key := range mergeKeys(c) {
				if seen[key] {
					out[path+"="+key] = true
				}
				seen[key] = true
			}
		}
		itemsTwice(c, at, out)
	}
}

// mergeKeys is by what an API server tells an item of a list from the others: its
// mount path, or name and port. Without those it is all that the item says.
func mergeKeys(item *yaml.Node) []string {
	var keys []string
	value := func(name, missing string) string {
		if v := field(item, name); v != nil {
			return v.Value
		}
		return missing
	}
	if item.Kind == yaml.MappingNode {
		if path := value("mountPath", ""); path != "" {
			return []string{"mountPath " + path} // a volume may have several
		}
		if name := value("name", ""); name != "" {
			keys = append(keys, "name "+name)
		}
		if port := value("containerPort", value("port", "")); port != "" {
			keys = append(keys, "port "+port+"/"+value("protocol", string(defaultProtocol)))
		}
	}
	if len(keys) == 0 {
		keys = []string{said(item)}
	}
	return keys
}
