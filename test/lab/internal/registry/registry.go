// Package registry is the lab's container image registry: one listener for everyone and
// one that asks for a password, so that "image not found" and "unauthorised" are what a
// container runtime really meets, not something faked.
package registry

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Config says where the registry listens and keeps its content.
type Config struct {
	// Listen is the host:port of the public listener.
	Listen string
	// PrivateListen is the host:port of the listener that asks for Username and Password;
	// empty for none. It knows other images than the public one.
	PrivateListen      string
	Username, Password string
	// Dir keeps blobs and manifests, so that a registry started again knows its images;
	// empty keeps them in memory.
	Dir string
	// Log receives a line a request; nil for none.
	Log io.Writer
}

// shutdownTimeout bounds the wait for requests under way when the registry ends.
const shutdownTimeout = 2 * time.Second

// Serve runs the registry until ctx ends.
func Serve(ctx context.Context, c Config) error {
	if c.PrivateListen != "" && (c.Username == "" || c.Password == "") {
		return errors.New("registry: the private listener needs a user name and a password")
	}
	public, err := handler(c, "public")
	if err != nil {
		return err
	}
	listeners := map[string]http.Handler{c.Listen: public}
	if c.PrivateListen != "" {
		private, err := handler(c, "private")
		if err != nil {
			return err
		}
		listeners[c.PrivateListen] = requirePassword(private, c.Username, c.Password)
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(listeners))
	for addr, h := range listeners {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("registry: %w", err)
		}
		defer l.Close()
		go func() { ended <- serve(ctx, l, h) }()
	}
	// The first listener that ends takes the other with it.
	var errs []error
	for range listeners {
		errs = append(errs, <-ended)
		cancel()
	}
	return errors.Join(errs...)
}

// serve serves one listener until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if s.Shutdown(bounded) != nil {
			_ = s.Close()
		}
	})
	err := s.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("registry: %w", err)
}

// handler makes a registry with manifests of its own. Blobs are named by their content,
// so the public and the private registry share them on disk.
func handler(c Config, name string) (http.Handler, error) {
	out := c.Log
	if out == nil {
		out = io.Discard
	}
	options := []registry.Option{registry.Logger(log.New(out, name+" ", log.LstdFlags))}
	if c.Dir == "" {
		return registry.New(options...), nil
	}
	blobs := filepath.Join(c.Dir, "blobs")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	inner := registry.New(append(options, registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)))...)
	return keepManifests(inner, filepath.Join(c.Dir, "manifests-"+name))
}

// requirePassword asks for HTTP Basic authentication with the error body of the registry
// protocol, which runtimes print.
func requirePassword(next http.Handler, username, password string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		nameGood := subtle.ConstantTimeCompare([]byte(u), []byte(username)) == 1
		if subtle.ConstantTimeCompare([]byte(p), []byte(password)) == 1 && nameGood {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="svcx-lab"`)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`+"\n")
	})
}
