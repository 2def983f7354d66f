package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/tree"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// locate finds the findings and their fixes in the tree of -k. Nothing is
// written: the tree that comes back holds the changes, nil when there is none.
func (p *program) locate(o *verifyOptions, v *verify.Verdict) (*tree.Tree, error) {
	if o.kustomize == "" || !hasFindings(v) {
		return nil, nil
	}
	t, err := tree.Open(p.fs, o.kustomize)
	if err != nil {
		return nil, err
	}
	for i := range v.Services {
		for j := range v.Services[i].Findings {
			f := &v.Services[i].Findings[j]
			ref := tree.Ref{Kind: f.Object.Kind, Namespace: f.Object.Namespace, Name: f.Object.Name}
			if at, ok := t.Find(ref, f.Field); ok {
				f.Source = &verify.Source{File: at.File, Line: at.Line}
			}
		}
	}
	// Fixes come after all places: they move lines.
	changed := map[verify.ObjectRef]bool{}
	for i := range v.Services {
		for j := range v.Services[i].Findings {
			f := &v.Services[i].Findings[j]
			ok, err := o.mend(t, f, changed[f.Object])
			if err != nil {
				return nil, err
			}
			if ok {
				changed[f.Object] = true
			}
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	return t, nil
}

// mend puts one finding's fix into the tree, or says why it has no place there; changed
// says that another finding's fix has changed the object there.
func (o *verifyOptions) mend(t *tree.Tree, f *verify.Finding, changed bool) (bool, error) {
	if f.Fix == nil || f.Fix.Patch == "" || f.Fix.Unlocated != "" || f.Severity == verify.SeverityNote {
		return false, nil
	}
	edits, err := t.Mend(tree.Ref{Kind: f.Object.Kind, Namespace: f.Object.Namespace, Name: f.Object.Name}, f.Fix.Patch)
	var none *tree.UnlocatedError
	if errors.As(err, &none) && none.Said && changed {
		f.Fix = &verify.Fix{Summary: f.Fix.Summary + "; the change to " + f.Object.String() + " above holds it"}
		return false, nil
	}
	if errors.As(err, &none) && none.Said {
		// Somebody changed the live object: the tree needs no change.
		f.Fix = &verify.Fix{Summary: "apply the tree, which says it right: " + f.Fix.Summary, Command: o.applyCommand()}
		return false, nil
	}
	if errors.As(err, &none) {
		f.Fix.Unlocated = none.Reason
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, e := range edits {
		f.Fix.Edits = append(f.Fix.Edits, verify.Edit{Source: verify.Source{File: e.File, Line: e.Line}, Diff: e.Diff})
	}
	return true, nil
}

func hasFindings(v *verify.Verdict) bool {
	for i := range v.Services {
		if len(v.Services[i].Findings) > 0 {
			return true
		}
	}
	return false
}

// write puts the changes of --fix on the disk and says so.
func (p *program) writeFixes(o *verifyOptions, t *tree.Tree, g *progress) error {
	if t == nil {
		g.step("fixed", "nothing: no finding has a fix that %s takes", o.kustomize)
		return nil
	}
	written, err := t.Write()
	for _, path := range written {
		g.step("fixed", "%s", path)
	}
	if err != nil {
		return err
	}
	g.step("next", "%s", o.applyCommand())
	return nil
}

// applyCommand is the command that brings the tree to the cluster and proves it.
func (o *verifyOptions) applyCommand() string {
	return fmt.Sprintf("kubectl svcx apply -k %s%s --verify%s%s", shell.Word(o.kustomize), o.namespaceFlag(), o.asked, o.cluster)
}

// fixCommand is the command that writes what the report shows; empty when
// there is nothing to write, or it is being written.
func (o *verifyOptions) fixCommand(t *tree.Tree) string {
	if t == nil || o.fix {
		return ""
	}
	words := []string{"kubectl svcx verify"}
	for _, n := range o.names {
		words = append(words, shell.Word(n))
	}
	if o.snapshot != "" {
		words = append(words, "--snapshot "+shell.Word(o.snapshot))
	}
	return fmt.Sprintf("%s -k %s%s%s --fix%s", strings.Join(words, " "), shell.Word(o.kustomize), o.namespaceFlag(), o.inside()+o.asked, o.cluster)
}

// inside repeats --in-cluster where --from does not imply it.
func (o *verifyOptions) inside() string {
	if o.inCluster && o.probing.from == "" {
		return " --in-cluster"
	}
	return ""
}

// namespaceFlag repeats -n where it was given.
func (o *verifyOptions) namespaceFlag() string {
	if o.namespace == "" {
		return ""
	}
	return " -n " + shell.Word(o.namespace)
}

// treeTargets are the Services that a kustomization or manifests hold, a target a namespace.
func (o *verifyOptions) treeTargets(objs []*unstructured.Unstructured, namespace string, given bool) ([]verify.Target, error) {
	var targets []verify.Target
	at := map[string]int{}
	held := map[string]bool{}
	for _, obj := range objs {
		if obj.GetKind() != "Service" || obj.GroupVersionKind().Group != "" {
			continue
		}
		held[obj.GetName()] = true
		if len(o.names) > 0 && !slices.Contains(o.names, obj.GetName()) {
			continue
		}
		ns := obj.GetNamespace()
		switch {
		case ns == "":
			ns = namespace
		case given && ns != namespace:
			return nil, withHints(fmt.Errorf("-n: %s says namespace %q for Service/%s, not %q", o.where(), ns, obj.GetName(), namespace),
				"leave -n out")
		}
		i, seen := at[ns]
		if !seen {
			i = len(targets)
			at[ns] = i
			targets = append(targets, verify.Target{Namespace: ns})
		}
		targets[i].Names = append(targets[i].Names, obj.GetName())
	}
	for _, n := range o.names {
		if !held[n] {
			return nil, withHints(fmt.Errorf("%s has no Service %q", o.where(), n), "leave the name out to verify all that it has")
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("%s has no Service", o.where())
	}
	return targets, nil
}
