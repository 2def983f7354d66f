package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Options says how to verify.
type Options struct {
	// InCluster allows one probe Pod in each namespace concerned. Without it
	// nothing is created in the cluster.
	InCluster bool
	// ProbeImage is the image of the probe Pods; its entrypoint is svcx-probe.
	ProbeImage string
	// Settle is for how long answers that may be from before a change are asked
	// again; set it after changing a Service. 0: what is seen first counts.
	Settle time.Duration
	// Timeout bounds the whole run; 0 means DefaultTimeout beside Settle.
	Timeout time.Duration
	// Check is asked on every TCP port in place of the one chosen for it.
	Check probe.Check
	// Expected are the objects of the tree that the cluster should hold.
	Expected []*unstructured.Unstructured
	// Progress, when set, is told what is being done; from one goroutine at a time.
	Progress func(Event)
	// Dial opens the connections from here; nil means this machine's network.
	Dial probe.Dialer
}

// Event is one step of a run.
type Event struct {
	Message string
	Done    bool
}

// DefaultTimeout bounds a run where Options does not say.
const DefaultTimeout = 30 * time.Second

// maxProbePods bounds how many namespaces are probed from at once.
const maxProbePods = 4

// Run verifies: it observes the cluster, asks what can be asked on every path,
// and judges. An error means that there is no verdict; a Service that does not
// work is no error.
func Run(ctx context.Context, cfg *rest.Config, t Target, o Options) (*Verdict, error) {
	start := time.Now()
	c, err := newClients(cfg)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout + o.Settle
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()

	r := &runner{c: c, o: o}
	r.say("reading the cluster", false)
	s, err := observe(ctx, c, t, start)
	if err != nil {
		return nil, err
	}
	s.Expected = expectedOf(o.Expected)
	probes := PlanProbes(s, PlanOptions{Check: o.Check, Settle: o.Settle})
	r.say(fmt.Sprintf("probing %s", plural(len(s.Targets), "Service")), false)

	tun := newTunnels(cfg, c.core.RESTClient())
	r.all(ctx, s, probes, tun)
	// The end of the run's own time gives a verdict of what was seen; a cancel
	// does not, whatever cause was given for it.
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, fmt.Errorf("verifying: %w", ctx.Err())
	}
	v := Judge(s, r.asked, r.outcomes)
	v.Seconds = time.Since(start).Seconds()
	r.say("verified", true)
	return v, nil
}

// runner carries a run's probes to where they have to be asked.
type runner struct {
	c *clients
	o Options

	mu       sync.Mutex
	asked    []probe.Probe
	outcomes []probe.Outcome
}

func (r *runner) say(msg string, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.o.Progress != nil {
		r.o.Progress(Event{Message: msg, Done: done})
	}
}

func (r *runner) emit(o probe.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes = append(r.outcomes, o)
}

// all asks the probes of all locations at the same time.
func (r *runner) all(ctx context.Context, s *Snapshot, probes []probe.Probe, tun *tunnels) {
	r.asked = probes
	var wg sync.WaitGroup
	wg.Go(func() {
		probe.Run(ctx, from(probes, probe.FromHere), probe.Options{Dial: r.o.Dial}, r.emit)
	})
	wg.Go(func() {
		// What goes through the API server goes gently.
		o := probe.Options{Dial: tun.Dial, Concurrency: 16}
		probe.Run(ctx, from(probes, probe.FromTunnel), o, r.emit)
		r.mu.Lock()
		seen := slices.Clone(r.outcomes)
		r.mu.Unlock()
		more := PlanExploration(s, probes, seen)
		probe.Run(ctx, more, o, r.emit)
		r.mu.Lock()
		r.asked = append(slices.Clone(probes), more...)
		r.mu.Unlock()
	})
	if r.o.InCluster {
		wg.Go(func() { r.inCluster(ctx, s, from(probes, probe.FromCluster)) })
	}
	wg.Wait()
}

// inCluster asks from a probe Pod in each namespace concerned.
func (r *runner) inCluster(ctx context.Context, s *Snapshot, probes []probe.Probe) {
	v := newView(s)
	byNS := map[string][]probe.Probe{}
	var shared []probe.Probe
	for _, p := range probes {
		if svc := v.service(p.Service); svc != nil {
			byNS[svc.Namespace] = append(byNS[svc.Namespace], p)
		} else {
			shared = append(shared, p)
		}
	}
	namespaces := make([]string, 0, len(byNS))
	for ns := range byNS {
		namespaces = append(namespaces, ns)
	}
	slices.Sort(namespaces)
	run := runID()
	places := make(chan struct{}, maxProbePods)
	var wg sync.WaitGroup
	for i, ns := range namespaces {
		list := byNS[ns]
		if i == 0 {
			list = append(list, shared...)
		}
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			r.fromPod(ctx, ns, run, list)
		})
	}
	wg.Wait()
}

// fromPod asks a list from a probe Pod; what the Pod could not answer gets an
// outcome that says so.
func (r *runner) fromPod(ctx context.Context, ns, run string, probes []probe.Probe) {
	// Pods that a killed run has left behind are removed on the way.
	var sweep sync.WaitGroup
	sweep.Go(func() {
		if _, err := cleanup(ctx, r.c, ns, time.Now()); err != nil && ctx.Err() == nil {
			r.say("leftover probe Pods were not looked for: "+probe.Printable(err.Error(), maxReason), false)
		}
	})
	answered := map[string]bool{}
	err := runInCluster(ctx, r.c, ns, run, r.o.ProbeImage, r.o.Timeout, probes,
		func(msg string) { r.say(msg, false) },
		func(o probe.Outcome) {
			answered[o.Probe] = true
			r.emit(o)
		})
	sweep.Wait()
	if err == nil {
		return
	}
	f := asPodFailure(err)
	for _, p := range probes {
		if !answered[p.ID] {
			r.emit(probe.Outcome{Probe: p.ID, Class: probe.ClassLocal, Detail: f.reason, Facts: map[string]string{factNeeds: f.needs}})
		}
	}
}

// factNeeds is the fact of a ClassLocal outcome that says what would help.
const factNeeds = "needs"

// from returns the probes of one location.
func from(probes []probe.Probe, l probe.Location) []probe.Probe {
	var out []probe.Probe
	for _, p := range probes {
		if p.From == l {
			out = append(out, p)
		}
	}
	return out
}

// plural counts things: "1 Service", "2 Services".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
