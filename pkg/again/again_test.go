package again

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestPassing(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"none", nil, false},
		{"an answer that breaks off", fmt.Errorf("unexpected error when reading response body. Please retry. Original error: %w", io.ErrUnexpectedEOF), true},
		{"a connection that is cut before the answer", &url.Error{Op: "Get", URL: "https://x", Err: io.EOF}, true},
		{"a reset", &url.Error{Op: "Patch", URL: "https://x", Err: syscall.ECONNRESET}, true},
		{"overloaded", apierrors.NewTooManyRequests("busy", 0), true},
		{"overloaded, and asked for often enough", apierrors.NewTooManyRequests("busy", 1), false},
		{"starting", apierrors.NewServiceUnavailable("starting"), true},
		{"forbidden", apierrors.NewForbidden(pods, "", errors.New("no")), false},
		{"not found", apierrors.NewNotFound(pods, "x"), false},
		{"too old", apierrors.NewResourceExpired("too old"), false},
		{"refused: no server is there", &url.Error{Op: "Get", URL: "https://x", Err: syscall.ECONNREFUSED}, false},
		{"the end of the run", context.DeadlineExceeded, false},
	} {
		if got := Passing(tc.err); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestTry(t *testing.T) {
	calls := 0
	f := func(bad int, err error) func() (int, error) {
		calls = 0
		return func() (int, error) {
			if calls++; calls <= bad {
				return 0, err
			}
			return calls, nil
		}
	}
	if n, err := Try(t.Context(), f(2, io.ErrUnexpectedEOF)); n != 3 || err != nil {
		t.Errorf("two cuts: %d, %v", n, err)
	}
	if _, err := Try(t.Context(), f(100, io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) || calls != tries {
		t.Errorf("cuts for ever: %v after %d calls", err, calls)
	}
	if _, err := Try(t.Context(), f(1, syscall.ECONNREFUSED)); err == nil || calls != 1 {
		t.Errorf("refused: %v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Try(ctx, f(1, io.EOF)); err == nil || calls != 1 {
		t.Errorf("ended: %v after %d calls", err, calls)
	}
}

func TestInsist(t *testing.T) {
	refused := &url.Error{Op: "Get", URL: "https://x", Err: syscall.ECONNREFUSED}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no"))
	for _, tc := range []struct {
		name  string
		errs  []error // the last goes on for ever
		calls int
		want  error
	}{
		{"a server that is started again", []error{refused, refused, refused, refused, refused, refused, nil}, 7, nil},
		{"one that is starting", []error{apierrors.NewServiceUnavailable("starting"), nil}, 2, nil},
		{"an answer", []error{forbidden}, 1, forbidden},
		{"no server", []error{refused}, 0, refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				calls := 0
				_, err := Insist(ctx, func() (int, error) {
					calls++
					return calls, tc.errs[min(calls, len(tc.errs))-1]
				})
				if !errors.Is(err, tc.want) || tc.calls > 0 && calls != tc.calls || (ctx.Err() != nil) != (tc.calls == 0) {
					t.Errorf("%v after %d calls, the time is over: %v", err, calls, ctx.Err())
				}
			})
		})
	}
}
