package probe

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// TestSecretStaysSecret sends a password to peers that send it back.
func TestSecretStaysSecret(t *testing.T) {
	password := "hunter2-" + strings.Repeat("x", 200)
	getenv := func(string) string { return password }
	echo := func(prefix string) func(net.Conn) {
		return func(c net.Conn) {
			in := bufio.NewReader(c)
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if strings.Contains(line, "hunter2") {
					_, _ = io.WriteString(c, prefix+strings.TrimSpace(line)+"\r\n")
				}
			}
		}
	}
	peers := map[string]func(net.Conn){
		"echo":                 func(c net.Conn) { _, _ = io.Copy(c, c) },
		"error with it":        echo("-ERR no: "),
		"half of it":           func(c net.Conn) { say("-ERR no: " + password[:100] + "\r\n")(c) },
		"as no protocol":       echo(""),
		"as a status":          echo("+"),
		"as a number":          echo(":"),
		"unknown command":      say("-ERR unknown command 'AUTH', with args beginning with: 'hunter\\x32' \r\n"),
		"cut off in the midst": say("garbage hunt"),
	}
	for name, peer := range peers {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time is waiting
			out := askOne(t, Probe{Check: CheckRedis, Address: serve(t, peer), PasswordEnv: "P", Timeout: brief}, Options{Getenv: getenv})
			if text := fmt.Sprintf("%+v", out); strings.Contains(text, "hunt") || strings.Contains(text, "xxxx") {
				t.Errorf("the outcome holds the password: %s", text)
			}
			if out.Class == ClassOK {
				t.Errorf("class ok from a peer that is no Redis")
			}
		})
	}
}

// TestWithheldPassword asks where passwords are not given: a wish for one is
// no failure of the server, and all else is told as it is.
func TestWithheldPassword(t *testing.T) {
	o := Options{Withheld: "only inside the cluster"}
	p := Probe{Check: CheckRedis, PasswordEnv: "P", PasswordFrom: "Secret demo/redis"}
	cases := []struct {
		name, reply string
		want        Class
	}{
		{"wants one", "-NOAUTH Authentication required.\r\n", ClassLocal},
		{"wants none", "+PONG\r\n", ClassOK},
		{"is loading", "-LOADING Redis is loading the dataset in memory\r\n", ClassErrorReply},
		{"is none", "HTTP/1.1 400 Bad Request\r\n", ClassProtocol},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			p.Address = serve(t, redisLike(map[string]string{"PING": tc.reply}))
			out := askOne(t, p, o)
			if out.Class != tc.want || tc.want == ClassLocal && (out.Detail != o.Withheld || !strings.HasPrefix(out.Facts["reply"], "-NOAUTH")) {
				t.Errorf("%+v, want %s", out, tc.want)
			}
		})
	}
	p.Address = closedPort(t)
	if out := askOne(t, p, o); out.Class != ClassRefused {
		t.Errorf("nobody there: %+v, want refused", out)
	}
}
