package probe

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable makes text from an untrusted source safe to print: control and
// escape characters, bidirectional overrides, other invisible format
// characters and invalid UTF-8 are dropped, runs of space become one space,
// and the result has at most max bytes (an ellipsis marks a cut).
func Printable(s string, max int) string {
	const ellipsis = "…"
	// Never look at more than could be printed even if most of it were dropped.
	if limit := 16*max + 1024; len(s) > limit {
		s = s[:limit]
	}
	var b strings.Builder
	space := false
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == '\x1b' {
			i += escapeLen(s[i:])
			continue
		}
		i += size
		switch {
		case r == utf8.RuneError && size <= 1:
			continue
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case !unicode.IsPrint(r):
			// Drops Cc, Cf (bidi controls, zero width), Co, Cs and unassigned.
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	out := b.String()
	if len(out) <= max {
		return out
	}
	cut := max - len(ellipsis)
	if cut < 0 {
		return ""
	}
	for cut > 0 && !utf8.RuneStart(out[cut]) {
		cut--
	}
	return out[:cut] + ellipsis
}

// escapeLen returns the length of the terminal escape sequence that s starts
// with, so that no remains of it ("[31m") are left standing. An unfinished
// sequence costs the escape byte only.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 1
	}
	switch s[1] {
	case '[': // CSI: parameters, then one final byte
		for i := 2; i < len(s) && i < 64; i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
	case ']', 'P', '_', '^', 'X': // OSC and other strings, up to BEL or ST
		for i := 2; i < len(s) && i < 1024; i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
	}
	return 1
}

// firstBytes shows the start of an answer that is not in the protocol asked
// for, with bytes that are no text as \xNN.
func firstBytes(b []byte) string {
	if len(b) > 48 {
		b = b[:48]
	}
	return strconv.QuoteToASCII(string(b))
}

// sniff names the protocol that the first bytes of an answer belong to, or
// returns "" when they are not telling.
func sniff(b []byte) string {
	s := string(b)
	switch {
	case len(b) >= 3 && (b[0] == 0x15 || b[0] == 0x16) && b[1] == 3 && b[2] <= 4:
		return "tls"
	case strings.HasPrefix(s, "HTTP/"):
		return "http"
	case len(b) >= 9 && b[3] == 0x04 && b[0] == 0 && b[5] == 0 && b[6] == 0 && b[7] == 0 && b[8] == 0:
		return "http2"
	case strings.HasPrefix(s, "SSH-"):
		return "ssh"
	case len(b) > 5 && b[3] == 0 && b[4] == 10:
		return "mysql"
	case strings.HasPrefix(s, "220 "), strings.HasPrefix(s, "220-"):
		return "smtp or ftp"
	case isRESPError(s):
		return "redis"
	case strings.HasPrefix(s, "ERROR\r\n"):
		return "memcached"
	}
	return ""
}

// isRESPError tells the error replies of a Redis server by their usual words.
func isRESPError(s string) bool {
	for _, p := range []string{"-ERR ", "-NOAUTH ", "-DENIED ", "-LOADING ", "-WRONGPASS ", "+PONG\r\n"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
