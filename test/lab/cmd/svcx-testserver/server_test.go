package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// quiet is how long a server must say nothing to count as silent.
const quiet = 200 * time.Millisecond

// lockedBuffer is a buffer that the server and the test share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// server is a running svcx-testserver, as its command line makes it.
type server struct {
	t       *testing.T
	control string
}

// start runs the server and waits for its control endpoint. Ports are 0 on the command
// line; addr finds what they became.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	lines, out := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		err := run(ctx, append(args, "--control=127.0.0.1:0"), out, &lockedBuffer{})
		out.CloseWithError(io.EOF)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	s := &server{t: t}
	scanner := bufio.NewScanner(lines)
	for s.control == "" && scanner.Scan() {
		s.control, _ = strings.CutPrefix(scanner.Text(), "listening control ")
		if s.control == scanner.Text() {
			s.control = ""
		}
	}
	if s.control == "" {
		t.Fatalf("the server did not start: %v", <-done)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return s
}

// addr is the address of the only listener of a protocol.
func (s *server) addr(protocol string) string {
	s.t.Helper()
	resp, err := http.Get("http://" + s.control)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(b)) {
		label, _, _ := strings.Cut(line, " ")
		if name, port, _ := strings.Cut(label, ":"); name == protocol {
			return net.JoinHostPort("127.0.0.1", port)
		}
	}
	s.t.Fatalf("no %s among the listeners:\n%s", protocol, b)
	return ""
}

// set changes a behaviour through the command for it.
func (s *server) set(arg string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	if err := run(s.t.Context(), []string{"set", "--control=" + s.control, arg}, &out, &errs); err != nil {
		s.t.Fatalf("set %s: %v %s", arg, err, errs.String())
	}
	_, behaviour, _ := strings.Cut(arg, "=")
	if !strings.Contains(out.String(), behaviour) {
		s.t.Fatalf("set %s printed %q", arg, out.String())
	}
}

