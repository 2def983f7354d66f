package probe

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// serve answers each connection to a loopback port with handle.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() { defer c.Close(); handle(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// closedPort returns a loopback address at which nothing listens, and nobody else
// will until the test ends: it is the client's end of a connection.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

const (
	// brief is the time for a peer that will not answer. On a busy machine it has to
	// be enough to connect.
	brief = time.Second
	// plenty is the time for what will come, on a busy machine too.
	plenty = 20 * time.Second
)

// askOne runs one probe.
func askOne(t *testing.T, p Probe, o Options) Outcome {
	t.Helper()
	p.ID = "p"
	if p.Timeout == 0 {
		p.Timeout = plenty
	}
	var got []Outcome
	Run(t.Context(), []Probe{p}, o, func(out Outcome) { got = append(got, out) })
	if len(got) != 1 || got[0].Probe != "p" {
		t.Fatalf("outcomes: %+v, want one for p", got)
	}
	return got[0]
}

// say answers with fixed bytes to whatever comes first, and then waits for the client to go.
func say(text string) func(net.Conn) {
	return func(c net.Conn) {
		buf := make([]byte, 512)
		if _, err := c.Read(buf); err != nil {
			return
		}
		_, _ = io.WriteString(c, text)
		_, _ = io.Copy(io.Discard, c)
	}
}

