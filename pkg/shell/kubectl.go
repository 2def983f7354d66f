package shell

import (
	"fmt"
	"strings"
	"unicode"
)

// Kubectl writes a command that is to be copied. Not every name in it was checked
// by an API server (a targetRef's, an owner's, one in a Pod's status): each is one
// word of the shell and no option of kubectl's. It is "" where that cannot be.
func Kubectl(format string, words ...string) string {
	quoted := make([]any, len(words))
	for i, w := range words {
		if w == "" || strings.HasPrefix(w, "-") || strings.ContainsFunc(w, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }) {
			return ""
		}
		quoted[i] = Word(w)
	}
	return "kubectl " + fmt.Sprintf(format, quoted...)
}

// Advice is a text with a command that helps, where there is one.
func Advice(text, command string) string {
	if command == "" {
		return text
	}
	return text + ": " + command
}
