package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// encode writes a value as YAML the way kustomize does: its JSON form, with
// the fields in the order in which the type declares them, and without what is
// null or empty. The result depends on nothing but the value.
//
// Of an App an empty section stays, such as resources: {}: left out it would be what
// is filled in where nothing is said.
func encode(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var t reflect.Type
	if _, ok := v.(*App); ok {
		t = reflect.TypeOf(v)
	}
	node, err := readNode(d, place{t: t})
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return writeNode(node)
}

// writeNode writes the YAML of an object.
func writeNode(node *yaml.Node) ([]byte, error) {
	apiVersionFirst(node)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	if err := e.Encode(node); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out.Bytes(), nil
}

// apiVersionFirst swaps kind and apiVersion, which metav1.TypeMeta declares in
// the order that nobody writes them in.
func apiVersionFirst(n *yaml.Node) {
	if n != nil && len(n.Content) >= 4 && n.Content[0].Value == "kind" && n.Content[2].Value == "apiVersion" {
		n.Content[0], n.Content[1], n.Content[2], n.Content[3] = n.Content[2], n.Content[3], n.Content[0], n.Content[1]
	}
}

// meansAll names the fields in which an empty map says something, to leave them
// out something else: a selector that selects all, a kind of volume.
var meansAll = map[string]bool{
	"downwardAPI": true, "emptyDir": true, "labelSelector": true, "namespaceSelector": true, "podSelector": true, "projected": true,
}

// texts names the maps from text to text, in which an empty text is a value.
var texts = map[string]bool{
	"annotations": true, "data": true, "labels": true, "matchLabels": true, "nodeSelector": true,
	"podAnnotations": true, "podLabels": true, "stringData": true,
}

// place is where a value stands: the field's name, or none for an item of a list, and
// its type where that matters.
type place struct {
	name string
	item bool
	t    reflect.Type
}

// keepsEmpty tells whether an empty map says something there.
func (p place) keepsEmpty() bool {
	section := p.t != nil && p.t.Kind() == reflect.Pointer && p.t.Elem().Kind() == reflect.Struct
	return p.item || section || meansAll[p.name]
}

// readNode reads one JSON value as a YAML node; nil stands for a value to leave out:
// null, an empty text, list or map.
func readNode(d *json.Decoder, at place) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return readMap(d, at)
		}
		return readList(d, at)
	case string:
		if t == "" {
			return nil, nil
		}
		return textNode(t), nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(t.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: t.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(t)}, nil
	default:
		return nil, nil
	}
}

func readMap(d *json.Decoder, at place) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	types := fieldTypes(at.t)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := readNode(d, place{name: key.(string), t: types[key.(string)]})
		if err != nil {
			return nil, err
		}
		if value == nil && texts[at.name] {
			value = emptyText()
		}
		if value != nil {
			n.Content = append(n.Content, textNode(key.(string)), value)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if len(n.Content) == 0 {
		if at.keepsEmpty() {
			n.Style = yaml.FlowStyle
			return n, nil
		}
		return nil, nil
	}
	return n, nil
}

func emptyText() *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle}
}

func readList(d *json.Decoder, at place) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	item := place{item: true}
	if list := behind(at.t); list != nil && list.Kind() == reflect.Slice {
		item.t = list.Elem()
	}
	for d.More() {
		value, err := readNode(d, item)
		if err != nil {
			return nil, err
		}
		if value == nil {
			// An empty argument is an argument: in a list nothing is left out, and what is
			// no map is a text.
			value = emptyText()
		}
		n.Content = append(n.Content, value)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if len(n.Content) == 0 {
		if at.t == clientsType { // of an App: everybody, where none would be a mistake
			n.Style = yaml.FlowStyle
			return n, nil
		}
		return nil, nil
	}
	return n, nil
}

var clientsType = reflect.TypeFor[[]networkingv1.NetworkPolicyPeer]()

var oddlyIndented = regexp.MustCompile(`^\s|\n\t`)

// textNode is a text that every YAML reader takes for one: also those of YAML
// 1.1, to which a bare on, y or 1_000 is something else.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case plainWord(s):
	case yaml.IsYaml1_1NonString(n), s == "<<", s == "=":
		n.Style = yaml.DoubleQuotedStyle
	case strings.Contains(s, "\n"):
		n.Style = yaml.LiteralStyle // the encoder quotes what a block cannot hold,
		if oddlyIndented.MatchString(s) {
			n.Style = yaml.DoubleQuotedStyle // but for this, which it then cannot read
		}
	}
	return n
}

// plainWord reports whether a text is a word that no YAML reader takes for
// anything else: it begins with a letter, as no number does. Nearly all are, and
// asking a reader costs more than all the rest.
func plainWord(s string) bool {
	s = strings.TrimPrefix(s, "../../") // of which no number consists either
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || strings.IndexByte("-./:_@", c) >= 0)) {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "", "y", "yes", "n", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}
