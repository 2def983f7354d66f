package probe

import (
	"context"
	"io"
	"net"
	"strings"
)

// checkFor returns what asks the question of a probe, or nil for an unknown one.
func checkFor(p Probe) func(context.Context, *attempt) error {
	switch p.Check {
	case CheckRedis:
		return askRedis
	case CheckTCP:
		return askTCP
	case CheckUDP:
		return askUDP
	case CheckHTTP, CheckHTTPS:
		return askHTTP
	case CheckGRPC:
		return askGRPC
	case CheckTLS:
		return askTLS
	case CheckDNS:
		return askDNS
	case CheckDNSServer:
		return askDNSServer
	case CheckPostgres:
		return askPostgres
	case CheckMySQL:
		return askMySQL
	case CheckExec:
		return askExec
	}
	return nil
}

// Good returns the few words with which a report says that a check was answered.
func (c Check) Good() string {
	switch c {
	case CheckRedis:
		return "PONG"
	case CheckTCP:
		return "connects"
	case CheckHTTP, CheckHTTPS:
		return "answers " + strings.ToUpper(string(c))
	case CheckGRPC:
		return "SERVING"
	case CheckTLS:
		return "TLS handshake"
	case CheckDNS:
		return "resolves"
	case CheckDNSServer:
		return "answers queries"
	case CheckPostgres:
		return "Postgres takes logins"
	case CheckMySQL:
		return "MySQL takes logins"
	case CheckExec:
		return "exit code 0"
	}
	return "answers"
}

// askTCP wants the connection to open, no more: many protocols wait for the
// client to speak first. Where an answer is expected it sends what it was given
// and reads until that has come.
func askTCP(ctx context.Context, a *attempt) error {
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	a.detail = "connected"
	if a.probe.Send != "" || a.probe.Expect != "" {
		return converse(a, conn)
	}
	if o, ok := conn.(*watchedConn).Conn.(opener); ok {
		a.connected = false
		if err := o.Opened(ctx); err != nil {
			return err
		}
		a.connected = true
	}
	return nil
}

// converse sends and reads until what is expected has come.
func converse(a *attempt, conn net.Conn) error {
	if _, err := io.WriteString(conn, a.probe.Send); err != nil {
		return err
	}
	var answer []byte
	buf := make([]byte, 4096)
	for !strings.Contains(string(answer), a.probe.Expect) || len(answer) == 0 {
		n, err := conn.Read(buf)
		answer = append(answer, buf[:n]...)
		if n == 0 && err != nil {
			if len(answer) > 0 {
				return seen(ClassProtocol, "another answer than expected: "+firstBytes(answer))
			}
			return err
		}
	}
	a.detail = "answered " + firstBytes(answer)
	return nil
}

// askUDP wants a datagram back.
func askUDP(ctx context.Context, a *attempt) error {
	a.probe.Network = "udp"
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	send := a.probe.Send
	if send == "" {
		send = "svcx\n"
	}
	answer, err := askDatagram(ctx, conn, []byte(send))
	if err != nil {
		return err
	}
	if a.probe.Expect != "" && !strings.Contains(string(answer), a.probe.Expect) {
		return seen(ClassProtocol, "another answer than expected: "+firstBytes(answer))
	}
	a.detail = "answered " + firstBytes(answer)
	return nil
}

// askDNS looks the host of the address up.
func askDNS(ctx context.Context, a *attempt) error {
	host := a.probe.Address
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	var addrs []string
	var err error
	if a.opts.Resolve != nil {
		addrs, err = a.opts.Resolve(ctx, host)
	} else {
		addrs, err = net.DefaultResolver.LookupHost(ctx, host)
	}
	if err != nil {
		return err
	}
	if len(addrs) == 0 {
		return seen(ClassNameUnknown, "no address for "+host)
	}
	a.resolved = addrs
	a.detail = strings.Join(addrs, " ")
	// The full name, which tells the cluster's domain: only where the name was
	// looked up by this process, through its search path.
	if a.opts.Resolve == nil && net.ParseIP(host) == nil {
		if name, err := net.DefaultResolver.LookupCNAME(ctx, host); err == nil {
			a.fact("canonical", strings.TrimSuffix(name, "."))
		}
	}
	return nil
}
