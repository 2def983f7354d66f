package cli

import (
	"path/filepath"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// withoutRefused adds the way on to an error of a user who may not have what svcx.yaml
// states and the app can do without. app is nil where the tree says what it is;
// again is what to do once the tree says it no longer.
func withoutRefused(err error, app *generate.App, dir, again string) error {
	if err == nil || !apierrors.IsForbidden(err) {
		return err
	}
	tree := ""
	if app == nil && dir != "" {
		tree = filepath.Join(dir, "..", "..") // of an overlay
		app, _ = generate.LoadApp(tree)
	}
	if app == nil {
		return err
	}
	refused := map[string]bool{}
	for _, m := range forbidPattern.FindAllStringSubmatch(err.Error(), -1) {
		refused[m[3]] = true
	}
	var sets []string
	if refused["networkpolicies"] && app.Spec.NetworkPolicy != nil {
		sets = append(sets, "--set networkPolicy=")
	}
	if refused["poddisruptionbudgets"] && app.Spec.PodDisruptionBudget != nil {
		sets = append(sets, "--set podDisruptionBudget=")
	}
	if len(sets) == 0 {
		return err
	}
	flags := strings.Join(sets, " ")
	if tree == "" {
		return withHints(err, "or do without: add "+flags)
	}
	return withHints(err, "or do without: kubectl svcx generate --dir "+shell.Word(filepath.ToSlash(tree))+" "+flags+"; then "+again+" again")
}
