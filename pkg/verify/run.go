package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// ProbeImage is the image of the probe Pods; its entrypoint is svcx-probe. With
	// Probers it is any image with a shell; empty: the target's own.
	ProbeImage string
	// Probers, when set, are streamed into the probe Pods through the API server,
	// for clusters that reach no registry.
	Probers []Prober
	// Settle is for how long answers that may be from before a change are asked
	// again; set it after changing a Service. 0: what is seen first counts.
	Settle time.Duration
	// Timeout bounds the whole run; 0 means DefaultTimeout beside Settle.
	Timeout time.Duration
	// Checks are asked in place of those told from the ports.
	Checks Checks
	// Send and Expect, when set, are what udp and tcp checks send and want back.
	Send, Expect string
	// Expected are the objects of the tree that the cluster should hold.
	Expected []*unstructured.Unstructured
	// Progress, when set, is told what is being done; from one goroutine at a time.
	Progress func(Event)
	// EndpointsOnly asks nothing of the network: the verdict says only what each
	// Service selects and whether its endpoints are ready.
	EndpointsOnly bool
	// Record, when set, is given what was seen, for judging it again later.
	Record func(*Recording)
	// Dial opens the connections from here; nil means this machine's network.
	Dial probe.Dialer
	// From says as whom, or from where, to ask inside the cluster; it implies
	// InCluster. nil: from a Pod like no other.
	From *From
	// Auth are the credentials of checks that log in.
	Auth *Auth
	// TLS asks the checks that know both inside TLS.
	TLS bool
}

// Event is one step of a run.
type Event struct {
	Message string
	Done    bool
}

// DefaultTimeout bounds a run where Options does not say.
const DefaultTimeout = 30 * time.Second

// maxProbePods bounds how many probe Pods run at once.
const maxProbePods = 8

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
	expected := expectedOf(o.Expected)
	s, err := observeFollowed(ctx, func() (*Snapshot, error) {
		asked := time.Now()
		defer func() { r.slow = time.Since(asked) }()
		return observe(ctx, c, t, expected)
	})
	if err != nil {
		return nil, err
	}
	if o.EndpointsOnly {
		v := endpointsOnly(s)
		v.Seconds = time.Since(start).Seconds()
		r.say("read", true)
		return v, nil
	}
	if err := o.Checks.unfit(newView(s)); err != nil {
		return nil, err
	}
	plan := PlanOptions{Checks: o.Checks, Send: o.Send, Expect: o.Expect, Settle: o.Settle, TLS: o.TLS, Auth: o.Auth}
	if o.From != nil {
		r.o.InCluster = true
		if o.From.Nodes {
			if g := newView(s).gap("nodes", ""); g != nil {
				return nil, fmt.Errorf("asking from every node: the nodes could not be read: %s; ask for the verb list on nodes, or leave --from out", g.Reason)
			}
			plan.EveryNode = true
		} else {
			if r.client, err = findClient(ctx, c, *o.From, t.Namespace, o.Checks.commands()); err != nil {
				return nil, err
			}
			r.client.ShortNames = s.shortNames(r.client.Namespace, &r.client.spec)
			r.client.OtherPorts = s.otherPorts(r.client.Namespace, &r.client.spec)
			s.Client, plan.Client = &r.client.Client, r.client.Namespace
			readClientPolicies(ctx, c, s, t)
		}
	}
	probes := PlanProbes(s, plan)
	if err := plan.unused(probes); err != nil {
		return nil, err
	}
	r.say(fmt.Sprintf("probing %s", plural(len(s.Targets), "Service")), false)

	r.own = credentialsHere(ctx, c, o.Auth, probes)
	tun := newTunnels(cfg, c.core.RESTClient())
	r.all(ctx, s, probes, tun)
	r.departed(ctx, s)
	// The end of the run's own time gives a verdict of what was seen; a cancel
	// does not, whatever cause was given for it.
	if errors.Is(ctx.Err(), context.Canceled) {
		if len(r.left) > 0 {
			return nil, fmt.Errorf("verifying: %w", errors.Join(ctx.Err(), &LeftError{Pods: r.left}))
		}
		return nil, fmt.Errorf("verifying: %w", ctx.Err())
	}
	v := Judge(s, r.asked, r.outcomes)
	if o.Record != nil {
		o.Record(&Recording{Snapshot: *s, Probes: r.asked, Outcomes: r.outcomes})
	}
	v.Seconds = time.Since(start).Seconds()
	r.say("verified", true)
	return v, nil
}

