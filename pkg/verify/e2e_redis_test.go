//go:build e2e

package verify

import (
	"strings"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// TestAgreesWithRedisCLI asks real servers twice: by the check, and by Redis' own
// client. Both have to hear the same, also of what the server refuses.
func TestAgreesWithRedisCLI(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "verify-rediscli-"+runID()[:6])
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
	}{
		{service: "open"},
		{service: "open", password: "none is set"},
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

			theirs := askRedisCLI(c, test.service, test.user, test.password, test.tls)
			if theirs.refused != "" {
				if ours.Class != probe.ClassErrorReply || !strings.HasPrefix(ours.Detail, "-"+theirs.refused) {
					t.Errorf("redis-cli is told %q, the check has %s %q", theirs.refused, ours.Class, ours.Detail)
				}
				return
			}
			if ours.Class != probe.ClassOK || ours.Detail != theirs.pong || ours.Backends[theirs.runID] != 1 || ours.Facts["role"] != theirs.role {
				t.Errorf("redis-cli has %+v, the check %+v", theirs, ours)
			}
		})
	}
}

// cliHeard is what a Redis tells its own client.
type cliHeard struct{ pong, runID, role, refused string }

// askRedisCLI has redis-cli in one of the Pods ask the same as the check does.
func askRedisCLI(c *cluster, service, user, password string, tls bool) cliHeard {
	args := []string{"exec", "-i", "-n", c.namespace, "deployment/open", "--", "redis-cli", "-h", service}
	if tls {
		args = append(args, "--tls", "--insecure")
	}
	ask := "PING\nINFO server\nROLE\n"
	if password != "" {
		ask = strings.TrimSpace("AUTH "+user) + " '" + password + "'\n" + ask
	}
	lines := strings.Split(c.kubectl(ask, args...), "\n")
	if password != "" {
		if lines[0] != "OK" {
			return cliHeard{refused: lines[0]}
		}
		lines = lines[1:]
	}
	if lines[0] != "PONG" {
		return cliHeard{refused: lines[0]}
	}
	heard := cliHeard{pong: lines[0]}
	for i, line := range lines {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			heard.runID = strings.TrimSpace(id)
		}
		if line == "master" || line == "slave" {
			heard.role = lines[i]
		}
	}
	return heard
}
