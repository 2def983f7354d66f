package probe

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// redisLike answers RESP as a Redis does, with the replies given by command.
func redisLike(replies map[string]string) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			var n int
			if _, err := fmt.Sscanf(line, "*%d", &n); err != nil {
				return
			}
			var args []string
			for range n {
				_, _ = in.ReadString('\n')
				arg, _ := in.ReadString('\n')
				args = append(args, strings.TrimSpace(arg))
			}
			if len(args) > 0 {
				args[0] = strings.ToUpper(args[0])
			}
			reply, ok := replies[strings.Join(args, " ")]
			if !ok {
				reply = "-ERR unknown command\r\n"
			}
			if _, err := io.WriteString(c, reply); err != nil {
				return
			}
		}
	}
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func TestRedis(t *testing.T) {
	info := bulk("# Server\r\nredis_version:8.0.1\r\nrun_id:abc123\r\n")
	addr := serve(t, redisLike(map[string]string{"PING": "+PONG\r\n", "INFO server": info, "ROLE": "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"}))
	out := askOne(t, Probe{Check: CheckRedis, Address: addr, Attempts: 8}, Options{})
	if out.Class != ClassOK || out.Answers != 8 || out.Backends["abc123"] != 8 || out.Facts["role"] != "master" || out.Facts["version"] != "8.0.1" || out.Latency <= 0 {
		t.Errorf("outcome %+v", out)
	}

	t.Run("replica without its master", func(t *testing.T) {
		addr := serve(t, redisLike(map[string]string{"PING": "+PONG\r\n", "INFO server": info,
			"ROLE":        "*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:6379\r\n$7\r\nconnect\r\n:-1\r\n",
			"EXISTS svcx": "-MASTERDOWN Link with MASTER is down\r\n"}))
		out := askOne(t, Probe{Check: CheckRedis, Address: addr}, Options{})
		if out.Class != ClassOK || out.Facts["masterLink"] != "connect" || !strings.HasPrefix(out.Facts["read"], "-MASTERDOWN") {
			t.Errorf("outcome %+v", out)
		}
	})
	t.Run("cluster without slots", func(t *testing.T) {
		addr := serve(t, redisLike(map[string]string{"PING": "+PONG\r\n", "EXISTS svcx": "-CLUSTERDOWN Hash slot not served\r\n",
			"CLUSTER info": bulk("cluster_state:fail\r\ncluster_slots_assigned:0\r\n")}))
		out := askOne(t, Probe{Check: CheckRedis, Address: addr}, Options{})
		if out.Class != ClassOK || out.Facts["read"] != "-CLUSTERDOWN Hash slot not served" || out.Facts["cluster_slots_assigned"] != "0" {
			t.Errorf("outcome %+v", out)
		}
	})
	t.Run("a read that is refused to this user or another server's", func(t *testing.T) {
		for _, reply := range []string{"-NOPERM no", "-MOVED 1 10.0.0.1:6379", "-ERR unknown command", ":0"} {
			addr := serve(t, redisLike(map[string]string{"PING": "+PONG\r\n", "EXISTS svcx": reply + "\r\n"}))
			if out := askOne(t, Probe{Check: CheckRedis, Address: addr}, Options{}); out.Class != ClassOK || out.Facts["read"] != "" {
				t.Errorf("%s: outcome %+v", reply, out)
			}
		}
	})
	t.Run("no room for writes", func(t *testing.T) {
		addr := serve(t, redisLike(map[string]string{"PING": "+PONG\r\n",
			"INFO replication": bulk("role:master\r\nmin_slaves_good_slaves:0\r\n"),
			"INFO memory":      bulk("used_memory:200\r\nmaxmemory:100\r\nmaxmemory_policy:noeviction\r\nmem_not_counted_for_evict:20\r\n")}))
		out := askOne(t, Probe{Check: CheckRedis, Address: addr}, Options{})
		if out.Class != ClassOK || out.Facts["goodReplicas"] != "0" || out.Facts["usedMemory"] != "180" || out.Facts["maxMemory"] != "100" {
			t.Errorf("outcome %+v", out)
		}
		addr = serve(t, redisLike(map[string]string{"PING": "+PONG\r\n", "INFO replication": bulk("role:slave\r\nmin_slaves_good_slaves:0\r\n"),
			"INFO memory": bulk("used_memory:200\r\nmaxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\n")}))
		if out := askOne(t, Probe{Check: CheckRedis, Address: addr}, Options{}); out.Facts["goodReplicas"]+out.Facts["maxMemory"] != "" {
			t.Errorf("a replica that evicts: outcome %+v", out)
		}
	})
	t.Run("only PING permitted", func(t *testing.T) {
		addr := serve(t, redisLike(map[string]string{"PING": "+PONG\r\n", "INFO server": "-NOPERM no\r\n", "ROLE": "-NOPERM no\r\n"}))
		if out := askOne(t, Probe{Check: CheckRedis, Address: addr}, Options{}); out.Class != ClassOK || len(out.Backends) != 0 {
			t.Errorf("outcome %+v, want ok without an identity", out)
		}
	})
	t.Run("password", func(t *testing.T) {
		addr := serve(t, redisLike(map[string]string{"AUTH me secret": "+OK\r\n", "PING": "+PONG\r\n"}))
		env := map[string]string{"U": "me", "P": "secret"}
		p := Probe{Check: CheckRedis, Address: addr, UsernameEnv: "U", PasswordEnv: "P"}
		if out := askOne(t, p, Options{Getenv: func(k string) string { return env[k] }}); out.Class != ClassOK {
			t.Errorf("outcome %+v", out)
		}
		p.PasswordFrom = "Secret demo/redis"
		if out := askOne(t, p, Options{}); out.Class != ClassOK || out.Facts["auth"] != "no password in Secret demo/redis" {
			t.Errorf("outcome %+v without the variable, want it asked without and said so", out)
		}
	})
}