func TestPeers(t *testing.T) {
	silent := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	endless := func(c net.Conn) {
		chunk := []byte(strings.Repeat("A", 4096))
		for {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	}
	slow := func(c net.Conn) {
		for _, b := range []byte("+PONG\r\n+PONG\r\n") {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(brief / 5) // the point of this peer is to be slow
		}
	}
	shut := func(net.Conn) {}
	reset := func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }
	cases := []struct {
		name   string
		peer   func(net.Conn)
		checks []Check
		want   Class
		detail string
	}{
		{"silent", silent, []Check{CheckRedis, CheckHTTP, CheckHTTPS, CheckGRPC, CheckTLS}, ClassNoAnswer, "no answer in time"},
		{"slow", slow, []Check{CheckRedis}, ClassNoAnswer, "no answer in time"},
		{"endless", endless, []Check{CheckRedis, CheckHTTP}, ClassProtocol, ""},
		{"endless to TLS", endless, []Check{CheckTLS, CheckHTTPS}, ClassTLS, "does not speak TLS"},
		{"closing", shut, []Check{CheckRedis, CheckHTTP, CheckTLS, CheckGRPC}, ClassClosed, "closed"},
		{"resetting", reset, []Check{CheckRedis, CheckHTTP}, ClassClosed, "closed"},
		{"garbage", say("\x00\xff\x1b[31mgarbage\r\n"), []Check{CheckRedis, CheckHTTP}, ClassProtocol, `\x00\xff\x1b[31mgarbage`},
		{"HTTP to Redis", say("HTTP/1.1 400 Bad Request\r\n\r\n"), []Check{CheckRedis}, ClassProtocol, "speaks http"},
		{"SSH to HTTP", say("SSH-2.0-OpenSSH_9\r\n"), []Check{CheckHTTP}, ClassProtocol, "speaks ssh"},
		{"TLS alert to Redis", say("\x15\x03\x03\x00\x02\x02\x46"), []Check{CheckRedis}, ClassProtocol, "speaks tls"},
		{"Redis to HTTP", say("-ERR unknown command\r\n"), []Check{CheckHTTP}, ClassProtocol, "speaks redis"},
		{"HTTP to TLS", say("HTTP/1.1 400 Bad Request\r\n\r\n"), []Check{CheckTLS, CheckHTTPS}, ClassTLS, "does not speak TLS"},
		{"no password", say("-NOAUTH Authentication required.\r\n"), []Check{CheckRedis}, ClassErrorReply, "-NOAUTH Authentication required."},
		{"protected", say("-DENIED Redis is running in protected mode\r\n"), []Check{CheckRedis}, ClassErrorReply, "-DENIED"},
		{"loading", say("-LOADING Redis is loading the dataset in memory\r\n"), []Check{CheckRedis}, ClassErrorReply, "-LOADING"},
		{"announces 1 GB", say("$1073741824\r\n"), []Check{CheckRedis}, ClassProtocol, "$1073741824"},
		{"announces more than there is", say("$9223372036854775800\r\n"), []Check{CheckRedis}, ClassProtocol, "not RESP"},
		{"escapes in an error", say("-ERR \x1b]0;owned\x07\x1b[2J\u202egone\r\n"), []Check{CheckRedis}, ClassErrorReply, "-ERR gone"},
		{"HTTP 500", say("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), []Check{CheckHTTP}, ClassErrorReply, "500 Oops"},
		{"HTTP 404 at no path given", say("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), []Check{CheckHTTP}, ClassOK, "404"},
		{"HTTP header without end", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
			endless(c)
		}, []Check{CheckHTTP}, ClassProtocol, "64 KiB"},
		{"pong", say("+PONG\r\n"), []Check{CheckTCP}, ClassOK, ""},
	}
	for _, tc := range cases {
		for _, check := range tc.checks {
			t.Run(tc.name+"/"+string(check), func(t *testing.T) {
				t.Parallel() // most of the time is waiting
				p := Probe{Check: check, Address: serve(t, tc.peer)}
				if tc.want == ClassNoAnswer {
					p.Timeout = brief
				}
				start := time.Now()
				out := askOne(t, p, Options{})
				if out.Class != tc.want || !strings.Contains(out.Detail, tc.detail) {
					t.Errorf("class %s, detail %q; want %s with %q", out.Class, out.Detail, tc.want, tc.detail)
				}
				if took := time.Since(start); tc.want == ClassNoAnswer && took > plenty {
					t.Errorf("took %s, want it bounded by the timeout of %s", took, brief)
				}
				if out.Detail != Printable(out.Detail, MaxDetail) {
					t.Errorf("detail is not printable: %q", out.Detail)
				}
			})
		}
	}
}

func TestClasses(t *testing.T) {
	dialError := func(err error) Dialer {
		return func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
	op := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	cases := []struct {
		name string
		dial Dialer
		want Class
	}{
		{"refused", dialError(op(syscall.ECONNREFUSED)), ClassRefused},
		{"timeout", hang, ClassTimeout},
		{"no route", dialError(op(syscall.EHOSTUNREACH)), ClassUnreachable},
		{"no network", dialError(op(syscall.ENETUNREACH)), ClassUnreachable},
		{"unknown name", dialError(op(&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true})), ClassNameUnknown},
		{"no DNS", dialError(op(&net.DNSError{Err: "server misbehaving", Name: "x", IsTemporary: true})), ClassNameFailed},
		{"tunnel refused", dialError(&DialError{Class: ClassifyText("failed to connect to localhost:6380: dial tcp4 127.0.0.1:6380: connect: connection refused"), Text: "x"}), ClassRefused},
		{"tunnel forbidden", dialError(&DialError{Class: ClassLocal, Text: "forbidden"}), ClassLocal},
		{"no descriptors", dialError(op(syscall.EMFILE)), ClassLocal},
		{"anything else on this side", dialError(fmt.Errorf("bad address")), ClassLocal},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			out := askOne(t, Probe{Check: CheckTCP, Address: "192.0.2.1:1", Timeout: brief}, Options{Dial: tc.dial})
			if out.Class != tc.want {
				t.Errorf("class %s (%s), want %s", out.Class, out.Detail, tc.want)
			}
		})
	}
	t.Run("really refused", func(t *testing.T) {
		if out := askOne(t, Probe{Check: CheckRedis, Address: closedPort(t)}, Options{}); out.Class != ClassRefused {
			t.Errorf("class %s (%s), want refused", out.Class, out.Detail)
		}
	})
	t.Run("unknown check", func(t *testing.T) {
		if out := askOne(t, Probe{Check: "gopher", Address: closedPort(t)}, Options{}); out.Class != ClassLocal {
			t.Errorf("class %s, want local", out.Class)
		}
	})
}

func TestCanceledRunsEmitEveryProbe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var dials atomic.Int64
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if dials.Add(1) == 5 {
			cancel()
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var probes []Probe
	for i := range 500 {
		probes = append(probes, Probe{ID: fmt.Sprint(i), Check: CheckTCP, Address: "192.0.2.1:1", Attempts: 4, Timeout: time.Minute})
	}
	seen := map[string]bool{}
	Run(ctx, probes, Options{Dial: dial}, func(o Outcome) {
		seen[o.Probe] = true
		if o.Class != ClassCanceled {
			t.Errorf("%s: class %s, want canceled", o.Probe, o.Class)
		}
	})
	if len(seen) != len(probes) {
		t.Errorf("%d outcomes for %d probes", len(seen), len(probes))
	}
}

// TestTheRunsOwnEndIsNoAnswer: what the deadline of the run cuts off says
// nothing about the peer; the end of an attempt's own time does.
func TestTheRunsOwnEndIsNoAnswer(t *testing.T) {
	silent := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	hangs := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	for _, tc := range []struct {
		name         string
		run, attempt time.Duration
		dial         Dialer
		want         Class
	}{
		{"connected, the run ends", 50 * time.Millisecond, time.Minute, nil, ClassCanceled},
		{"connected, the attempt ends", time.Minute, brief, nil, ClassNoAnswer},
		{"dialing, the run ends", 50 * time.Millisecond, time.Minute, hangs, ClassCanceled},
		{"dialing, the attempt ends", time.Minute, 50 * time.Millisecond, hangs, ClassTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), tc.run)
			defer cancel()
			p := Probe{ID: "a", Check: CheckRedis, Address: silent, Attempts: 4, Timeout: tc.attempt, Confirm: tc.want == ClassCanceled}
			Run(ctx, []Probe{p}, Options{Dial: tc.dial}, func(o Outcome) {
				if o.Class != tc.want {
					t.Errorf("class %s (%s), want %s", o.Class, o.Detail, tc.want)
				}
			})
		})
	}
}

