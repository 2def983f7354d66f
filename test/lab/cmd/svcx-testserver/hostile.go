package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// hostile is what a peer may send to bring down who reads it: more than fits, more slowly
// than anybody waits, or announced to be more than it is.
const hostile mode = "hostile"

// hostileKinds are its values.
var hostileKinds = map[string]func(ctx context.Context, conn net.Conn){
	"trickle": trickle, // a byte a second
	"banner":  func(_ context.Context, c net.Conn) { writeAll(c, []byte("A"), 1<<30) },
	// HTTP whose header never ends.
	"headers": func(_ context.Context, c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		writeAll(c, []byte("X-Svcx: AAAAAAAAAAAAAAAA\r\n"), 1<<30)
	},
	// HTTP that sends each client in a circle.
	"redirect": func(_ context.Context, c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	},
	// Redis: a string announced to be of 2 GB, and arrays within arrays.
	"bulk": func(_ context.Context, c net.Conn) {
		_, _ = io.WriteString(c, "$2147483647\r\n")
		writeAll(c, []byte("A"), 1<<30)
	},
	"nested": func(_ context.Context, c net.Conn) { writeAll(c, []byte("*1\r\n"), 1<<30) },
	// HTTP/2: the longest frame there can be, of a type that does not exist, again and again.
	"frames": func(_ context.Context, c net.Conn) {
		_, _ = c.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // SETTINGS
		writeAll(c, append([]byte{0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}, bytes.Repeat([]byte{0xfe}, 1<<12)...), 1<<30)
	},
	// A page with markup and escapes for who prints what it gets.
	"page": func(_ context.Context, c net.Conn) {
		_, _ = fmt.Fprintf(c, "<html><script>alert('owned')</script><img src=x onerror=alert(1)>%s</html>\r\n", escapeText)
		_, _ = c.Read(make([]byte, 4096))
	},
}

// hostileNames are the kinds as the help text has them.
func hostileNames() string {
	return strings.Join(slices.Sorted(maps.Keys(hostileKinds)), "|")
}

// trickle writes a byte a second, and no line end.
func trickle(ctx context.Context, c net.Conn) {
	for {
		if _, err := c.Write([]byte("A")); err != nil || !pause(ctx, time.Second) {
			return
		}
	}
}

// readRequest reads what comes first: closing over unread bytes would reset.
func readRequest(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }

// writeAll repeats text until so many bytes are written, or the peer has had enough.
func writeAll(w io.Writer, text []byte, total int) {
	chunk := bytes.Repeat(text, max(1, (64<<10)/len(text)))
	for written := 0; written < total; written += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}
