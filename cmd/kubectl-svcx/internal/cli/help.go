package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// writeHelp prints a command's whole help to its output.
func writeHelp(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(w, "%s\n\n", strings.TrimSpace(text))
	if cmd.Example != "" {
		fmt.Fprintf(w, "Examples:\n%s\n\n", strings.TrimRight(cmd.Example, "\n"))
	}
	usage(cmd, w)
}

// writeUsage prints the part of the help below the description.
func writeUsage(cmd *cobra.Command) error {
	usage(cmd, cmd.OutOrStderr())
	return nil
}

func usage(cmd *cobra.Command, w io.Writer) {
	writeCommands(cmd, w)
	for _, g := range flagGroups(cmd) {
		fmt.Fprintf(w, "%s:\n%s\n", g.title, g.flags.FlagUsagesWrapped(100))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "Usage:\n  %s COMMAND [flags]\n\n", cmd.CommandPath())
		fmt.Fprintf(w, "Use \"%s COMMAND --help\" for more about a command.\n", cmd.CommandPath())
	} else {
		fmt.Fprintf(w, "Usage:\n  %s\n\n", cmd.UseLine())
	}
	if cmd.Name() != "options" {
		fmt.Fprintf(w, "Use \"%s options\" for the flags that every command accepts.\n", cmd.Root().CommandPath())
	}
}

// writeCommands lists a command's subcommands by group.
func writeCommands(cmd *cobra.Command, w io.Writer) {
	width := 0
	for _, sub := range cmd.Commands() {
		width = max(width, len(sub.Name()))
	}
	for _, g := range cmd.Groups() {
		fmt.Fprintln(w, g.Title)
		for _, sub := range cmd.Commands() {
			if sub.GroupID == g.ID && (sub.IsAvailableCommand() || sub.Name() == "help") {
				fmt.Fprintf(w, "  %-*s  %s\n", width, sub.Name(), sub.Short)
			}
		}
		fmt.Fprintln(w)
	}
}

// titledFlags is one group of flags in help.
type titledFlags struct {
	title string
	flags *pflag.FlagSet
}

// flagGroups sorts a verb's flags into their groups. Flags that every verb has
// are left to "options", but for those of the cluster group.
func flagGroups(cmd *cobra.Command) []titledFlags {
	var groups []titledFlags
	if cmd.HasAvailableSubCommands() {
		return nil
	}
	inherited := cmd.InheritedFlags()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if inherited.Lookup(f.Name) == nil {
			groups = addTo(groups, f)
		}
	})
	inherited.VisitAll(func(f *pflag.Flag) {
		if cmd.Annotations[offline] == "" || f.Name == cmd.Annotations[offline] {
			groups = addTo(groups, f)
		}
	})
	return groups
}

// offline marks a verb that asks no cluster; its value is the one cluster flag
// that means something to it all the same.
const offline = "svcx_offline"

// addTo puts a flag into the group that it is marked with, if it is.
func addTo(groups []titledFlags, f *pflag.Flag) []titledFlags {
	title := f.Annotations[groupAnnotation]
	if len(title) == 0 || f.Hidden {
		return groups
	}
	for i := range groups {
		if groups[i].title == title[0] {
			groups[i].flags.AddFlag(f)
			return groups
		}
	}
	fs := pflag.NewFlagSet(title[0], pflag.ContinueOnError)
	fs.SortFlags = false
	fs.AddFlag(f)
	return append(groups, titledFlags{title: title[0], flags: fs})
}

// writeOptions lists the flags that every verb accepts.
func writeOptions(cmd *cobra.Command, w io.Writer) error {
	_, err := fmt.Fprintf(w, "These flags are accepted by every command:\n\n%s",
		cmd.Root().PersistentFlags().FlagUsagesWrapped(100))
	return err
}
