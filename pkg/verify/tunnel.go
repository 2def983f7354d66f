package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	streamhttp "k8s.io/streaming/pkg/httpstream"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// tunnels dials into Pods through the API server's port-forward.
//
// Each dial has a connection of its own. Several streams of one connection
// would be cheaper, but where a port refuses, container runtimes leave the
// stream's data unread, and with it a part of the whole connection stands still
// (seen with containerd 1.6; kubectl drops the connection then for that reason).
type tunnels struct {
	cfg  *rest.Config
	base rest.Interface // core/v1, to build URLs with
}

func newTunnels(cfg *rest.Config, base rest.Interface) *tunnels {
	return &tunnels{cfg: cfg, base: base}
}

// Dial opens a stream to NAMESPACE/POD:PORT. The far end is dialed later, on
// the node: whether it could be reached shows on the connection.
func (t *tunnels) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	target, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("the tunnel address %q: %w", address, err)
	}
	namespace, pod, ok := strings.Cut(target, "/")
	if !ok || network != "tcp" {
		return nil, fmt.Errorf("the tunnel carries tcp to NAMESPACE/POD:PORT, not %s to %s", network, address)
	}
	type opened struct {
		conn *tunnelConn
		err  error
	}
	// The library's dialer takes no context; the attempt need not wait for it.
	done := make(chan opened, 1)
	go func() {
		c, err := again.Try(ctx, func() (*tunnelConn, error) { return t.open(namespace, pod, port) })
		done <- opened{c, asTunnelError(err)}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, o.err
		}
		return o.conn, nil
	case <-ctx.Done():
		go func() {
			if o := <-done; o.conn != nil {
				_ = o.conn.Close()
			}
		}()
		return nil, tunnelError(fmt.Errorf("no answer from the API server in time: %w", ctx.Err()))
	}
}

func (t *tunnels) open(namespace, pod, port string) (*tunnelConn, error) {
	conn, err := t.connect(namespace, pod)
	if err != nil {
		return nil, err
	}
	c, err := newTunnelConn(conn, port)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// connect asks the API server for a port-forward, over a websocket or, where
// that is not offered, SPDY, as kubectl does.
func (t *tunnels) connect(namespace, pod string) (streamhttp.Connection, error) {
	u := t.base.Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(t.cfg)
	if err != nil {
		return nil, tunnelError(err)
	}
	fallback := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, u)
	primary, err := portforward.NewSPDYOverWebsocketDialerForStreaming(u, t.cfg)
	if err != nil {
		return nil, tunnelError(err)
	}
	dialer := portforward.NewFallbackDialerForStreaming(primary, fallback, func(err error) bool {
		return streamhttp.IsUpgradeFailure(err) || streamhttp.IsHTTPSProxyError(err)
	})
	conn, protocol, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, upgradeError(err)
	}
	if protocol != portforward.PortForwardProtocolV1Name {
		_ = conn.Close()
		return nil, tunnelError(fmt.Errorf("the API server offers protocol %q", protocol))
	}
	return conn, nil
}

// upgradeError gives an answer to the request for a tunnel its kind back, of
// which the libraries keep the words only.
func upgradeError(err error) error {
	if again.Passing(err) {
		return err
	}
	for _, words := range []string{"currently unable to handle the request", "too many requests", "connection reset by peer", "unexpected EOF"} {
		if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(words)) {
			return apierrors.NewServiceUnavailable(err.Error())
		}
	}
	return err
}

// asTunnelError is tunnelError for an error that may be one already.
func asTunnelError(err error) error {
	var dial *probe.DialError
	if err == nil || errors.As(err, &dial) {
		return err
	}
	return tunnelError(err)
}

// tunnelError marks a failure of the tunnel itself: it says nothing about the Pod.
func tunnelError(err error) error {
	return &probe.DialError{Class: probe.ClassLocal, Text: "port-forward: " + err.Error()}
}

// farError is what the node said about dialing inside the Pod.
func farError(text string) error {
	class := probe.ClassifyText(text)
	if class == probe.ClassRefused {
		text = "connection refused inside the Pod" // the node wraps it in names of its own
	}
	return &probe.DialError{Class: class, Text: probe.Printable(text, probe.MaxDetail)}
}

// newTunnelConn opens the pair of streams that make one connection.
func newTunnelConn(conn streamhttp.Connection, port string) (*tunnelConn, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, port)
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	errStream, err := conn.CreateStream(headers)
	if err != nil {
		return nil, tunnelError(err)
	}
	_ = errStream.Close() // nothing is written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := conn.CreateStream(headers)
	if err != nil {
		return nil, tunnelError(err)
	}
	c := &tunnelConn{conn: conn, data: data, errStream: errStream, failed: make(chan struct{}), reads: make(chan []byte), done: make(chan struct{})}
	go c.watchErrors()
	go c.pump()
	return c, nil
}

