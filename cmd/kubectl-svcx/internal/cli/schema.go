package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-svcx/kubectl-svcx/docs"
)

// What schema prints the schema of.
const (
	schemaApp     = "app"
	schemaVerdict = "verdict"
)

// newSchemaCmd prints the JSON Schemas of what the program reads and writes.
func newSchemaCmd(p *program) *cobra.Command {
	return &cobra.Command{
		Use:         "schema [app | verdict]",
		Short:       "Print the JSON Schema of svcx.yaml, or of a verdict",
		GroupID:     groupOther,
		Annotations: map[string]string{offline: "none"},
		Long: `Print the JSON Schema of svcx.yaml (app, the default) or of what verify and up
print with -o json (verdict). An editor with the YAML language server completes and
checks a svcx.yaml that has this line in it:

  # yaml-language-server: $schema=svcx.schema.json

Within the apiVersion of a verdict fields are added and never taken away.`,
		Example: `  # Keep it beside svcx.yaml
  kubectl svcx schema > redis/svcx.schema.json

  # What a program that reads verdicts can count on
  kubectl svcx schema verdict`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return withHints(fmt.Errorf("schema takes one name, not %d", len(args)), "usage: "+cmd.UseLine())
			}
			return nil
		},
		ValidArgsFunction: fixed(schemaApp, schemaVerdict),
		RunE: func(_ *cobra.Command, args []string) error {
			what := schemaApp
			if len(args) > 0 {
				var err error
				if what, err = choice("schema", args[0], schemaApp, schemaVerdict); err != nil {
					return err
				}
			}
			data := docs.Schema
			if what == schemaVerdict {
				data = docs.VerdictSchema
			}
			_, err := p.Out.Write(data)
			return err
		},
	}
}
