package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// listener is what the control endpoint sees of every server.
type listener interface {
	label() string // protocol:port
	get() behaviour
	change(behaviour) error
}

func (g *gate) label() string { return g.name }

// identity tells this server's answers from those of another Pod behind one Service.
type identity struct{ host, runID string }

func newIdentity() (identity, error) {
	host, err := os.Hostname()
	if err != nil {
		return identity{}, err
	}
	id := make([]byte, 20) // as Redis has it
	_, err = rand.Read(id)
	return identity{host, hex.EncodeToString(id)}, err
}

// serve runs every listener until ctx ends or one of them fails.
func serve(parent context.Context, specs []spec, control string, stdout io.Writer) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	who, err := newIdentity()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil) // before the wait
	start := func(name string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}

	var all []listener
	for _, s := range specs {
		l, run, err := listen(ctx, s, who)
		if err != nil {
			return fmt.Errorf("--%s=%s: %w", s.protocol, s.address, err)
		}
		all = append(all, l)
		start(l.label(), run)
		fmt.Fprintf(stdout, "listening %s %s %s\n", l.label(), s.address, l.get())
	}
	if control != "" {
		l, err := net.Listen("tcp", control)
		if err != nil {
			return fmt.Errorf("--control=%s: %w", control, err)
		}
		start("control", func() error { return serveControl(ctx, l, all, stdout) })
		fmt.Fprintf(stdout, "listening control %s\n", l.Addr())
	}
	<-ctx.Done()
	if parent.Err() != nil {
		return nil // asked to end
	}
	return context.Cause(ctx)
}

// listen opens one listener and gives what serves it.
func listen(ctx context.Context, s spec, who identity) (listener, func() error, error) {
	if s.protocol == "udp" {
		u, err := newUDP(s)
		if err != nil {
			return nil, nil, err
		}
		return u, func() error { return u.serve(ctx) }, nil
	}
	config, err := tlsConfig(s)
	if err != nil {
		return nil, nil, err
	}
	g, err := newGate(ctx, s, config)
	if err != nil {
		return nil, nil, err
	}
	context.AfterFunc(ctx, func() { _ = g.Close() })
	switch s.protocol {
	case "http", "https":
		return g, func() error { return serveHTTP(ctx, g, who) }, nil
	case "grpc":
		return g, func() error { return serveGRPC(ctx, g) }, nil
	case "redis":
		r := &redis{gate: g, who: who, username: s.username, password: s.password}
		return g, func() error { return serveConns(ctx, g, r.serve) }, nil
	}
	return g, func() error {
		return serveConns(ctx, g, func(ctx context.Context, conn net.Conn) { echo(ctx, g, conn) })
	}, nil
}

// serveConns treats each connection of a protocol that has no server of its own.
func serveConns(ctx context.Context, g *gate, treat func(context.Context, net.Conn)) error {
	for {
		conn, err := g.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			treat(ctx, conn)
		}()
	}
}
