package validate

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Options are what checking a tree needs of others.
type Options struct {
	// Build builds the kustomization in a folder, as kustomize does.
	Build func(dir string) ([]byte, error)
	// Checked are YAML files below the folder that are no manifests, which the caller
	// checks.
	Checked []string
}

// maxFiles bounds a tree: more are a mistake in the folder.
const maxFiles = 20_000

// tree is a folder with kustomizations, as far as it was read.
type tree struct {
	kinds   *catalogue
	result  *Result
	known   map[string]*kustomization   // by folder; nil for one that cannot be read
	loading map[string]bool             // folders that are being read
	docs    map[string][]*document      // of resource files, by path
	ill     map[string]bool             // files that cannot be read, by path
	used    map[string]bool             // folders that another kustomization refers to
	users   map[string][]*kustomization // of components, by folder
	opened  map[string]bool             // files that were read
	mention map[string]string           // the text of a folder's kustomization
	seen    map[string]bool             // findings
}

// Dir checks a folder: every kustomization in it, with what it refers to, as
// written and as built; or, where there is none, its YAML files as one set.
func Dir(ctx context.Context, dir string, o Options) (*Result, error) {
	files, folders, err := scan(ctx, dir)
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(file string) bool { return slices.Contains(o.Checked, file) })
	if len(folders) == 0 {
		switch {
		case len(files) > 0:
		case len(o.Checked) > 0:
			return &Result{}, nil
		default:
			return nil, fmt.Errorf("%s holds no YAML file", dir)
		}
		return Files(ctx, files, strings.NewReader(""))
	}
	kinds, err := loadCatalogue()
	if err != nil {
		return nil, err
	}
	t := &tree{kinds: kinds, result: &Result{}, known: map[string]*kustomization{}, loading: map[string]bool{}, docs: map[string][]*document{}, ill: map[string]bool{},
		used: map[string]bool{}, users: map[string][]*kustomization{}, opened: map[string]bool{}, mention: map[string]string{}, seen: map[string]bool{}}
	for _, dir := range folders {
		t.load(dir)
	}
	t.tellOutside()
	t.strays(dir, files)
	for _, dir := range folders {
		if k := t.known[folder(dir)]; k != nil {
			t.traps(k)
		}
	}
	if err := t.builds(ctx, folders, o); err != nil {
		return nil, err
	}
	if r := t.result; r.Overlays == 0 && r.Count(Error) == 0 && r.Count(Note) == 0 {
		t.add(Finding{File: dir, Severity: Note, Rule: "build", Message: "nothing here can be built by itself, so no object was checked"})
	}
	t.result.sort()
	return t.result, nil
}

func (t *tree) add(f Finding) {
	message, _, _ := strings.Cut(f.Message, ", as built from ")
	key := fmt.Sprintf("%q %d %q %q %q %q", f.File, f.Line, f.Rule, f.Object, f.Field, message)
	if !t.seen[key] {
		t.seen[key] = true
		t.result.Findings = append(t.result.Findings, f)
	}
}

func (t *tree) problem(file string, line int, rule, fieldName, message, next string) {
	t.add(Finding{File: file, Line: line, Field: fieldName, Severity: Error, Rule: rule, Message: message, Next: next})
}

// read parses a file that a build would read; it reports whether a build can.
func (t *tree) read(root, file string) ([]*document, bool) {
	t.opened[absolute(file)] = true
	data, err := readFile(root, file)
	t.result.Files++
	if err != nil {
		t.add(unreadable(file, err))
		return nil, false
	}
	docs, findings := parse(file, data)
	for _, f := range findings {
		t.add(f)
	}
	if dir := filepath.Dir(file); kustomizationIn(dir) == file {
		t.mention[dir] = string(data)
	}
	return docs, !broken(findings)
}

// load reads a kustomization and what it refers to.
func (t *tree) load(dir string) *kustomization {
	key := folder(dir)
	if k, ok := t.known[key]; ok {
		return k
	}
	t.known[key] = nil
	file := kustomizationIn(dir)
	if file == "" {
		return nil
	}
	docs, ok := t.read(dir, file)
	if len(docs) == 0 {
		if ok {
			t.problem(file, 1, "build", "", "is empty, which kustomize refuses", "list files or folders under resources, or remove it")
		}
		return nil
	}
	k := &kustomization{dir: dir, file: file, root: docs[0].root, component: text(docs[0].root, "kind") == "Component"}
	t.known[key] = k
	t.loading[key] = true
	defer delete(t.loading, key)
	found := strictKustomization(k)
	for _, f := range found {
		t.add(f)
	}
	if broken(found) { // kustomize would say the same, less well
		k.broken = file
	}
	for _, name := range []string{"resources", "bases", "components"} {
		list, line := field(k.root, name)
		for i, ref := range stringsOf(list) {
			if list.Content[i].Line > 0 {
				line = list.Content[i].Line
			}
			t.resource(k, ref, fmt.Sprintf("%s[%d]", name, i), line)
		}
	}
	k.findOutside()
	t.patches(k)
	t.configs(k)
	return k
}

