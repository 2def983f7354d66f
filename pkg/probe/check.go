package probe

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
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
	}
	return nil
}

// Checks lists the checks that Run knows, in a fixed order.
func Checks() []Check {
	return []Check{CheckRedis, CheckTCP, CheckUDP, CheckHTTP, CheckHTTPS, CheckGRPC, CheckTLS, CheckDNS}
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
	}
	return "answers"
}

// askTCP wants the connection to open, no more: many protocols wait for the
// client to speak first.
func askTCP(ctx context.Context, a *attempt) error {
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	a.detail = "connected"
	if o, ok := conn.(*watchedConn).Conn.(opener); ok {
		a.connected = false
		if err := o.Opened(ctx); err != nil {
			return err
		}
		a.connected = true
	}
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
	// A datagram may be lost; ask again while the attempt lasts.
	deadline, _ := ctx.Deadline()
	buf := make([]byte, 4096)
	for i := 0; ; i++ {
		if _, err := conn.Write([]byte(send)); err != nil {
			return err
		}
		wait := time.Now().Add(300 * time.Millisecond << i)
		if wait.After(deadline) {
			wait = deadline
		}
		_ = conn.SetReadDeadline(wait)
		n, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(deadline) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			if errors.Is(err, syscall.ECONNREFUSED) {
				return seen(ClassRefused, "port unreachable")
			}
			return err
		}
		if a.probe.Expect != "" && !strings.Contains(string(buf[:n]), a.probe.Expect) {
			return seen(ClassProtocol, "another answer than expected: "+firstBytes(buf[:n]))
		}
		a.detail = "answered " + firstBytes(buf[:n])
		return nil
	}
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
