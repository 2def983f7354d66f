package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// flagError words what pflag found wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	help := fmt.Sprintf("see %s --help", cmd.CommandPath())
	if verb := cmd.Flags().Arg(0); cmd.HasSubCommands() && verb != "" {
		return unknownCommand(cmd, verb) // whose flags the root cannot know
	}
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown, help)
	case errors.As(err, &missing):
		return withHints(fmt.Errorf("--%s needs a value", missing.GetFlag().Name), help)
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return withHints(fmt.Errorf("--%s: %q is not %s", f.Name, invalid.GetValue(), kindOf(f)), help)
	}
	return withHints(err, help)
}

// kindOf says what a flag's value has to be.
func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int", "int32", "int64":
		return "a whole number"
	case "duration":
		return "a duration, such as 30s or 2m"
	case "bool":
		return "true or false"
	}
	return "a valid " + f.Value.Type()
}

// unknownFlag names the nearest flag that exists.
func unknownFlag(cmd *cobra.Command, e *pflag.NotExistError, help string) error {
	if e.GetSpecifiedShortnames() != "" {
		return withHints(fmt.Errorf("unknown flag -%s", e.GetSpecifiedName()), help)
	}
	var names []string
	collect := func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	}
	cmd.Flags().VisitAll(collect)
	cmd.InheritedFlags().VisitAll(collect)
	msg := "unknown flag --" + e.GetSpecifiedName()
	if e.GetSpecifiedName() == "version" {
		return withHints(errors.New(msg), "it is a command: "+cmd.Root().CommandPath()+" version")
	}
	if n := nearest.Name(e.GetSpecifiedName(), names); n != "" {
		msg += "; did you mean --" + n + "?"
	}
	return withHints(errors.New(msg), help)
}

// unknownCommand names the nearest verb that exists.
func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	msg := fmt.Sprintf("unknown command %q", name)
	if n := nearest.Name(name, names); n != "" {
		msg += fmt.Sprintf("; did you mean %q?", cmd.CommandPath()+" "+n)
	}
	return withHints(errors.New(msg), "one of "+strings.Join(names, ", "))
}

// noArgs refuses arguments and says which.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if err := strayMode(cmd, args[0]); err != nil {
		return err
	}
	return withHints(fmt.Errorf("unexpected argument %q: %s takes none", args[0], cmd.CommandPath()),
		"usage: "+cmd.UseLine())
}

// strayMode recognises "--dry-run server", where the space makes an argument of
// the value, as it does in kubectl.
func strayMode(cmd *cobra.Command, arg string) error {
	if !changed(cmd, "dry-run") || arg != dryRunClient && arg != dryRunServer && arg != dryRunNone {
		return nil
	}
	return withHints(fmt.Errorf("unexpected argument %q", arg), "write --dry-run="+arg+", in one word")
}

// oneOf looks value up among names, ignoring case; the error names the nearest.
func oneOf(flag, value string, names ...string) (string, error) {
	return choice("--"+flag, value, names...)
}

// choice is oneOf for what is no flag.
func choice(what, value string, names ...string) (string, error) {
	i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, value) })
	if i >= 0 {
		return names[i], nil
	}
	msg := fmt.Sprintf("%s: unknown value %q", what, value)
	if n := nearest.Name(value, names); n != "" {
		msg += "; did you mean " + n + "?"
	}
	return "", withHints(errors.New(msg), "one of "+strings.Join(names, ", "))
}
