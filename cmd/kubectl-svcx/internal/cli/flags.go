package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// groupAnnotation marks a flag with the title under which help shows it.
const groupAnnotation = "svcx_group"

// The titles of flag groups that several verbs have.
const (
	flagsCluster = "Which cluster"
	flagsOutput  = "Output"
)

// flagGroup adds the flags that define declares to cmd, to be shown under title.
// Groups are shown in the order in which they are added.
func flagGroup(cmd *cobra.Command, title string, define func(*pflag.FlagSet)) {
	fs := pflag.NewFlagSet(title, pflag.ContinueOnError)
	fs.SortFlags = false
	define(fs)
	cmd.Flags().SortFlags = false
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[groupAnnotation] = []string{title}
		cmd.Flags().AddFlag(f)
	})
}

// addGlobalFlags adds kubectl's own flags for choosing a cluster and a user to
// every verb. The few that people use daily are shown in each verb's help, the
// others by "kubectl svcx options".
func addGlobalFlags(root *cobra.Command, p *program) {
	fs := root.PersistentFlags()
	p.config.AddFlags(fs)
	fs.IntVar(&p.verbosity, "v", 0, "Verbosity of the client library's log, as in kubectl (6 shows every request)")
	for name, usage := range map[string]string{
		"namespace":  "The namespace (`NAME`); the context's own when not given",
		"context":    "The kubeconfig context (`NAME`) to use",
		"kubeconfig": "The kubeconfig `FILE`",
	} {
		f := fs.Lookup(name)
		f.Usage = usage
		f.Annotations = map[string][]string{groupAnnotation: {flagsCluster}}
	}
	_ = root.RegisterFlagCompletionFunc("namespace", p.completeNamespaces)
	_ = root.RegisterFlagCompletionFunc("context", p.completeContexts)
}

// changed says whether a flag was given on the command line.
func changed(cmd *cobra.Command, name string) bool {
	f := cmd.Flags().Lookup(name)
	return f != nil && f.Changed
}

// firstChanged is a flag of a group that was given on the command line; "" for none.
func firstChanged(cmd *cobra.Command, group string) string {
	name := ""
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if title := f.Annotations[groupAnnotation]; name == "" && len(title) > 0 && title[0] == group {
			name = f.Name
		}
	})
	return name
}

// repeated writes the flags of some groups that were given on the command line
// as they would be written again, but for some that the command says otherwise.
func repeated(cmd *cobra.Command, groups []string, but ...string) string {
	var b strings.Builder
	cmd.Flags().Visit(func(f *pflag.Flag) {
		title := f.Annotations[groupAnnotation]
		if len(title) == 0 || !slices.Contains(groups, title[0]) || slices.Contains(but, f.Name) {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			b.WriteString(" --" + f.Name)
			if f.Value.Type() != "bool" || v != "true" {
				b.WriteString("=" + shell.Word(v))
			}
		}
	})
	return b.String()
}

// sameCluster repeats, for a command that is proposed, the flags that say which
// cluster is meant: without them it would go to the current context's. A token is
// none of them: what is proposed is printed.
func (p *program) sameCluster() string {
	var b strings.Builder
	for _, f := range []struct{ name, value string }{
		{"kubeconfig", *p.config.KubeConfig}, {"context", *p.config.Context}, {"cluster", *p.config.ClusterName},
		{"server", *p.config.APIServer}, {"tls-server-name", *p.config.TLSServerName},
		{"certificate-authority", *p.config.CAFile}, {"client-certificate", *p.config.CertFile}, {"client-key", *p.config.KeyFile},
		{"user", *p.config.AuthInfoName}, {"as", *p.config.Impersonate}, {"as-uid", *p.config.ImpersonateUID},
	} {
		if f.value != "" {
			b.WriteString(" --" + f.name + "=" + shell.Word(f.value))
		}
	}
	if *p.config.Insecure {
		b.WriteString(" --insecure-skip-tls-verify")
	}
	for _, group := range *p.config.ImpersonateGroup {
		b.WriteString(" --as-group=" + shell.Word(group))
	}
	return b.String()
}

// sameNamespace repeats -n, where it was given.
func (p *program) sameNamespace() string {
	if *p.config.Namespace == "" {
		return ""
	}
	return " -n " + shell.Word(*p.config.Namespace)
}
