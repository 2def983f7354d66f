package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// askHTTP wants a status below 400 for a GET of the path given, or any
// status below 500 where none was.
func askHTTP(ctx context.Context, a *attempt) error {
	scheme := "http"
	if a.probe.Check == CheckHTTPS || a.probe.TLS {
		scheme = "https"
	}
	path := a.probe.HTTPPath
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	protocols := []string{"http/1.1"}
	switch {
	case a.probe.H2C:
		protocols = []string{"h2"}
	case scheme == "https":
		protocols = []string{"h2", "http/1.1"} // what browsers and curl offer; some servers know h2 only
	}
	t, err := a.transport(ctx, scheme == "https", protocols...)
	if err != nil {
		return err
	}
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+a.host()+path, nil)
	if err != nil {
		return seen(ClassLocal, err.Error())
	}
	req.Header.Set("User-Agent", "kubectl-svcx")
	req.Host = a.probe.HTTPHost
	// A round trip, not a client's Do: a redirect is an answer, and following it
	// would ask somebody else.
	res, err := t.RoundTrip(req)
	if err != nil {
		return a.httpError(err, "HTTP")
	}
	defer res.Body.Close()
	a.fact("status", res.Status)
	a.fact("server", res.Header.Get("Server"))
	a.fact("location", res.Header.Get("Location"))
	a.detail = res.Proto + " " + res.Status
	// Without a path the question was only whether HTTP is spoken: a server
	// need not have "/", and may want a login for it.
	if res.StatusCode == http.StatusBadRequest && scheme == "http" {
		// What Go's server, nginx and Apache tell who speaks no TLS to a TLS port.
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1024))
		if text := strings.ToLower(string(body)); strings.Contains(text, "http request to an https server") ||
			strings.Contains(text, "http request was sent to https port") || strings.Contains(text, "speaking plain http to an ssl-enabled") {
			a.fact("peer", "tls")
			return seen(ClassProtocol, "not HTTP: the peer speaks tls, and says so: "+firstBytes(body))
		}
	}
	limit := 400
	if a.probe.HTTPPath == "" {
		limit = 500
	}
	if res.StatusCode >= limit {
		return seen(ClassErrorReply, "HTTP status "+res.Status)
	}
	return nil
}