func (t *tree) resource(k *kustomization, ref, fieldName string, line int) {
	if remote(ref) {
		k.elsewhere(k.file, line, fieldName, ref)
		return
	}
	p := filepath.Join(k.dir, filepath.FromSlash(ref))
	info, err := filepath.EvalSymlinks(p)
	switch {
	case filepath.IsAbs(ref):
		t.problem(k.file, line, "resources", fieldName, "is an absolute path, which kustomize refuses", "write it relative to this file")
		k.broken = k.file
	case err != nil && strings.Contains(ref, "://"):
		t.problem(k.file, line, "resources", fieldName, show(ref)+" is no address that kustomize fetches", "begin it with https:// or ssh://, or name a file or folder")
		k.broken = k.file
	case err != nil:
		t.problem(k.file, line, "resources", fieldName, show(ref)+" does not exist", "correct the path, or remove it")
		k.broken = k.file
	case isDir(info) && t.loading[folder(p)]:
		t.leadsBack(k, ref, fieldName, line)
	case isDir(info):
		t.used[folder(p)] = true
		if strings.HasPrefix(fieldName, "components") {
			t.users[folder(p)] = append(t.users[folder(p)], k)
		}
		k.resources = append(k.resources, p)
		if t.load(p) != nil {
			return
		}
		k.broken = kustomizationIn(p)
		if k.broken == "" {
			k.broken = k.file
			t.problem(k.file, line, "resources", fieldName, show(ref)+" has no kustomization.yaml", "name a folder that has one, or the files in it")
		}
	case !below(k.dir, p):
		t.leadsOut(k, p, "resources", fieldName, ref, line, "make a kustomization of its folder, and name that")
	default:
		k.resources = append(k.resources, p)
		if _, done := t.docs[p]; !done {
			docs, ok := t.read(k.dir, p)
			docs = flatten(docs)
			t.docs[p], t.ill[p] = docs, !ok
			for _, d := range docs {
				t.structure(d)
			}
		}
		if t.ill[p] {
			k.broken = p
		}
	}
}

// named reads a file that a kustomization names and that is no resource.
func (t *tree) named(k *kustomization, file, rule, fieldName, ref string, line int) []*document {
	if !below(k.dir, file) {
		t.leadsOut(k, file, rule, fieldName, ref, line, "move the file here")
		return nil
	}
	docs, ok := t.read(k.dir, file)
	if !ok {
		k.broken = file
	}
	return docs
}

func (t *tree) leadsBack(k *kustomization, ref, fieldName string, line int) {
	t.problem(k.file, line, "resources", fieldName, show(ref)+" leads back to this kustomization, which kustomize refuses", "remove one of the two references")
	k.broken = k.file
}

// leadsOut tells of a file that kustomize does not read for a kustomization.
func (t *tree) leadsOut(k *kustomization, file, rule, fieldName, ref string, line int, next string) {
	t.opened[absolute(file)] = true // it is referred to, if in vain
	t.problem(k.file, line, rule, fieldName, show(ref)+" is not below this folder, from where alone kustomize reads files", next)
	k.broken = k.file
}

// structure checks a document as it is written. What configures a plugin is no object;
// among objects it is found when they are built.
func (t *tree) structure(d *document) {
	if text(d.root, "apiVersion") == builtin {
		return
	}
	for _, f := range structure(t.kinds, d, true) {
		t.add(f)
	}
}

// sources are the documents that a kustomization's objects come from, patches
// before what they patch, the last first; local is false when a part of them is not seen.
func (t *tree) sources(k *kustomization, seen map[*kustomization]bool) (docs []*document, local bool) {
	if k == nil || seen[k] {
		return nil, k != nil
	}
	seen[k] = true
	for _, p := range slices.Backward(k.patches) {
		docs = append(docs, cmp.Or(p.doc, p.steps))
	}
	local = len(k.outside) == 0
	for _, name := range []string{"generators", "transformers", "configMapGenerator", "secretGenerator", "namePrefix", "nameSuffix"} {
		n, _ := field(k.root, name)
		local = local && n == nil
	}
	for _, p := range k.resources {
		if files, ok := t.docs[p]; ok {
			docs = append(docs, files...)
			continue
		}
		more, all := t.sources(t.known[folder(p)], seen)
		docs, local = append(docs, more...), local && all
	}
	return docs, local
}

