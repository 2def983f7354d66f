package apply

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
)

// Wait returns when the workloads of an applied plan have rolled out. It follows
// them by watches and tells what they wait for. It fails early, with a
// *StuckError, on what cannot heal by itself, and with a *WaitError when ctx
// ends. A load balancer without an address holds it up for a part of the time only.
func (c *Client) Wait(ctx context.Context, p *Plan, progress func(Event)) error {
	inner, cancel := context.WithCancel(ctx)
	w := newWatcher(c)
	defer w.wg.Wait() // no watch outlives the wait
	defer cancel()
	subjects, err := c.subjects(inner, w, p)
	if err != nil {
		return err
	}
	if len(subjects) == 0 {
		return nil
	}
	lbUntil := c.clock.Now().Add(balancerShare(ctx, c.clock.Now()))
	var recheck <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return waitError(subjects, ctx)
		case <-w.changed:
		case <-recheck:
		}
		now := c.clock.Now()
		pending := false
		next := time.Duration(0)
		for _, s := range subjects {
			f, err := s.look(now, p.began, lbUntil, c.skew.Get(), func() (*unstructured.Unstructured, error) { return c.get(ctx, s.desired) })
			if err != nil {
				return err
			}
			if f.stuck != nil {
				s.tell(f, progress)
				return c.withLog(ctx, f.stuck, s.object.Namespace, f.container)
			}
			if !f.done {
				pending = true
				if err := w.err(); err != nil {
					f.message = joinReasons(f.message, "the API server does not answer, trying again: "+plain(bare(err).Error()))
				}
			}
			if f.recheck > 0 && (next == 0 || f.recheck < next) {
				next = f.recheck
			}
			s.tell(f, progress)
		}
		if !pending {
			return nil
		}
		recheck = nil
		if next > 0 {
			recheck = c.clock.After(next)
		}
	}
}

// bare takes the long address of a request off an error.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// balancerShare is how long a missing load balancer address may hold a wait up:
// a third of the time there is, and never long, since it may never come.
func balancerShare(ctx context.Context, now time.Time) time.Duration {
	const most = 30 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		return min(most, deadline.Sub(now)/3)
	}
	return most
}

func waitError(subjects []*subject, ctx context.Context) error {
	e := &WaitError{Err: context.Cause(ctx)}
	for _, s := range subjects {
		if !s.last.Done {
			last := s.last
			last.Phase, last.Object = PhaseWait, s.object
			if last.Message == "" {
				last.Message = "nothing was seen of it"
			}
			e.Waiting = append(e.Waiting, last)
		}
	}
	return e
}

// subject is one object that is waited for.
type subject struct {
	object     Ref
	desired    *unstructured.Unstructured
	seen       bool // it was in the list once
	readySeen  sightings
	generation int64 // the one that was applied; anything older is stale
	self       *source
	sets, pods *source // nil where the kind has none
	events     *source
	balancer   bool
	last       Event
	told       bool
}

// tell emits what is new.
func (s *subject) tell(f finding, progress func(Event)) {
	e := Event{Phase: PhaseWait, Object: s.object, Message: f.message, Done: f.done, Since: f.since}
	if e.Message == "" || (s.told && e.Message == s.last.Message && e.Done == s.last.Done && e.Since.Equal(s.last.Since)) {
		return
	}
	s.last, s.told = e, true
	if progress != nil {
		progress(e)
	}
}