// runner carries a run's probes to where they have to be asked.
type runner struct {
	c      *clients
	o      Options
	client *client      // whom the probe Pods stand for; nil: nobody
	own    *credentials // what may be used outside the cluster

	slow time.Duration // how long the API server took for what was read

	mu       sync.Mutex
	asked    []probe.Probe
	outcomes []probe.Outcome
	left     []ObjectRef // probe Pods that could not be removed
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

// emitOwn is emit for what is asked from this process.
func (r *runner) emitOwn(o probe.Outcome) { r.emit(r.own.explain(o)) }

// all asks the probes of all locations at the same time.
func (r *runner) all(ctx context.Context, s *Snapshot, probes []probe.Probe, tun *tunnels) {
	r.asked = probes
	var wg sync.WaitGroup
	wg.Go(func() {
		probe.Run(ctx, from(probes, probe.FromHere), r.own.options(probe.Options{Dial: r.o.Dial}), r.emitOwn)
	})
	wg.Go(func() {
		// What goes through the API server goes gently.
		o := r.own.options(probe.Options{Dial: tun.Dial, Concurrency: 16})
		probe.Run(ctx, patient(from(probes, probe.FromTunnel), r.slow), o, r.emitOwn)
		r.mu.Lock()
		seen := slices.Clone(r.outcomes)
		r.mu.Unlock()
		more := PlanExploration(s, probes, seen)
		probe.Run(ctx, patient(slices.Clone(more), r.slow), o, r.emitOwn)
		r.mu.Lock()
		r.asked = append(slices.Clone(probes), more...)
		r.mu.Unlock()
	})
	wg.Go(func() {
		o := probe.Options{Exec: r.c.execute, Concurrency: maxExecs}
		probe.Run(ctx, commands(probes), o, func(o probe.Outcome) { r.emit(execNeeds(o)) })
	})
	if r.o.InCluster {
		wg.Go(func() { r.inCluster(ctx, s, from(probes, probe.FromCluster)) })
	}
	wg.Wait()
}

// maxPatience bounds what a slow API server adds to the time of a tunnel.
const maxPatience = 10 * time.Second

// patient gives probes more time: a tunnel is opened by the API server, whose
// slowness is none of the Pod's.
func patient(probes []probe.Probe, slow time.Duration) []probe.Probe {
	for i := range probes {
		if probes[i].Timeout <= 0 {
			probes[i].Timeout = probe.DefaultTimeout
		}
		probes[i].Timeout += min(slow, maxPatience)
	}
	return probes
}

// place is where one probe Pod runs.
type place struct{ namespace, node string }

// inCluster asks from a probe Pod in each namespace concerned, or in the
// client's, and on each node that a question is to come from.
func (r *runner) inCluster(ctx context.Context, s *Snapshot, probes []probe.Probe) {
	lists := r.byPlace(s, probes)
	where := slices.SortedFunc(maps.Keys(lists), func(a, b place) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.node, b.node))
	})
	run := runID()
	places := make(chan struct{}, maxProbePods)
	swept := map[string]bool{}
	var wg sync.WaitGroup
	if r.client != nil && r.client.Ephemeral {
		// Exactly one place: the client's Pod.
		for _, at := range where {
			r.fromClient(ctx, fmt.Sprintf("%s%s", probePodName, run), lists[at])
		}
		return
	}
	for i, at := range where {
		if !swept[at.namespace] {
			swept[at.namespace] = true
			wg.Go(func() { r.sweep(ctx, at.namespace) })
		}
		if reason, needs := cannotRun(s, at.node); reason != "" {
			r.unanswered(lists[at], nil, &podFailure{reason: reason, needs: needs})
			continue
		}
		pods, err := r.pods(s, at, lists[at])
		if err != nil {
			r.unanswered(lists[at], nil, asPodFailure(err))
			continue
		}
		for k := range pods {
			pods[k].name = fmt.Sprintf("%s%s-%d", probePodName, run, i)
			if k > 0 {
				pods[k].name += fmt.Sprintf("-%d", k)
			}
			pods[k].run = run
		}
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			r.fromPod(ctx, pods)
		})
	}
	wg.Wait()
}

