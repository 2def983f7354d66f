package generate

import (
	"path"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// obsolete decides on files of an earlier generation that is in the tree no more.
func (p *writePlan) obsolete(files []File) {
	wanted, folders := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		wanted[f.Path], folders[path.Dir(f.Path)] = true, true
	}
	dirs := []string{"base"}
	for _, name := range p.list("overlays") {
		dirs = append(dirs, path.Join("overlays", name))
	}
	for _, dir := range dirs {
		p.obsoleteIn(dir, wanted, !folders[dir])
	}
}

// obsoleteIn decides on the files of a folder; gone says that nothing is generated
// there any more. Then they stay or go together, since they name each other: they
// stay when a person has edited one of them, or made the kustomization.yaml their own.
func (p *writePlan) obsoleteIn(dir string, wanted map[string]bool, gone bool) {
	var unedited, edited []step
	theirs := false
	for _, name := range p.list(dir) {
		file := path.Join(dir, name)
		if wanted[file] || path.Ext(name) != ".yaml" {
			continue
		}
		data, mode, err := p.read(file)
		if err != nil {
			continue // not a plain file, so none that this program wrote
		}
		switch was, body := unstamp(data); {
		case was == digest(file, body):
			unedited = append(unedited, step{path: file, fate: removed, old: data, mode: mode})
		case was != "":
			edited = append(edited, step{path: file, fate: kept, idle: !gone && !p.names(dir, name)})
		case name == "kustomization.yaml":
			theirs = true
		}
	}
	stay := gone && (len(edited) > 0 || theirs)
	for _, s := range unedited {
		if stay {
			s = step{path: s.path, fate: kept, with: true}
		}
		p.steps = append(p.steps, s)
	}
	// Stamps may have come with a copy: a folder that was never generated, and in
	// which every stamp is of another place, is a person's own.
	if len(edited) > 0 && (len(unedited) > 0 || p.generatedDir(dir)) {
		p.steps = append(p.steps, edited...)
	}
}

// notNamed are the files that their folder's kustomization.yaml does not name, as
// somebody has changed it, and that are there all the same, perhaps under another name:
// whatever is generated there has no effect.
func (p *writePlan) notNamed(files []File) []string {
	var out []string
	for _, f := range files {
		dir, name := path.Split(f.Path)
		if dir == "" || name == "kustomization.yaml" || p.names(path.Clean(dir), name) {
			continue
		}
		if slices.ContainsFunc(p.steps, func(s step) bool {
			generated := slices.ContainsFunc(files, func(g File) bool { return g.Path == s.path })
			return s.path == f.Path || s.fate == kept && path.Dir(s.path) == path.Clean(dir) && !generated
		}) {
			out = append(out, f.Path)
		}
	}
	return out
}

// names reports whether a folder's kustomization.yaml, as it is to become, names a file.
func (p *writePlan) names(dir, name string) bool {
	file := path.Join(dir, "kustomization.yaml")
	at := slices.IndexFunc(p.steps, func(s step) bool { return s.path == file })
	if at < 0 {
		return true // nothing that could be said
	}
	text := p.steps[at].old
	if p.steps[at].data != nil {
		text = p.steps[at].data
	}
	docs, err := documents(text)
	return err != nil || slices.ContainsFunc(docs, func(n *yaml.Node) bool { return saysFile(n, name) })
}

func saysFile(n *yaml.Node, name string) bool {
	return n.Kind == yaml.ScalarNode && path.Clean(n.Value) == name ||
		slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return saysFile(c, name) })
}

// generatedDir tells whether a folder is one that this program makes, or made when
// the tree was written last.
func (p *writePlan) generatedDir(dir string) bool {
	if dir == "base" {
		return true
	}
	for _, t := range ServiceTypes() {
		if dir == Overlay(t) {
			return true
		}
	}
	a := p.lastApp()
	return a != nil && a.Environment(path.Base(dir)) != nil
}
