//go:build e2e

package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// TestAgreesWithGoRedis asks real servers twice: by the check, which speaks RESP
// itself, and by the client library that applications use. Both have to hear the
// same, also of what the server refuses.
func TestAgreesWithGoRedis(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "verify-goredis-"+runID()[:6])
	spec := func(name string) string {
		return "{type: NodePort, selector: {app: " + name + "}, ports: [{name: redis, port: 6379}]}"
	}
	server := func(args string) string { return "image: redis:alpine, command: [redis-server], args: [" + args + "]" }
	c.apply(app("open", server(`--protected-mode, "no"`), spec("open")) +
		app("locked", server(`--user, app, "on", ">s3cret", "~*", "+@all", --user, default, "off"`), spec("locked")) +
		app("password", server(`--requirepass, s3cret`), spec("password")) +
		app("replica", server(`--protected-mode, "no", --replicaof, 192.0.2.1, "6379", --replica-serve-stale-data, "no"`), spec("replica")) +
		app("secure", `image: kubectlsvcx/svcx-testserver:latest, args: ["--redis=:6379,tls,names=shop.example,password=s3cret"]`, spec("secure")))
	c.kubectl("", "wait", "-n", c.namespace, "--for=condition=Available", "deployment", "--all", "--timeout=120s")
	node := c.kubectl("", "get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	node, _, _ = strings.Cut(node, " ")
	for _, test := range []struct {
		service, user, password string
		tls                     bool
		only                    string // what the library keeps to itself
	}{
		{service: "open"},
		{service: "open", password: "none is set", only: "-ERR AUTH <password> called without any password configured"},
		{service: "locked", user: "app", password: "s3cret"},
		{service: "locked", user: "app", password: "wrong"},
		{service: "locked"},
		{service: "password", password: "s3cret"},
		{service: "password", password: "wrong"},
		{service: "password"},
		{service: "replica"},
		{service: "secure", password: "s3cret", tls: true},
		{service: "secure", tls: true},
	} {
		t.Run(strings.Trim(test.service+" "+test.user+" "+test.password, " "), func(t *testing.T) {
			c := c.in(t)
			address := node + ":" + c.kubectl("", "get", "service", test.service, "-n", c.namespace, "-o", "jsonpath={.spec.ports[0].nodePort}")
			p := probe.Probe{ID: "x", Check: probe.CheckRedis, Network: "tcp", Address: address, TLS: test.tls, Settle: 10 * time.Second, UsernameEnv: "U", PasswordEnv: "P"}
			var ours probe.Outcome
			probe.Run(t.Context(), []probe.Probe{p}, probe.Options{Getenv: func(k string) string { return map[string]string{"U": test.user, "P": test.password}[k] }},
				func(o probe.Outcome) { ours = o })

			o := &redis.Options{Addr: address, Username: test.user, Password: test.password, MaxRetries: -1}
			if test.tls {
				o.TLSConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the test server's certificate is its own
			}
			client := redis.NewClient(o)
			defer client.Close()
			theirs := askGoRedis(t.Context(), client)

			if test.only != "" {
				if theirs.refused != "" || ours.Class != probe.ClassErrorReply || !strings.HasPrefix(ours.Detail, test.only) {
					t.Errorf("go-redis has %+v, the check %+v", theirs, ours)
				}
				return
			}
			if theirs.refused != "" {
				if ours.Class != probe.ClassErrorReply || !strings.HasPrefix(ours.Detail, "-"+theirs.refused) {
					t.Errorf("go-redis is told %q, the check has %s %q", theirs.refused, ours.Class, ours.Detail)
				}
				return
			}
			if ours.Class != probe.ClassOK || ours.Detail != theirs.pong || ours.Backends[theirs.runID] != 1 || ours.Facts["role"] != theirs.role {
				t.Errorf("go-redis has %+v, the check %+v", theirs, ours)
			}
		})
	}
}

type toldGoRedis struct{ pong, runID, role, refused string }

func askGoRedis(ctx context.Context, client *redis.Client) toldGoRedis {
	pong, err := client.Ping(ctx).Result()
	var said redis.Error
	if errors.As(err, &said) {
		return toldGoRedis{refused: said.Error()}
	}
	h := toldGoRedis{pong: pong}
	if err != nil {
		h.pong = err.Error()
	}
	info, _ := client.Info(ctx, "server").Result()
	for line := range strings.Lines(info) {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			h.runID = strings.TrimSpace(id)
		}
	}
	if role, err := client.Do(ctx, "ROLE").Slice(); err == nil && len(role) > 0 {
		h.role, _ = role[0].(string)
	}
	return h
}
