package netpol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"sigs.k8s.io/knftables"
)

// denyAfter is how long a flow gets that should be dropped: everything is in one kernel,
// where an answer takes well under a millisecond. allowWithin is how long a flow gets that
// should pass, on a machine that is busy.
const (
	denyAfter   = 400 * time.Millisecond
	allowWithin = 10 * time.Second
)

// wire is the world of the cases in real network namespaces: one that routes, as a node
// does, and one for each Pod behind a veth pair.
type wire struct {
	t      *testing.T
	prefix string
}

// inside runs f in a namespace; sockets made there belong to it.
func (w *wire) inside(name string, f func() error) error {
	h, err := netns.GetFromName(w.prefix + name)
	if err != nil {
		return err
	}
	defer h.Close()
	home, err := netns.Get()
	if err != nil {
		return err
	}
	defer home.Close()
	// The thread comes back: were it the process's first, it would not end, and keep the
	// namespace. One that cannot stays locked, so that nothing else runs on it.
	runtime.LockOSThread()
	if err := netns.Set(h); err != nil {
		return err
	}
	defer func() {
		if err := netns.Set(home); err != nil {
			w.t.Error(err)
			return
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

func (w *wire) ip(args ...string) {
	w.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func newWire(t *testing.T) *wire {
	t.Helper()
	for _, program := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s DID NOT RUN: it needs the program %s", t.Name(), program)
		}
	}
	if os.Geteuid() != 0 {
		t.Skipf("%s DID NOT RUN: it needs root, to make network namespaces", t.Name())
	}
	w := &wire{t, fmt.Sprintf("svcxnp%d-", os.Getpid())}
	for name := range worldAddrs {
		w.ip("netns", "add", w.prefix+name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", w.prefix+name).Run() })
		w.ip("-n", w.prefix+name, "link", "set", "lo", "up")
	}
	node := w.prefix + "node"
	if err := w.inside("node", func() error {
		return errors.Join(
			os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644),
			os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0o644),
		)
	}); err != nil {
		t.Fatal(err)
	}
	for name, addrs := range worldAddrs {
		if name == "node" {
			continue
		}
		// As the ptp plugin does: a pair, and a route to the Pod's address alone.
		w.ip("-n", node, "link", "add", "v-"+name, "type", "veth", "peer", "name", "eth0", "netns", w.prefix+name)
		w.ip("-n", node, "link", "set", "v-"+name, "up")
		w.ip("-n", w.prefix+name, "link", "set", "eth0", "up")
		for i, a := range addrs {
			bits, own := []string{"/32", "/128"}[i], worldAddrs["node"][i]
			w.ip("-n", node, "addr", "add", own+bits, "dev", "v-"+name, "nodad")
			w.ip("-n", node, "route", "add", a+bits, "dev", "v-"+name)
			w.ip("-n", w.prefix+name, "addr", "add", a+bits, "dev", "eth0", "nodad")
			w.ip("-n", w.prefix+name, "route", "add", own+bits, "dev", "eth0")
			w.ip("-n", w.prefix+name, "route", "add", "default", "via", own, "dev", "eth0")
		}
	}
	for name := range worldAddrs {
		if err := w.inside(name, w.listen); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// listen answers on the ports of the cases until the test ends.
func (w *wire) listen() error {
	for _, port := range []string{"8080", "9090"} {
		l, err := net.Listen("tcp", "[::]:"+port)
		if err != nil {
			return err
		}
		w.t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte("hello"))
				c.Close()
			}
		}()
	}
	u, err := net.ListenPacket("udp", "[::]:5353")
	if err != nil {
		return err
	}
	w.t.Cleanup(func() { u.Close() })
	go func() {
		b := make([]byte, 64)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(b[:n], from)
		}
	}()
	return nil
}

