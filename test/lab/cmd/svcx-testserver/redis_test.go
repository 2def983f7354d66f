package main

import (
	"crypto/tls"
	"os/exec"
	"strings"
	"testing"
)

func TestRedisAnswersAndErrors(t *testing.T) {
	s := start(t, "--redis=127.0.0.1:0")
	addr := s.addr("redis")
	const ping = "*1\r\n$4\r\nPING\r\n"
	for _, tc := range []struct{ behaviour, send, want string }{
		{"normal", ping, "+PONG\r\n"},
		{"normal", "PING\r\n", "+PONG\r\n"},
		{"normal", "*2\r\n$4\r\nPING\r\n$2\r\nhi\r\n", "$2\r\nhi\r\n"},
		{"normal", "ROLE\r\n", "*3\r\n$6\r\nmaster"},
		{"normal", "INFO server\r\n", "redis_version:7.0.15\r\n"},
		{"normal", "INFO server\r\n", "run_id:"},
		{"normal", "GET key\r\n", "$-1\r\n"},
		{"normal", "HELLO 3\r\n", "-NOPROTO"},
		{"normal", "HELLO 2\r\n", "*6\r\n"},
		{"normal", "AUTH secret\r\n", errNoPassword},
		{"normal", "NOSUCH\r\n", "-ERR unknown command 'NOSUCH'"},
		{"normal", "*1\r\n$9999999\r\n", "-ERR Protocol error: invalid bulk length"},
		{"normal", strings.Repeat("x", 5000) + "\r\n", "-ERR Protocol error: too big inline request"},
		{"noauth", ping, errNoAuth},
		{"noauth", "AUTH secret\r\n", errWrongPass},
		{"wrongpass", "AUTH secret\r\n", errWrongPass},
		{"loading", ping, errLoading},
		{"misconf", ping, errMisconf},
		{"masterdown", ping, "+PONG\r\n"},
		{"masterdown", "GET key\r\n", errMasterDown},
		{"masterdown", "ROLE\r\n", "$7\r\nconnect\r\n"},
		{"maxclients", ping, errMaxClients},
		{"denied", ping, "-DENIED Redis is running in protected mode"},
		{"escapes", ping, "\x1b[2J"},
		{"garbage", ping, string(garbageBytes)},
	} {
		s.set("redis=" + tc.behaviour)
		if got, err := s.ask("tcp", addr, tc.send); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %.20q was answered %.80q, %v; want %.80q", tc.behaviour, tc.send, got, err, tc.want)
		}
	}
	s.set("redis=endless")
	c := s.dial("tcp", addr)
	if _, err := c.Write([]byte(ping)); err != nil {
		t.Fatal(err)
	}
	assertEndless(t, c)
	s.set("redis=silent")
	s.assertSilent("tcp", addr, ping)
}

func TestRedisPassword(t *testing.T) {
	s := start(t, "--redis=127.0.0.1:0,password=secret,username=app")
	addr := s.addr("redis")
	for send, want := range map[string]string{
		"PING\r\n":                               errNoAuth,
		"HELLO 2\r\n":                            "-NOAUTH HELLO",
		"AUTH secret\r\n":                        errWrongPass, // the user is not "default"
		"AUTH app wrong\r\n":                     errWrongPass,
		"HELLO 2 AUTH app wrong\r\n":             errWrongPass,
		"HELLO 2 AUTH app secret\r\nPING\r\n":    "+PONG",
		"AUTH app secret\r\nPING\r\nROLE\r\n":    "master",
		"AUTH app secret\r\nAUTH app no\r\n":     errWrongPass,
		"AUTH app secret and more and more.\r\n": "-ERR wrong number",
	} {
		c := s.dial("tcp", addr)
		if _, err := c.Write([]byte(send + "QUIT\r\n")); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			got.Write(b[:n])
			if err != nil {
				break
			}
		}
		if !strings.Contains(got.String(), want) {
			t.Errorf("%q was answered %q, want %q", send, got.String(), want)
		}
	}
}

func TestRedisInsideTLS(t *testing.T) {
	s := start(t, "--redis=127.0.0.1:0,tls,names=redis.example")
	c, err := tls.Dial("tcp", s.addr("redis"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	if n, err := c.Read(b); string(b[:n]) != "+PONG\r\n" {
		t.Errorf("PING inside TLS was answered %q, %v", b[:n], err)
	}
	// A client that does not speak TLS gets no PONG.
	if got, _ := s.ask("tcp", s.addr("redis"), "PING\r\n"); strings.Contains(got, "PONG") {
		t.Errorf("plain PING was answered %q", got)
	}
}

// The real client agrees with what is spoken, where it is installed.
func TestRedisCLIUnderstands(t *testing.T) {
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Skipf("%s DID NOT RUN: it needs redis-cli", t.Name())
	}
	s := start(t, "--redis=127.0.0.1:0,password=secret")
	_, port, _ := strings.Cut(s.addr("redis"), ":")
	for args, want := range map[string]string{
		"ping":           "NOAUTH Authentication required.",
		"-a secret ping": "PONG",
		"-a wrong ping":  "WRONGPASS",
		"-a secret role": "master",
	} {
		out, _ := exec.CommandContext(t.Context(), cli, append([]string{"-h", "127.0.0.1", "-p", port}, strings.Fields(args)...)...).CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Errorf("redis-cli %s printed %q, want %q", args, out, want)
		}
	}
}
