//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
)

// TestWait waits for a Service that does not exist yet, as a user who may only
// look at Services and EndpointSlices; and ends early, or in time, where there is
// nothing to wait for.
func TestWait(t *testing.T) {
	t.Parallel()
	c, ns, dir := client(t), namespace(t, restricted), t.TempDir()
	user := "svcx-e2e-waits-" + ns
	grant(t, ns, rbacv1.Subject{Kind: rbacv1.UserKind, Name: user},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list", "watch"}},
		rbacv1.PolicyRule{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}})
	svcx(t, dir, "verify", "redis", "-n", ns, "--wait", "--timeout=8s").want(t, 1).contains(t, "waited", "Service/redis does not exist")

	waited := make(chan result, 1)
	go func() {
		waited <- svcx(t, dir, "verify", "redis", "-n", ns, "--for=endpoints", "--wait", "--timeout=90s", "--as", user)
	}()
	svcx(t, dir, append(redis, "-n", ns)...).want(t, 0)
	(<-waited).want(t, 0).contains(t, "VERIFIED", "endpoints")

	// What is missing needs a flag: waiting cannot help.
	start := time.Now()
	svcx(t, dir, "verify", "redis", "-n", ns, "--wait", "--timeout=100s").want(t, 3).contains(t, "--in-cluster")
	if took := time.Since(start); took > 50*time.Second {
		t.Errorf("waited %s for what cannot come", took)
	}
	svcx(t, dir, "verify", "redis", "-n", ns, "--in-cluster", "--wait", "--timeout=60s").want(t, 0).contains(t, "VERIFIED")

	kubectl(t, dir, "scale", "deployment/redis", "--replicas=0", "-n", ns).want(t, 0)
	waitGone(t, c.CoreV1().Pods(ns), "app.kubernetes.io/name=redis", time.Minute)
	r := svcx(t, dir, "verify", "redis", "-n", ns, "--for=endpoints", "--wait", "--timeout=8s", "-o", "json").want(t, 2)
	r.contains(t, "waited", "8s, and not endpoints")
	if v := r.verdict(t); v.State != verify.StateFailed {
		t.Errorf("state %s", v.State)
	}
}

// TestWatch follows a Service that goes and comes back, over a connection to the
// API server that is cut in between: a document for each change, and 130 at the end.
func TestWatch(t *testing.T) {
	t.Parallel()
	ns, dir := namespace(t, restricted), t.TempDir()
	svcx(t, dir, append(redis, "-n", ns)...).want(t, 0)
	proxy := newCuttable(t)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := command(t, ctx, dir, "svcx", "verify", "redis", "-n", ns, "--for=endpoints", "--watch", "-o", "json", "--kubeconfig", proxy.kubeconfig)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	documents := json.NewDecoder(out)
	// next reads up to a verdict of a state. On the way there may be others, such
	// as "scaled to zero", then "not ready yet"; each differs from the one before.
	last := ""
	next := func(want verify.State) {
		t.Helper()
		for {
			var v verify.Verdict
			if err := documents.Decode(&v); err != nil {
				t.Fatalf("instead of %s: %v\n%s", want, err, &stderr)
			}
			now := fmt.Sprint(v.State, v.Services[0].Findings, v.Services[0].Checks)
			if v.Kind != "Verdict" || now == last {
				t.Fatalf("%s says what was said before: %s", v.Kind, now)
			}
			if last = now; v.State == want {
				return
			}
		}
	}
	next(verify.StateProven)
	kubectl(t, dir, "scale", "deployment/redis", "--replicas=0", "-n", ns).want(t, 0)
	next(verify.StateFailed)
	proxy.cut()
	kubectl(t, dir, "scale", "deployment/redis", "--replicas=1", "-n", ns).want(t, 0)
	next(verify.StateProven)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(io.MultiReader(documents.Buffered(), out)); err != nil || strings.TrimSpace(string(rest)) != "" {
		t.Errorf("more than the changes was printed: %v %s", err, rest)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("ended with %v, want exit 130\n%s", err, &stderr)
	}
	if !strings.Contains(stderr.String(), "interrupted while watching") {
		t.Errorf("stderr does not say that it was interrupted:\n%s", &stderr)
	}
}

// cuttable is a way to the API server whose connections can be cut.
type cuttable struct {
	kubeconfig string

	mu    sync.Mutex
	conns []net.Conn
}

func newCuttable(t *testing.T) *cuttable {
	t.Helper()
	cfg, err := clientcmd.LoadFromFile(cluster.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	cluster := cfg.Clusters[cfg.Contexts[cfg.CurrentContext].Cluster]
	server, err := url.Parse(cluster.Server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &cuttable{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	t.Cleanup(func() { l.Close(); p.cut() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", server.Host)
			if err != nil {
				from.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, from, to)
			p.mu.Unlock()
			go func() { _, _ = io.Copy(to, from); to.Close() }()
			go func() { _, _ = io.Copy(from, to); from.Close() }()
		}
	}()
	cluster.Server, cluster.TLSServerName = fmt.Sprintf("https://%s", l.Addr()), server.Hostname()
	if err := clientcmd.WriteToFile(*cfg, p.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return p
}

// cut closes every connection that is open.
func (p *cuttable) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
