package probe

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxAnswer bounds what is read of one connection, in bytes.
const maxAnswer = 64 << 10

// opener is a connection whose dialer returns before it is known whether the
// far end could be reached, as a port-forward's does. Opened waits for proof.
type opener interface {
	Opened(ctx context.Context) error
}

// watchedConn bounds what is read from a connection and keeps its first bytes.
type watchedConn struct {
	net.Conn
	left atomic.Int64

	mu    sync.Mutex
	first []byte
}

func watch(c net.Conn) *watchedConn {
	w := &watchedConn{Conn: c}
	w.left.Store(maxAnswer)
	return w
}

func (w *watchedConn) Read(p []byte) (int, error) {
	left := w.left.Load()
	if left <= 0 {
		return 0, errTooMuch
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := w.Conn.Read(p)
	w.left.Add(-int64(n))
	w.mu.Lock()
	if room := 64 - len(w.first); room > 0 && n > 0 {
		w.first = append(w.first, p[:min(n, room)]...)
	}
	w.mu.Unlock()
	return n, err
}

// seenFirst returns the first bytes that came from the peer.
func (w *watchedConn) seenFirst() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]byte(nil), w.first...)
}

// attempt is one asking of one probe.
type attempt struct {
	probe Probe
	opts  *Options

	conn      *watchedConn // nil until dialed
	connected bool
	secure    bool // inside TLS: the first bytes of the connection are those of a handshake
	certAsked bool // the server has asked for a client's certificate
	stop      func() bool

	// What the check found beside its answer.
	detail   string
	backend  string
	resolved []string
	facts    map[string]string
	secret   string // sent to the peer, and not to be repeated
}

// hide keeps a secret out of all that the attempt reports from now on.
func (a *attempt) hide(secret string) { a.secret = secret }

// minSecretPart is how many leading bytes of a secret are taken for it.
const minSecretPart = 4

// clean replaces a secret that a peer has sent back, also one that was cut
// short on the way.
func (a *attempt) clean(s string) string {
	if a.secret == "" {
		return s
	}
	if len(s) > maxCleaned {
		s = s[:maxCleaned]
	}
	for n := min(len(a.secret), maxCleaned); n >= min(minSecretPart, len(a.secret)); n-- {
		s = strings.ReplaceAll(s, a.secret[:n], "[secret]")
	}
	return s
}

// maxCleaned bounds what is searched for a secret; no report shows as much.
const maxCleaned = 4096

func (a *attempt) fact(key, value string) {
	if value = a.clean(value); value == "" {
		return
	}
	if a.facts == nil {
		a.facts = map[string]string{}
	}
	a.facts[key] = Printable(value, MaxDetail)
}

// dial opens the connection of the attempt, which ends with ctx.
func (a *attempt) dial(ctx context.Context) (net.Conn, error) {
	network := a.probe.Network
	if network == "" {
		network = "tcp"
	}
	c, err := a.opts.Dial(ctx, network, a.probe.Address)
	if err != nil {
		return nil, err
	}
	a.conn = watch(c)
	a.connected = true
	if deadline, ok := ctx.Deadline(); ok {
		// A connection without deadlines (a tunnel's) is ended by the close below.
		_ = a.conn.SetDeadline(deadline)
	}
	a.stop = context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)); _ = c.Close() })
	if a.facts == nil && c.RemoteAddr() != nil {
		a.fact("remote", c.RemoteAddr().String())
		if l := c.LocalAddr(); l != nil {
			a.fact("local", l.String())
		}
	}
	return a.conn, nil
}

// close ends the attempt's connection.
func (a *attempt) close() {
	if a.conn == nil {
		return
	}
	a.stop()
	_ = a.conn.Close()
}

// badAnswer describes an answer that is not in the check's protocol.
func (a *attempt) badAnswer(want string) error {
	first := a.conn.seenFirst()
	if a.secret != "" {
		// Bytes cut anywhere may hold a part of the secret, in any form.
		return seen(ClassProtocol, "not "+want+", in answer to a password; the bytes are not shown")
	}
	if a.secure { // the bytes are those of the handshake
		return seen(ClassProtocol, "not "+want+", inside TLS")
	}
	if peer := sniff(first); peer != "" && a.detail == "" {
		a.fact("peer", peer)
		return seen(ClassProtocol, "not "+want+": the peer speaks "+peer+", "+firstBytes(first))
	}
	return seen(ClassProtocol, "not "+want+": "+firstBytes(first))
}