// byPlace sorts probes by where their Pod has to run. What is about no Service
// is asked beside the first ones of its node.
func (r *runner) byPlace(s *Snapshot, probes []probe.Probe) map[place][]probe.Probe {
	v := newView(s)
	lists := map[place][]probe.Probe{}
	shared := map[string][]probe.Probe{} // by node
	first := map[string]string{}         // node to its first namespace
	for _, p := range probes {
		svc := v.service(p.Service)
		if svc == nil {
			shared[p.FromNode] = append(shared[p.FromNode], p)
			continue
		}
		at := place{svc.Namespace, p.FromNode}
		if r.client != nil {
			at.namespace = r.client.Namespace
		}
		lists[at] = append(lists[at], p)
		if ns, ok := first[p.FromNode]; !ok || at.namespace < ns {
			first[p.FromNode] = at.namespace
		}
	}
	for node, list := range shared {
		if ns, ok := first[node]; ok {
			lists[place{ns, node}] = append(lists[place{ns, node}], list...)
		}
	}
	return lists
}

// sweep removes Pods that a killed run has left behind.
func (r *runner) sweep(ctx context.Context, namespace string) {
	if _, err := cleanup(ctx, r.c, namespace); err != nil && ctx.Err() == nil {
		r.say("leftover probe Pods were not looked for: "+probe.Printable(err.Error(), maxReason), false)
	}
}

// pods are the probe Pods of which one is to ask a list of probes at a place:
// where the first cannot take in svcx-probe, the next is tried.
func (r *runner) pods(s *Snapshot, at place, probes []probe.Probe) (list []podRun, err error) {
	list = []podRun{{namespace: at.namespace, node: at.node, image: r.o.ProbeImage}}
	if len(r.o.Probers) > 0 {
		if list, err = streams(s, at, r.client, probes, r.o.Probers, r.o.ProbeImage); err != nil {
			return nil, err
		}
	}
	for i := range list {
		p := &list[i]
		p.timeout, p.auth, p.client, p.probes = r.o.Timeout, r.o.Auth, r.client, probes
	}
	return list, nil
}

// fromPod asks a list from the first of some probe Pods that can; what none
// could answer gets an outcome that says so.
func (r *runner) fromPod(ctx context.Context, pods []podRun) {
	answered := map[string]bool{}
	var err error
	for _, pod := range pods {
		err = runInCluster(ctx, r.c, pod,
			func(msg string) { r.say(msg, false) },
			func(o probe.Outcome) {
				answered[o.Probe] = true
				r.emit(o)
			})
		if err != nil && asPodFailure(err).left != nil {
			r.mu.Lock()
			r.left = append(r.left, *asPodFailure(err).left)
			r.mu.Unlock()
		}
		if err == nil || !asPodFailure(err).noShell {
			break
		}
	}
	if err != nil {
		r.unanswered(pods[0].probes, answered, asPodFailure(err))
	}
}

func (r *runner) unanswered(probes []probe.Probe, answered map[string]bool, f *podFailure) {
	for _, p := range probes {
		if !answered[p.ID] {
			r.emit(probe.Outcome{Probe: p.ID, Class: probe.ClassLocal, Detail: f.reason, Facts: map[string]string{factNeeds: f.needs}})
		}
	}
}

// factNeeds is the fact of a ClassLocal outcome that says what would help.
const factNeeds = "needs"

// commands returns the probes that are commands to run, wherever.
func commands(probes []probe.Probe) []probe.Probe {
	return slices.DeleteFunc(slices.Clone(probes), func(p probe.Probe) bool { return p.Check != probe.CheckExec })
}

// from returns the probes of one location, without commands.
func from(probes []probe.Probe, l probe.Location) []probe.Probe {
	var out []probe.Probe
	for _, p := range probes {
		if p.From == l && p.Check != probe.CheckExec {
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
