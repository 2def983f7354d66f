package validate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

func isDir(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.IsDir()
}

// patches reads the patches of a kustomization.
func (t *tree) patches(k *kustomization) {
	list, _ := field(k.root, "patches")
	if list != nil && list.Kind == yaml.SequenceNode {
		for i, n := range list.Content {
			at := fmt.Sprintf("patches[%d]", i)
			target, _ := field(n, "target")
			if inline, line := field(n, "patch"); inline != nil {
				t.inline(k, inline, target, at+".patch", line)
			} else if ref := text(n, "path"); ref != "" {
				t.patchFile(k, ref, target, at+".path", n.Line)
			} else {
				t.problem(k.file, n.Line, "patches", at, "has neither path nor patch", "")
			}
		}
	}
	list, line := field(k.root, "patchesStrategicMerge")
	for i, ref := range stringsOf(list) {
		at := fmt.Sprintf("patchesStrategicMerge[%d]", i)
		if strings.Contains(ref, "\n") {
			t.inline(k, list.Content[i], nil, at, line)
			continue
		}
		t.patchFile(k, ref, nil, at, list.Content[i].Line)
	}
}

func (t *tree) patchFile(k *kustomization, ref string, target *yaml.Node, at string, line int) {
	if address(ref) {
		return // which is told
	}
	p := filepath.Join(k.dir, filepath.FromSlash(ref))
	if _, err := os.Lstat(p); err != nil {
		t.problem(k.file, line, "patches", at, show(ref)+" does not exist", "correct the path, or remove the patch")
		k.broken = k.file
		return
	}
	for _, d := range t.named(k, p, "patches", at, ref, line) {
		t.patch(k, d, target, line)
	}
}

// inline reads a patch within the kustomization; its lines are those of the file.
func (t *tree) inline(k *kustomization, n, target *yaml.Node, at string, line int) {
	docs, findings := parse(k.file, []byte(n.Value))
	first := line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		first-- // not below its name
	}
	for _, f := range findings {
		f.Line, f.Field = f.Line+first, at
		t.add(f)
	}
	if broken(findings) {
		k.broken = k.file
	}
	for _, d := range docs {
		shift(d.root, first, map[*yaml.Node]bool{})
		t.patch(k, d, target, line)
	}
}

// shift moves the lines of a document; what is merged stands in it more than once.
func shift(n *yaml.Node, by int, done map[*yaml.Node]bool) {
	if done[n] {
		return
	}
	done[n] = true
	n.Line += by
	for _, c := range n.Content {
		shift(c, by, done)
	}
}

func (t *tree) patch(k *kustomization, d *document, target *yaml.Node, line int) {
	p := patch{target: target, line: line}
	d.target = target
	if d.root.Kind == yaml.SequenceNode {
		t.jsonPatch(d)
		p.steps = d
	} else {
		if spec, line := field(d.root, "spec"); spec != nil && spec.Tag == "!!null" {
			t.add(Finding{File: d.file, Line: line, Object: objectName(d.root), Field: "spec", Severity: Error, Rule: "patches",
				Message: "has no value, by which the patch removes the whole spec", Next: "write spec: {}, or remove the line"})
		}
		// With a target, a patch may leave out what it is about.
		if text(d.root, "apiVersion") != "" && text(d.root, "kind") != "" {
			t.structure(d)
		}
		p.doc = d
	}
	k.patches = append(k.patches, p)
}

// jsonPatch checks the operations of a JSON 6902 patch.
func (t *tree) jsonPatch(d *document) {
	for i, n := range d.root.Content {
		at := fmt.Sprintf("[%d]", i)
		op := text(n, "op")
		if !slices.Contains([]string{"add", "remove", "replace", "move", "copy", "test"}, op) {
			t.problem(d.file, n.Line, "patches", at+".op", show(op)+" is no operation of a JSON patch", "one of add, remove, replace, move, copy, test")
		}
		if !strings.HasPrefix(text(n, "path"), "/") {
			t.problem(d.file, n.Line, "patches", at+".path", show(text(n, "path"))+" is no JSON pointer", "such as /spec/type")
		}
		if v, _ := field(n, "value"); v == nil && (op == "add" || op == "replace" || op == "test") {
			t.problem(d.file, n.Line, "patches", at+".value", "is missing", "")
		}
	}
}

// roots are the kustomizations whose objects one works on: its own, and for a
// component those that use it; none where nothing that was read does.
func (t *tree) roots(k *kustomization, seen map[*kustomization]bool) []*kustomization {
	if !k.component {
		return []*kustomization{k}
	}
	if seen[k] {
		return nil
	}
	seen[k] = true
	var out []*kustomization
	for _, user := range t.users[folder(k.dir)] {
		out = append(out, t.roots(user, seen)...)
	}
	return out
}

