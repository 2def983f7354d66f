package validate

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// kustomization is one folder of a tree.
type kustomization struct {
	dir, file string
	root      *yaml.Node
	component bool
	resources []string // files and folders, as paths
	// configFolders are those of which the objects configure plugins.
	configFolders []string
	plugins       *kustomization // whose plugins it configures
	patches       []patch
	outside       []outside
	broken        string // the file for which it cannot be built, "" when it can
}

// folders are the kustomizations that it is built from; files are among them.
func (k *kustomization) folders() []string { return slices.Concat(k.resources, k.configFolders) }

// patch is a patch of a kustomization, in a file of its own or within it.
type patch struct {
	doc    *document // nil for one that is no strategic merge
	steps  *document // of a JSON patch
	target *yaml.Node
	line   int // in the kustomization
}

// kustomizationIn returns the file that makes dir a kustomization, or "".
func kustomizationIn(dir string) string {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if info, err := os.Lstat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// obsolete are fields that kustomize has replaced.
var obsolete = map[string]string{
	"bases": "resources", "patchesStrategicMerge": "patches", "patchesJson6902": "patches",
	"vars": "replacements", "imageTags": "images", "helmChartInflationGenerator": "helmCharts",
}

// strictKustomization checks the fields of a kustomization, which kustomize
// does too, but without their lines and one at a time.
func strictKustomization(k *kustomization) []Finding {
	c := &checker{file: k.file, object: ""}
	c.goStruct(k.root, reflect.TypeFor[types.Kustomization](), nil)
	out := c.out
	warn := func(line int, rule, fieldName, message, next string) {
		out = append(out, Finding{File: k.file, Line: line, Field: fieldName, Severity: Warning, Rule: rule, Message: message, Next: next})
	}
	for name, instead := range obsolete {
		if n, line := field(k.root, name); n != nil {
			warn(line, "obsolete-field", name, "is obsolete in kustomize", "use "+instead)
		}
	}
	const trap = "goes into selectors too, which can never change once applied"
	if n, line := field(k.root, "commonLabels"); n != nil {
		warn(line, "selector-labels", "commonLabels", trap, "use labels, with includeSelectors left out")
	}
	if list, _ := field(k.root, "labels"); list != nil && list.Kind == yaml.SequenceNode {
		for i, item := range list.Content {
			if include, line := field(item, "includeSelectors"); include != nil && include.Value == "true" {
				warn(line, "selector-labels", fmt.Sprintf("labels[%d].includeSelectors", i), trap, "leave it out")
			}
		}
	}
	return out
}

// goStruct checks fields by a Go type's json tags.
func (c *checker) goStruct(n *yaml.Node, t reflect.Type, at path) {
	n = real(n)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Tag == "!!null" {
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		c.scalar(n, &definition{Type: "boolean"}, at)
	case reflect.Int, reflect.Int32, reflect.Int64:
		c.scalar(n, &definition{Type: "integer"}, at)
	case reflect.String:
		_, older := olderBool(n)
		switch {
		case n.Kind != yaml.ScalarNode:
			c.add(n.Line, at, "is "+nodeKind(n)+" where text is wanted", "")
		case n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool":
			c.add(n.Line, at, n.Value+" is "+nodeKind(n)+" where text is wanted", "put it in quotes: "+strconv.Quote(n.Value))
		case older:
			c.add(n.Line, at, n.Value+" is true or false where text is wanted", "put it in quotes: "+strconv.Quote(n.Value))
		}
	case reflect.Map:
		if n.Kind != yaml.MappingNode {
			c.add(n.Line, at, "is "+nodeKind(n)+" where a map of fields is wanted", "")
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i]; key.Tag != "!!merge" {
				c.goStruct(n.Content[i+1], t.Elem(), at.with(key.Value))
			}
		}
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			c.add(n.Line, at, "is "+nodeKind(n)+" where a list is wanted", "")
			return
		}
		for i, item := range n.Content {
			c.goStruct(item, t.Elem(), at.with(i))
		}
	case reflect.Struct:
		if n.Kind != yaml.MappingNode {
			c.add(n.Line, at, "is "+nodeKind(n)+" where a map of fields is wanted", "")
			return
		}
		c.goFields(n, t, at)
	}
}

// goFields checks the fields of a map by those of a Go struct.
func (c *checker) goFields(n *yaml.Node, t reflect.Type, at path) {
	fields := map[string]reflect.Type{}
	jsonFields(t, fields)
	if len(fields) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(fields)) // of names equally near, always the same
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if c.twice(seen, key, at) {
			continue
		}
		if ft, ok := fields[key.Value]; ok {
			c.goStruct(n.Content[i+1], ft, at.with(key.Value))
			continue
		}
		next := ""
		if near := nearest.Name(key.Value, names); near != "" {
			next = "did you mean " + near + "?"
		}
		c.add(key.Line, at.with(key.Value), "unknown field", next)
	}
}

func jsonFields(t reflect.Type, into map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if strings.Contains(options, "inline") || f.Anonymous && name == "" {
			inner := f.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			jsonFields(inner, into)
			continue
		}
		if name != "" && name != "-" {
			into[name] = f.Type
		}
	}
}

// stringsOf returns a list's texts.
func stringsOf(n *yaml.Node) []string {
	n = real(n)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	var out []string
	for _, c := range n.Content {
		if c = real(c); c.Kind == yaml.ScalarNode {
			out = append(out, scalar(c))
		}
	}
	return out
}

// targets reports whether a patch's target selects an object, by kind and name.
func targets(target *yaml.Node, kind, name string) bool {
	selects := func(pattern, value string) bool {
		re, err := regexp.Compile("^(?:" + pattern + ")$")
		return pattern == "" || err == nil && re.MatchString(value)
	}
	return selects(text(target, "kind"), kind) && selects(text(target, "name"), name)
}
