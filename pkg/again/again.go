// Package again asks an API server once more where the way to it failed and not
// the request: a connection that was cut, a server that is restarting. client-go
// itself does so for what asks to be repeated later (Retry-After), and for reads
// that got no answer at all; not for an answer that breaks off in the middle,
// nor for writes.
package again

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

const (
	tries = 4
	pause = 100 * time.Millisecond // before the second try; then twice as long each
)

// Try calls f, and again while its error is a passing one, a few times at most
// and not beyond the end of ctx. f must be something that may be done twice.
func Try[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for try := 1; ; try++ {
		got, err := f()
		if try == tries || !Passing(err) || !Pause(ctx, try) {
			return got, err
		}
	}
}

// Insist calls f until an API server answers or ctx ends: for what has to be done,
// also where the server has just been started again.
func Insist[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for try := 1; ; try++ {
		got, err := f()
		if Answered(err) || !Pause(ctx, try) {
			return got, err
		}
	}
}

// Answered reports whether an API server has decided about a request.
func Answered(err error) bool {
	var answer apierrors.APIStatus
	return err == nil || errors.As(err, &answer) && !Passing(err)
}

// Pause waits before a try that follows so many others. It returns false when
// ctx ends first.
func Pause(ctx context.Context, after int) bool {
	t := time.NewTimer(pause << min(after-1, 5))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Passing reports whether an error may be gone on the next try: a connection
// that broke, or a server that says that it cannot answer now.
func Passing(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var stream http2.StreamError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &stream),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		utilnet.IsProbableEOF(err), utilnet.IsHTTP2ConnectionLost(err):
		return true
	}
	if !apierrors.IsServiceUnavailable(err) && !apierrors.IsTooManyRequests(err) && !apierrors.IsServerTimeout(err) {
		return false
	}
	_, repeated := apierrors.SuggestsClientDelay(err)
	return !repeated // else client-go has tried often enough
}