func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
	})
	mux.HandleFunc("/shop", func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "shop.example.com" {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.Protocols = &protocols
	srv.Start()
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	cases := []struct {
		p    Probe
		want Class
	}{
		{Probe{Check: CheckHTTP, HTTPPath: "/ready"}, ClassOK},
		{Probe{Check: CheckHTTP, HTTPPath: "/ready", H2C: true}, ClassOK},
		{Probe{Check: CheckHTTP, HTTPPath: "/moved"}, ClassOK},
		{Probe{Check: CheckHTTP, HTTPPath: "/absent"}, ClassErrorReply},
		{Probe{Check: CheckHTTP, HTTPPath: "/shop"}, ClassErrorReply},
		{Probe{Check: CheckHTTP, HTTPPath: "/shop", HTTPHost: "shop.example.com"}, ClassOK},
		{Probe{Check: CheckHTTP, HTTPPath: "/shop", HTTPHost: "shop.example.com", H2C: true}, ClassOK},
		{Probe{Check: CheckHTTP}, ClassOK},
		{Probe{Check: CheckGRPC}, ClassProtocol},
	}
	for _, tc := range cases {
		tc.p.Address = addr
		if out := askOne(t, tc.p, Options{}); out.Class != tc.want {
			t.Errorf("%s %s: class %s (%s), want %s", tc.p.Check, tc.p.HTTPPath, out.Class, out.Detail, tc.want)
		}
	}
}

// TestGRPCHealth answers as a gRPC server does on the wire, plain and inside TLS.
func TestGRPCHealth(t *testing.T) {
	cases := []struct {
		name, body, status string
		want               Class
	}{
		{"serving", "\x00\x00\x00\x00\x02\x08\x01", "0", ClassOK},
		{"not serving", "\x00\x00\x00\x00\x02\x08\x02", "0", ClassErrorReply},
		{"no health service", "", "12", ClassOK},
		{"failing", "", "14", ClassErrorReply},
		{"garbage", "\x00\x00\x00\x00\x02xx", "0", ClassProtocol},
	}
	for _, tc := range cases {
		grpc := func(t *testing.T, secure bool) {
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.URL.Path != "/grpc.health.v1.Health/Check" || string(body) != "\x00\x00\x00\x00\x00" || r.ProtoMajor != 2 {
					t.Errorf("request %s %s %q", r.Proto, r.URL.Path, body)
				}
				w.Header().Set("Content-Type", "application/grpc")
				w.Header().Set("Trailer", "Grpc-Status")
				_, _ = io.WriteString(w, tc.body)
				w.Header().Set("Grpc-Status", tc.status)
			}))
			if secure {
				srv.EnableHTTP2 = true
				srv.StartTLS()
			} else {
				srv.Config.Protocols = new(http.Protocols)
				srv.Config.Protocols.SetUnencryptedHTTP2(true)
				srv.Start()
			}
			defer srv.Close()
			out := askOne(t, Probe{Check: CheckGRPC, TLS: secure, Address: srv.Listener.Addr().String()}, Options{})
			if out.Class != tc.want || secure != (out.Facts["alpn"] == "h2") {
				t.Errorf("class %s (%s), want %s; %v", out.Class, out.Detail, tc.want, out.Facts)
			}
		}
		t.Run(tc.name, func(t *testing.T) { grpc(t, false) })
		t.Run(tc.name+" inside TLS", func(t *testing.T) { grpc(t, true) })
	}
}