// tunnelConn is one connection through a tunnel.
type tunnelConn struct {
	conn            streamhttp.Connection
	data, errStream streamhttp.Stream

	failed chan struct{} // closed when the error stream has ended
	fail   error         // set before failed is closed; nil: the far end was served well

	reads   chan []byte
	readErr error // set before reads is closed
	rest    []byte

	deadline deadline
	once     sync.Once
	done     chan struct{}
}

// maxTunnelError bounds the text of an error that comes through a tunnel.
const maxTunnelError = 1024

// watchErrors reads the error stream: the node writes there what went wrong.
func (c *tunnelConn) watchErrors() {
	msg, err := io.ReadAll(io.LimitReader(c.errStream, maxTunnelError))
	switch {
	case len(msg) > 0:
		c.fail = farError(string(msg))
	case err != nil:
		c.fail = tunnelError(err)
	}
	close(c.failed)
}

// pump moves what arrives to Read, which can then be given up.
func (c *tunnelConn) pump() {
	defer close(c.reads)
	for {
		buf := make([]byte, 16<<10)
		n, err := c.data.Read(buf)
		if n > 0 {
			select {
			case c.reads <- buf[:n]:
			case <-c.done:
				return
			}
		}
		if err != nil {
			c.readErr = err
			return
		}
	}
}

// Read returns data, or the node's own error where there is one.
func (c *tunnelConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		select {
		case b, ok := <-c.reads:
			if !ok {
				return 0, c.endOfData()
			}
			c.rest = b
		case <-c.deadline.reached():
			return 0, os.ErrDeadlineExceeded
		case <-c.done:
			return 0, net.ErrClosed
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// endOfData waits a moment for the reason: data and error come on two streams.
func (c *tunnelConn) endOfData() error {
	select {
	case <-c.failed:
		if c.fail != nil {
			return c.fail
		}
	case <-time.After(500 * time.Millisecond):
	case <-c.done:
	}
	if c.readErr == nil {
		return io.EOF
	}
	return c.readErr
}

func (c *tunnelConn) Write(p []byte) (int, error) {
	select {
	case <-c.failed:
		if c.fail != nil {
			return 0, c.fail
		}
	default:
	}
	n, err := c.data.Write(p)
	if err != nil {
		if reason := c.endOfData(); !errors.Is(reason, io.EOF) {
			return n, reason
		}
	}
	return n, err
}

// unheard is what is known where neither a connection nor a refusal was reported.
const unheard = "the node reported neither a connection nor a refusal in time"

// Opened waits for a sign that the port inside the Pod took the connection: data,
// or an end without an error. It ends its own side, upon which most servers end
// theirs; with one that stays silent container runtimes end the connection a
// second later, and report a refusal before. Silence alone is no sign.
func (c *tunnelConn) Opened(ctx context.Context) error {
	_ = c.data.Close()
	select {
	case b, ok := <-c.reads:
		if ok {
			c.rest = b
			return nil
		}
	case <-c.failed:
	case <-ctx.Done():
	}
	// Data and error end each by itself, and the error says how the end was meant.
	select {
	case <-c.failed:
	case <-ctx.Done():
	}
	switch {
	case ctx.Err() != nil: // which has closed the streams, too
		return tunnelError(errors.New(unheard))
	case c.fail != nil:
		return c.fail
	}
	return nil
}

func (c *tunnelConn) Close() error {
	c.once.Do(func() {
		close(c.done)
		_ = c.data.Reset()
		_ = c.errStream.Reset()
		// Closing sends and waits; who closes need not.
		go c.conn.Close()
	})
	return nil
}

func (c *tunnelConn) LocalAddr() net.Addr                { return nil }
func (c *tunnelConn) RemoteAddr() net.Addr               { return nil }
func (c *tunnelConn) SetDeadline(t time.Time) error      { c.deadline.set(t); return nil }
func (c *tunnelConn) SetReadDeadline(t time.Time) error  { c.deadline.set(t); return nil }
func (c *tunnelConn) SetWriteDeadline(_ time.Time) error { return nil }

// deadline is a channel that closes at a time that may be moved.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	ch    chan struct{}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	ch := make(chan struct{})
	d.ch = ch
	if t.IsZero() {
		return
	}
	d.timer = time.AfterFunc(time.Until(t), func() { close(ch) })
}

func (d *deadline) reached() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ch
}
