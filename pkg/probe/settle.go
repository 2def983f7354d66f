package probe

import (
	"context"
	"net"
	"slices"
	"time"
)

// settlePause is how long to wait before asking again.
const settlePause = 250 * time.Millisecond

// settled asks a probe, again and again where it may settle, and returns the
// last outcome.
func settled(ctx context.Context, p Probe, o *Options, g *gate) Outcome {
	start := time.Now()
	nameUntil := start.Add(p.Settle)
	waited := p.Settle > 0 && awaitName(ctx, p, o, nameUntil)
	named := time.Now()
	out := ask(ctx, p, o, g)
	// One of several DNS servers may answer as it should while another still
	// has the old answer in its cache: what the question itself saw counts.
	for p.Settle > 0 && len(out.Resolved) > 0 && !meets(ctx, o, out.Resolved, p.Resolves) && time.Now().Before(nameUntil) && pause(ctx) {
		waited = true
		awaitName(ctx, p, o, nameUntil)
		named = time.Now()
		out = ask(ctx, p, o, g)
	}
	// What is left for a connection counts from when its name was right.
	until := named.Add(min(p.Settle, MaxSettleConnect))
	for p.Settle > 0 && unsettled(out.Class) && time.Now().Before(until) && pause(ctx) {
		waited = true
		out = ask(ctx, p, o, g)
	}
	// What hangs once may be a machine under load or a lost packet: it is asked
	// again, with more patience, before it counts.
	if p.Confirm && hangs(out.Class) && out.Class != ClassCanceled && out.Class != ClassLocal && pause(ctx) {
		again := p
		again.Timeout = 2 * p.Timeout
		if p.Timeout <= 0 {
			again.Timeout = 2 * DefaultTimeout
		}
		if second := ask(ctx, again, o, g); second.Class != ClassCanceled {
			waited, out = true, second
		}
	}
	if waited {
		if out.Facts == nil {
			out.Facts = map[string]string{}
		}
		out.Facts["settled"] = time.Since(start).Round(time.Millisecond).String()
	}
	return out
}

// unsettled reports whether an answer of this class may come from before a change.
func unsettled(c Class) bool {
	switch c {
	case ClassRefused, ClassTimeout, ClassClosed, ClassNoAnswer, ClassUnreachable, ClassNameUnknown, ClassNameFailed:
		return true
	}
	return false
}

// pause waits a moment; it returns false when ctx ends first.
func pause(ctx context.Context) bool {
	t := time.NewTimer(settlePause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// awaitName waits until the host of the address resolves as it should, or the
// time is over. It reports whether it had to wait.
func awaitName(ctx context.Context, p Probe, o *Options, until time.Time) bool {
	host := p.Address
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if len(p.Resolves) == 0 || net.ParseIP(host) != nil {
		return false
	}
	waited := false
	for !resolvesAs(ctx, o, host, p.Resolves) && time.Now().Before(until) && pause(ctx) {
		waited = true
	}
	return waited
}

// resolvesAs reports whether a host resolves, and to what is wanted.
func resolvesAs(ctx context.Context, o *Options, host string, want []string) bool {
	have, err := lookup(ctx, o, host)
	return err == nil && meets(ctx, o, have, want)
}

// meets reports whether all the addresses wanted are among those there are. A
// name among those wanted is met by any address that it shares with them.
func meets(ctx context.Context, o *Options, have, want []string) bool {
	for _, w := range want {
		if net.ParseIP(w) != nil {
			if !slices.ContainsFunc(have, func(a string) bool { return net.ParseIP(a).Equal(net.ParseIP(w)) }) {
				return false
			}
			continue
		}
		like, err := lookup(ctx, o, w)
		if err == nil && !slices.ContainsFunc(like, func(a string) bool { return slices.Contains(have, a) }) {
			return false
		}
	}
	return true
}

// lookup resolves a host within the time of one attempt.
func lookup(ctx context.Context, o *Options, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	if o.Resolve != nil {
		return o.Resolve(ctx, host)
	}
	return net.DefaultResolver.LookupHost(ctx, host)
}
