package probe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
)

// askMySQL does what mysqladmin ping does: it logs in as somebody unknown, and
// whatever answer shows a server that takes logins is a good one.
//
// It goes to the end of the login on purpose: a server counts the clients that
// hang up after its greeting, and shuts out their host after max_connect_errors
// of them, while it does not count refused passwords. The packets are written
// here for the same reasons as those of Postgres:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
func askMySQL(ctx context.Context, a *attempt) error {
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	m := &mysqlConn{a: a, Conn: conn, in: bufio.NewReaderSize(conn, 4096)}
	greeting, err := m.read()
	if err != nil {
		return err
	}
	if greeting[0] == 0xff {
		return m.refused(greeting)
	}
	version, rest, ok := bytes.Cut(greeting[1:], []byte{0})
	if greeting[0] != 10 || !ok || len(rest) < 15 {
		return a.badAnswer("MySQL")
	}
	// MariaDB says 5.5.5- before its own version: https://mariadb.com/kb/en/connection/
	a.fact("version", strings.TrimPrefix(string(version), "5.5.5-"))
	// Behind the thread's number (4), 8 bytes of salt and a zero stand the
	// lower half of the server's capabilities.
	if binary.LittleEndian.Uint16(rest[13:])&mysqlSSL != 0 {
		a.fact("sslOffered", "yes")
	} else if a.probe.TLS {
		return seen(ClassTLS, "the server offers no TLS")
	}
	flags := uint32(mysqlLongPassword | mysqlProtocol41 | mysqlSecure | mysqlPluginAuth)
	if a.probe.TLS {
		flags |= mysqlSSL
	}
	login := binary.LittleEndian.AppendUint32(nil, flags)
	login = binary.LittleEndian.AppendUint32(login, 1<<24) // the largest packet
	login = append(login, 45)                              // utf8mb4
	login = append(login, make([]byte, 23)...)
	if a.probe.TLS {
		if err := m.write(login); err != nil {
			return err
		}
		c, err := a.startTLS(ctx, conn)
		if err != nil {
			return err
		}
		m.Conn, m.in = c, bufio.NewReaderSize(c, 4096)
	}
	// The user, no password, the way to give one.
	if err := m.write(append(login, "svcx\x00\x00mysql_native_password\x00"...)); err != nil {
		return err
	}
	return m.finish()
}

// The capabilities of a client that are used here.
const (
	mysqlLongPassword = 0x1
	mysqlProtocol41   = 0x200
	mysqlSSL          = 0x800
	mysqlSecure       = 0x8000
	mysqlPluginAuth   = 0x80000
)

type mysqlConn struct {
	net.Conn
	a   *attempt
	in  *bufio.Reader
	seq byte
}

// read returns the body of one packet, never empty.
func (m *mysqlConn) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(m.in, head[:]); err != nil {
		// What ends within four bytes, or waits after fewer, is something else.
		return nil, err
	}
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if n == 0 || n > 16<<10 || head[3] != m.seq {
		return nil, m.a.badAnswer("MySQL")
	}
	m.seq++
	body := make([]byte, n)
	_, err := io.ReadFull(m.in, body)
	return body, err
}

func (m *mysqlConn) write(body []byte) error {
	n := len(body)
	_, err := m.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), m.seq}, body...))
	m.seq++
	return err
}

// finish answers what the server asks until it has decided.
func (m *mysqlConn) finish() error {
	for range 4 {
		body, err := m.read()
		if err != nil {
			return err
		}
		switch body[0] {
		case 0x00:
			m.a.detail = "takes logins"
			m.seq = 0
			_ = m.write([]byte{1}) // COM_QUIT
			return nil
		case 0xff:
			return m.refused(body)
		case 0xfe, 0x01: // another way to give a password, or more of it: there is none
			if err := m.write(nil); err != nil {
				return err
			}
		default:
			return m.a.badAnswer("MySQL")
		}
	}
	m.a.detail = "takes logins"
	return nil
}

// refused sorts an error packet: a refusal of this user is an answer from a
// server that works; a refusal of everybody, or of this host, is not.
func (m *mysqlConn) refused(body []byte) error {
	if len(body) < 3 {
		return m.a.badAnswer("MySQL")
	}
	code, text := binary.LittleEndian.Uint16(body[1:]), body[3:]
	if len(text) > 6 && text[0] == '#' {
		text = text[6:]
	}
	switch code {
	case 1044, 1045, 1049, 1251, 1524, 1698, 2059, 3118, 3159, 3955: // user, database, plugin, locked, TLS wanted
		m.a.fact("code", fmt.Sprint(code))
		m.a.detail = "takes logins"
		return nil
	}
	return seen(ClassErrorReply, fmt.Sprintf("%d: %s", code, text))
}