func groupOf(d *document) string {
	group, _, slash := strings.Cut(text(d.root, "apiVersion"), "/")
	if !slash {
		return ""
	}
	return group
}

// builds builds what is not a part of something else, and checks the outcome.
func (t *tree) builds(ctx context.Context, folders []string, o Options) error {
	firsts := map[string]first{}
	for _, dir := range folders {
		k := t.known[folder(dir)]
		if k == nil || t.used[folder(dir)] {
			continue
		}
		if k.component {
			t.add(Finding{File: k.file, Severity: Note, Rule: "build", Message: "is a component that nothing here refers to, so it was not built"})
			continue
		}
		if cause := t.unbuildable(k, map[*kustomization]bool{}); cause != "" {
			if cause != k.file {
				t.add(Finding{File: k.file, Severity: Note, Rule: "build", Message: "was not built, as " + cause + " has errors", Next: "mend them first"})
			}
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		sources, _ := t.sources(k, map[*kustomization]bool{})
		if t.partly(k, map[*kustomization]bool{}) {
			continue
		}
		place := dir
		if repository.MatchString(dir) {
			place = "." + string(filepath.Separator) + dir // else kustomize has it cloned
		}
		data, err := o.Build(place)
		if err != nil {
			if why, flag := needsProgram(err); why != "" {
				t.add(Finding{File: k.file, Severity: Note, Rule: "build", Message: "was not built: " + why, Next: checkOutput(dir, flag)})
			} else {
				t.problem(k.file, 0, "build", "", strings.TrimPrefix(err.Error(), "building "+k.file+": "), "")
			}
			continue
		}
		t.result.Overlays++
		for _, b := range t.built(dir, data, sources) {
			t.unchanged(b, dir, firsts)
		}
	}
	return nil
}

// unbuildable returns the file for which a kustomization, or one that it builds on,
// cannot be built; "" when it can.
func (t *tree) unbuildable(k *kustomization, seen map[*kustomization]bool) string {
	if k == nil || seen[k] {
		return ""
	}
	seen[k] = true
	if k.broken != "" {
		return k.broken
	}
	for _, p := range k.folders() {
		if cause := t.unbuildable(t.known[folder(p)], seen); cause != "" {
			return cause
		}
	}
	return ""
}

// from are the documents of which one of a build is made. A name may have got more
// letters before it and after it since then.
func (d *document) from(sources []*document) []*document {
	kind, name := text(d.root, "kind"), text(d.root, "metadata", "name")
	names := []string{name}
	for _, s := range sources {
		if own := text(s.root, "metadata", "name"); s.target == nil && text(s.root, "kind") == kind && strings.Contains(name, own) {
			names = append(names, own)
		}
	}
	return slices.DeleteFunc(slices.Clone(sources), func(s *document) bool {
		if s.target == nil {
			return text(s.root, "kind") != kind || !slices.Contains(names, text(s.root, "metadata", "name"))
		}
		return !slices.ContainsFunc(names, func(name string) bool { return targets(s.target, kind, name) }) || !labelled(s.target, d.root)
	})
}

// labelled reports whether an object has the labels that a patch's target asks for.
func labelled(target, root *yaml.Node) bool {
	selector, err := labels.Parse(text(target, "labelSelector"))
	have := labels.Set{}
	metadata, _ := field(root, "metadata")
	if list, _ := field(metadata, "labels"); list != nil {
		for i := 0; i+1 < len(list.Content); i += 2 {
			have[list.Content[i].Value] = list.Content[i+1].Value
		}
	}
	return err != nil || selector.Matches(have)
}

// built checks the objects of one build.
func (t *tree) built(dir string, data []byte, sources []*document) []*object {
	docs, findings := parse(dir, data)
	for _, f := range findings {
		t.add(f)
	}
	var all []*object
	for _, d := range docs {
		t.result.Objects++
		from := d.from(sources)
		found := structure(t.kinds, d, false)
		b := newObject(d, broken(found))
		b.from = from
		for _, f := range found {
			if len(from) > 0 {
				f = ruled{f, b}.locate(from)
			}
			t.add(f)
		}
		all = append(all, b)
	}
	for _, f := range rules(all) {
		f.File = filepath.Join(dir, filepath.Base(kustomizationIn(dir)))
		located := f.locate(f.about.from)
		if rel, err := filepath.Rel(dir, located.File); err == nil && strings.HasPrefix(rel, "..") {
			located.Message += ", as built from " + dir
		}
		t.add(located)
	}
	return all
}
