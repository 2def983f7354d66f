package probe

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A client makes room for what a reply announces; what no Redis announces must
// not get that far, in whatever kind of reply, and however it is nested.
func TestRedisAnnounces(t *testing.T) {
	for name, reply := range map[string]string{
		"a string":              "$1073741824\r\n",
		"a string of no number": "$many\r\n",
		"an error":              "!1073741824\r\n",
		"a text":                "=1073741824\r\n",
		"an array":              "*1000000000\r\n",
		"a map":                 "%1000000000\r\n",
		"a set":                 "~1000000000\r\n",
		"attributes":            "|1000000000\r\n",
		"pushes":                ">1000000000\r\n",
		"arrays in arrays":      strings.Repeat("*1024\r\n", 8000),
		"maps in arrays":        strings.Repeat("*1\r\n%1024\r\n", 5000),
		"arrays without end":    strings.Repeat("*1\r\n", 16000),
		"a later string":        "+PONG\r\n$1073741824\r\n",
		"a later array":         "+PONG\r\n$2\r\nab\r\n*1000000000\r\n",
		"zeros":                 "$00000000000000000000001073741824\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			out := askOne(t, Probe{Check: CheckRedis, Address: serve(t, say(reply))}, Options{})
			runtime.ReadMemStats(&after)
			if out.Class != ClassProtocol {
				t.Errorf("outcome %+v, want %s", out, ClassProtocol)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
				t.Errorf("%d bytes of memory for %d bytes of an answer", took, len(reply))
			}
		})
	}
}

// The client's greeting would be another way there and back; an update of the client
// that greets otherwise shows here.
func TestRedisIsNotGreeted(t *testing.T) {
	heard := make(chan string, 1)
	peer := serve(t, func(c net.Conn) {
		first := make([]byte, 512)
		n, _ := c.Read(first)
		heard <- string(first[:n])
		_, _ = io.WriteString(c, "+PONG\r\n")
	})
	askOne(t, Probe{Check: CheckRedis, Address: peer}, Options{})
	if got := <-heard; !strings.HasPrefix(got, "*1\r\n$4\r\nping\r\n") || !strings.HasSuffix(got, "memory\r\n") {
		t.Errorf("it began with %q", got)
	}
}

// What comes after PONG, or does not, is beside the answer.
func TestRedisEndsAfterPong(t *testing.T) {
	for _, more := range []string{"", "$40\r\nrun_id", bulk("run_id:abc"), "garbage\r\n"} {
		gone := serve(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 512))
			_, _ = io.WriteString(c, "+PONG\r\n"+more)
		})
		if out := askOne(t, Probe{Check: CheckRedis, Address: gone}, Options{}); out.Class != ClassOK {
			t.Errorf("after PONG, %q: %+v", more, out)
		}
	}
}

// A server that has no room for a client says so and is gone before it was asked.
func TestRedisSaysWhyItCloses(t *testing.T) {
	full := serve(t, func(c net.Conn) { _, _ = io.WriteString(c, "-ERR max number of clients reached\r\n") })
	for range 20 {
		out := askOne(t, Probe{Check: CheckRedis, Address: full}, Options{})
		if out.Class != ClassErrorReply || out.Detail != "-ERR max number of clients reached" {
			t.Fatalf("outcome %+v", out)
		}
	}
}

// recorded is a connection to a peer that sends the same whatever it is sent.
type recorded struct {
	net.Conn
	sends *strings.Reader
}

func (r recorded) Read(p []byte) (int, error)     { return r.sends.Read(p) }
func (recorded) Write(p []byte) (int, error)      { return len(p), nil }
func (recorded) Close() error                     { return nil }
func (recorded) SetDeadline(time.Time) error      { return nil }
func (recorded) SetReadDeadline(time.Time) error  { return nil }
func (recorded) SetWriteDeadline(time.Time) error { return nil }
func (recorded) LocalAddr() net.Addr              { return nil }
func (recorded) RemoteAddr() net.Addr             { return nil }

// FuzzRedisReplies has a peer answer anything at all: the check ends with what it
// was, never in a panic, and never well unless it was PONG.
func FuzzRedisReplies(f *testing.F) {
	for _, reply := range []string{
		"+PONG\r\n" + bulk("redis_version:8.0.1\r\nrun_id:abc\r\n") + "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
		"+PONG\r\n-NOPERM no\r\n*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:6379\r\n$7\r\nconnect\r\n:-1\r\n-MASTERDOWN\r\n",
		"-NOAUTH Authentication required.\r\n", "-ERR unknown command 'x', with args beginning with: 'y'\r\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n", "$-1\r\n", "*-1\r\n", "$5\r\nab", "_\r\n#t\r\n,1.5\r\n(99\r\n", "|1\r\n+a\r\n+b\r\n+PONG\r\n",
		">2\r\n+message\r\n+x\r\n+PONG\r\n", "%1\r\n+a\r\n", "~1\r\n+PONG\r\n", "=8\r\ntxt:PONG\r\n", "!3\r\nERR\r\n", "\r\n", "+\r\n", "",
	} {
		f.Add(reply)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		dial := func(context.Context, string, string) (net.Conn, error) {
			return recorded{sends: strings.NewReader(reply)}, nil
		}
		out := askOne(t, Probe{Check: CheckRedis, Address: "192.0.2.1:6379", Timeout: 10 * time.Second}, Options{Dial: dial})
		if out.Detail == unreadable {
			t.Error("the client panics")
		}
		if out.Class == ClassOK && !strings.Contains(reply, "PONG") {
			t.Errorf("outcome %+v", out)
		}
	})
}
