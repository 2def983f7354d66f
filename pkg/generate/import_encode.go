package generate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

func rawFields(f *metav1.FieldsV1) []byte {
	if f == nil {
		return nil
	}
	data, err := f.MarshalJSON()
	if err != nil {
		return nil
	}
	return data
}

// encodeObject writes an object whole, with its fields in the order of the API's
// types where they are known: nothing is left out, as what it says is somebody else's.
func encodeObject(o map[string]any) ([]byte, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	var typed any
	switch o["kind"] {
	case "Deployment":
		typed = &appsv1.Deployment{}
	case "StatefulSet":
		typed = &appsv1.StatefulSet{}
	case "Service":
		typed = &corev1.Service{}
	}
	var like yaml.Node
	if typed != nil && json.Unmarshal(data, typed) == nil {
		if shape, err := json.Marshal(typed); err == nil {
			_ = yaml.Unmarshal(shape, &like) // without it the order is the alphabet's
		}
	}
	shape := &like
	if len(like.Content) > 0 {
		shape = like.Content[0]
	}
	return writeNode(inOrder(o, shape))
}

func inOrder(v any, like *yaml.Node) *yaml.Node {
	switch v := v.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		done := map[string]bool{}
		for i := 0; like != nil && like.Kind == yaml.MappingNode && i+1 < len(like.Content); i += 2 {
			name := like.Content[i].Value
			if value, ok := v[name]; ok {
				n.Content = append(n.Content, textNode(name), inOrder(value, like.Content[i+1]))
				done[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !done[name] {
				n.Content = append(n.Content, textNode(name), inOrder(v[name], nil))
			}
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		for i, item := range v {
			var next *yaml.Node
			if like != nil && like.Kind == yaml.SequenceNode && i < len(like.Content) {
				next = like.Content[i]
			}
			n.Content = append(n.Content, inOrder(item, next))
		}
		return n
	case string:
		if v == "" {
			return emptyText()
		}
		return textNode(v)
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}
	case float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strconv.FormatFloat(v, 'g', -1, 64)}
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(v)}
	}
}
