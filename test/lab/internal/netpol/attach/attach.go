// Package attach carries word of a new Pod's addresses from the network plugin, which
// gives them before any container starts, to the process that enforces policies. The API
// tells of them about a second later: for so long a Pod would be open.
package attach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"time"
)

// Attachment is a Pod's new place in the network.
type Attachment struct {
	Namespace string       `json:"namespace"`
	Name      string       `json:"name"`
	UID       string       `json:"uid,omitempty"`
	Addrs     []netip.Addr `json:"addrs"`
}

// answer is what the enforcing process says.
type answer struct {
	Error string `json:"error,omitempty"`
}

// maxTime bounds one exchange: a Pod waits for it.
const maxTime = 3 * time.Second

// Tell tells of an attachment and waits until the Pod's policies are in force.
func Tell(ctx context.Context, socket string, a Attachment) error {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(conn).Encode(a); err != nil {
		return err
	}
	var got answer
	if err := json.NewDecoder(conn).Decode(&got); err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	if got.Error != "" {
		return errors.New(got.Error)
	}
	return nil
}

// Serve listens on a socket until ctx ends. Enforce returns once the policies of the
// attachment's Pod are in force.
func Serve(ctx context.Context, socket string, enforce func(context.Context, Attachment) error) error {
	// What a killed process left.
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go serveOne(ctx, conn, enforce)
	}
}

func serveOne(ctx context.Context, conn net.Conn, enforce func(context.Context, Attachment) error) {
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	_ = conn.SetDeadline(time.Now().Add(maxTime))
	var a Attachment
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return
	}
	var out answer
	if err := enforce(ctx, a); err != nil {
		out.Error = err.Error()
	}
	_ = json.NewEncoder(conn).Encode(out)
}
