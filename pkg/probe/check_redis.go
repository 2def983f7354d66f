package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// askRedis wants +PONG for PING, and learns the server's run_id, version and role.
//
// It speaks RESP itself: a client library opens with HELLO, hides the first
// bytes behind its own errors, and allocates as many bytes as a peer announces.
// Here the peer may be anything, and the first bytes are what matters. That both
// hear the same of a real server is tested with go-redis (TestAgreesWithGoRedis).
func askRedis(ctx context.Context, a *attempt) error {
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	if a.probe.TLS {
		if conn, err = a.startTLS(ctx, conn); err != nil {
			return err
		}
	}
	r := &resp{a: a, w: conn, r: bufio.NewReaderSize(conn, 4096)}
	if err := r.auth(); err != nil {
		return err
	}
	// All at once: of thousands of servers asked, each costs one way there and back.
	pong, err := r.ask([]string{"PING"}, []string{"INFO", "server"}, []string{"ROLE"})
	if err != nil {
		return r.withheld(err)
	}
	if pong != "PONG" {
		return a.badAnswer("PONG")
	}
	a.detail = "PONG"
	// What follows is beside the answer: a server that refuses it to this user
	// has still answered.
	info, err := r.reply()
	if err == nil {
		a.backend = infoField(info, "run_id")
		a.fact("version", infoField(info, "redis_version"))
	}
	if err == nil || refusal(err) {
		r.role()
	}
	return nil
}

type resp struct {
	a *attempt
	w net.Conn
	r *bufio.Reader
}

// auth logs in when the probe names a password variable that is set. Without
// a password the server is asked all the same: its answer tells whether it
// wants one, and that it is a Redis.
func (r *resp) auth() error {
	p, o := r.a.probe, r.a.opts
	if p.PasswordEnv == "" {
		return nil
	}
	password := o.Getenv(p.PasswordEnv)
	if password == "" {
		if o.Withheld == "" {
			from := p.PasswordFrom
			if from == "" {
				from = p.PasswordEnv
			}
			r.a.fact("auth", "no password in "+from)
		}
		return nil
	}
	r.a.hide(password)
	args := []string{"AUTH"}
	if p.UsernameEnv != "" {
		if user := o.Getenv(p.UsernameEnv); user != "" {
			args = append(args, user)
		}
	}
	_, err := r.ask(append(args, password))
	return err
}

// withheld turns a server's wish for a password that is kept from this place
// into a failure of this side: it says nothing about the password. Where there
// was none to be had, that is said beside the server's own words.
func (r *resp) withheld(err error) error {
	var s *seenError
	if !errors.As(err, &s) || s.class != ClassErrorReply || !strings.HasPrefix(s.detail, "-NOAUTH") {
		return err
	}
	if lacks := r.a.facts["auth"]; lacks != "" {
		return seen(ClassErrorReply, s.detail+" ("+lacks+")")
	}
	if r.a.probe.PasswordEnv == "" || r.a.opts.Withheld == "" {
		return err
	}
	r.a.fact("reply", s.detail)
	return seen(ClassLocal, r.a.opts.Withheld)
}

// refusal reports whether a server answered in its protocol, with an error.
func refusal(err error) bool {
	var s *seenError
	return errors.As(err, &s) && s.class == ClassErrorReply
}

// role records the reply to ROLE, and for a replica without its master what a read says:
// it answers PING with PONG all the same.
func (r *resp) role() {
	parts, err := r.array()
	if err != nil || len(parts) == 0 {
		return
	}
	r.a.fact("role", parts[0])
	if parts[0] != "slave" || len(parts) < 4 {
		return
	}
	r.a.fact("masterLink", parts[3])
	if parts[3] == "connected" {
		return
	}
	var s *seenError
	if _, err := r.ask([]string{"EXISTS", "svcx"}); refusal(err) && errors.As(err, &s) {
		r.a.fact("read", s.detail)
	}
}

func (r *resp) send(commands ...[]string) error {
	var b strings.Builder
	for _, args := range commands {
		fmt.Fprintf(&b, "*%d\r\n", len(args))
		for _, arg := range args {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
		}
	}
	_, err := io.WriteString(r.w, b.String())
	return err
}

// ask sends commands and reads the reply to the first, which is one string or
// number; those to the others are to be read in their order.
func (r *resp) ask(commands ...[]string) (string, error) {
	if err := r.send(commands...); err != nil {
		// A peer in protected mode says why and closes at once; read what it said.
		if reply, rerr := r.reply(); rerr != nil {
			var s *seenError
			if errors.As(rerr, &s) {
				return reply, rerr
			}
		}
		return "", err
	}
	return r.reply()
}

func (r *resp) line() (string, error) {
	line, err := r.r.ReadString('\n')
	if err == nil {
		return strings.TrimRight(line, "\r\n"), nil
	}
	// Half a line that is already no RESP says more than the end of the connection.
	if len(line) > 0 && !strings.ContainsRune("+-:$*_", rune(line[0])) {
		return "", r.a.badAnswer("RESP")
	}
	return "", err
}

func (r *resp) reply() (string, error) {
	line, err := r.line()
	if err != nil {
		return "", err
	}
	if line == "" {
		return "", r.a.badAnswer("RESP")
	}
	switch line[0] {
	case '+', ':':
		return line[1:], nil
	case '-':
		return "", seen(ClassErrorReply, withoutArgs(line))
	case '$':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n > maxAnswer {
			return "", r.a.badAnswer("RESP")
		}
		if n < 0 {
			return "", nil
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(r.r, b); err != nil {
			return "", err
		}
		return string(b[:n]), nil
	}
	return "", r.a.badAnswer("RESP")
}

// array reads an array's leading strings and numbers; it stops, without an
// error, at a nested array, which none of its users needs.
func (r *resp) array() ([]string, error) {
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(line, "*") {
		return nil, r.a.badAnswer("RESP")
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || n > 1024 {
		return nil, r.a.badAnswer("RESP")
	}
	var parts []string
	for range n {
		if b, err := r.r.Peek(1); err != nil || b[0] == '*' {
			return parts, err
		}
		part, err := r.reply()
		if err != nil {
			return parts, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// withoutArgs drops the arguments that a server repeats of a command that it
// does not know: they may hold the password.
func withoutArgs(line string) string {
	if i := strings.Index(line, "with args beginning with"); i >= 0 {
		return strings.TrimRight(line[:i], ", ")
	}
	return line
}

func infoField(info, field string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), field+":"); ok {
			return v
		}
	}
	return ""
}

// startTLS wraps a connection for a check that runs inside TLS.
// protocols are offered in ALPN.
func (a *attempt) startTLS(ctx context.Context, conn net.Conn, protocols ...string) (net.Conn, error) {
	cfg := a.tlsConfig()
	cfg.NextProtos = protocols
	c := tls.Client(conn, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, a.tlsError(err)
	}
	a.secure = true
	return c, nil
}
