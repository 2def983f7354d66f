package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// serveHTTP serves HTTP/1.1, and HTTP/2 where the client begins with it.
func serveHTTP(ctx context.Context, g *gate, who identity) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: httpHandler(g, who), Protocols: protocols, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.Serve(g); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// httpHandler answers every path, as the behaviour says; /status/CODE answers that code.
func httpHandler(g *gate, who identity) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := g.get()
		code := http.StatusOK
		if text, ok := strings.CutPrefix(r.URL.Path, "/status/"); ok {
			if n, err := strconv.Atoi(text); err == nil && n >= 200 && n <= 599 {
				code = n
			}
		}
		w.Header().Set("Server", "svcx-testserver")
		w.Header().Set("X-Svcx-Backend", who.host)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		switch b.mode {
		case slow:
			if !pause(r.Context(), b.delay) {
				return
			}
		case status:
			code, _ = strconv.Atoi(b.status)
		case escapes:
			// In the body only: clients reject them in headers.
			w.WriteHeader(code)
			fmt.Fprintln(w, escapeText)
			return
		case endless:
			w.WriteHeader(code)
			writeEndless(w)
			return
		}
		if code >= 300 && code < 400 {
			w.Header().Set("Location", "/")
		}
		w.WriteHeader(code)
		if code != http.StatusNoContent && code != http.StatusNotModified {
			fmt.Fprintf(w, "svcx-testserver %s\nhost %q\n", who.host, r.Host)
		}
	})
}

// pause waits; false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
