package probe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// rcodes are the words for the response codes of RFC 1035, section 4.1.1.
var rcodes = []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}

// askDNSServer wants any well-formed answer to a query for the name servers of
// the root: what a server knows of it, or whether it tells, is its own affair,
// and is only a fact.
func askDNSServer(ctx context.Context, a *attempt) error {
	udp := a.probe.Network == "udp"
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	query := make([]byte, 17)
	_, _ = rand.Read(query[:2]) // never fails (crypto/rand)
	query[2], query[5] = 1, 1   // recursion desired; one question
	query[14], query[16] = 2, 1 // type NS, class IN of the root, whose name is one zero byte
	var answer []byte
	if udp {
		answer, err = askDatagram(ctx, conn, query)
	} else {
		answer, err = askFramed(conn, query)
	}
	if err != nil {
		return err
	}
	if len(answer) < 12 || [2]byte(answer) != [2]byte(query) || answer[2]&0x80 == 0 {
		return a.badAnswer("DNS")
	}
	code := fmt.Sprint("RCODE", answer[3]&0xf)
	if n := int(answer[3] & 0xf); n < len(rcodes) {
		code = rcodes[n]
	}
	a.fact("rcode", code)
	a.detail = "answered " + code
	return nil
}

// askFramed sends and reads a message of DNS over TCP, which has its length in front.
func askFramed(conn net.Conn, query []byte) ([]byte, error) {
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return nil, err
	}
	var head [2]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	// Only the header is of interest; the length is the peer's word.
	answer := make([]byte, min(int(binary.BigEndian.Uint16(head[:])), 12))
	_, err := io.ReadFull(conn, answer)
	return answer, err
}

// askDatagram sends a datagram until one comes back: either may be lost.
func askDatagram(ctx context.Context, conn net.Conn, send []byte) ([]byte, error) {
	deadline, _ := ctx.Deadline()
	buf := make([]byte, 4096)
	for i := 0; ; i++ {
		if _, err := conn.Write(send); err != nil {
			return nil, err
		}
		wait := time.Now().Add(300 * time.Millisecond << i)
		if wait.After(deadline) {
			wait = deadline
		}
		_ = conn.SetReadDeadline(wait)
		n, err := conn.Read(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(deadline) && ctx.Err() == nil:
			continue
		case errors.Is(err, syscall.ECONNREFUSED):
			return nil, seen(ClassRefused, "port unreachable")
		case err != nil:
			return nil, err
		}
		return buf[:n], nil
	}
}
