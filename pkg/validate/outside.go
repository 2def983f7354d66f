package validate

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// remote reports whether a resource is fetched from elsewhere.
func remote(ref string) bool {
	return strings.Contains(ref, "://") || strings.Contains(ref, "?ref=") || strings.HasPrefix(ref, "git@") || strings.HasPrefix(ref, "github.com/")
}

// helmFields are those of a kustomization by which kustomize runs helm.
var helmFields = []string{"helmCharts", "helmChartInflationGenerator"}

// charts says of what helm inflates that it was not.
func (t *tree) charts(k *kustomization) {
	for _, name := range helmFields {
		if list, line := field(k.root, name); list != nil && len(list.Content) > 0 {
			t.add(Finding{File: k.file, Line: line, Field: name, Severity: Note, Rule: "helm",
				Message: "is inflated by helm, which is not run here, so what builds on it was not built", Next: checkOutput(k.dir, "--enable-helm")})
		}
	}
}

// fetches reports whether a build would fetch something from elsewhere, or have helm
// do so.
func (t *tree) fetches(k *kustomization, seen map[*kustomization]bool) bool {
	if k == nil || seen[k] {
		return false
	}
	seen[k] = true
	for _, name := range []string{"resources", "bases", "components"} {
		list, _ := field(k.root, name)
		if slices.ContainsFunc(stringsOf(list), remote) {
			return true
		}
	}
	for _, name := range helmFields {
		if list, _ := field(k.root, name); list != nil && len(list.Content) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(k.resources, func(p string) bool { return t.fetches(t.known[folder(p)], seen) })
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

// checkOutput is how to check what kustomize builds with a program's help.
func checkOutput(dir, flag string) string {
	return "check what it makes: kustomize build " + flag + " " + shell.Word(dir) + " | kubectl svcx validate -f -"
}