// look judges what is seen of a subject now; the cluster's clock is ahead of ours
// by skew. began is when applying began. live asks the API server for the subject.
func (s *subject) look(now, began, lbUntil time.Time, skew time.Duration, live func() (*unstructured.Unstructured, error)) (finding, error) {
	if err := s.self.refusal(); err != nil {
		return finding{}, fmt.Errorf("waiting for %s: %w", s.object, err)
	}
	if !s.self.informer.HasSynced() {
		return finding{}, nil
	}
	list := objects[*unstructured.Unstructured](s.self)
	if len(list) == 0 {
		// The list comes from a cache of the API server's, which may be older than
		// the object: only one that was there before, or is not there, is deleted.
		if !s.seen {
			if u, err := live(); err != nil || u != nil {
				return finding{recheck: time.Second}, nil //nolint:nilerr // who does not answer is asked again
			}
		}
		return finding{}, fmt.Errorf("waiting for %s: it was deleted meanwhile; apply it again", s.object)
	}
	s.seen = true
	u := list[0]
	if u.GetGeneration() < s.generation {
		return finding{}, nil // from before it was applied
	}
	if s.balancer {
		return lookBalancer(u, objects[*corev1.Event](s.events), now, lbUntil)
	}
	for _, src := range []*source{s.sets, s.pods, s.events} {
		if src != nil && !src.known() {
			return finding{}, nil // half of the evidence misleads
		}
	}
	pods := objects[*corev1.Pod](s.pods)
	there := now.Add(skew)
	s.readySeen.look(pods, there)
	f := diagnose(evidence{
		workload:    u,
		replicaSets: objects[*appsv1.ReplicaSet](s.sets),
		pods:        pods,
		events:      objects[*corev1.Event](s.events),
		readySeen:   s.readySeen,
		began:       inCluster(began, skew),
	}, there)
	if f.done || f.stuck != nil {
		return f, nil //nolint:nilerr // to be stuck is what was found, no failure to find it
	}
	// Not to be allowed to see Pods costs no more than a poorer message.
	if s.pods.refusal() != nil {
		f.message = joinReasons(f.message, "no permission to see why")
	}
	return f, nil
}

// inCluster is a time of our own clock by the cluster's.
func inCluster(t time.Time, skew time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(skew)
}

// subjects starts to watch everything of a plan that has to become ready.
func (c *Client) subjects(ctx context.Context, w *watcher, p *Plan) ([]*subject, error) {
	var out []*subject
	events := map[string]*source{}
	for i := range p.Changes {
		ch := &p.Changes[i]
		if !ch.Awaited() {
			continue
		}
		workload := isWorkload(ch.desired)
		s := &subject{object: ch.Object, desired: ch.desired, readySeen: sightings{}, balancer: !workload, generation: ch.generation}
		ns := ch.Object.Namespace
		var err error
		s.self, err = w.watch(ctx, query{gvk: ch.desired.GroupVersionKind(), namespace: ns,
			fields: fields.OneTermEqualSelector("metadata.name", ch.Object.Name).String()}, same)
		if err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", ch.Object, err)
		}
		if events[ns] == nil {
			if events[ns], err = w.watch(ctx, query{gvk: eventKind, namespace: ns}, as[corev1.Event]); err != nil {
				return nil, err
			}
		}
		s.events = events[ns]
		if workload {
			if err := c.watchPods(ctx, w, s, ch.desired); err != nil {
				return nil, fmt.Errorf("waiting for %s: %w", ch.Object, err)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// watchPods follows the Pods that a workload selects.
func (c *Client) watchPods(ctx context.Context, w *watcher, s *subject, u *unstructured.Unstructured) error {
	raw, _ := nested(u, "spec", "selector")
	m, ok := raw.(map[string]any)
	if !ok {
		return fmt.Errorf("it has no spec.selector")
	}
	converted, err := as[metav1.LabelSelector](&unstructured.Unstructured{Object: m})
	if err != nil {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(converted.(*metav1.LabelSelector)) //nolint:forcetypeassert // as returns what it is asked for
	if err != nil {
		return err
	}
	q := query{gvk: podKind, namespace: s.object.Namespace, labels: selector.String()}
	if s.pods, err = w.watch(ctx, q, as[corev1.Pod]); err != nil {
		return err
	}
	if s.object.Kind == "Deployment" {
		q.gvk = replicaSetKind
		s.sets, err = w.watch(ctx, q, as[appsv1.ReplicaSet])
	}
	return err
}

func isWorkload(u *unstructured.Unstructured) bool {
	if u.GroupVersionKind().Group != "apps" {
		return false
	}
	switch u.GetKind() {
	case "Deployment", "StatefulSet", "DaemonSet":
		return true
	}
	return false
}

func specType(u *unstructured.Unstructured) string {
	t, _ := nested(u, "spec", "type")
	s, _ := t.(string)
	return s
}
