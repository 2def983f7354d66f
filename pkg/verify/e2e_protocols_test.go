//go:build e2e

package verify

import "testing"

// TestRealProtocols asks a server of each protocol on every path, well and ill.
// It needs the test server's image, which the lab has.
func TestRealProtocols(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "verify-proto-"+runID()[:6])
	srv := func(args string) string { return "image: kubectlsvcx/svcx-testserver:latest, args: [" + args + "]" }
	spec := func(name, port string) string { return "{selector: {app: " + name + "}, ports: [" + port + "]}" }
	c.apply(
		app("good", srv(`"--http=:8080", "--https=:8443,names=good.example", "--tcp=:9000", "--udp=:5353", "--grpc=:50051"`), spec("good",
			"{name: http, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}, {name: tcp, port: 9000},"+
				"{name: udp, port: 5353, protocol: UDP}, {name: rpc, port: 50051, appProtocol: grpc}, {name: tls-raw, port: 8443}")) +
			app("failing", srv(`"--http=:8080,status=503"`), spec("failing", "{name: http, port: 80, targetPort: 8080}")) +
			app("expired", srv(`"--https=:8443,names=good.example,expires=-24h"`), spec("expired", "{name: https, port: 443, targetPort: 8443}")) +
			app("not-serving", srv(`"--grpc=:50051,status=NOT_SERVING"`), spec("not-serving", "{name: grpc, port: 50051}")) +
			app("silent", srv(`"--tcp=:6379,silent"`), spec("silent", "{name: redis, port: 6379}")) +
			app("garbage", srv(`"--tcp=:6379,garbage"`), spec("garbage", "{name: redis, port: 6379}")) +
			app("endless", srv(`"--tcp=:6379,endless"`), spec("endless", "{name: redis, port: 6379}")) +
			app("escapes", srv(`"--tcp=:6379,escapes"`), spec("escapes", "{name: redis, port: 6379}")) +
			app("loading", srv(`"--redis=:6379,loading"`), spec("loading", "{name: redis, port: 6379}")) +
			app("wants-tls", srv(`"--https=:6379,names=x"`), spec("wants-tls", "{name: redis, port: 6379}")) +
			app("is-http", srv(`"--http=:6379"`), spec("is-http", "{name: redis, port: 6379}")))
	c.kubectl("", "wait", "-n", c.namespace, "--for=condition=Available", "deployment", "--all", "--timeout=120s")
	for name, ids := range map[string][]string{"good": nil, "failing": {"SVC709"}, "expired": {"SVC712"}, "not-serving": {"SVC709"}, "silent": {"SVC711"},
		"garbage": {"SVC707"}, "endless": {"SVC707"}, "escapes": {"SVC707"}, "loading": {"SVC703"}, "wants-tls": {"SVC706"}, "is-http": {"SVC707"}} {
		t.Run(name, func(t *testing.T) {
			c := c.in(t)
			state := StateFailed
			if len(ids) == 0 {
				state = StateProven
			}
			sv := c.verify(name, true)
			c.wantIDs(sv, state, ids...)
			noEscapes(t, sv)
		})
	}
}
