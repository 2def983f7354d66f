package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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
	t := a.transport()
	defer t.CloseIdleConnections()
	if a.probe.H2C {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+a.host()+path, nil)
	if err != nil {
		return seen(ClassLocal, err.Error())
	}
	req.Header.Set("User-Agent", "kubectl-svcx")
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
	if a.probe.ServerName != "" {
		host = a.probe.ServerName
	} else if strings.Contains(host, "/") {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// transport returns an HTTP transport of one request, over the attempt's own connection.
func (a *attempt) transport() *http.Transport {
	return &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx) },
		TLSClientConfig:        a.tlsConfig(),
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswer,
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
	case strings.Contains(msg, "server gave HTTP response to HTTPS client"), strings.Contains(msg, "first record does not look like a TLS handshake"):
		return a.tlsErrorText()
	case strings.Contains(msg, "client conn could not be established") && len(a.conn.seenFirst()) == 0:
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

func (a *attempt) tlsErrorText() error {
	first := a.conn.seenFirst()
	a.fact("peer", sniff(first))
	return seen(ClassTLS, "the peer does not speak TLS: "+firstBytes(first))
}

// askGRPC wants SERVING from grpc.health.v1.Health/Check.
//
// One unary call is a POST over HTTP/2 whose message has no field, which the
// standard library carries; a whole gRPC client would add 4 MB to the program
// that is pulled into clusters.
func askGRPC(ctx context.Context, a *attempt) error {
	t := a.transport()
	defer t.CloseIdleConnections()
	scheme := "http"
	t.Protocols = new(http.Protocols)
	if a.probe.TLS {
		scheme = "https"
		t.Protocols.SetHTTP2(true)
	} else {
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	// An HTTP/2 transport reads ahead of the answer; keep its windows small.
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