// traps finds what a kustomization does silently, or silently does not.
func (t *tree) traps(k *kustomization) {
	roots := t.roots(k, map[*kustomization]bool{})
	local := len(roots) > 0
	if !local {
		roots = []*kustomization{k} // by itself, for what needs no other object
	}
	var sources []*document
	for _, root := range roots {
		docs, all := t.sources(root, map[*kustomization]bool{})
		docs = slices.DeleteFunc(docs, (*document).isSteps) // which are no objects
		sources, local = append(sources, docs...), local && all
		for _, p := range k.patches {
			if p.doc != nil {
				t.portPatch(k, p, docs)
			}
		}
	}
	for _, p := range k.patches {
		if p.target != nil && local && (text(p.target, "kind") != "" || text(p.target, "name") != "") {
			hit := slices.ContainsFunc(sources, func(d *document) bool {
				return !slices.ContainsFunc(k.patches, func(q patch) bool { return q.doc == d }) &&
					targets(p.target, text(d.root, "kind"), text(d.root, "metadata", "name"))
			})
			if !hit {
				t.problem(k.file, p.line, "patch-target", "patches", fmt.Sprintf("the target %s %s matches no object: the patch does nothing", show(text(p.target, "kind")), show(text(p.target, "name"))), "correct the kind or the name")
			}
		}
	}
	if local {
		t.images(k, roots)
	}
}

// portPatch finds a patch of a Service's port that leaves out the protocol where
// two ports share the number: kustomize then changes nothing, or the wrong one.
func (t *tree) portPatch(k *kustomization, p patch, sources []*document) {
	spec, _ := field(p.doc.root, "spec")
	ports, _ := field(spec, "ports")
	kind := text(p.doc.root, "kind")
	if kind == "" {
		kind = text(p.target, "kind")
	}
	if kind != "Service" || ports == nil || ports.Kind != yaml.SequenceNode || slices.ContainsFunc(ports.Content, isDirective) {
		return
	}
	name := text(p.doc.root, "metadata", "name")
	for i, item := range ports.Content {
		at := fmt.Sprintf("spec.ports[%d]", i)
		object := objectName(p.doc.root)
		if text(item, "port") == "" {
			t.add(Finding{File: p.doc.file, Line: item.Line, Object: object, Field: at, Severity: Error, Rule: "port-patch",
				Message: "has no port, by which kustomize finds the port to change", Next: "write the port's number and protocol"})
			continue
		}
		same := 0
		for _, d := range sources {
			if d == p.doc || text(d.root, "kind") != "Service" || name != "" && text(d.root, "metadata", "name") != name {
				continue
			}
			dspec, _ := field(d.root, "spec")
			there, _ := field(dspec, "ports")
			if there == nil || slices.ContainsFunc(k.patches, func(q patch) bool { return q.doc == d }) {
				continue
			}
			for _, c := range there.Content {
				if text(c, "port") == text(item, "port") {
					same++
				}
			}
		}
		if text(item, "protocol") == "" && same > 1 {
			t.add(Finding{File: p.doc.file, Line: item.Line, Object: object, Field: at, Severity: Error, Rule: "port-patch",
				Message: fmt.Sprintf("has no protocol, and the Service has %d ports of number %s: kustomize changes none of them, silently", same, text(item, "port")), Next: "add the protocol"})
		}
	}
}

// images finds an image to change that no container has: neither as written nor as
// what is below in the tree, or an entry before, has changed it.
func (t *tree) images(k *kustomization, roots []*kustomization) {
	list, _ := field(k.root, "images")
	if list == nil || list.Kind != yaml.SequenceNode {
		return
	}
	var names []string
	for _, root := range roots {
		names = append(names, t.imageNames(root, map[*kustomization]bool{})...)
	}
	for i, n := range list.Content {
		name := text(n, "name")
		if name == "" || hasImage(names, name) {
			if renamed := text(n, "newName"); renamed != "" {
				names = append(names, renamed)
			}
			continue
		}
		t.add(Finding{File: k.file, Line: n.Line, Field: fmt.Sprintf("images[%d].name", i), Severity: Warning, Rule: "image-unused",
			Message: "no container has the image " + show(name) + ": nothing is changed", Next: "write the name as the container has it, without its tag"})
	}
}

// imageNames are the images of what a kustomization builds on and of its patches.
func (t *tree) imageNames(k *kustomization, seen map[*kustomization]bool) []string {
	if k == nil || seen[k] {
		return nil
	}
	seen[k] = true
	var names []string
	for _, p := range k.patches {
		if p.doc != nil {
			names = imagesIn(p.doc.root, names)
		}
		if p.steps != nil {
			for _, step := range p.steps.root.Content {
				value, _ := field(step, "value")
				if value != nil && value.Kind == yaml.ScalarNode {
					names = append(names, value.Value)
				} else if value != nil {
					names = imagesIn(value, names)
				}
			}
		}
	}
	for _, p := range k.resources {
		if docs, ok := t.docs[p]; ok {
			for _, d := range docs {
				names = imagesIn(d.root, names)
			}
			continue
		}
		below := t.known[folder(p)]
		names = append(names, t.imageNames(below, seen)...)
		if below == nil {
			continue
		}
		list, _ := field(below.root, "images")
		if list == nil {
			continue
		}
		for _, n := range list.Content {
			if renamed := text(n, "newName"); renamed != "" {
				names = append(names, renamed)
			}
		}
	}
	return names
}

func imagesIn(n *yaml.Node, names []string) []string {
	n = real(n)
	if image := text(n, "image"); image != "" {
		names = append(names, image)
	}
	for _, c := range n.Content {
		names = imagesIn(c, names)
	}
	return names
}

func hasImage(names []string, name string) bool {
	return slices.ContainsFunc(names, func(image string) bool {
		return image == name || strings.HasPrefix(image, name+":") || strings.HasPrefix(image, name+"@")
	})
}
