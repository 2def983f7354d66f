package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// gate is a TCP listener whose door can be shut and opened again: what refuses has no
// socket at all. It handles the behaviours that are of no protocol, and hands the other
// connections on to the protocol's server through Accept.
type gate struct {
	current
	name    string // protocol:port
	raw     []mode // the modes that the gate handles for its protocol
	tls     *tls.Config
	address string

	mu       sync.Mutex
	listener net.Listener // nil while shut
	closed   bool

	conns chan net.Conn
	ctx   context.Context // ends with the gate, and every connection with it
	end   context.CancelFunc
}

var _ net.Listener = (*gate)(nil)

// rawModes are the ways to behave that a connection meets before any protocol.
func rawModes(protocol string) []mode {
	modes := []mode{closing, reset, silent, garbage, hostile}
	if protocol == "tcp" || protocol == "grpc" {
		modes = append(modes, endless)
	}
	return modes
}

func newGate(ctx context.Context, s spec, config *tls.Config) (*gate, error) {
	g := &gate{raw: rawModes(s.protocol), tls: config, address: s.address, conns: make(chan net.Conn)}
	g.ctx, g.end = context.WithCancel(ctx)
	if err := g.open(); err != nil {
		g.end()
		return nil, err
	}
	// A port that the system chose stays the same when the door opens again.
	g.address = g.listener.Addr().String()
	g.name = fmt.Sprintf("%s:%d", s.protocol, g.Addr().(*net.TCPAddr).Port)
	return g, g.change(s.behaviour)
}

// open starts to listen.
func (g *gate) open() error {
	l, err := net.Listen("tcp", g.address)
	if err != nil {
		return err
	}
	g.listener = l
	go g.accept(l)
	return nil
}

// change switches the behaviour, and opens or shuts the door for it.
func (g *gate) change(b behaviour) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return net.ErrClosed
	}
	if b.mode == refusing && g.listener != nil {
		_ = g.listener.Close()
		g.listener = nil
	}
	if b.mode != refusing && g.listener == nil {
		if err := g.open(); err != nil {
			return err
		}
	}
	g.set(b)
	return nil
}

func (g *gate) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // out of files, say: others will close
		}
		go g.admit(conn)
	}
}

// admit treats a connection as the behaviour says, or hands it on.
func (g *gate) admit(conn net.Conn) {
	b := g.get()
	for _, m := range g.raw {
		if m == b.mode {
			g.misbehave(conn, b)
			return
		}
	}
	if g.tls != nil {
		conn = tls.Server(conn, g.tls)
	}
	select {
	case g.conns <- conn:
	case <-g.ctx.Done():
		conn.Close()
	}
}

func (g *gate) misbehave(conn net.Conn, b behaviour) {
	defer conn.Close()
	defer context.AfterFunc(g.ctx, func() { conn.Close() })()
	switch b.mode {
	case hostile:
		hostileKinds[b.kind](g.ctx, conn)
	case reset:
		if t, ok := conn.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
	case silent:
		_, _ = io.Copy(io.Discard, conn)
	case garbage:
		_, _ = conn.Write(garbageBytes)
		// Closing over unread bytes would reset, and the garbage might not arrive.
		_, _ = conn.Read(make([]byte, 4096))
	case endless:
		writeEndless(conn)
	}
}

// writeEndless writes until the peer has had enough.
func writeEndless(w io.Writer) {
	chunk := make([]byte, 4096)
	for i := range chunk {
		chunk[i] = 'A'
	}
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// Accept waits for the next connection that is treated by the protocol.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case conn := <-g.conns:
		return conn, nil
	case <-g.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close shuts the door for good.
func (g *gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	g.end()
	if g.listener != nil {
		return g.listener.Close()
	}
	return nil
}

// Addr is the address, whether the door is open or not.
func (g *gate) Addr() net.Addr {
	a, err := net.ResolveTCPAddr("tcp", g.address)
	if err != nil {
		return &net.TCPAddr{}
	}
	return a
}
