package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// echo sends back what comes in.
func echo(ctx context.Context, g *gate, conn net.Conn) {
	b := make([]byte, 4096)
	for {
		n, err := conn.Read(b)
		if err != nil {
			return
		}
		behaviour := g.get()
		if behaviour.mode == slow && !pause(ctx, behaviour.delay) {
			return
		}
		if behaviour.mode == escapes {
			if _, err := io.WriteString(conn, escapeText); err != nil {
				return
			}
		}
		if _, err := conn.Write(b[:n]); err != nil {
			return
		}
	}
}

// udp is an echo of datagrams. What refuses has no socket, so that the kernel answers
// "port unreachable".
type udp struct {
	current
	name, address string

	mu      sync.Mutex
	socket  net.PacketConn // nil while refusing
	changed chan struct{}  // holds a mark when the socket is another
}

// endlessDatagrams bounds what one datagram is answered with.
const endlessDatagrams = 1000

func newUDP(s spec) (*udp, error) {
	u := &udp{changed: make(chan struct{}, 1)}
	socket, err := net.ListenPacket("udp", s.address)
	if err != nil {
		return nil, err
	}
	u.socket, u.address = socket, socket.LocalAddr().String()
	u.name = fmt.Sprintf("udp:%d", socket.LocalAddr().(*net.UDPAddr).Port)
	return u, u.change(s.behaviour)
}

func (u *udp) label() string { return u.name }

func (u *udp) change(b behaviour) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if b.mode == refusing && u.socket != nil {
		_ = u.socket.Close()
		u.socket = nil
	}
	if b.mode != refusing && u.socket == nil {
		socket, err := net.ListenPacket("udp", u.address)
		if err != nil {
			return err
		}
		u.socket = socket
	}
	u.set(b)
	select {
	case u.changed <- struct{}{}:
	default:
	}
	return nil
}

func (u *udp) open() net.PacketConn {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.socket
}

// serve answers until ctx ends.
func (u *udp) serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		if socket := u.open(); socket != nil {
			socket.Close()
		}
	})()
	for ctx.Err() == nil {
		socket := u.open()
		if socket == nil {
			select {
			case <-u.changed:
			case <-ctx.Done():
			}
			continue
		}
		if err := u.answer(ctx, socket); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	return nil
}

// answer treats datagrams until the socket is closed.
func (u *udp) answer(ctx context.Context, socket net.PacketConn) error {
	b := make([]byte, 65535)
	for {
		n, from, err := socket.ReadFrom(b)
		if err != nil {
			return err
		}
		data := append([]byte(nil), b[:n]...)
		go func() {
			b := u.get()
			count := 1
			switch b.mode {
			case silent:
				return
			case slow:
				if !pause(ctx, b.delay) {
					return
				}
			case garbage:
				data = garbageBytes
			case escapes:
				data = []byte(escapeText)
			case endless:
				count = endlessDatagrams
			}
			for range count {
				if _, err := socket.WriteTo(data, from); err != nil {
					return
				}
			}
		}()
	}
}