// TestGRPCOneSideTLS: one side speaks TLS and the other does not.
func TestGRPCOneSideTLS(t *testing.T) {
	for _, secure := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		srv.Config.Protocols = new(http.Protocols)
		srv.Config.Protocols.SetHTTP2(true)
		srv.Config.Protocols.SetUnencryptedHTTP2(true)
		srv.EnableHTTP2 = true
		if secure {
			srv.StartTLS()
		} else {
			srv.Start()
		}
		out := askOne(t, Probe{Check: CheckGRPC, TLS: !secure, Address: srv.Listener.Addr().String()}, Options{})
		srv.Close()
		t.Logf("%s: %s %v", out.Class, out.Detail, out.Facts)
		if out.Class == ClassOK || out.Class == ClassLocal {
			t.Errorf("a server with TLS %t, asked the other way: class %s (%s)", secure, out.Class, out.Detail)
		}
	}
}

// certificate makes a self-signed one.
func certificate(t *testing.T, notAfter time.Time, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test \x1b[31m"}, DNSNames: names,
		NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLS(t *testing.T) {
	later, earlier := time.Now().Add(24*time.Hour), time.Now().Add(-time.Hour)
	cases := []struct {
		name, server string
		notAfter     time.Time
		want         Class
		detail       string
	}{
		{"good, authority unknown here", "", later, ClassOK, ""},
		{"name asked for is there", "redis.default.svc", later, ClassOK, ""},
		{"name asked for is not there", "other.default.svc", later, ClassTLS, "redis.default.svc"},
		{"expired", "", earlier, ClassTLS, "expired"},
	}
	for _, tc := range cases {
		for _, check := range []Check{CheckTLS, CheckHTTPS} {
			t.Run(tc.name+"/"+string(check), func(t *testing.T) {
				srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
				srv.Config.ErrorLog = log.New(io.Discard, "", 0)
				srv.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t, tc.notAfter, "redis.default.svc")}}
				srv.StartTLS()
				defer srv.Close()
				out := askOne(t, Probe{Check: check, Address: srv.Listener.Addr().String(), ServerName: tc.server}, Options{})
				if out.Class != tc.want || !strings.Contains(out.Detail, tc.detail) {
					t.Errorf("class %s (%s), want %s with %q", out.Class, out.Detail, tc.want, tc.detail)
				}
				if out.Facts["certNames"] != "redis.default.svc" || !strings.HasPrefix(out.Facts["certNotAfter"], tc.notAfter.UTC().Format("2006-01-02")) {
					t.Errorf("facts %v lack the certificate", out.Facts)
				}
				for k, v := range out.Facts {
					if strings.Contains(v, "\x1b") {
						t.Errorf("fact %s has an escape: %q", k, v)
					}
				}
			})
		}
	}
}

