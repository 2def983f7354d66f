package tree

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// form is the way in which a source says things about an object.
type form int

const (
	formObject   form = iota // the object itself
	formPatch                // a strategic merge patch of it
	formJSON                 // an RFC 6902 patch of it
	formReplicas             // the field replicas of a kustomization
)

// source is a YAML document that says something about an object. Lines and
// columns of its nodes are those of the file, also where it is text within
// another document.
type source struct {
	file string
	form form
	root *yaml.Node
}

// maxFiles bounds how much of a tree is read.
const maxFiles = 500

// collector reads the sources of one object.
type collector struct {
	fs    filesys.FileSystem
	ref   Ref
	seen  map[string]bool
	found []source
}

// sources lists what says something about ref, in the order in which the last
// word counts: the outermost overlay's patches first, the object itself last.
func sources(fsys filesys.FileSystem, dir string, ref Ref) []source {
	c := &collector{fs: fsys, ref: ref, seen: map[string]bool{}}
	c.folder(dir)
	return c.found
}

func (c *collector) folder(dir string) {
	dir = filepath.Clean(dir)
	if c.seen[dir] || len(c.seen) >= maxFiles {
		return
	}
	c.seen[dir] = true
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		path := filepath.Join(dir, name)
		if !c.fs.Exists(path) {
			continue
		}
		for _, root := range c.documents(path) {
			c.kustomization(dir, path, root)
		}
		return
	}
}

// kustomization reads one: what it says itself, then what it builds on.
func (c *collector) kustomization(dir, path string, root *yaml.Node) {
	if get(root, "replicas") != nil {
		c.found = append(c.found, source{path, formReplicas, root})
	}
	for _, list := range []string{"patches", "patchesStrategicMerge", "patchesJson6902"} {
		for _, p := range elements(get(root, list)) {
			switch {
			case p.Kind == yaml.MappingNode && get(p, "patch") != nil:
				c.within(path, get(p, "patch"), target(p))
			case p.Kind == yaml.MappingNode:
				if f := get(p, "path"); f != nil {
					c.patch(filepath.Join(dir, f.Value), target(p))
				}
			case strings.Contains(p.Value, "\n"):
				c.within(path, p, Ref{})
			default:
				c.patch(filepath.Join(dir, p.Value), Ref{})
			}
		}
	}
	for _, list := range []string{"components", "resources", "bases"} {
		for _, r := range elements(get(root, list)) {
			if strings.Contains(r.Value, "://") || strings.Contains(r.Value, "?ref=") {
				continue
			}
			next := filepath.Join(dir, r.Value)
			if c.fs.IsDir(next) {
				c.folder(next)
				continue
			}
			for _, doc := range c.documents(next) {
				if c.about(doc, false) {
					c.found = append(c.found, source{next, formObject, doc})
				}
			}
		}
	}
}

// target is what a patch's target says about the object; empty where it says nothing.
func target(p *yaml.Node) Ref {
	t := get(p, "target")
	if t == nil {
		return Ref{}
	}
	return Ref{Kind: value(get(t, "kind")), Name: value(get(t, "name"))}
}

func (c *collector) patch(path string, target Ref) {
	for _, doc := range c.documents(path) {
		c.add(path, doc, target)
	}
}

// within reads a patch that is text in a kustomization.
func (c *collector) within(path string, n *yaml.Node, target Ref) {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != yaml.LiteralStyle {
		return // in quotes, or folded: its lines are not the file's
	}
	data, err := c.fs.ReadFile(path)
	if err != nil {
		return
	}
	lines := strings.Split(string(data), "\n")
	indent := -1
	for _, l := range lines[min(n.Line, len(lines)):] {
		if t := strings.TrimLeft(l, " "); strings.TrimSpace(t) != "" {
			indent = len(l) - len(t)
			break
		}
	}
	if indent < 0 {
		return
	}
	for _, doc := range decode([]byte(n.Value)) {
		shift(doc, n.Line, indent)
		c.add(path, doc, target)
	}
}

func (c *collector) add(path string, doc *yaml.Node, target Ref) {
	if target.Kind != "" && target.Kind != c.ref.Kind || target.Name != "" && !alike(target.Name, c.ref.Name) {
		return
	}
	switch {
	case doc.Kind == yaml.SequenceNode:
		c.found = append(c.found, source{path, formJSON, doc})
	case c.about(doc, target != Ref{}):
		c.found = append(c.found, source{path, formPatch, doc})
	}
}

// about says whether a document is of the object. Names may get a prefix or a
// suffix on the way; a patch with a target may have another name altogether.
func (c *collector) about(doc *yaml.Node, targeted bool) bool {
	if doc.Kind != yaml.MappingNode {
		return false
	}
	kind, name := value(get(doc, "kind")), value(get(get(doc, "metadata"), "name"))
	return (kind == c.ref.Kind || targeted && kind == "") && (targeted || alike(name, c.ref.Name))
}

func alike(said, built string) bool { return said != "" && strings.Contains(built, said) }

func (c *collector) documents(path string) []*yaml.Node {
	if !c.seen[path] && len(c.seen) >= maxFiles {
		return nil
	}
	c.seen[path] = true
	data, err := c.fs.ReadFile(path)
	if err != nil {
		return nil
	}
	return decode(data)
}

// decode reads all documents; their lines count from the beginning of data.
func decode(data []byte) []*yaml.Node {
	var docs []*yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := d.Decode(&doc); err != nil {
			return docs
		}
		if len(doc.Content) > 0 {
			docs = append(docs, doc.Content[0])
		}
	}
}

func shift(n *yaml.Node, lines, columns int) {
	n.Line += lines
	n.Column += columns
	for _, c := range n.Content {
		shift(c, lines, columns)
	}
}

// locate rewrites the path of a field of the object as one through this source;
// false when it cannot say anything about it.
func (s *source) locate(path []step, built map[string]any, name string) ([]step, bool) {
	switch s.form {
	case formReplicas:
		if len(path) != 2 || path[0].field != "spec" || path[1].field != "replicas" {
			return nil, false
		}
		for i, r := range elements(get(s.root, "replicas")) {
			if alike(value(get(r, "name")), name) {
				return []step{{field: "replicas"}, {index: i}, {field: "count"}}, true
			}
		}
		return nil, false
	case formJSON:
		pointer := pointerOf(path, built)
		for i, op := range elements(s.root) {
			if o := value(get(op, "op")); value(get(op, "path")) == pointer && (o == "replace" || o == "add") {
				return []step{{index: i}, {field: "value"}}, true
			}
		}
		return nil, false
	}
	return path, true
}

// pointerOf is a path as RFC 6901 writes it.
func pointerOf(path []step, built map[string]any) string {
	var b strings.Builder
	var at any = built
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, s := range path {
		if s.match != nil {
			list, _ := at.([]any)
			e, n := element(list, s.match)
			b.WriteString("/" + strconv.Itoa(n))
			at = e
			continue
		}
		b.WriteString("/" + escape.Replace(s.field))
		m, _ := at.(map[string]any)
		at = m[s.field]
	}
	return b.String()
}

// get returns a field's value; nil when n is no map or lacks it.
func get(n *yaml.Node, field string) *yaml.Node {
	_, v := pair(n, field)
	return v
}

// pair returns a field's key and value.
func pair(n *yaml.Node, field string) (key, val *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == field {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

func value(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	return n.Value
}

func elements(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}