func (s *server) dial(network, address string) net.Conn {
	s.t.Helper()
	c, err := net.DialTimeout(network, address, 20*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// ask sends and returns the first bytes of the answer, and the error that came instead.
func (s *server) ask(network, address, send string) (string, error) {
	s.t.Helper()
	c := s.dial(network, address)
	if _, err := io.WriteString(c, send); err != nil {
		return "", err
	}
	b := make([]byte, 64<<10)
	n, err := c.Read(b)
	return string(b[:n]), err
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// assertSilent sends and expects nothing back, and the connection kept.
func (s *server) assertSilent(network, address, send string) {
	s.t.Helper()
	c := s.dial(network, address)
	_, _ = io.WriteString(c, send)
	_ = c.SetReadDeadline(time.Now().Add(quiet))
	if n, err := c.Read(make([]byte, 16)); !isTimeout(err) {
		s.t.Errorf("silent %s answered %d bytes, error %v", network, n, err)
	}
}

// assertEndless expects more bytes than anyone would read.
func assertEndless(t *testing.T, r io.Reader) {
	t.Helper()
	if n, err := io.CopyN(io.Discard, r, 4<<20); err != nil {
		t.Errorf("the endless answer ended after %d bytes: %v", n, err)
	}
}

func TestTCPEchoAndItsBehaviours(t *testing.T) {
	s := start(t, "--tcp=127.0.0.1:0")
	addr := s.addr("tcp")
	if got, err := s.ask("tcp", addr, "hello"); got != "hello" {
		t.Errorf("echo answered %q, %v", got, err)
	}

	s.set("tcp=slow=150ms")
	began := time.Now()
	if got, err := s.ask("tcp", addr, "hello"); got != "hello" || time.Since(began) < 150*time.Millisecond {
		t.Errorf("slow echo answered %q, %v after %s", got, err, time.Since(began))
	}
	s.set("tcp=silent")
	s.assertSilent("tcp", addr, "hello")
	s.set("tcp=garbage")
	if got, err := s.ask("tcp", addr, "hello"); got != string(garbageBytes) {
		t.Errorf("garbage is %q, %v", got, err)
	}
	s.set("tcp=escapes")
	if got, err := s.ask("tcp", addr, "hello"); !strings.Contains(got, "\x1b[2J") {
		t.Errorf("escapes are %q, %v", got, err)
	}
	s.set("tcp=closing")
	if got, err := s.ask("tcp", addr, ""); !errors.Is(err, io.EOF) {
		t.Errorf("closing answered %q, %v; want the end", got, err)
	}
	s.set("tcp=reset")
	// The reset may come while the dialer still looks at the connection.
	c, err := net.Dial("tcp", addr)
	if err == nil {
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset gave %v", err)
	}
	s.set("tcp=endless")
	assertEndless(t, s.dial("tcp", addr))
	s.set("tcp=refusing")
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refusing gave %v", err)
	}
	s.set("tcp=normal")
	if got, err := s.ask("tcp", addr, "again"); got != "again" {
		t.Errorf("after refusing, the same port answered %q, %v", got, err)
	}
}

func TestUDPEchoAndItsBehaviours(t *testing.T) {
	s := start(t, "--udp=127.0.0.1:0")
	addr := s.addr("udp")
	if got, err := s.ask("udp", addr, "hello"); got != "hello" {
		t.Errorf("echo answered %q, %v", got, err)
	}
	s.set("udp=garbage")
	if got, err := s.ask("udp", addr, "hello"); got != string(garbageBytes) {
		t.Errorf("garbage is %q, %v", got, err)
	}
	s.set("udp=silent")
	s.assertSilent("udp", addr, "hello")
	s.set("udp=refusing")
	if _, err := s.ask("udp", addr, "hello"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refusing gave %v, want port unreachable", err)
	}
	s.set("udp=normal")
	if got, err := s.ask("udp", addr, "again"); got != "again" {
		t.Errorf("after refusing, the same port answered %q, %v", got, err)
	}
	s.set("udp=endless")
	c := s.dial("udp", addr)
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := c.Read(make([]byte, 16)); err != nil {
			t.Fatalf("datagram %d: %v", i, err)
		}
	}
}

func TestHTTPAndItsBehaviours(t *testing.T) {
	s := start(t, "--http=127.0.0.1:0")
	base := "http://" + s.addr("http")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(path string) (*http.Response, string, error) {
		resp, err := client.Get(base + path)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
		return resp, string(b), err
	}
	for path, want := range map[string]int{"/": 200, "/healthz": 200, "/status/503": 503, "/status/302": 302, "/status/9": 200} {
		if resp, body, err := get(path); err != nil || resp.StatusCode != want || resp.Header.Get("X-Svcx-Backend") == "" {
			t.Errorf("%s: %v %q %v, want status %d and the backend's name", path, resp, body, err, want)
		}
	}
	s.set("http=status=500")
	if resp, _, err := get("/"); err != nil || resp.StatusCode != 500 {
		t.Errorf("status=500: %v, %v", resp, err)
	}
	s.set("http=escapes")
	if _, body, err := get("/"); err != nil || !strings.Contains(body, "\x1b]0;owned") {
		t.Errorf("escapes: %q, %v", body, err)
	}
	s.set("http=endless")
	if _, body, err := get("/"); err != nil || len(body) != 4<<20 {
		t.Errorf("endless gave %d bytes, %v", len(body), err)
	}
	s.set("http=garbage")
	if _, body, err := get("/"); err == nil || !strings.Contains(err.Error(), "malformed HTTP") {
		t.Errorf("garbage: %q, %v", body, err)
	}
	s.set("http=slow=10s")
	client.Timeout = quiet
	if _, _, err := get("/"); !isTimeout(err) {
		t.Errorf("slow: %v, want a time-out", err)
	}
	client.Timeout = 20 * time.Second
	s.set("http=normal")

	// HTTP/2 without TLS, as appProtocol kubernetes.io/h2c means.
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: h2c}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(base)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Errorf("h2c client was answered in %s", resp.Proto)
	}
}

