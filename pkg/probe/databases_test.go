package probe

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
)

// postgresLike answers an SSLRequest and then a start-up message.
func postgresLike(ssl, answer string) func(net.Conn) {
	return func(c net.Conn) {
		var head [8]byte
		if _, err := io.ReadFull(c, head[:]); err != nil || binary.BigEndian.Uint32(head[4:]) != 80877103 {
			return
		}
		_, _ = io.WriteString(c, ssl)
		if _, err := io.ReadFull(c, head[:]); err != nil || head[5] != 3 {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:])-8)
		if _, err := io.ReadFull(c, body); err != nil || !strings.HasPrefix(string(body), "user\x00svcx\x00") || !strings.HasSuffix(string(body), "\x00\x00") {
			return
		}
		_, _ = io.WriteString(c, answer)
		_, _ = io.Copy(io.Discard, c)
	}
}

func postgresError(code, message string) string {
	body := "SFATAL\x00VFATAL\x00C" + code + "\x00M" + message + "\x00\x00"
	return "E" + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
}

func TestPostgres(t *testing.T) {
	cases := []struct {
		name   string
		peer   func(net.Conn)
		want   Class
		detail string
	}{
		{"asks for a password", postgresLike("N", "R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"), ClassOK, "takes logins"},
		{"refuses this user", postgresLike("N", postgresError("28000", "role \"svcx\" does not exist")), ClassOK, "takes logins"},
		{"has no such database", postgresLike("N", postgresError("3D000", "database does not exist")), ClassOK, "takes logins"},
		{"wants another protocol", postgresLike("N", postgresError("08P01", "no such user")), ClassOK, "takes logins"},
		{"lacks a feature", postgresLike("N", postgresError("0A000", "unsupported frontend protocol")), ClassOK, "takes logins"},
		{"starts up", postgresLike("N", postgresError("57P03", "the database system is starting up")), ClassErrorReply, "57P03: the database system is starting up"},
		{"is full", postgresLike("N", postgresError("53300", "sorry, too many clients already")), ClassErrorReply, "too many clients"},
		{"speaks something else", say("HTTP/1.1 400 Bad Request\r\n\r\n"), ClassProtocol, "http"},
		{"an error without an end", postgresLike("N", "E\x7f\xff\xff\xff"), ClassProtocol, ""},
		{"closes", func(net.Conn) {}, ClassClosed, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			out := askOne(t, Probe{Check: CheckPostgres, Address: serve(t, tc.peer)}, Options{})
			if out.Class != tc.want || !strings.Contains(out.Detail, tc.detail) {
				t.Errorf("%+v, want %s with %q", out, tc.want, tc.detail)
			}
		})
	}
	out := askOne(t, Probe{Check: CheckPostgres, TLS: true, Address: serve(t, postgresLike("N", "R"))}, Options{})
	if out.Class != ClassTLS {
		t.Errorf("TLS asked of a server without: %+v", out)
	}
}

func mysqlPacket(seq byte, body string) string {
	return string([]byte{byte(len(body)), byte(len(body) >> 8), 0, seq}) + body
}

// mysqlLike greets, reads a login and answers with what is given, a packet a message.
func mysqlLike(answers ...string) func(net.Conn) {
	return func(c net.Conn) {
		greeting := "\x0a8.4.2\x00\x01\x00\x00\x00saltsalt\x00\xff\xff\x2d\x02\x00\xff\xdf\x15" + strings.Repeat("\x00", 10) + "moresaltmore\x00caching_sha2_password\x00"
		_, _ = io.WriteString(c, mysqlPacket(0, greeting))
		seq := byte(1)
		for _, answer := range answers {
			var head [4]byte
			if _, err := io.ReadFull(c, head[:]); err != nil || head[3] != seq {
				return
			}
			if _, err := io.CopyN(io.Discard, c, int64(head[0])); err != nil {
				return
			}
			_, _ = io.WriteString(c, mysqlPacket(seq+1, answer))
			seq += 2
		}
		_, _ = io.Copy(io.Discard, c)
	}
}

func TestMySQL(t *testing.T) {
	denied := "\xff\x15\x04#28000Access denied for user 'svcx'"
	cases := []struct {
		name   string
		peer   func(net.Conn)
		want   Class
		detail string
	}{
		{"refuses this user", mysqlLike(denied), ClassOK, "takes logins"},
		{"wants another way first", mysqlLike("\xfecaching_sha2_password\x00saltsaltsalt", denied), ClassOK, "takes logins"},
		{"lets anybody in", mysqlLike("\x00\x00\x00\x02\x00\x00\x00"), ClassOK, "takes logins"},
		{"is full", func(c net.Conn) { _, _ = io.WriteString(c, mysqlPacket(0, "\xff\x10\x04Too many connections")) }, ClassErrorReply, "1040: Too many connections"},
		{"shuts this host out", func(c net.Conn) {
			_, _ = io.WriteString(c, mysqlPacket(0, "\xff\x6a\x04Host '10.0.0.1' is not allowed to connect"))
		}, ClassErrorReply, "1130: Host"},
		{"speaks something else", func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n") }, ClassProtocol, "ssh"},
		{"never greets", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, ClassNoAnswer, ""},
		{"a short greeting", func(c net.Conn) { _, _ = io.WriteString(c, mysqlPacket(0, "\x0a8.4\x00")) }, ClassProtocol, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			p := Probe{Check: CheckMySQL, Address: serve(t, tc.peer)}
			if tc.want == ClassNoAnswer {
				p.Timeout = brief
			}
			out := askOne(t, p, Options{})
			if out.Class != tc.want || !strings.Contains(out.Detail, tc.detail) {
				t.Errorf("%+v, want %s with %q", out, tc.want, tc.detail)
			}
		})
	}
}

func TestDNSServer(t *testing.T) {
	addr := serve(t, func(c net.Conn) {
		query := make([]byte, 19)
		if _, err := io.ReadFull(c, query); err != nil || query[1] != 17 {
			return
		}
		query[4] |= 0x80
		query[5] = 5
		_, _ = c.Write(query)
	})
	if out := askOne(t, Probe{Check: CheckDNSServer, Address: addr}, Options{}); out.Class != ClassOK || out.Facts["rcode"] != "REFUSED" {
		t.Errorf("over TCP: %+v", out)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() {
		buf := make([]byte, 512)
		for first := true; ; first = false {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if first {
				continue // lost
			}
			buf[2] |= 0x80
			_, _ = pc.WriteTo(buf[:n], from)
		}
	}()
	p := Probe{Check: CheckDNSServer, Network: "udp", Address: pc.LocalAddr().String(), Timeout: DefaultTimeout}
	if out := askOne(t, p, Options{}); out.Class != ClassOK || out.Facts["rcode"] != "NOERROR" {
		t.Errorf("over UDP: %+v", out)
	}
	if out := askOne(t, Probe{Check: CheckDNSServer, Address: serve(t, say("HTTP/1.1 400 Bad Request\r\n"))}, Options{}); out.Class == ClassOK {
		t.Errorf("a web server: %+v", out)
	}
}
