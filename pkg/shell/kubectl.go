package shell

import (
	"fmt"
	"regexp"
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

// begins is where a command begins in a text for people.
var begins = regexp.MustCompile(`(?m)(^|: |; |\()kubectl (svcx )?([\w-]+)`)

// On puts the flags that choose a cluster, each led by a space, into the commands in
// a text: without them they would go to the current context's. A command that has them
// stays as it is.
func On(text, flags string) string {
	if flags == "" {
		return text
	}
	var b strings.Builder
	last := 0 // where the flags of the command before went
	for _, m := range begins.FindAllStringSubmatchIndex(text, -1) {
		before, verb := m[6]-1, text[m[6]:m[7]]
		switch line := strings.LastIndexByte(text[:m[0]], '\n') + 1; {
		case verb == "owns":
			continue // a field manager of that name
		case last > line && endsQuoted(text[last:m[0]]):
			continue // a word of the command before
		case strings.HasPrefix(text[before:], flags+" "), has(text[m[7]:], flags):
			continue
		}
		b.WriteString(text[last:before] + flags)
		last = before
	}
	return b.String() + text[last:]
}

// has reports whether a command, which goes on to the end of its line or to the next
// part of the text, has the flags already.
func has(command, flags string) bool {
	if i := strings.IndexAny(command, "\n;"); i >= 0 {
		command = command[:i]
	}
	return strings.Contains(command+" ", flags+" ")
}

// endsQuoted says whether a part of a command ends within a word that Word quoted.
func endsQuoted(s string) bool {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == '\\' && !quoted:
			i++
		}
	}
	return quoted
}