// host returns what a URL and the Host header carry: the probe's server name,
// else the address where that is a host and no Pod's name.
func (a *attempt) host() string {
	host, port, err := net.SplitHostPort(a.probe.Address)
	if err != nil {
		return "localhost"
	}
	if name := cmp.Or(a.probe.ServerName, a.probe.SNI); name != "" {
		host = name
	} else if strings.Contains(host, "/") {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// transport opens the attempt's connection and returns an HTTP transport of one
// request over it. The transport itself never dials: it would do so in a
// goroutine that may outlive the attempt. Inside TLS the peer chooses among the
// protocols, HTTP/1.1 where it does not say.
func (a *attempt) transport(ctx context.Context, secure bool, protocols ...string) (*http.Transport, error) {
	conn, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	protocol := protocols[0]
	if secure {
		if conn, err = a.startTLS(ctx, conn, protocols...); err != nil {
			return nil, err
		}
		if c, ok := conn.(*tls.Conn); ok && len(protocols) > 1 {
			protocol = c.ConnectionState().NegotiatedProtocol
		}
	}
	t := &http.Transport{
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswer,
		Protocols:              new(http.Protocols),
	}
	switch {
	case protocol == "h2" && secure:
		t.Protocols.SetHTTP2(true)
	case protocol == "h2":
		t.Protocols.SetUnencryptedHTTP2(true)
	default:
		t.Protocols.SetHTTP1(true)
		conn = newAnswering(ctx, conn)
	}
	give := func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	t.DialContext, t.DialTLSContext = give, give
	return t, nil
}

// answering is a connection from which nothing is read before something was
// written: net/http logs what a peer says unasked, and our peers may say anything.
type answering struct {
	net.Conn
	ctx   context.Context
	once  sync.Once
	wrote chan struct{}
}

func newAnswering(ctx context.Context, c net.Conn) *answering {
	return &answering{Conn: c, ctx: ctx, wrote: make(chan struct{})}
}

func (c *answering) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.once.Do(func() { close(c.wrote) })
	return n, err
}

func (c *answering) Read(p []byte) (int, error) {
	select {
	case <-c.wrote:
		return c.Conn.Read(p)
	case <-c.ctx.Done():
		return 0, c.ctx.Err()
	}
}

// httpError sorts an error of a round trip.
func (a *attempt) httpError(err error, want string) error {
	if !a.connected {
		return err
	}
	// net/http says "malformed HTTP response" and the like in words only.
	msg := err.Error()
	switch {
	case strings.Contains(msg, "client conn could not be established") && (len(a.conn.seenFirst()) == 0 || a.secure):
		return io.EOF // what HTTP/2 makes of a connection that ended before its first frame
	case errors.Is(err, errTooMuch), strings.Contains(msg, "server response headers exceeded"), strings.Contains(msg, "header length exceeds"):
		return errTooMuch
	case strings.Contains(msg, "malformed"), strings.Contains(msg, "http2: "), strings.Contains(msg, "transport connection broken"), strings.Contains(msg, "invalid"):
		if len(a.conn.seenFirst()) > 0 && !isTLS(err) {
			return a.badAnswer(want)
		}
	}
	return err
}

// askGRPC wants SERVING from grpc.health.v1.Health/Check.
//
// One unary call is a POST over HTTP/2 whose message has no field, which the
// standard library carries; a whole gRPC client would add 4 MB to the program
// that is pulled into clusters.
func askGRPC(ctx context.Context, a *attempt) error {
	scheme := "http"
	if a.probe.TLS {
		scheme = "https"
	}
	t, err := a.transport(ctx, a.probe.TLS, "h2")
	if err != nil {
		return err
	}
	defer t.CloseIdleConnections()
	t.HTTP2 = &http.HTTP2Config{MaxReadFrameSize: 16 << 10}
	body := strings.NewReader("\x00\x00\x00\x00\x00")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+"://"+a.host()+"/grpc.health.v1.Health/Check", body)
	if err != nil {
		return seen(ClassLocal, err.Error())
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	req.Header.Set("User-Agent", "kubectl-svcx")
	res, err := t.RoundTrip(req)
	if err != nil {
		return a.httpError(err, "gRPC")
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return a.httpError(err, "gRPC")
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/grpc") {
		if res.StatusCode < 500 { // else a proxy may speak for a server that is away
			a.fact("peer", "http")
		}
		return seen(ClassProtocol, "not gRPC: "+res.Proto+" "+res.Status+" "+res.Header.Get("Content-Type"))
	}
	status, message := res.Trailer.Get("Grpc-Status"), res.Trailer.Get("Grpc-Message")
	if status == "" {
		status, message = res.Header.Get("Grpc-Status"), res.Header.Get("Grpc-Message")
	}
	a.fact("grpcStatus", status)
	switch status {
	case "0":
		return a.healthAnswer(data)
	case "12":
		// The peer speaks gRPC and has no health service, which is its right.
		a.detail = "speaks gRPC, has no health service"
		a.fact("health", "unimplemented")
		return nil
	}
	return seen(ClassErrorReply, fmt.Sprintf("gRPC status %s %s", status, message))
}

// healthAnswer reads HealthCheckResponse: field 1, a varint, 1 is SERVING.
func (a *attempt) healthAnswer(data []byte) error {
	names := map[byte]string{0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
	var status byte
	if len(data) >= 7 && data[0] == 0 && data[5] == 0x08 {
		status = data[6]
	} else if len(data) != 5 {
		return seen(ClassProtocol, "not a health answer: "+firstBytes(data))
	}
	name := names[status]
	a.fact("health", name)
	if name != "SERVING" {
		return seen(ClassErrorReply, "health is "+name)
	}
	a.detail = name
	return nil
}
