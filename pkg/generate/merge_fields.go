package generate

import (
	"fmt"
	"reflect"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// mergeFields is mergeText by what the texts say: field by field, and item by item of
// lists. So what a person has written next to a line that changes does not stand
// against the change, whatever lines the two have. Their text stays but for the
// fields that must change, and what it says then is compared with what was meant.
func mergeFields(base, edited, wanted []byte, wins winner) ([]byte, bool) {
	m, merged := mergedFields(base, edited, wanted, wins)
	if merged == nil || m.conflict {
		return nil, false
	}
	says, problem := document(edited)
	if problem != nil {
		return nil, false
	}
	text, ok := respellTo(edited, says, merged, wins)
	if !ok {
		return nil, false
	}
	got, problem := document(text)
	return text, problem == nil && saysSame(got, merged)
}

// heldFields are the fields that wanted has changed and that a text, for what a person
// has written there, has not; "" is all of it, where what was generated is not known.
func heldFields(base, text, wanted []byte) []string {
	m, merged := mergedFields(base, text, wanted, editsWin)
	if merged == nil {
		return []string{""}
	}
	slices.Sort(m.open)
	return slices.Compact(m.open)
}

// mergedFields merges what three texts say; nil where one is not a document of fields.
func mergedFields(base, edited, wanted []byte, wins winner) (*fieldMerger, *yaml.Node) {
	m := &fieldMerger{wins: wins}
	var docs [3]*yaml.Node
	for i, text := range [][]byte{base, edited, wanted} {
		doc, problem := document(text)
		if problem != nil || hasAlias(doc) { // of which a change would reach elsewhere
			return m, nil
		}
		docs[i] = withoutComments(doc)
	}
	return m, m.value(docs[0], docs[1], docs[2], "", "")
}

type fieldMerger struct {
	wins     winner
	conflict bool
	open     []string // fields in which wanted has changed what edited has not alike
}

// value merges three values of the field or item at a path; nil stands for none.
func (m *fieldMerger) value(base, edited, wanted *yaml.Node, path, name string) *yaml.Node {
	switch {
	case sameOrNone(base, wanted), sameOrNone(edited, wanted):
		return edited
	case sameOrNone(base, edited):
		m.open = append(m.open, path)
		return wanted
	case isKind(yaml.MappingNode, base, edited, wanted), texts[name] && base == nil && isKind(yaml.MappingNode, edited, wanted):
		if out, ok := m.fields(base, edited, wanted, path); ok {
			return out
		}
	case isKind(yaml.SequenceNode, base, edited, wanted):
		if out, ok := m.items(base, edited, wanted, path, name); ok {
			return out
		}
	}
	return m.choose(edited, wanted, path)
}

// choose takes a side where both cannot be had.
func (m *fieldMerger) choose(edited, wanted *yaml.Node, path string) *yaml.Node {
	m.open = append(m.open, path)
	m.conflict = m.conflict || m.wins == nobodyWins
	if m.wins == generatedWins {
		return wanted
	}
	return edited
}

// fields merges maps, in the order of the edited one. It does not where both have taken
// out a field and each has put another there: of those often only one may be.
func (m *fieldMerger) fields(base, edited, wanted *yaml.Node, path string) (*yaml.Node, bool) {
	if base == nil {
		base = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	if lacks(edited, base) && lacks(wanted, base) && lacks(base, edited) && lacks(base, wanted) {
		return nil, false
	}
	out := *edited
	out.Content = nil
	merge := func(key *yaml.Node) *yaml.Node {
		name := key.Value
		at := name
		if path != "" {
			at = path + "." + name
		}
		return m.value(field(base, name), field(edited, name), field(wanted, name), at, name)
	}
	for i := 0; i+1 < len(edited.Content); i += 2 {
		if v := merge(edited.Content[i]); v != nil {
			out.Content = append(out.Content, edited.Content[i], v)
		}
	}
	at := 0 // behind the field of wanted before
	for i := 0; i+1 < len(wanted.Content); i += 2 {
		key := wanted.Content[i]
		if field(edited, key.Value) == nil {
			if v := merge(key); v != nil {
				out.Content = slices.Insert(out.Content, at, key, v)
			}
		}
		for j := 0; j+1 < len(out.Content); j += 2 {
			if out.Content[j].Value == key.Value {
				at = j + 2
			}
		}
	}
	return &out, true
}

// lacks reports whether a map has no field of a name that another has.
func lacks(n, other *yaml.Node) bool {
	for i := 0; i+1 < len(other.Content); i += 2 {
		if field(n, other.Content[i].Value) == nil {
			return true
		}
	}
	return false
}

// items merges lists. Both may add to one whose order says nothing.
func (m *fieldMerger) items(base, edited, wanted *yaml.Node, path, name string) (*yaml.Node, bool) {
	if max(len(base.Content), len(edited.Content), len(wanted.Content)) > maxMatched {
		return nil, false
	}
	inEdited, inWanted := sameItems(base, edited), sameItems(base, wanted)
	byHand, generated := addedItems(inEdited, edited), addedItems(inWanted, wanted)
	if len(byHand) > 0 && len(generated) > 0 && ordered.MatchString(name+":") {
		return nil, false
	}
	out := *edited
	out.Content = nil
	twins := m.twins(byHand, generated, path)
	add := func(after int) {
		for _, item := range byHand[after] {
			if twin := twins[item]; twin != nil {
				item = twin
			}
			out.Content = append(out.Content, item)
		}
		for _, item := range generated[after] {
			if twins[item] == nil {
				m.open = append(m.open, fmt.Sprintf("%s[%d]", path, slices.Index(wanted.Content, item)))
				out.Content = append(out.Content, item)
			}
		}
	}
	add(-1)
	for i, item := range base.Content {
		var e, w *yaml.Node
		at := i
		if j := inEdited[i]; j >= 0 {
			e, at = edited.Content[j], j
		}
		if k := inWanted[i]; k >= 0 {
			w = wanted.Content[k]
		}
		if v := m.value(item, e, w, fmt.Sprintf("%s[%d]", path, at), ""); v != nil {
			out.Content = append(out.Content, v)
		}
		add(i)
		if e == nil && w == nil && len(byHand) > 0 && len(generated) > 0 {
			return nil, false // it may be what both have put something else for
		}
	}
	return &out, true
}

// twins finds what both have added under one key: for what was added by hand it gives
// what is to stand there, for what is generated that it stands there already.
func (m *fieldMerger) twins(byHand, generated map[int][]*yaml.Node, path string) map[*yaml.Node]*yaml.Node {
	has := map[string]*yaml.Node{}
	for _, items := range byHand {
		for _, item := range items {
			for _, key := range mergeKeys(item) {
				has[key] = item
			}
		}
	}
	out := map[*yaml.Node]*yaml.Node{}
	for _, items := range generated {
		for _, item := range items {
			for _, key := range mergeKeys(item) {
				if twin := has[key]; twin != nil && out[item] == nil {
					out[item], out[twin] = twin, m.value(nil, twin, item, fmt.Sprintf("%s[%s]", path, key), "")
				}
			}
		}
	}
	return out
}

// sameItems gives for each item of a list its place in another, -1 for none. Between
// items that are the same, as many others are taken for the same too.
func sameItems(base, other *yaml.Node) []int {
	at := matches(itemKeys(base), itemKeys(other))
	i, j := 0, 0
	for end := range len(at) + 1 {
		to := len(other.Content)
		if end < len(at) {
			if to = at[end]; to < 0 {
				continue
			}
		}
		if end-i == to-j {
			for ; i < end; i, j = i+1, j+1 {
				at[i] = j
			}
		}
		i, j = end+1, to+1
	}
	return at
}

func itemKeys(list *yaml.Node) []string {
	var keys []string
	for _, item := range list.Content {
		keys = append(keys, mergeKeys(item)[0])
	}
	return keys
}

// addedItems are the items that are none of base, by the place there of the one before.
func addedItems(at []int, list *yaml.Node) map[int][]*yaml.Node {
	out := map[int][]*yaml.Node{}
	after := -1
	for j, item := range list.Content {
		if i := slices.Index(at, j); i >= 0 {
			after = i
			continue
		}
		out[after] = append(out[after], item)
	}
	return out
}

func sameOrNone(a, b *yaml.Node) bool {
	return a == b || a != nil && b != nil && same(a, b)
}

func isKind(kind yaml.Kind, nodes ...*yaml.Node) bool {
	return !slices.ContainsFunc(nodes, func(n *yaml.Node) bool { return n == nil || n.Kind != kind })
}

func hasAlias(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, hasAlias)
}

// withoutComments takes the comments off a node, which are of its text and stay there.
func withoutComments(n *yaml.Node) *yaml.Node {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	for _, c := range n.Content {
		withoutComments(c)
	}
	return n
}

// saysSame reports whether two nodes say the same, in whatever order their fields are.
func saysSame(a, b *yaml.Node) bool {
	var x, y any
	return a.Decode(&x) == nil && b.Decode(&y) == nil && reflect.DeepEqual(x, y)
}
