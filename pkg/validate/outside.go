package validate

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// outside is a part of a kustomization that is fetched from elsewhere or made by a
// program, so that nothing with it is built here.
type outside struct {
	Finding
	flag string // with which kustomize runs the program
}

// address reports whether kustomize asks a web server for a file.
func address(ref string) bool {
	u, err := url.Parse(ref)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// repository is what kustomize has git clone, even where a folder has that name.
var repository = regexp.MustCompile(`(?i)^(git::)?((ssh|https?|file)://|(github\.com|[a-z][a-z0-9-]*@[^/:?]*)[/:][^?]*(/|\.git))`)

// remote reports whether a resource is fetched from elsewhere.
func remote(ref string) bool { return address(ref) || repository.MatchString(ref) }

// fileFields are those that name files, in a kustomization and in what configures
// kustomize's own plugins; a web address is fetched in all of them.
var fileFields = []string{"path", "paths", "files", "envs", "env", "crds", "configurations", "patchesStrategicMerge", "targetFilePath", "valuesFile", "additionalValuesFiles"}

// naming are the fields of a kustomization with such fields, or which are such.
var naming = []string{"crds", "configurations", "openapi", "patches", "patchesJson6902", "patchesStrategicMerge", "replacements", "configMapGenerator", "secretGenerator"}

// addresses calls visit with every web address in a field that names files, or
// anywhere. Names are matched as kustomize does, whatever their case.
func addresses(n *yaml.Node, at path, anywhere bool, visit func(at path, n *yaml.Node)) {
	n = real(n)
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		for i, c := range n.Content {
			addresses(c, at.with(i), anywhere, visit)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			is := slices.ContainsFunc(fileFields, func(f string) bool { return strings.EqualFold(f, name) })
			addresses(n.Content[i+1], at.with(name), anywhere || is, visit)
		}
	case anywhere:
		value := scalar(n)
		if _, file, _ := strings.Cut(value, "="); address(value) || address(file) { // KEY=FILE
			visit(at, n)
		}
	}
}

// scalar is a text as kustomize reads it.
func scalar(n *yaml.Node) string {
	if n.ShortTag() == "!!binary" {
		if data, err := base64.StdEncoding.DecodeString(n.Value); err == nil {
			return string(data)
		}
	}
	return n.Value
}

// elsewhere keeps that something is fetched. A password in an address is not shown.
func (k *kustomization) elsewhere(file string, line int, fieldName, ref string) {
	if u, err := url.Parse(ref); err == nil && u.User != nil {
		ref = u.Redacted()
	}
	k.outside = append(k.outside, outside{Finding: Finding{File: file, Line: line, Field: fieldName, Severity: Note, Rule: "remote",
		Message: show(ref) + " is elsewhere and was not fetched, so what builds on it was not built"}})
}

// findOutside keeps what a kustomization itself names that is elsewhere or made by helm.
func (k *kustomization) findOutside() {
	for _, name := range naming {
		n, _ := field(k.root, name)
		addresses(n, path{name}, slices.Contains(fileFields, name), func(at path, n *yaml.Node) {
			k.elsewhere(k.file, n.Line, at.String(), scalar(n))
		})
	}
	for _, name := range []string{"helmCharts", "helmChartInflationGenerator"} {
		if list, line := field(k.root, name); list != nil && len(list.Content) > 0 {
			k.outside = append(k.outside, outside{flag: "--enable-helm", Finding: Finding{File: k.file, Line: line, Field: name, Severity: Note, Rule: "helm",
				Message: "is inflated by helm, which is not run here, so what builds on it was not built"}})
		}
	}
}

// tellOutside says of what is outside that it was not seen. It comes after all is
// read, for it names a folder that uses a component.
func (t *tree) tellOutside() {
	for _, k := range t.known {
		if k == nil {
			continue
		}
		for _, o := range k.outside {
			o.Next = checkOutput(t.whole(k), o.flag)
			t.add(o.Finding)
		}
	}
}

// whole is the folder that is built to see what a kustomization is for.
func (t *tree) whole(k *kustomization) string {
	for range len(t.known) {
		users := t.users[folder(k.dir)]
		switch {
		case k.plugins != nil:
			k = k.plugins
		case k.component && len(users) > 0:
			k = users[0]
		default:
			return k.dir
		}
	}
	return k.dir
}

// partly reports whether a part of what a build needs is outside.
func (t *tree) partly(k *kustomization, seen map[*kustomization]bool) bool {
	if k == nil || seen[k] {
		return false
	}
	seen[k] = true
	return len(k.outside) > 0 || slices.ContainsFunc(k.folders(), func(p string) bool { return t.partly(t.known[folder(p)], seen) })
}

// plugin is how kustomize names one that it does not run without being told to.
var plugin = regexp.MustCompile(`unable to load external plugin '([^']*)'`)

// needsProgram says why a build failed that would run another program, and the flag
// with which kustomize does; nothing of any other error.
func needsProgram(err error) (why, flag string) {
	if strings.Contains(err.Error(), "must specify --enable-helm") {
		return "a chart is inflated by helm, which is not run here", "--enable-helm"
	}
	if found := plugin.FindStringSubmatch(err.Error()); found != nil {
		return show(found[1]) + " is a plugin, and none is run here", "--enable-alpha-plugins"
	}
	return "", ""
}

// checkOutput is how to check what is built from elsewhere, or with a program's help.
func checkOutput(dir, flag string) string {
	build := "kubectl kustomize "
	if flag != "" {
		build = "kustomize build " + flag + " "
	}
	return "check what it makes: " + build + shell.Word(dir) + " | kubectl svcx validate -f -"
}