// passes tries a flow for real.
func (w *wire) passes(from, protocol string, to netip.AddrPort, within time.Duration) error {
	return w.inside(from, func() error {
		d := net.Dialer{Timeout: within}
		c, err := d.Dial(protocol, to.String())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(within)); err != nil {
			return err
		}
		if protocol == "udp" {
			if _, err := c.Write([]byte("hello")); err != nil {
				return err
			}
		}
		_, err = io.ReadAtLeast(c, make([]byte, 16), 5)
		return err
	})
}

// apply puts a ruleset in force in the node's namespace.
func (w *wire) apply(r *ruleset) {
	w.t.Helper()
	if err := w.inside("node", func() error {
		nft, err := knftables.New(knftables.InetFamily, table)
		if err != nil {
			return err
		}
		return apply(context.Background(), nft, r)
	}); err != nil {
		w.t.Fatal(err)
	}
}

func TestPolicyCasesOnTheWire(t *testing.T) {
	w := newWire(t)
	for _, c := range policyCases {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.apply(c.ruleset(t))
			var wg sync.WaitGroup
			check := func(flows []flow, want bool) {
				for address, family := range []string{"IPv4", "IPv6"} {
					for _, f := range flows {
						wg.Go(func() {
							protocol, port := f.protocolPort()
							to := netip.AddrPortFrom(netip.MustParseAddr(worldAddrs[f.to][address]), port)
							within := denyAfter
							if want {
								within = allowWithin
							}
							err := w.passes(f.from, protocol, to, within)
							var timeout net.Error
							switch {
							case want && err != nil:
								t.Errorf("%s %+v is denied, want allowed: %v", family, f, err)
							case !want && err == nil:
								t.Errorf("%s %+v is allowed, want denied", family, f)
							case !want && (!errors.As(err, &timeout) || !timeout.Timeout()):
								t.Errorf("%s %+v fails with %v, want a time-out", family, f, err)
							}
						})
					}
				}
			}
			check(c.allowed, true)
			check(c.denied, false)
			wg.Wait()
		})
	}
}

// Policies speak of Pods, and a Service's address is a Pod's by the time they are asked.
func TestPoliciesSeeThePodBehindAService(t *testing.T) {
	w := newWire(t)
	nat := `table ip nat { chain prerouting { type nat hook prerouting priority dstnat; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.244.0.10:8080; }; }`
	w.ip("netns", "exec", w.prefix+"node", "nft", nat)
	service := netip.MustParseAddrPort("10.96.0.1:80")
	if err := w.passes("api", "tcp", service, allowWithin); err != nil {
		t.Fatalf("the Service fails without a policy: %v", err)
	}
	c := policyCase{policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8080}]}]}`}}
	w.apply(c.ruleset(t))
	if err := w.passes("api", "tcp", service, allowWithin); err != nil {
		t.Errorf("the client admitted fails through the Service: %v", err)
	}
	if err := w.passes("tool", "tcp", service, denyAfter); err == nil {
		t.Error("the client not admitted gets through the Service")
	}
	c = policyCase{policies: []string{`{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 8080}]}]}`}}
	w.apply(c.ruleset(t))
	if err := w.passes("api", "tcp", service, allowWithin); err != nil {
		t.Errorf("egress to the Pod is admitted, but fails through the Service: %v", err)
	}
}

// What is open when a policy comes stays open.
func TestOpenConnectionsOutliveAPolicy(t *testing.T) {
	w := newWire(t)
	w.apply(policyCases[0].ruleset(t))
	var c net.Conn
	err := w.inside("api", func() (err error) {
		c, err = net.DialTimeout("udp", net.JoinHostPort(worldAddrs["web"][0], "5353"), allowWithin)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func() error {
		if err := c.SetDeadline(time.Now().Add(allowWithin)); err != nil {
			return err
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		_, err := c.Read(make([]byte, 16))
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	w.apply(policyCase{policies: []string{`{podSelector: {}}`}}.ruleset(t))
	if err := ask(); err != nil {
		t.Errorf("an open flow broke: %v", err)
	}
	if err := w.passes("api", "udp", netip.MustParseAddrPort(worldAddrs["web"][0]+":5353"), denyAfter); err == nil {
		t.Error("a new flow passes the policy")
	}
}
