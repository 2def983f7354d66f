package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// shimName is what kubectl looks for on PATH to complete "kubectl svcx …".
const shimName = "kubectl_complete-svcx"

// shim answers kubectl with what cobra answers to a completion script.
const shim = `#!/bin/sh
# Completion of "kubectl svcx" for kubectl 1.26 or newer, written by
# kubectl svcx completion --install-shim.
exec kubectl-svcx __complete "$@"
`

func newCompletionCmd(p *program) *cobra.Command {
	var dir string
	shells := []string{"bash", "zsh", "fish", "powershell"}
	cmd := &cobra.Command{
		Use:         "completion [bash | zsh | fish | powershell] [--install-shim=DIR]",
		Short:       "Set up completion in the shell",
		GroupID:     groupOther,
		Annotations: map[string]string{offline: "none"},
		Long: `Set up completion in the shell.

For "kubectl svcx …", kubectl (1.26 or newer, with its own completion set up) asks
an executable named kubectl_complete-svcx on PATH; --install-shim writes it. For
"kubectl-svcx …", print the script of your shell and load it.`,
		Example: `  # For kubectl svcx: a shim in a folder on PATH
  kubectl svcx completion --install-shim ~/.local/bin

  # For kubectl-svcx in bash
  source <(kubectl svcx completion bash)`,
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case dir != "" && len(args) > 0:
				return errors.New("--install-shim: needs no shell; kubectl's own completion calls the shim")
			case dir != "":
				return p.installShim(dir)
			case len(args) != 1:
				return withHints(errors.New("which shell?"), "one of "+strings.Join(shells, ", "), "or --install-shim=DIR, for kubectl svcx")
			}
			return p.runCompletion(cmd.Root(), args[0], shells)
		},
	}
	flagGroup(cmd, "For kubectl svcx", func(fs *pflag.FlagSet) {
		fs.StringVar(&dir, "install-shim", "", "Write "+shimName+" into `DIR`")
	})
	_ = cmd.MarkFlagDirname("install-shim")
	return cmd
}

func (p *program) runCompletion(root *cobra.Command, shell string, shells []string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(p.Out, true)
	case "zsh":
		return root.GenZshCompletion(p.Out)
	case "fish":
		return root.GenFishCompletion(p.Out, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(p.Out)
	}
	msg := fmt.Sprintf("unknown shell %q", shell)
	if n := nearest.Name(shell, shells); n != "" {
		msg += "; did you mean " + n + "?"
	}
	return withHints(errors.New(msg), "one of "+strings.Join(shells, ", "))
}

// installShim writes the shim into dir and says whether PATH leads there.
func (p *program) installShim(dir string) error {
	if runtime.GOOS == "windows" {
		return errors.New("--install-shim: the shim is a shell script, which Windows does not run")
	}
	path := filepath.Join(dir, shimName)
	if err := os.WriteFile(path, []byte(shim), 0o755); err != nil {
		return fmt.Errorf("writing the shim: %w", err)
	}
	// WriteFile leaves the mode of a file that was there.
	if err := os.Chmod(path, 0o755); err != nil {
		return fmt.Errorf("writing the shim: %w", err)
	}
	fmt.Fprintln(p.Out, "wrote "+path)
	abs, err := filepath.Abs(dir)
	if err == nil && !slices.Contains(filepath.SplitList(p.getenv("PATH")), abs) {
		fmt.Fprintf(p.ErrOut, "%s is not on PATH, so kubectl will not find it there\n", abs)
	}
	return nil
}

// fixed completes a flag with values that are always the same.
func fixed(values ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	}
}

// completionTimeout bounds what a press of the Tab key may cost.
const completionTimeout = 2 * time.Second

// completeServices completes the names of Services of the namespace.
func (p *program) completeServices(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	names, _ := p.listNames(cmd.Context(), func(ctx context.Context, c kubernetes.Interface, namespace string) ([]string, error) {
		list, err := c.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{Limit: 500})
		if err != nil {
			return nil, err
		}
		var names []string
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names, nil
	})
	kind, _, found := strings.Cut(prefix, "/")
	if found && kinds[kindWord(kind)] == "Service" {
		for i := range names {
			names[i] = kind + "/" + names[i]
		}
	} else if found {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeNamespaces completes -n.
func (p *program) completeNamespaces(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	names, _ := p.listNames(cmd.Context(), func(ctx context.Context, c kubernetes.Interface, _ string) ([]string, error) {
		list, err := c.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: 500})
		if err != nil {
			return nil, err
		}
		var names []string
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names, nil
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeContexts completes --context.
func (p *program) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	p.quietLogs()
	raw, err := p.config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for n := range raw.Contexts {
		names = append(names, n)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// listNames asks the API server for names to complete with.
func (p *program) listNames(ctx context.Context, list func(context.Context, kubernetes.Interface, string) ([]string, error)) ([]string, error) {
	p.quietLogs()
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	cfg, err := p.config.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	namespace, _ := c.Namespace()
	return list(ctx, client, namespace)
}
