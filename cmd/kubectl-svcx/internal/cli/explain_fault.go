package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// newExplainCmd prints what an ID of the catalogue of faults stands for.
func newExplainCmd(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:         "explain [ID]",
		Annotations: map[string]string{offline: "none"},
		Short:       "Say what a fault's ID means, how it was told, and how to mend it",
		Long: `Say what the ID of a finding means, by what evidence it is told from its
neighbours, and how to mend it. Without an ID all faults are listed. No cluster is asked.`,
		Example: `  # What is SVC201?
  kubectl svcx explain SVC201

  # All faults that verify can name
  kubectl svcx explain`,
		GroupID: groupOther,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return withHints(fmt.Errorf("explain takes one ID, not %d", len(args)), "usage: "+cmd.UseLine())
			}
			return nil
		},
		ValidArgsFunction: completeFault,
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := verify.Catalogue()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return listFaults(p.Out, list)
			}
			return explainFault(p.Out, list, args[0])
		},
	}
	return cmd
}

// listFaults prints all IDs, a family at a time.
func listFaults(w io.Writer, list []verify.Fault) error {
	var b strings.Builder
	family := ""
	for _, f := range list {
		if f.Family() != family {
			if family != "" {
				b.WriteByte('\n')
			}
			family = f.Family()
			fmt.Fprintf(&b, "%s\n", family)
		}
		fmt.Fprintf(&b, "  %s  %s\n", f.ID, f.Title)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// explainFault prints one entry; the ID may be written in any case, and as its
// number alone.
func explainFault(w io.Writer, list []verify.Fault, written string) error {
	id := strings.ToUpper(strings.TrimSpace(written))
	if !strings.HasPrefix(id, "SVC") {
		id = "SVC" + id
	}
	var ids []string
	for _, f := range list {
		if f.ID != id {
			ids = append(ids, f.ID)
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s  %s\n\n", f.ID, f.Title)
		b.WriteString(fold(f.Means, ""))
		fmt.Fprintf(&b, "\nHow it is told from its neighbours\n%s\nHow to mend it\n%s", fold(f.Told, "  "), fold(f.Fix, "  "))
		_, err := io.WriteString(w, b.String())
		return err
	}
	msg := fmt.Sprintf("there is no fault %q", written)
	if n := nearest.Name(id, ids); n != "" {
		msg += "; did you mean " + n + "?"
	}
	return withHints(fmt.Errorf("%s", msg), "list all: kubectl svcx explain")
}

// foldWidth is the width of a page of text.
const foldWidth = 78

// fold breaks text into lines, each after indent.
func fold(text, indent string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > foldWidth && line != indent {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
	return b.String()
}

// completeFault completes the IDs, with their titles.
func completeFault(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := verify.Catalogue()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, f := range list {
		out = append(out, f.ID+"\t"+f.Title)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