func TestCertificatesNamesAndExpiry(t *testing.T) {
	s := start(t, "--https=127.0.0.1:0,names=shop.example+127.0.0.1,expires=-24h")
	c, err := tls.Dial("tcp", s.addr("https"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cert := c.ConnectionState().PeerCertificates[0]
	if err := cert.VerifyHostname("shop.example"); err != nil {
		t.Error(err)
	}
	if err := cert.VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
	if err := cert.VerifyHostname("other.example"); err == nil {
		t.Error("the certificate is valid for any name")
	}
	if since := time.Since(cert.NotAfter); since < 23*time.Hour || since > 25*time.Hour {
		t.Errorf("expired %s ago, want a day", since)
	}
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, "200 OK") {
		t.Errorf("HTTP over TLS answered %q, %v", line, err)
	}
	// Plain HTTP to a TLS port.
	if got, _ := s.ask("tcp", s.addr("https"), "GET / HTTP/1.0\r\n\r\n"); strings.Contains(got, "200 OK") {
		t.Errorf("plain HTTP was answered: %q", got)
	}
}

func TestGRPCHealth(t *testing.T) {
	for option, creds := range map[string]credentials.TransportCredentials{"": insecure.NewCredentials(),
		",tls": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})} {
		t.Run("grpc"+option, func(t *testing.T) { grpcHealth(t, option, creds) })
	}
}

func grpcHealth(t *testing.T, option string, creds credentials.TransportCredentials) {
	s := start(t, "--grpc=127.0.0.1:0"+option)
	conn, err := grpc.NewClient("passthrough:///"+s.addr("grpc"), grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	check := func() string {
		answer, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil {
			return err.Error()
		}
		return answer.GetStatus().String()
	}
	if got := check(); got != "SERVING" {
		t.Errorf("health is %s", got)
	}
	s.set("grpc=status=NOT_SERVING")
	if got := check(); got != "NOT_SERVING" {
		t.Errorf("health is %s", got)
	}
}

func TestBadCommandLines(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"", "nothing to serve"},
		{"--http=8080", "missing port"},
		{"--http=:eighty", "not a number"},
		{"--http=:70000", "not a number"},
		{"--http=:0,refusing", "must be given"},
		{"--http=:0,loading", "unknown behaviour"},
		{"--tcp=:0,slow=soon", "invalid duration"},
		{"--http=:0,status=99", "between 200 and 599"},
		{"--grpc=:0,status=GOOD", "unknown health status"},
		{"--tcp=:0,silent=yes", "takes no value"},
		{"--tcp=:0 extra", "unexpected argument"},
		{"set", "nothing to set"},
		{"set http", "is not PROTOCOL"},
	} {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), strings.Fields(tc.args), &stdout, &stderr)
		if err == nil || !strings.Contains(err.Error(), tc.want) || exitCode(err, io.Discard) != 2 {
			t.Errorf("%q: %v, want an error of use with %q", tc.args, err, tc.want)
		}
	}
	// An address in use is no mistake in the command line.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := run(t.Context(), []string{"--tcp=" + l.Addr().String()}, io.Discard, io.Discard); !errors.Is(err, syscall.EADDRINUSE) || exitCode(err, io.Discard) != 1 {
		t.Errorf("address in use: %v", err)
	}
	if err := run(t.Context(), []string{"--help"}, io.Discard, io.Discard); exitCode(err, io.Discard) != 0 {
		t.Errorf("--help: %v", err)
	}
}

func TestControlRefusesNonsense(t *testing.T) {
	s := start(t, "--tcp=127.0.0.1:0", "--http=127.0.0.1:0")
	for listener, want := range map[string]string{"redis": "no listener", "tcp": "unknown behaviour"} {
		resp, err := http.PostForm("http://"+s.control, url.Values{"listener": {listener}, "behaviour": {"loading"}})
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(b), want) {
			t.Errorf("%s: status %d %q, want 400 with %q", listener, resp.StatusCode, b, want)
		}
	}
}
