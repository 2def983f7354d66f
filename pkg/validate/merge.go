package validate

import (
	"fmt"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// merges writes out what a document merges (<<), as kubectl's YAML reader does:
// what stands later wins, so that a merge below a field takes its place. To other
// readers, kustomize's among them, the field wins wherever it stands, which is told.
type merges struct {
	file string
	done map[*yaml.Node]bool // an anchor is met at each of its aliases
	out  []Finding
	lost []*yaml.Node // maps of one field each
}

func expand(file string, root *yaml.Node) *merges {
	m := &merges{file: file, done: map[*yaml.Node]bool{}}
	m.node(root)
	return m
}

func (m *merges) node(n *yaml.Node) {
	if n = real(n); m.done[n] {
		return
	}
	m.done[n] = true
	for _, c := range n.Content {
		m.node(c)
	}
	if n.Kind == yaml.MappingNode && slices.ContainsFunc(n.Content, isMerge) {
		m.mapping(n)
	}
}

// isMerge reports whether a key is <<, which in quotes is a name like any other.
func isMerge(key *yaml.Node) bool { return key.Tag == "!!merge" }

func (m *merges) mapping(n *yaml.Node) {
	var content []*yaml.Node
	place, own := map[string]int{}, map[string]bool{}
	put := func(key, value *yaml.Node) {
		if i, there := place[key.Value]; there {
			m.lost = append(m.lost, &yaml.Node{Kind: yaml.MappingNode, Content: slices.Clone(content[i : i+2])})
			content[i], content[i+1] = key, value
			return
		}
		place[key.Value] = len(content)
		content = append(content, key, value)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case isMerge(key):
			for _, from := range m.sources(key, value) {
				for j := 0; j+1 < len(from.Content); j += 2 {
					if name := from.Content[j].Value; own[name] {
						m.add(key, Warning, fmt.Sprintf("stands below %s and has it too: kubectl takes the one that is merged, kustomize the other", printable(name)), "put << first")
						own[name] = false
					}
					put(from.Content[j], from.Content[j+1])
				}
			}
		case own[key.Value]: // there twice, which is told elsewhere
			content = append(content, key, value)
		default:
			put(key, value)
			own[key.Value] = true
		}
	}
	n.Content = content
}

// sources are the maps that a merge names; in a list the first wins, so it is the last.
func (m *merges) sources(key, value *yaml.Node) []*yaml.Node {
	list := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		list = slices.Clone(value.Content)
		slices.Reverse(list)
	}
	var out []*yaml.Node
	for _, n := range list {
		if n = real(n); n.Kind != yaml.MappingNode {
			m.add(key, Error, "merges "+nodeKind(n)+", and only a map or a list of maps can be", "write <<: *NAME of a map")
			continue
		}
		out = append(out, n)
	}
	return out
}

func (m *merges) add(key *yaml.Node, s Severity, message, next string) {
	m.out = append(m.out, Finding{File: m.file, Line: key.Line, Field: "<<", Severity: s, Rule: "merge", Message: message, Next: next})
}
