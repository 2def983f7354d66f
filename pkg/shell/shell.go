// Package shell writes commands that people copy into a shell.
package shell

import (
	"regexp"
	"strings"
)

// plain is what POSIX shells and zsh take as it stands. A bracket is a pattern to
// them, which zsh refuses where no file matches.
var plain = regexp.MustCompile(`^[\w./:@%,+-][\w./:@%,+=-]*$`)

// Word makes one word of s, whatever is in it. It is quoted only where it must be;
// "~/" at its begin goes on meaning the home folder.
func Word(s string) string {
	home := ""
	if rest, ok := strings.CutPrefix(s, "~/"); ok && rest != "" {
		home, s = "~/", rest
	}
	if !plain.MatchString(s) {
		s = "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return home + s
}
