//go:build e2e

package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestHostilePeers verifies, all at once, Services whose backend sends more
// than fits, more slowly than anybody waits, or with certificates of all wrong
// kinds. Each gets its own verdict, in bounded time and memory: a probe Pod
// that went beyond its limit would have been killed, and left them not proven.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	peers := []struct {
		name, listens, port string // of the test server; of the Service
		state               State
		says                string // somewhere in the verdict
	}{
		{"trickle", "--tcp=%d,hostile=trickle", "appProtocol: redis", StateFailed, ""},
		{"banner", "--tcp=%d,hostile=banner", "appProtocol: redis", StateFailed, ""},
		{"bulk", "--tcp=%d,hostile=bulk", "appProtocol: redis", StateFailed, ""},
		{"nested", "--tcp=%d,hostile=nested", "appProtocol: redis", StateFailed, ""},
		{"page", "--tcp=%d,hostile=page", "appProtocol: redis", StateFailed, "owned"},
		{"trickle-http", "--http=%d,hostile=trickle", "appProtocol: http", StateFailed, ""},
		{"banner-http", "--http=%d,hostile=banner", "appProtocol: http", StateFailed, ""},
		{"banner-tls", "--tcp=%d,hostile=banner", "appProtocol: https", StateFailed, "SVC706"},
		{"banner-postgres", "--tcp=%d,hostile=banner", "appProtocol: postgresql", StateFailed, ""},
		{"banner-mysql", "--tcp=%d,hostile=banner", "appProtocol: mysql", StateFailed, ""},
		{"headers", "--http=%d,hostile=headers", "appProtocol: http", StateFailed, "64 KiB"},
		{"redirect", "--http=%d,hostile=redirect", "appProtocol: http", StateProven, ""},
		{"frames", "--tcp=%d,hostile=frames", "appProtocol: grpc", StateFailed, ""},
		{"page-http", "--tcp=%d,hostile=page", "appProtocol: http", StateFailed, ""},
		{"any", "--tcp=%d,hostile=banner", "appProtocol: tcp", StateProven, ""},
		{"self-signed", "--https=%d,names=good.example", "appProtocol: https", StateProven, ""},
		{"unknown-authority", "--https=%d,names=good.example,issued", "appProtocol: https", StateProven, ""},
		{"weak-key", "--https=%d,names=good.example,weak", "appProtocol: https", StateProven, ""},
		{"expired", "--https=%d,names=good.example,expires=-24h", "appProtocol: https", StateFailed, "expired"},
		{"not-yet-valid", "--https=%d,names=good.example,starts=24h", "appProtocol: https", StateFailed, "not yet valid"},
		{"wants-client-certificate", "--https=%d,names=good.example,client-cert", "appProtocol: https", StateProven, "the server wants a client certificate"},
		{"no-tls", "--http=%d", "appProtocol: https", StateFailed, "SVC706"},
	}
	c := newCluster(t, "verify-hostile-"+runID()[:6])
	var args []string
	var services strings.Builder
	for i, p := range peers {
		port := 7000 + i
		args = append(args, fmt.Sprintf("%q", strings.Replace(p.listens, "%d", fmt.Sprintf(":%d", port), 1)))
		services.WriteString(service(p.name, fmt.Sprintf("{selector: {app: hostile}, ports: [{name: main, port: %d, %s}]}", port, p.port)))
	}
	c.apply(app("hostile", "image: kubectlsvcx/svcx-testserver:latest, args: ["+strings.Join(args, ", ")+"]",
		"{selector: {app: hostile}, ports: [{name: good, port: 7015, appProtocol: https}]}") + services.String())
	c.kubectl("", "wait", "-n", c.namespace, "--for=condition=Available", "deployment/hostile", "--timeout=120s")

	start := time.Now()
	v, err := Run(context.Background(), c.cfg, Target{Namespace: c.namespace}, Options{InCluster: true, ProbeImage: c.image, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d Services in %.1f s", len(v.Services), time.Since(start).Seconds())
	var mem runtime.MemStats
	if runtime.ReadMemStats(&mem); mem.Sys > 300<<20 {
		t.Errorf("%d MB taken from the system", mem.Sys>>20)
	}
	verdicts := map[string]ServiceVerdict{}
	for _, sv := range v.Services {
		verdicts[sv.Name] = sv
	}
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			sv := verdicts[p.name]
			data, _ := json.Marshal(sv)
			if sv.State != p.state {
				t.Errorf("%s, want %s\n%s", sv.State, p.state, data)
			}
			if !strings.Contains(string(data), p.says) {
				t.Errorf("it does not say %q\n%s", p.says, data)
			}
			if len(data) > 64<<10 {
				t.Errorf("a verdict of %d bytes", len(data))
			}
			noEscapes(t, sv)
		})
	}
	if pods := c.kubectl("", "get", "pods", "-n", c.namespace, "-l", LabelProbe, "-o", "name"); strings.TrimSpace(pods) != "" {
		t.Errorf("probe Pods are left: %s", pods)
	}
}
