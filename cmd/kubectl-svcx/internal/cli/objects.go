package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
)

// isMachine says whether a format is read by programs rather than by people.
func isMachine(f report.Format) bool { return f != report.Text && f != report.Wide }

// printObjects writes the objects that a dry run without a server would apply,
// as kubectl does: YAML documents, one JSON list, or names.
func (p *program) printObjects(objs []*unstructured.Unstructured, f report.Format) error {
	switch f {
	case report.JSON:
		list := map[string]any{"apiVersion": "v1", "kind": "List"}
		items := make([]any, len(objs))
		for i, o := range objs {
			items[i] = o.Object
		}
		list["items"] = items
		e := json.NewEncoder(p.Out)
		e.SetIndent("", "  ")
		return e.Encode(list)
	case report.YAML:
		for i, o := range objs {
			data, err := yaml.Marshal(o.Object)
			if err != nil {
				return err
			}
			if i > 0 {
				fmt.Fprintln(p.Out, "---")
			}
			if _, err := p.Out.Write(data); err != nil {
				return err
			}
		}
		return nil
	}
	return printNames(p.Out, objs)
}

// printNames prints the names of objects, one a line, as kubectl does.
func printNames(w io.Writer, objs []*unstructured.Unstructured) error {
	for _, o := range objs {
		if _, err := fmt.Fprintln(w, report.ObjectName(o.GetAPIVersion(), o.GetKind(), o.GetName())); err != nil {
			return err
		}
	}
	return nil
}
