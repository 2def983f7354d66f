package probe

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"time"
)

// askPostgres does what pg_isready does: it begins to log in, and whatever the
// server answers shows that it is up, but for SQLSTATE 57P03 (it starts up, shuts
// down or recovers; PQping in libpq's fe-connect.c). Other than pg_isready it does
// not count a server that is full (53300) as one that takes logins.
//
// The messages are written here, since a client library hides the first bytes
// of a peer that is no Postgres behind errors of its own, and they are few:
// https://www.postgresql.org/docs/current/protocol-message-formats.html
func askPostgres(ctx context.Context, a *attempt) error {
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	// SSLRequest: every server answers one byte, S or N.
	if _, err := conn.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	switch answer[0] {
	case 'S':
		a.fact("sslOffered", "yes")
		if conn, err = a.postgresTLS(ctx, conn); err != nil {
			return err
		}
	case 'N':
		if a.probe.TLS {
			return seen(ClassTLS, "the server offers no TLS")
		}
	case 'E': // one that is too busy, or older than TLS
		return a.postgresError(conn)
	default:
		// More of what it said, if that is there already, may name its protocol.
		_ = conn.SetReadDeadline(time.Now().Add(moreBytes))
		_, _ = conn.Read(make([]byte, 48))
		return a.badAnswer("Postgres")
	}
	startup := "\x00\x03\x00\x00user\x00svcx\x00database\x00postgres\x00application_name\x00kubectl-svcx\x00\x00"
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(startup)+4)), startup...)); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	switch answer[0] {
	case 'R', 'v': // asks who this is, or for an older protocol
		a.detail = "takes logins"
		_, _ = conn.Write([]byte{'X', 0, 0, 0, 4}) // Terminate
		return nil
	case 'E':
		return a.postgresError(conn)
	}
	return a.badAnswer("Postgres")
}

// moreBytes is how long to wait for the rest of an answer that is wrong already.
const moreBytes = 50 * time.Millisecond

// postgresTLS goes on inside TLS. The certificate counts only where TLS was
// asked for: clients that merely prefer it do not look at it either.
func (a *attempt) postgresTLS(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if a.probe.TLS {
		return a.startTLS(ctx, conn)
	}
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, ServerName: a.serverName()})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, a.tlsError(err)
	}
	return c, nil
}

// postgresError reads the rest of an ErrorResponse. A refusal of this user or
// database, or of how they ask, is an answer from a server that works; one of
// everybody is not.
func (a *attempt) postgresError(conn io.Reader) error {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(head[:])) - 4
	if n <= 0 || n > maxAnswer {
		return a.badAnswer("Postgres")
	}
	body := make([]byte, min(n, 8<<10))
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	var code, message string
	for field := range strings.SplitSeq(string(body), "\x00") {
		switch {
		case strings.HasPrefix(field, "C"):
			code = field[1:]
		case strings.HasPrefix(field, "M"):
			message = field[1:]
		}
	}
	if code == "" {
		return a.badAnswer("Postgres")
	}
	a.fact("code", code)
	if code == "57P03" || code == "53300" { // cannot connect now, too many connections
		return seen(ClassErrorReply, code+": "+message)
	}
	a.detail = "takes logins"
	return nil
}
