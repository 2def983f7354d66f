package tree

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/lines"
)

// Find returns where a field of an object is said, its last word first; the
// path is written as in spec.ports[0].targetPort. A field that nobody says is
// looked for one level up, down to the object itself.
func (t *Tree) Find(ref Ref, field string) (Place, bool) {
	obj := object(t.objs, ref)
	if obj == nil {
		return Place{}, false
	}
	all := sources(t.fs, t.dir, ref)
	for path := parse(obj.Object, field); ; path = path[:len(path)-1] {
		for _, s := range all {
			within, ok := s.locate(path, obj.Object, ref.Name)
			if !ok || s.form != formObject && len(path) < 2 {
				continue
			}
			node, key, _, steps := walk(s.root, within)
			if steps < len(within) {
				continue
			}
			if key != nil {
				node = key
			}
			return Place{File: s.file, Line: node.Line}, true
		}
		if len(path) == 0 {
			return Place{}, false
		}
	}
}

// Mend changes the tree so that it builds ref with patch (a strategic merge
// patch in YAML) applied, touching only the lines that must change. The change
// stays in memory until Write. *UnlocatedError: it has no place; nothing changed.
func (t *Tree) Mend(ref Ref, patch string) ([]Edit, error) {
	fail := func(format string, args ...any) error {
		return &UnlocatedError{Dir: t.dir, Object: ref, Reason: fmt.Sprintf(format, args...)}
	}
	obj := object(t.objs, ref)
	if obj == nil {
		return nil, fail("the tree has no such object")
	}
	var content map[string]any
	if err := yaml.Unmarshal([]byte(patch), &content); err != nil {
		return nil, fail("the patch cannot be read: %v", err)
	}
	changes, err := leaves(content)
	if err != nil {
		return nil, fail("%v", err)
	}
	for i := range changes {
		changes[i] = asSpelled(valueAt(obj.Object, changes[i].path), changes[i])
	}
	want := obj.DeepCopy()
	if text(merged(obj, changes)) == text(obj.Object) {
		return nil, &UnlocatedError{Dir: t.dir, Object: ref, Reason: "the tree says so already; apply it", Said: true}
	}
	next := &Tree{dir: t.dir, fs: t.fs, objs: t.objs}
	for _, l := range changes {
		merge(want.Object, plainLeaf(l))
		now := object(next.objs, ref)
		if text(merged(now, []leaf{l})) == text(now.Object) {
			continue
		}
		if next = next.change(ref, l, want); next == nil {
			return nil, fail("no file says %s in a way that can be changed", name(l.path))
		}
	}
	edits, err := t.since(next)
	if err != nil {
		return nil, err
	}
	t.fs, t.objs = next.fs, next.objs
	return edits, nil
}

// merged is obj with changes, as a copy.
func merged(obj *unstructured.Unstructured, changes []leaf) map[string]any {
	c := obj.DeepCopy().Object
	for _, l := range changes {
		merge(c, plainLeaf(l))
	}
	return c
}

// plainLeaf copies what merge puts into an object: it may be changed there later.
func plainLeaf(l leaf) leaf {
	if m, ok := l.value.(map[string]any); ok && len(m) == 0 {
		l.value = map[string]any{}
	}
	l.path = slices.Clone(l.path)
	return l
}

// change makes one change and returns the tree that has it, nil when no source
// takes it. What is there is changed first, where the last word is said; what
// is missing is added to the object itself, else to the innermost patch.
func (t *Tree) change(ref Ref, l leaf, want *unstructured.Unstructured) *Tree {
	all := sources(t.fs, t.dir, ref)
	obj := object(t.objs, ref)
	if l.remove {
		l.path = pruned(obj.Object, l.path)
	}
	for _, s := range all {
		path, ok := s.locate(l.path, obj.Object, ref.Name)
		if !ok {
			continue
		}
		node, key, parent, steps := walk(s.root, path)
		if steps < len(path) {
			continue
		}
		if next := t.try(ref, s.file, want, func(p *page) bool {
			if l.remove {
				return p.remove(parent, key, node)
			}
			return p.replace(node, l.value) || p.each(node, l.value)
		}); next != nil {
			return next
		}
		if l.remove {
			continue
		}
		if next := t.try(ref, s.file, want, func(p *page) bool { return p.rewrite(node, l.value) }); next != nil {
			return next
		}
	}
	if l.remove {
		return nil
	}
	slices.Reverse(all)
	for _, s := range all {
		if s.form != formObject && s.form != formPatch {
			continue
		}
		node, _, _, steps := walk(s.root, l.path)
		if next := t.try(ref, s.file, want, func(p *page) bool {
			_, ok := p.insert(node, l.path[steps:], l.value)
			return ok
		}); next != nil {
			return next
		}
	}
	return nil
}

// try edits a file and returns the tree with it, nil unless it builds what is
// wanted and nothing else.
func (t *Tree) try(ref Ref, path string, want *unstructured.Unstructured, edit func(*page) bool) *Tree {
	data, err := t.fs.ReadFile(path)
	if err != nil {
		return nil
	}
	p := newPage(data)
	if !edit(p) {
		return nil
	}
	fs, err := t.fs.with(path, p.bytes())
	if err != nil {
		return nil
	}
	next := &Tree{dir: t.dir, fs: fs}
	if next.objs, err = apply.Build(fs, t.dir); err != nil || len(next.objs) != len(t.objs) {
		return nil
	}
	mended := object(next.objs, ref)
	if mended == nil || text(mended.Object) != text(want.Object) {
		return nil
	}
	old := object(t.objs, ref)
	for i := range t.objs {
		if t.objs[i] != old && text(t.objs[i].Object) != text(next.objs[i].Object) {
			return nil
		}
	}
	return next
}

// since lists what next has changed.
func (t *Tree) since(next *Tree) ([]Edit, error) {
	var edits []Edit
	for _, f := range next.fs.files {
		before, err := t.fs.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.path, err)
		}
		if string(before) == string(f.after) {
			continue
		}
		line, diff := lines.Diff(string(before), string(f.after))
		edits = append(edits, Edit{Place: Place{File: f.path, Line: line}, Diff: diff})
	}
	if len(edits) == 0 {
		return nil, errors.New("nothing changed")
	}
	slices.SortFunc(edits, func(a, b Edit) int { return strings.Compare(a.File, b.File) })
	return edits, nil
}

// name writes a path as findings do.
func name(path []step) string {
	var b strings.Builder
	for _, s := range path {
		if s.match == nil {
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.field)
			continue
		}
		for _, k := range []string{"name", "port", "containerPort", "mountPath"} {
			if v, ok := s.match[k]; ok {
				b.WriteString("[" + scalar(v) + "]")
				break
			}
		}
	}
	return b.String()
}
