package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

const (
	// maxPodLog bounds what is read of a probe Pod's log, in bytes.
	maxPodLog = 64 << 20
	// helloGrace is how long a started probe Pod may take to write its first line.
	helloGrace = 10 * time.Second
)

// errSilent says that nothing was written in time.
var errSilent = errors.New("silent")

// errUnwatched says that a node ended the log with a complaint of its own: it could
// not watch the file, as where inotify instances have run out (on kind often).
var errUnwatched = errors.New("the node cannot follow the log")

// converse gives the prober in a started container what it waits for on stdin
// (in; nil: nothing) and calls emit for each outcome that it writes. stay keeps
// stdin open until the outcomes are read: the prober then ends when it closes.
func (c *clients) converse(ctx context.Context, s *seat, in io.Reader, stay bool, want int, emit func(probe.Outcome)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var fed atomic.Pointer[error]
	if in != nil {
		if stay {
			in = io.MultiReader(in, &untilDone{ctx})
		}
		go func() {
			if err := c.attach(ctx, *s, in); err != nil && ctx.Err() == nil {
				fed.Store(&err)
				cancel()
			}
		}()
	}
	err := followLog(ctx, c, s, in != nil, want, func(o probe.Outcome) {
		// Where it was asked from is part of what was seen.
		facts := map[string]string{factNamespace: s.namespace}
		if s.node != "" {
			facts[factNode] = s.node
		}
		if len(s.addresses) > 0 {
			facts[factAddresses] = strings.Join(s.addresses, ",")
		}
		maps.Copy(facts, o.Facts)
		o.Facts = facts
		emit(o)
	})
	if why := fed.Load(); err != nil && why != nil {
		var f *podFailure
		if errors.As(*why, &f) {
			return f
		}
		return fail("another try", "attaching to Pod/%s failed: %v", s.pod, *why)
	}
	return err
}

// untilDone is an input that is at its end when its context is.
type untilDone struct{ ctx context.Context }

func (u *untilDone) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, io.EOF
}

// followLog reads the prober's output while it is written. patient says that the
// prober waits for something before it writes at all. A log that breaks off is
// read again from its beginning: each answer counts once. One that the node cannot
// follow is read again and again, until all is there or the container has ended.
func followLog(ctx context.Context, c *clients, s *seat, patient bool, want int, emit func(probe.Outcome)) error {
	had := map[string]bool{}
	once := func(o probe.Outcome) {
		if !had[o.Probe] {
			had[o.Probe] = true
			emit(o)
		}
	}
	var end probe.End
	var err error
	start, ended := time.Now(), false
	for try := 1; ; try++ {
		end, err = again.Try(ctx, func() (probe.End, error) { return readLog(ctx, c, s, patient, once) })
		if !errors.Is(err, errUnwatched) || ended {
			break
		}
		if errors.Is(err, probe.ErrNoProber) && !patient && time.Since(start) > helloGrace {
			err = errSilent
			break
		}
		ended = howEnded(ctx, c, s) != ""
		if !ended && !again.Pause(ctx, min(try, 4)) {
			break
		}
	}
	switch {
	case errors.Is(err, errSilent):
		return fail("an image that holds svcx-probe (--probe-image)", "the image %s does not run svcx-probe: it wrote nothing in %.0f s", s.image, helloGrace.Seconds())
	case errors.Is(err, probe.ErrNoProber) && s.streamed && ctx.Err() == nil:
		// The shell has said why.
		return s.noStart(err.Error())
	case errors.Is(err, probe.ErrNoProber) && ctx.Err() == nil:
		return fail("an image that holds svcx-probe (--probe-image)", "the image %s does not run svcx-probe: %v", s.image, err)
	case apierrors.IsForbidden(err):
		return fail("permission to read Pod logs (get pods/log) in namespace "+s.namespace, "the probe Pod's log may not be read")
	case err != nil && ctx.Err() != nil:
		return fail("more time (--timeout)", "the run ended before the probe Pod had")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fail("another try", "the probe Pod's log ended early%s", howEnded(ctx, c, s))
	case err != nil:
		return fail("another try", "the probe Pod's log cannot be read: %v", err)
	case end.Error != "":
		return fail("an image of this version (--probe-image)", "the probe Pod: %s", end.Error)
	case end.Count != want:
		return fail("another try", "the probe Pod answered %d of %d questions", end.Count, want)
	}
	return nil
}

// readLog reads the prober's output to its end, once.
func readLog(ctx context.Context, c *clients, s *seat, patient bool, emit func(probe.Outcome)) (probe.End, error) {
	limit := int64(maxPodLog)
	// An image that is no prober may run for ever and write nothing.
	lctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var silent atomic.Bool
	timer := time.AfterFunc(helloGrace, func() {
		if !patient {
			silent.Store(true)
			cancel()
		}
	})
	defer timer.Stop()
	stream, err := c.core.Pods(s.namespace).GetLogs(s.pod, &corev1.PodLogOptions{Container: s.container, Follow: true, LimitBytes: &limit}).Stream(lctx)
	if err == nil {
		defer stream.Close()
		log := &heard{Reader: stream, first: func() { timer.Stop() }}
		var end probe.End
		if end, err = probe.ReadOutcomes(log, emit); err == nil {
			return end, nil
		}
		if errors.Is(err, probe.ErrNoProber) && log.err != nil && !errors.Is(log.err, io.EOF) {
			err = log.err // it broke off in the first line
		}
		if log.unwatched() {
			err = fmt.Errorf("%w: %w", errUnwatched, err)
		}
	}
	if silent.Load() && ctx.Err() == nil {
		err = errSilent
	}
	return probe.End{}, err
}

// heard calls first when the first bytes come, and keeps the last ones and how
// reading ended.
type heard struct {
	io.Reader
	first func()
	last  []byte
	err   error
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 && h.first != nil {
		h.first()
		h.first = nil
	}
	h.last = append(h.last, p[:n]...)
	h.last = h.last[max(0, len(h.last)-256):]
	h.err = err
	return n, err
}

// unwatched reports whether the log ends with what a kubelet writes into it when it
// cannot watch the file.
func (h *heard) unwatched() bool {
	line := h.last[bytes.LastIndexByte(h.last, '\n')+1:]
	return errors.Is(h.err, io.EOF) && (bytes.HasPrefix(line, []byte("failed to create fsnotify watcher")) || bytes.HasPrefix(line, []byte("failed to watch ")))
}

// howEnded says how a probe Pod's container has ended, where that can be seen.
func howEnded(ctx context.Context, c *clients, s *seat) string {
	list, err := c.core.Pods(s.namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", s.pod).String()})
	if err != nil {
		return ""
	}
	for i := range list.Items {
		for _, cs := range probers(&list.Items[i], s) {
			if t := cs.State.Terminated; t != nil {
				return fmt.Sprintf(": its container ended with %s (exit code %d)", t.Reason, t.ExitCode)
			}
		}
	}
	return ""
}
