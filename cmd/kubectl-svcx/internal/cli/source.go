package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// sourceFlags say where the objects come from that are applied or compared.
type sourceFlags struct {
	kustomize string
	files     []string
	recursive bool
}

func (f *sourceFlags) add(fs *pflag.FlagSet) {
	fs.StringVarP(&f.kustomize, "kustomize", "k", "", "The folder (`DIR`) of a kustomization, such as redis/overlays/nodeport")
	fs.StringArrayVarP(&f.files, "filename", "f", nil, "The manifests in `FILE`, a folder or - for stdin; may be repeated")
	fs.BoolVarP(&f.recursive, "recursive", "R", false, "With -f: folders within folders too")
}

// complete has a shell complete their values.
func (f *sourceFlags) complete(cmd *cobra.Command) {
	_ = cmd.MarkFlagDirname("kustomize")
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
}

func (f *sourceFlags) validate(cmd *cobra.Command) error {
	switch {
	case f.kustomize == "" && len(f.files) == 0:
		return withHints(errors.New("-k is missing: which kustomization?"), "such as: "+cmd.CommandPath()+" -k redis/overlays/nodeport",
			"or manifests: "+cmd.CommandPath()+" -f service.yaml")
	case f.kustomize != "" && len(f.files) > 0:
		return errors.New("-f: the objects come from -k already")
	case f.recursive && len(f.files) == 0:
		return errors.New("-R: which folder? -f is missing")
	}
	return nil
}

// read builds the kustomization, or reads the manifests.
func (f *sourceFlags) read(ctx context.Context, p *program) ([]*unstructured.Unstructured, error) {
	if f.kustomize != "" {
		return p.build(f.kustomize)
	}
	return p.readManifests(ctx, f.files, f.recursive)
}

// String is how the command line says it.
func (f *sourceFlags) String() string {
	if f.kustomize != "" {
		return "-k " + shell.Word(f.kustomize)
	}
	text := ""
	for _, name := range f.files {
		text += " -f " + shell.Word(name)
	}
	if f.recursive {
		text += " -R"
	}
	return text[1:]
}
