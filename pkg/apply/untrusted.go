package apply

import (
	"strings"
	"unicode"
)

// maxUntrusted bounds text that Pods, events and the API server put into messages.
const maxUntrusted = 300

// plain makes text from the cluster fit to print: one line, bounded, without
// control characters or invalid UTF-8.
func plain(s string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = n > 0
			continue
		}
		// Format characters (Cf) turn text around or hide it; U+FFFD is what an
		// invalid byte decodes to.
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			continue
		}
		if n >= maxUntrusted {
			b.WriteString("…")
			break
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