// A server may speak HTTP/2 only, choose by the name it is asked for, or want a
// certificate of its clients.
func TestTLSServers(t *testing.T) {
	cert := certificate(t, time.Now().Add(24*time.Hour), "redis.default.svc")
	named := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName != "redis.default.svc" {
			return nil, errors.New("no certificate for " + hello.ServerName)
		}
		return &cert, nil
	}
	both := []string{"h2", "http/1.1"}
	cases := []struct {
		name   string
		server *tls.Config
		probe  Probe
		want   Class
		fact   string // of FactClientCert
	}{
		{"both", &tls.Config{NextProtos: both}, Probe{Check: CheckHTTPS}, ClassOK, ""},
		{"HTTP/2 only", &tls.Config{NextProtos: []string{"h2"}}, Probe{Check: CheckHTTPS}, ClassOK, ""},
		{"HTTP/1.1 only", &tls.Config{NextProtos: []string{"http/1.1"}}, Probe{Check: CheckHTTPS}, ClassOK, ""},
		{"no name", &tls.Config{NextProtos: both, GetCertificate: named}, Probe{Check: CheckHTTPS}, ClassTLS, ""},
		{"its name", &tls.Config{NextProtos: both, GetCertificate: named}, Probe{Check: CheckHTTPS, SNI: "redis.default.svc"}, ClassOK, ""},
		{"another name", &tls.Config{NextProtos: both}, Probe{Check: CheckHTTPS, SNI: "other.default.svc"}, ClassOK, ""},
		{"a client's certificate, TLS 1.3", &tls.Config{NextProtos: both, ClientAuth: tls.RequireAnyClientCert}, Probe{Check: CheckHTTPS}, ClassTLS, "required"},
		{"a client's certificate, HTTP/1.1", &tls.Config{NextProtos: both[1:], ClientAuth: tls.RequireAnyClientCert}, Probe{Check: CheckHTTPS}, ClassTLS, "required"},
		{"a client's certificate, TLS 1.2", &tls.Config{NextProtos: both, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, Probe{Check: CheckHTTPS}, ClassTLS, "required"},
		{"a client's certificate or none", &tls.Config{NextProtos: both, ClientAuth: tls.RequestClientCert}, Probe{Check: CheckHTTPS}, ClassOK, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.TLS = tc.server
			srv.EnableHTTP2 = tc.server.NextProtos[0] == "h2"
			if tc.server.GetCertificate == nil {
				srv.TLS.Certificates = []tls.Certificate{cert}
			} else {
				// httptest's own certificate would be taken first.
				srv.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
					return &tls.Config{NextProtos: tc.server.NextProtos, GetCertificate: named}, nil
				}
			}
			srv.StartTLS()
			defer srv.Close()
			tc.probe.Address = srv.Listener.Addr().String()
			out := askOne(t, tc.probe, Options{})
			if out.Class != tc.want || out.Facts[FactClientCert] != tc.fact {
				t.Errorf("class %s (%s), facts %v, want %s", out.Class, out.Detail, out.Facts, tc.want)
			}
		})
	}
}

func TestWire(t *testing.T) {
	var probes []Probe
	for i := range 3000 {
		probes = append(probes, Probe{ID: fmt.Sprintf("probe %d", i), Check: CheckRedis, Address: fmt.Sprintf("10.%d.%d.%d:6379", i%7, i%251, i%253), Send: "\x00\x01"})
	}
	vars, err := Encode(probes)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, v := range vars {
		if len(v[0])+len(v[1]) > 128<<10 {
			t.Errorf("variable %s has %d bytes", v[0], len(v[1]))
		}
		env[v[0]] = v[1]
	}
	got, err := Decode(func(k string) string { return env[k] })
	if err != nil || len(got) != len(probes) || got[2999].Address != probes[2999].Address || got[0].Send != "\x00\x01" {
		t.Errorf("%d probes back, %v", len(got), err)
	}
	if _, err := Decode(func(string) string { return "" }); err == nil {
		t.Error("no error without a list")
	}
	if _, err := Decode(func(k string) string { return map[string]string{EnvPrefix + "0": "????"}[k] }); err == nil {
		t.Error("no error for a broken list")
	}
}

func TestReadOutcomes(t *testing.T) {
	out := `{"prober":"svcx-probe","version":"v1"}` + "\nnoise\n" + strings.Repeat("x", 1<<20) + "\n" +
		`{"probe":"a","attempts":1,"class":"ok","detail":"\u001b[31mred"}` + "\n" +
		`{"end":true,"count":1,"version":"v1"}` + "\nafter\n"
	var got []Outcome
	end, err := ReadOutcomes(strings.NewReader(out), func(o Outcome) { got = append(got, o) })
	if err != nil || end.Count != 1 || len(got) != 1 || got[0].Detail != "red" {
		t.Errorf("%v %+v %+v", err, end, got)
	}
	if _, err := ReadOutcomes(strings.NewReader(`{"prober":"svcx-probe"}`+"\n"+`{"probe":"a"}`), func(Outcome) {}); err == nil {
		t.Error("no error for an output that is cut off")
	}
	for _, other := range []string{"", "1:C Redis is starting\n", `{"probe":"a"}` + "\n", "{}\n"} {
		if _, err := ReadOutcomes(strings.NewReader(other), func(Outcome) {}); !errors.Is(err, ErrNoProber) {
			t.Errorf("%q: error %v, want ErrNoProber", other, err)
		}
	}
}

