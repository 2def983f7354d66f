package probe

import (
	"context"
	"errors"
	"net"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Dialer opens the connections of probes.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Options says how Run asks. The zero value asks from this process's own network.
type Options struct {
	// Dial opens connections; nil means the network of this process.
	Dial Dialer
	// Resolve looks a host name up; nil means the resolver of this process.
	Resolve func(ctx context.Context, host string) ([]string, error)
	// Concurrency is the most attempts that are open at once; 0 means 256. Run
	// starts with fewer, grows while this side keeps up and halves when it
	// runs out of descriptors, ports or memory.
	Concurrency int
	// Getenv reads the variables that Probe.UsernameEnv and PasswordEnv name;
	// nil means that there are none.
	Getenv func(string) string
	// Withheld, when set, says why this place is not given the passwords of
	// probes. A server that asks for one then ends in ClassLocal with this text.
	Withheld string
	// Exec runs the commands of exec probes; nil means that this place cannot.
	Exec Executor
}

const (
	defaultConcurrency = 256
	startConcurrency   = 32
	// scouts go first where a probe has many attempts: when all of them wait in
	// vain, so would the rest, each for a whole timeout.
	scouts = 2
	// wave is how many attempts of one probe are under way at once.
	wave        = 16
	maxAttempts = 1024
	maxResolved = 64
	localTries  = 4
)

// Run asks all probes and calls emit once for each, never from two goroutines
// at once, in the order in which they end. It returns when all have been
// emitted; those cut off by the end of ctx have ClassCanceled.
func Run(ctx context.Context, probes []Probe, o Options, emit func(Outcome)) {
	if o.Dial == nil {
		d := &net.Dialer{KeepAlive: -1}
		o.Dial = d.DialContext
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Concurrency <= 0 {
		o.Concurrency = defaultConcurrency
	}
	g := newGate(min(startConcurrency, o.Concurrency), o.Concurrency)

	outcomes := make(chan Outcome)
	var wg sync.WaitGroup
	// One goroutine a probe would be wasteful for thousands; a worker each for
	// as many as may be open at once is enough.
	next := make(chan Probe)
	for range min(o.Concurrency, len(probes)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for p := range next {
				outcomes <- settled(ctx, p, &o, g)
			}
		}()
	}
	go func() {
		for _, p := range probes {
			next <- p
		}
		close(next)
		wg.Wait()
		close(outcomes)
	}()
	for out := range outcomes {
		emit(out)
	}
}

// result is what one attempt came to.
type result struct {
	class   Class
	latency time.Duration
	a       *attempt
	detail  string
}

// ask makes all attempts of one probe and sums them up.
func ask(ctx context.Context, p Probe, o *Options, g *gate) Outcome {
	n := min(max(p.Attempts, 1), maxAttempts)
	if n == 1 {
		return sum(p, []result{once(ctx, p, o, g)})
	}
	got := make(chan result, n)
	results := make([]result, 0, n)
	// The first answer lets the others go, also while another scout waits in vain.
	answered := false
	for started := 0; ; {
		for started < n && started-len(results) < wave && (answered || started < scouts) {
			started++
			go func() { got <- once(ctx, p, o, g) }()
		}
		if len(results) == started {
			return sum(p, results)
		}
		r := <-got
		answered = answered || !hangs(r.class)
		results = append(results, r)
	}
}

// hangs reports whether an attempt of this class cost a whole timeout, or the run is over.
func hangs(c Class) bool {
	return c == ClassTimeout || c == ClassNoAnswer || c == ClassCanceled || c == ClassLocal || c == ClassNameFailed
}

// sum makes one Outcome of the results of all attempts.
func sum(p Probe, results []result) Outcome {
	out := Outcome{Probe: p.ID, Attempts: len(results), Class: ClassOK}
	var latencies []time.Duration
	for _, r := range results {
		if r.class == ClassOK {
			out.Answers++
			latencies = append(latencies, r.latency)
		} else if out.Class == ClassOK {
			out.Class = r.class
			out.Detail = Printable(r.detail, MaxDetail)
		}
		if r.a == nil {
			continue
		}
		if r.a.backend != "" {
			if out.Backends == nil {
				out.Backends = map[string]int{}
			}
			out.Backends[Printable(r.a.backend, 128)]++
		}
		for _, ip := range r.a.resolved {
			if len(out.Resolved) < maxResolved && !slices.Contains(out.Resolved, ip) {
				out.Resolved = append(out.Resolved, Printable(ip, 64))
			}
		}
		for k, v := range r.a.facts {
			if out.Facts == nil {
				out.Facts = map[string]string{}
			}
			if _, have := out.Facts[k]; !have {
				out.Facts[k] = v
			}
		}
	}
	if out.Class == ClassOK && len(results) > 0 {
		out.Detail = Printable(results[0].detail, MaxDetail)
	}
	sort.Strings(out.Resolved)
	if len(latencies) > 0 {
		slices.Sort(latencies)
		out.Latency = latencies[len(latencies)/2]
	}
	return out
}

// once makes one attempt. A failure of this side (no descriptor, no port left)
// makes Run slower and is tried again; it says nothing about the peer.
func once(ctx context.Context, p Probe, o *Options, g *gate) result {
	for try := 1; ; try++ {
		if !g.enter(ctx) {
			return result{class: ClassCanceled, detail: "canceled"}
		}
		r, err := attemptOnce(ctx, p, o)
		exhausted := outOfResources(err)
		g.leave(exhausted)
		if !exhausted || try >= localTries {
			return r
		}
	}
}

// unreadable is said of an answer in which a parser panics.
const unreadable = "an answer that could not be read"

func attemptOnce(ctx context.Context, p Probe, o *Options) (r result, err error) {
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	check := checkFor(p)
	if check == nil {
		return result{class: ClassLocal, detail: "unknown check " + string(p.Check)}, nil
	}
	actx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a := &attempt{probe: p, opts: o}
	defer a.close()
	// A peer's bytes reach parsers here; a panic in one of them must not end the run.
	defer func() {
		if v := recover(); v != nil {
			r = result{class: ClassProtocol, detail: unreadable, a: a}
		}
	}()
	start := time.Now()
	err = check(actx, a)
	latency := time.Since(start)
	if err == nil {
		return result{class: ClassOK, latency: latency, a: a, detail: a.clean(a.detail)}, nil
	}
	if over(ctx) {
		// The end of the run cut this attempt off, and shows as a timeout of its own.
		return result{class: ClassCanceled, detail: "canceled", a: a}, err
	}
	class, detail := classify(actx, err, a.connected)
	if a.certAsked && (class == ClassTLS && strings.Contains(detail, remoteAlert) ||
		(class == ClassClosed || class == ClassProtocol) && a.refusesUncertified(actx)) {
		a.fact(FactClientCert, "required")
		class, detail = ClassTLS, "the server wants a client certificate"
	}
	return result{class: class, detail: a.clean(detail), a: a}, err
}

// over reports whether ctx has ended. A connection's deadline, which is the same
// moment, may show before ctx itself does.
func over(ctx context.Context) bool {
	end, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(end)
}

// outOfResources reports whether this process or host could not open another connection.
func outOfResources(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) ||
		errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.ENOMEM)
}

// gate lets a changing number of attempts through at once.
type gate struct {
	mu      sync.Mutex
	waiting []chan struct{}
	open    int // attempts inside
	limit   int
	max     int
	good    int // attempts since the limit last changed
}

func newGate(limit, max int) *gate { return &gate{limit: limit, max: max} }

// enter waits for a place; it returns false when ctx ends first.
func (g *gate) enter(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	g.mu.Lock()
	if g.open < g.limit {
		g.open++
		g.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, turn); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	} else {
		// The place was given at the same moment; pass it on.
		g.open--
		g.wake()
	}
	return false
}

// leave gives a place back and adapts the limit: as many again after a round
// without trouble, half when this side ran out of something.
func (g *gate) leave(exhausted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	switch {
	case exhausted:
		g.limit, g.good = max(1, g.limit/2), 0
	default:
		g.good++
		if g.good >= g.limit && g.limit < g.max {
			g.limit, g.good = min(g.max, 2*g.limit), 0
		}
	}
	g.wake()
}

func (g *gate) wake() {
	for g.open < g.limit && len(g.waiting) > 0 {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
		g.open++
	}
}
