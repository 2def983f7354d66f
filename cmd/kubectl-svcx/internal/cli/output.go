package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
)

// addOutput declares -o.
func addOutput(cmd *cobra.Command, v *string, formats []report.Format) {
	names := formatNames(formats)
	flagGroup(cmd, flagsOutput, func(fs *pflag.FlagSet) {
		fs.StringVarP(v, "output", "o", string(report.Text), "The `FORMAT`: "+strings.Join(names, ", "))
	})
	_ = cmd.RegisterFlagCompletionFunc("output", fixed(names...))
}

func formatNames(formats []report.Format) []string {
	var names []string
	for _, f := range formats {
		names = append(names, string(f))
	}
	return names
}

// parseFormat reads -o, of a verdict or of a plan.
func parseFormat(s string, verdict bool) (report.Format, error) {
	names := formatNames(report.VerdictFormats())
	if plan := formatNames(report.Formats()); !verdict {
		if slices.Contains(names, s) && !slices.Contains(plan, s) {
			return "", withHints(fmt.Errorf("-o %s: this is for a verdict, and nothing is verified", s), "one of "+strings.Join(plan, ", "))
		}
		names = plan
	}
	name, err := oneOf("output", s, names...)
	return report.Format(name), err
}
