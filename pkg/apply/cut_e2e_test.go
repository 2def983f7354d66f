//go:build e2e

package apply

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// cable is a TCP relay to the API server that can be cut and mended.
type cable struct {
	to, address string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{to: to, address: l.Addr().String()}
	t.Cleanup(c.cut)
	c.serve(l)
	return c
}

func (c *cable) serve(l net.Listener) {
	c.mu.Lock()
	c.listener = l
	c.mu.Unlock()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.relay(conn)
		}
	}()
}

func (c *cable) relay(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	c.mu.Lock()
	c.conns = append(c.conns, near, far)
	c.mu.Unlock()
	go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	_, _ = io.Copy(near, far)
}

// cut ends all connections and refuses new ones.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.listener.Close()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// mend lets connections through again.
func (c *cable) mend(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	c.serve(l)
}

// A wait outlives the loss of the API server, says so, and sees what happened meanwhile.
func TestWaitSurvivesCut(t *testing.T) {
	ctx, direct, ns := lab(t)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cfg := cluster.Config(t)
	host, err := url.Parse(cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	wire := newCable(t, host.Host)
	cfg.Host = "https://" + wire.address
	if !cfg.Insecure {
		cfg.ServerName = host.Hostname()
	}
	c, err := NewClient(cfg, direct.mapper)
	if err != nil {
		t.Fatal(err)
	}
	svc := services(t, "lb")[LoadBalancer]
	p, _ := run(ctx, t, c, []*unstructured.Unstructured{svc}, PlanOptions{Namespace: ns})

	var seen []string
	waiting, lost := make(chan struct{}), make(chan struct{})
	once := func(ch chan struct{}) {
		select {
		case <-ch:
		default:
			close(ch)
		}
	}
	done := make(chan error, 1)
	go func() {
		done <- c.Wait(ctx, p, func(e Event) {
			seen = append(seen, e.Message)
			once(waiting)
			if strings.Contains(e.Message, "the API server does not answer") {
				once(lost)
			}
		})
	}()
	await(ctx, t, waiting)
	wire.cut()
	await(ctx, t, lost)
	give(ctx, t, direct, ns, svc, "192.0.2.7")
	wire.mend(t)
	select {
	case err := <-done:
		if err != nil || seen[len(seen)-1] != "address 192.0.2.7" {
			t.Errorf("%v %q", err, seen)
		}
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	t.Logf("%q", seen)
}

func await(ctx context.Context, t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
}

// give sets a load balancer's address, as its controller would.
func give(ctx context.Context, t *testing.T, c *Client, ns string, u *unstructured.Unstructured, ip string) {
	t.Helper()
	u = u.DeepCopy()
	u.SetNamespace(ns)
	ri, err := c.resource(context.Background(), u)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": ip}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ri.Patch(ctx, u.GetName(), types.MergePatchType, data, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
}
