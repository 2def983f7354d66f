package validate

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// builtin is the apiVersion of what configures kustomize's own plugins.
const builtin = "builtin"

// configs reads what configures plugins: texts, files and folders, which name files
// of their own.
func (t *tree) configs(k *kustomization) {
	for _, name := range []string{"generators", "transformers", "validators"} {
		list, _ := field(k.root, name)
		for i, ref := range stringsOf(list) {
			t.config(k, ref, fmt.Sprintf("%s[%d]", name, i), list.Content[i].Line)
		}
	}
}

func (t *tree) config(k *kustomization, ref, at string, line int) {
	if remote(ref) {
		k.elsewhere(k.file, line, at, ref)
		return
	}
	p := filepath.Join(k.dir, filepath.FromSlash(ref))
	if isDir(p) {
		t.configFolder(k, ref, at, line)
		return
	}
	docs, findings := parse(k.file, []byte(ref)) // a path is text to it
	for _, d := range docs {
		k.configured(d, false, func(address string) { k.elsewhere(k.file, line, at, address) })
	}
	if _, err := os.Lstat(p); err != nil {
		for _, f := range findings {
			f.Line, f.Field = line, at
			t.add(f)
		}
		written := slices.ContainsFunc(docs, func(d *document) bool { return d.root.Kind == yaml.MappingNode })
		if !written && !broken(findings) {
			t.problem(k.file, line, "resources", at, show(ref)+" does not exist", "correct the path, or remove it")
		}
		if !written {
			k.broken = k.file
		}
		return
	}
	for _, d := range t.named(k, p, "resources", at, ref, line) {
		k.configured(d, false, nil)
	}
}

// configured keeps what the configuration of plugins names that is elsewhere; found
// tells of it where the document's own lines are not those of a file.
func (k *kustomization) configured(d *document, anywhere bool, found func(address string)) {
	for _, n := range append([]*yaml.Node{d.root}, d.lost...) {
		addresses(n, nil, anywhere, func(at path, n *yaml.Node) {
			if found != nil {
				found(scalar(n))
				return
			}
			k.elsewhere(d.file, n.Line, at.String(), scalar(n))
		})
	}
}

// configFolder reads a kustomization of which the objects configure plugins.
func (t *tree) configFolder(k *kustomization, ref, at string, line int) {
	p := filepath.Join(k.dir, filepath.FromSlash(ref))
	if t.loading[folder(p)] {
		t.leadsBack(k, ref, at, line)
		return
	}
	t.used[folder(p)] = true
	inner := t.load(p)
	if inner == nil {
		k.broken = cmp.Or(kustomizationIn(p), k.broken) // without one kustomize says so
		return
	}
	k.configFolders = append(k.configFolders, p)
	t.follow(inner, k, false, map[*kustomization]bool{})
}

// follow keeps what the objects of such a folder name that is elsewhere. A patch may
// name it anywhere, and what else changes objects may make a name of parts.
func (t *tree) follow(k, user *kustomization, anywhere bool, seen map[*kustomization]bool) {
	if k == nil {
		return
	}
	if before, there := seen[k]; there && (before || !anywhere) {
		return
	}
	k.plugins = user
	for i := 0; i+1 < len(k.root.Content); i += 2 {
		switch key := k.root.Content[i]; key.Value {
		case "apiVersion", "kind", "metadata", "resources", "bases", "namespace", "namePrefix", "nameSuffix", "commonLabels", "commonAnnotations", "buildMetadata", "sortOptions":
		case "patches", "patchesStrategicMerge":
			anywhere = true
		default:
			k.outside = append(k.outside, outside{Finding: Finding{File: k.file, Line: key.Line, Field: key.Value, Severity: Note, Rule: "remote",
				Message: "changes what configures plugins, which may then fetch something, so what builds on it was not built"}})
		}
	}
	seen[k] = anywhere
	if anywhere {
		k.configured(&document{file: k.file, root: k.root}, true, nil)
	}
	for _, p := range k.patches {
		for _, d := range []*document{p.doc, p.steps} {
			if d != nil {
				k.configured(d, true, nil)
			}
		}
	}
	for _, p := range k.resources {
		for _, d := range t.docs[p] {
			k.configured(d, anywhere, nil)
		}
		t.follow(t.known[folder(p)], user, anywhere, seen)
	}
}
