package verify

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	streamhttp "k8s.io/streaming/pkg/httpstream"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// farEnd is a connection to a node, whose side of the streams a test plays.
type farEnd struct {
	streamhttp.Connection
	data, errs *io.PipeWriter
}

// farStream is one stream; it ends when either side ends it.
type farStream struct {
	streamhttp.Stream
	r *io.PipeReader
}

func (s *farStream) Read(p []byte) (int, error)  { return s.r.Read(p) }
func (s *farStream) Write(p []byte) (int, error) { return len(p), nil }
func (s *farStream) Close() error                { return nil }
func (s *farStream) Reset() error                { return s.r.CloseWithError(io.EOF) }

func (f *farEnd) CreateStream(h http.Header) (streamhttp.Stream, error) {
	r, w := io.Pipe()
	if h.Get(corev1.StreamType) == corev1.StreamTypeError {
		f.errs = w
	} else {
		f.data = w
	}
	return &farStream{r: r}, nil
}

func (f *farEnd) Close() error { return nil }

// TestTunnelOpened: a connection through a tunnel is open when the node shows
// it, and not when it has said nothing yet.
func TestTunnelOpened(t *testing.T) {
	refusal := "error forwarding port 1 to pod x: dial tcp4 127.0.0.1:1: connect: connection refused"
	for _, tc := range []struct {
		name string
		far  func(*farEnd)
		want probe.Class // "": open
	}{
		{"the server speaks first", func(f *farEnd) { _, _ = f.data.Write([]byte("220 hello")) }, ""},
		{"the server ends its side", func(f *farEnd) { f.data.Close(); f.errs.Close() }, ""},
		{"the runtime ends a silent one", func(f *farEnd) { f.errs.Close() }, ""},
		{"refused", func(f *farEnd) { _, _ = f.errs.Write([]byte(refusal)); f.data.Close(); f.errs.Close() }, probe.ClassRefused},
		{"refused, and said late", func(f *farEnd) {
			f.data.Close()
			time.Sleep(700 * time.Millisecond) // the point of this node is to be slow
			_, _ = f.errs.Write([]byte(refusal))
			f.errs.Close()
		}, probe.ClassRefused},
		{"not a word", func(*farEnd) {}, probe.ClassLocal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := &farEnd{}
			c, err := newTunnelConn(f, "1")
			if err != nil {
				t.Fatal(err)
			}
			limit := time.Minute
			if tc.want == probe.ClassLocal {
				limit = 1500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			defer context.AfterFunc(ctx, func() { _ = c.Close() })() // as a probe's attempt does
			go tc.far(f)
			var dial *probe.DialError
			switch err := c.Opened(ctx); {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (!errors.As(err, &dial) || dial.Class != tc.want):
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}
