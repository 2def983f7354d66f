package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// notes says what a reader of the plan should know, and returns what was said of
// it: a plan that took consent was shown whole.
func (w *walk) notes(plan *apply.Plan) map[string]bool {
	said := map[string]bool{}
	if plan.Interrupts() {
		for i := range plan.Changes {
			for _, text := range plan.Changes[i].Warnings {
				said[text] = true
			}
		}
		return said
	}
	for _, n := range plan.Notes {
		w.remark("note: ", n)
	}
	return said
}

// warnings prints the API server's own, of the plan and of applying it, but for
// those that were said.
func (w *walk) warnings(plan *apply.Plan, said map[string]bool) {
	for i := range plan.Changes {
		for _, text := range plan.Changes[i].Warnings {
			if !said[text] {
				w.remark("warning: ", text)
			}
			said[text] = true
		}
	}
}

func (w *walk) remark(head, text string) {
	w.g.clear()
	fmt.Fprintln(w.p.ErrOut, w.p.screen.paintErr("33", strings.TrimSuffix(head, " "))+" "+probe.Printable(text, maxMessage))
}

// applied sums up what was done to each object, in one line.
func (w *walk) applied(plan *apply.Plan) string {
	var parts []string
	done := map[string][]string{}
	for _, ns := range plan.NewNamespaces() {
		done["created"] = append(done["created"], "Namespace/"+ns)
	}
	for i := range plan.Changes {
		c := &plan.Changes[i]
		name, what := c.Object.String(), w.what(c)
		if c.Transition != nil && c.Transition.From != c.Transition.To {
			parts = append(parts, name+" "+what)
			continue
		}
		done[what] = append(done[what], name)
	}
	for _, what := range []string{"created", "changed", "unchanged"} {
		if len(done[what]) > 0 {
			parts = append(parts, series(done[what])+" "+what)
		}
	}
	return w.overlayName() + strings.Join(parts, ", ")
}

// series is "a", "a and b", "a, b and c".
func series(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// what says in a word or two what was done to an object.
func (w *walk) what(c *apply.Change) string {
	switch {
	case c.Transition != nil && c.Transition.From != c.Transition.To:
		arrow := "→"
		if w.p.screen.ascii {
			arrow = "->"
		}
		return fmt.Sprintf("%s %s %s", c.Transition.From, arrow, c.Transition.To)
	case c.Action == apply.ActionCreate:
		return "created"
	case c.Action == apply.ActionUnchanged:
		return "unchanged"
	}
	return "changed"
}

// overlayName is the end of the folder's path, as "overlays/nodeport  "; empty for
// folders that are no overlay of a generated tree.
func (w *walk) overlayName() string {
	dir := filepath.ToSlash(w.dir)
	if i := strings.LastIndex(dir, "overlays/"); i >= 0 {
		return dir[i:] + "  "
	}
	return ""
}

// where says which namespaces a plan's objects are in.
func where(plan *apply.Plan) string {
	var names []string
	for i := range plan.Changes {
		if ns := plan.Changes[i].Object.Namespace; ns != "" && !slices.Contains(names, ns) {
			names = append(names, ns)
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " in namespace " + names[0]
	}
	return " in namespaces " + series(names)
}

// objectList names the objects of a plan.
func objectList(plan *apply.Plan) string {
	names := make([]string, 0, len(plan.Changes))
	for i := range plan.Changes {
		names = append(names, plan.Changes[i].Object.String())
	}
	return listed(names)
}
