package probe

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// respTypes are the bytes that a reply in RESP may begin with, version 2 or 3.
const respTypes = "+-:$*_,#!=(%~|>"

const (
	// maxElements bounds the elements that all replies of a connection announce together.
	maxElements = 4096
	// maxHeader is more than the digits of any length within bounds.
	maxHeader = 8
)

// errAnnounced ends a connection whose peer announces more than it can send.
var errAnnounced = errors.New("the peer announces more than 64 KiB")

// respConn is a connection to a server that may be none. The client on it makes
// room for what a reply announces: a string of 1 GB, an array of a billion. Here
// such a reply ends before the client has read of it.
//
// Of its methods, only the client's goroutine that asks calls Read and Write.
type respConn struct {
	net.Conn
	taken  atomic.Bool
	answer string // to the client's greeting, not read yet
	first  byte   // what the peer began with
	broken error  // what ended the connection

	// Where in the stream of replies the next byte belongs. RESP nests without
	// marks of an end, so that a flat walk from header to header sees them all.
	kind     byte   // of the reply whose header is being read; 0 before it
	header   []byte // what follows kind, as far as it matters
	skip     int    // what is left of a string, with its line end
	elements int
}

// hello is the client's greeting, which asks for version 2 of RESP, and notHello the
// answer that has it go on.
const (
	hello    = "*2\r\n$5\r\nhello\r\n$1\r\n2\r\n"
	notHello = "-NOPROTO\r\n"
)

// Read reads what fits the bounds.
func (c *respConn) Read(p []byte) (int, error) {
	if n := copy(p, c.answer); n > 0 {
		c.answer = c.answer[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if c.first == 0 && n > 0 {
		c.first = p[0]
	}
	if !c.walk(p[:n]) {
		n, err = 0, errAnnounced
	}
	return n, c.note(err)
}

// Write sends all but the client's greeting, which is answered here: of thousands
// of servers it would cost each another way there and back, and what they are
// asked they answer without.
func (c *respConn) Write(p []byte) (int, error) {
	if string(p) == hello {
		c.answer = notHello
		return len(p), nil
	}
	n, err := c.Conn.Write(p)
	return n, c.note(err)
}

// note keeps the first error, which the client puts into words of its own.
func (c *respConn) note(err error) error {
	if c.broken == nil {
		c.broken = err
	}
	return err
}

// walk goes through what has arrived; it is false at a length out of bounds.
func (c *respConn) walk(p []byte) bool {
	for len(p) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(p))
			c.skip -= n
			p = p[n:]
			continue
		}
		b := p[0]
		p = p[1:]
		switch {
		case c.kind == 0:
			c.kind, c.header = b, c.header[:0]
		case b == '\n':
			if !c.announced() {
				return false
			}
			c.kind = 0
		case len(c.header) <= maxHeader && b != '\r':
			c.header = append(c.header, b)
		}
	}
	return true
}

// announced takes the length in a header, where its kind has one; it is false
// when that is out of bounds.
func (c *respConn) announced() bool {
	text := strings.IndexByte("$!=", c.kind) >= 0
	if !text && strings.IndexByte("*%~|>", c.kind) < 0 {
		return true
	}
	n, err := strconv.Atoi(string(c.header))
	switch {
	case err != nil, len(c.header) > maxHeader, n > maxAnswer:
		return false
	case n < 0: // there is none
	case text:
		c.skip = n + len("\r\n")
	default:
		c.elements += n
	}
	return c.elements <= maxElements
}
