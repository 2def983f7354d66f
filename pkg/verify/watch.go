package verify

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// The pauses before a watch that broke is opened again.
const (
	minWatchPause = time.Second
	maxWatchPause = 30 * time.Second
)

// Watch tells on the channel when something changed that a verdict on Services
// of these namespaces may rest on: Services, EndpointSlices, Pods,
// NetworkPolicies. "" stands for all namespaces. What changed while nobody
// received is told once, as the last change: "Pod/redis-0". The state at the
// time of the call is known when it returns. The channel is never closed; the
// watches end with ctx. A kind that may not be watched is left out; an error
// means that none may be.
func Watch(ctx context.Context, cfg *rest.Config, namespaces []string) (<-chan string, error) {
	c, err := newClients(cfg)
	if err != nil {
		return nil, err
	}
	w := &watcher{changed: make(chan string, 1)}
	var kinds []*watchedKind
	for _, ns := range namespaces {
		kinds = append(kinds, kindsOf(c, ns)...)
	}
	errs := make([]error, len(kinds))
	var wg sync.WaitGroup
	for i, k := range kinds {
		wg.Go(func() { errs[i] = k.read(ctx, nil) })
	}
	wg.Wait()
	good := 0
	for i, k := range kinds {
		if errs[i] == nil {
			good++
			go w.follow(ctx, k)
		} else if !apierrors.IsForbidden(errs[i]) {
			return nil, fmt.Errorf("watching %s: %w", k.resource, errs[i])
		}
	}
	if good == 0 {
		return nil, fmt.Errorf("watching: %w", errors.Join(errs...))
	}
	return w.changed, nil
}

type watcher struct{ changed chan string }

// tell puts a change into the channel; one that nobody has taken yet gives way.
func (w *watcher) tell(what string) {
	for {
		select {
		case w.changed <- what:
			return
		default:
		}
		select {
		case <-w.changed:
		default:
		}
	}
}

// watchedKind is one kind in one namespace, and what was last seen of it.
type watchedKind struct {
	kind, resource string
	list           func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch          func(context.Context, metav1.ListOptions) (watch.Interface, error)

	version string
	seen    map[string][32]byte
}

func kindsOf(c *clients, ns string) []*watchedKind {
	return []*watchedKind{
		{kind: "Service", resource: "services", watch: c.core.Services(ns).Watch, list: asObject(c.core.Services(ns).List)},
		{kind: "EndpointSlice", resource: "endpointslices", watch: c.discovery.EndpointSlices(ns).Watch, list: asObject(c.discovery.EndpointSlices(ns).List)},
		{kind: "Pod", resource: "pods", watch: c.core.Pods(ns).Watch, list: asObject(c.core.Pods(ns).List)},
		{kind: "NetworkPolicy", resource: "networkpolicies", watch: c.networking.NetworkPolicies(ns).Watch, list: asObject(c.networking.NetworkPolicies(ns).List)},
	}
}

func asObject[L runtime.Object](list func(context.Context, metav1.ListOptions) (L, error)) func(context.Context, metav1.ListOptions) (runtime.Object, error) {
	return func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return list(ctx, o) }
}

// read lists the kind anew; changed is told of what differs from before.
func (k *watchedKind) read(ctx context.Context, changed func(string)) error {
	l, err := k.list(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	acc, err := meta.ListAccessor(l)
	if err != nil {
		return err
	}
	before := k.seen
	k.version, k.seen = acc.GetResourceVersion(), map[string][32]byte{}
	told := ""
	err = meta.EachListItem(l, func(o runtime.Object) error {
		key, name, sum, ok := digest(o)
		if !ok {
			return nil
		}
		k.seen[key] = sum
		if old, was := before[key]; !was || old != sum {
			told = name
		}
		delete(before, key)
		return nil
	})
	for key := range before {
		told = key
	}
	if told != "" && changed != nil {
		changed(k.kind + "/" + told)
	}
	return err
}

// follow watches until ctx ends, and starts over when a watch breaks.
func (w *watcher) follow(ctx context.Context, k *watchedKind) {
	pause := minWatchPause
	for ctx.Err() == nil {
		started := time.Now()
		expired := w.once(ctx, k)
		if !expired && time.Since(started) > maxWatchPause {
			pause = minWatchPause
			continue // the server ends every watch after some minutes
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if err := k.read(ctx, w.tell); err != nil {
			pause = min(2*pause, maxWatchPause)
			continue
		}
		pause = minWatchPause
	}
}

// once follows one watch to its end; true when the kind has to be read anew.
func (w *watcher) once(ctx context.Context, k *watchedKind) bool {
	i, err := k.watch(ctx, metav1.ListOptions{ResourceVersion: k.version, AllowWatchBookmarks: true})
	if err != nil {
		return true
	}
	defer i.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case e, open := <-i.ResultChan():
			if !open {
				return false
			}
			if e.Type == watch.Error {
				return true
			}
			w.event(k, e)
		}
	}
}

func (w *watcher) event(k *watchedKind, e watch.Event) {
	acc, err := meta.Accessor(e.Object)
	if err != nil {
		return
	}
	k.version = acc.GetResourceVersion()
	if e.Type == watch.Bookmark {
		return
	}
	key, name, sum, ok := digest(e.Object)
	if !ok {
		return
	}
	if e.Type == watch.Deleted {
		delete(k.seen, key)
		w.tell(k.kind + "/" + name)
		return
	}
	if old, was := k.seen[key]; was && old == sum {
		return
	}
	k.seen[key] = sum
	w.tell(k.kind + "/" + name)
}

// digest sums up an object without what changes and means nothing. The probe
// Pods are no change: they come with each verification.
func digest(o runtime.Object) (key, name string, sum [32]byte, ok bool) {
	acc, err := meta.Accessor(o)
	if err != nil || acc.GetLabels()[LabelProbe] != "" {
		return "", "", sum, false
	}
	o = o.DeepCopyObject()
	if acc, err = meta.Accessor(o); err != nil {
		return "", "", sum, false
	}
	key, name = acc.GetNamespace()+"/"+acc.GetName(), acc.GetName()
	acc.SetResourceVersion("")
	acc.SetManagedFields(nil)
	// The endpoints controller notes each pass here.
	annotations := acc.GetAnnotations()
	delete(annotations, "endpoints.kubernetes.io/last-change-trigger-time")
	acc.SetAnnotations(annotations)
	data, err := json.Marshal(o)
	if err != nil {
		return "", "", sum, false
	}
	return key, name, sha256.Sum256(data), true
}