// TestThousandsAreFast keeps 5,000 questions to servers of one machine within
// seconds, and each of them answered.
func TestThousandsAreFast(t *testing.T) {
	addr := serve(t, redisLike(map[string]string{"PING": "+PONG\r\n", "INFO server": bulk("run_id:a\r\n"), "ROLE": "*1\r\n$6\r\nmaster\r\n"}))
	var probes []Probe
	for i := range 5000 {
		probes = append(probes, Probe{ID: fmt.Sprint(i), Check: CheckRedis, Address: addr, Timeout: 10 * time.Second})
	}
	good := 0
	start := time.Now()
	Run(context.Background(), probes, Options{}, func(o Outcome) {
		if o.Class == ClassOK {
			good++
		}
	})
	if good != len(probes) {
		t.Errorf("%d of %d answered", good, len(probes))
	}
	t.Logf("%d questions in %s", len(probes), time.Since(start))
}

// TestExpectedReplies: tcp and udp checks that are told what to send and want back.
func TestExpectedReplies(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 64)
				n, _ := conn.Read(buf)
				// In two parts, the expected words across them.
				_, _ = conn.Write([]byte("VERS"))
				_, _ = conn.Write(append([]byte("ION of "), buf[:n]...))
			}()
		}
	}()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	go func() {
		buf := make([]byte, 64)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(append([]byte("got "), buf[:n]...), from)
		}
	}()
	for _, tc := range []struct {
		p    Probe
		want Class
	}{
		{Probe{Check: CheckTCP, Send: "a\r\n", Expect: "VERSION of a"}, ClassOK},
		{Probe{Check: CheckTCP, Send: "a\r\n"}, ClassOK},
		{Probe{Check: CheckTCP, Send: "a\r\n", Expect: "nothing like it"}, ClassProtocol},
		{Probe{Check: CheckTCP, Expect: "unasked", Timeout: brief}, ClassNoAnswer},
		{Probe{Check: CheckUDP, Send: "b", Expect: "got b"}, ClassOK},
		{Probe{Check: CheckUDP, Send: "b", Expect: "got c"}, ClassProtocol},
	} {
		if tc.p.Address = l.Addr().String(); tc.p.Check == CheckUDP {
			tc.p.Address = u.LocalAddr().String()
		}
		Run(t.Context(), []Probe{tc.p}, Options{}, func(o Outcome) {
			if o.Class != tc.want {
				t.Errorf("%+v: %s (%s), want %s", tc.p, o.Class, o.Detail, tc.want)
			}
		})
	}
}

func TestExec(t *testing.T) {
	run := func(out string, code int, err error) Executor {
		return func(ctx context.Context, _ Probe) (string, int, error) {
			if out == "wait" {
				<-ctx.Done()
				return "", 0, ctx.Err()
			}
			return out, code, err
		}
	}
	for name, tc := range map[string]struct {
		exec   Executor
		want   Class
		detail string
	}{
		"good":       {run("a\nfine\n", 0, nil), ClassOK, "exit code 0"},
		"bad":        {run("a\nno \x1b[31mway\n\n", 3, nil), ClassErrorReply, "exit code 3: no way"},
		"quiet":      {run("", 1, nil), ClassErrorReply, "exit code 1"},
		"no command": {run("sh: x: not found", 127, nil), ClassLocal, "not found"},
		"not run":    {run("", 0, &DialError{Class: ClassLocal, Text: "not permitted"}), ClassLocal, "not permitted"},
		"no end":     {run("wait", 0, nil), ClassNoAnswer, ""},
		"no place":   {nil, ClassLocal, "from here"},
	} {
		t.Run(name, func(t *testing.T) {
			Run(t.Context(), []Probe{{Check: CheckExec, Timeout: 50 * time.Millisecond}}, Options{Exec: tc.exec}, func(o Outcome) {
				if o.Class != tc.want || !strings.Contains(o.Detail, tc.detail) {
					t.Errorf("%s %q, want %s %q", o.Class, o.Detail, tc.want, tc.detail)
				}
			})
		})
	}
}
