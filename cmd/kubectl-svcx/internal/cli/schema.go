package cli

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-svcx/kubectl-svcx/docs"
)

// newSchemaCmd prints the JSON Schema of svcx.yaml.
func newSchemaCmd(p *program) *cobra.Command {
	return &cobra.Command{
		Use:         "schema",
		Short:       "Print the JSON Schema of svcx.yaml, for editors",
		GroupID:     groupOther,
		Annotations: map[string]string{offline: "none"},
		Long: `Print the JSON Schema of svcx.yaml. An editor with the YAML language server
completes and checks a svcx.yaml that has this line in it:

  # yaml-language-server: $schema=svcx.schema.json`,
		Example: `  # Keep it beside svcx.yaml
  kubectl svcx schema > redis/svcx.schema.json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := p.Out.Write(docs.Schema)
			return err
		},
	}
}