func TestConcurrencyIsBoundedAndAdapts(t *testing.T) {
	var open, most, calls atomic.Int64
	dial := func(context.Context, string, string) (net.Conn, error) {
		n := open.Add(1)
		defer open.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		// This side runs out of descriptors while more than 8 dials are open.
		if calls.Add(1); n > 8 {
			return nil, &net.OpError{Op: "dial", Err: syscall.EMFILE}
		}
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	var probes []Probe
	for i := range 300 {
		probes = append(probes, Probe{ID: fmt.Sprint(i), Check: CheckTCP, Address: "192.0.2.1:1"})
	}
	refused := 0
	Run(t.Context(), probes, Options{Dial: dial, Concurrency: 40}, func(o Outcome) {
		if o.Class == ClassRefused {
			refused++
		}
	})
	if most.Load() > 40 {
		t.Errorf("%d dials at once, want 40 or fewer", most.Load())
	}
	if refused < 290 {
		t.Errorf("%d of 300 were asked in the end, want nearly all: the lack of descriptors is this side's", refused)
	}
}

func TestManyAttemptsStopWhenNothingAnswers(t *testing.T) {
	addr := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	out := askOne(t, Probe{Check: CheckRedis, Address: addr, Attempts: 64, Timeout: brief}, Options{})
	if out.Class != ClassNoAnswer || out.Attempts != scouts {
		t.Errorf("%s after %d attempts, want no-answer after %d", out.Class, out.Attempts, scouts)
	}
}

// One of several backends is silent until all the others have answered: they do
// not wait for it.
func TestManyAttemptsDoNotWaitForOne(t *testing.T) {
	const attempts = 40
	var connections, answered atomic.Int64
	others := make(chan struct{})
	addr := serve(t, func(c net.Conn) {
		if connections.Add(1) == 1 {
			<-others
		} else if answered.Add(1) == attempts-1 {
			defer close(others)
		}
		buf := make([]byte, 512)
		_, _ = c.Read(buf)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	out := askOne(t, Probe{Check: CheckHTTP, Address: addr, Attempts: attempts, Timeout: 10 * time.Second}, Options{})
	if out.Class != ClassOK || out.Answers != attempts {
		t.Errorf("%s (%s): %d of %d answered", out.Class, out.Detail, out.Answers, out.Attempts)
	}
}

func TestUDP(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		buf := make([]byte, 512)
		for n := 0; ; n++ {
			size, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if n > 0 { // the first datagram is lost
				_, _ = c.WriteTo(buf[:size], from)
			}
		}
	}()
	p := Probe{Check: CheckUDP, Address: c.LocalAddr().String(), Send: "hello", Expect: "hello"}
	if out := askOne(t, p, Options{}); out.Class != ClassOK {
		t.Errorf("class %s (%s), want ok", out.Class, out.Detail)
	}
	p.Expect = "bye"
	if out := askOne(t, p, Options{}); out.Class != ClassProtocol {
		t.Errorf("class %s, want protocol for another answer", out.Class)
	}
	taken, err := net.Dial("udp", "127.0.0.1:9") // hears nobody else
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p.Address = taken.LocalAddr().String()
	if out := askOne(t, p, Options{}); out.Class != ClassRefused {
		t.Errorf("class %s (%s), want refused", out.Class, out.Detail)
	}
}

func TestDNS(t *testing.T) {
	resolve := func(_ context.Context, host string) ([]string, error) {
		if host == "redis.default.svc" {
			return []string{"10.0.0.2", "10.0.0.1"}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	o := Options{Resolve: resolve}
	if out := askOne(t, Probe{Check: CheckDNS, Address: "redis.default.svc:6379"}, o); out.Class != ClassOK || strings.Join(out.Resolved, " ") != "10.0.0.1 10.0.0.2" {
		t.Errorf("%+v, want both addresses in order", out)
	}
	if out := askOne(t, Probe{Check: CheckDNS, Address: "nobody.default.svc"}, o); out.Class != ClassNameUnknown {
		t.Errorf("class %s, want name-unknown", out.Class)
	}
}

// TestSettle lets an answer from before a change give way to the right one.
func TestSettle(t *testing.T) {
	addr := serve(t, redisLike(map[string]string{"PING": "+PONG\r\n"}))
	var lookups, dials atomic.Int64
	stale := func(_ context.Context, host string) ([]string, error) {
		switch {
		case host == "target.example.com.":
			return []string{"192.0.2.7"}, nil
		case lookups.Add(1) < 3:
			return []string{"10.0.0.1"}, nil
		}
		return []string{"10.0.0.2", "192.0.2.7"}, nil
	}
	for _, want := range []string{"10.0.0.2", "target.example.com."} {
		lookups.Store(0)
		p := Probe{Check: CheckDNS, Address: "redis.default.svc", Resolves: []string{want}, Settle: plenty}
		out := askOne(t, p, Options{Resolve: stale})
		if out.Class != ClassOK || lookups.Load() < 3 || len(out.Resolved) != 2 || out.Facts["settled"] == "" {
			t.Errorf("%s: %+v after %d lookups", want, out, lookups.Load())
		}
	}
	// Two DNS servers take turns, and one of them keeps the old answer longer.
	lookups.Store(0)
	turns := func(context.Context, string) ([]string, error) {
		if n := lookups.Add(1); n == 2 || n == 4 {
			return []string{"10.0.0.1"}, nil
		}
		return []string{"10.0.0.2"}, nil
	}
	p := Probe{Check: CheckDNS, Address: "redis.default.svc", Resolves: []string{"10.0.0.2"}, Settle: plenty}
	if out := askOne(t, p, Options{Resolve: turns}); strings.Join(out.Resolved, " ") != "10.0.0.2" || lookups.Load() < 6 {
		t.Errorf("two servers: %+v after %d lookups", out, lookups.Load())
	}
	lookups.Store(0)
	if out := askOne(t, Probe{Check: CheckDNS, Address: "redis.default.svc", Resolves: []string{"10.0.0.2"}}, Options{Resolve: stale}); out.Class != ClassOK || lookups.Load() != 1 {
		t.Errorf("without Settle: %+v after %d lookups, want one", out, lookups.Load())
	}
	refusing := func(_ context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1) < 3 {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		return net.Dial(network, address)
	}
	if out := askOne(t, Probe{Check: CheckRedis, Address: addr, Settle: plenty}, Options{Dial: refusing}); out.Class != ClassOK {
		t.Errorf("connection that is refused at first: %+v", out)
	}
	start := time.Now()
	if out := askOne(t, Probe{Check: CheckRedis, Address: closedPort(t), Settle: 700 * time.Millisecond}, Options{}); out.Class != ClassRefused {
		t.Errorf("class %s, want refused in the end", out.Class)
	}
	if took := time.Since(start); took < 500*time.Millisecond || took > plenty {
		t.Errorf("took %s, want about 700 ms", took)
	}
}

func TestPrintable(t *testing.T) {
	cases := []struct{ in, want string }{
		{"plain", "plain"},
		{"a\x1b[31mred\x1b[0m b", "ared b"},
		{"a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"},
		{"line\r\nline\ttab", "line line tab"},
		{"\u202eevil\u202c \u200bzero\ufeff", "evil zero"},
		{"bad\xff\xfeutf8\x00\x7f", "badutf8"},
		{"\x9b31mcsi", "31mcsi"},
		{strings.Repeat("é", 40), strings.Repeat("é", 14) + "…"},
		{"\x1b[", "["},
		{"", ""},
	}
	for _, tc := range cases {
		if got := Printable(tc.in, 32); got != tc.want {
			t.Errorf("Printable(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
	if got := Printable(strings.Repeat("x", 1<<22), 100); len(got) > 100 {
		t.Errorf("%d bytes, want 100 or fewer", len(got))
	}
}

// TestConfirm asks a second time, with more patience, before silence counts.
func TestConfirm(t *testing.T) {
	for _, confirm := range []bool{false, true} {
		dials := 0
		o := Options{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if dials++; dials == 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			here, there := net.Pipe()
			t.Cleanup(func() { _ = there.Close() })
			return here, nil
		}}
		var got Outcome
		Run(t.Context(), []Probe{{ID: "a", Check: CheckTCP, Address: "192.0.2.1:1", Timeout: 50 * time.Millisecond, Confirm: confirm}}, o, func(out Outcome) { got = out })
		want := ClassTimeout
		if confirm {
			want = ClassOK
		}
		if got.Class != want {
			t.Errorf("confirm %v: %s, want %s", confirm, got.Class, want)
		}
	}
}
