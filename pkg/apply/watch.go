package apply

import (
	"context"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// watcher keeps what a wait looks at up to date, and tells when any of it
// changed. Its reflectors list once and then watch; they go on after a dropped
// connection, and list again after a watch that is too old (410 Gone).
type watcher struct {
	client  *Client
	changed chan struct{} // has room for one: several changes are one
	wg      sync.WaitGroup

	mu      sync.Mutex
	trouble map[*source]error // why the API server did not answer last time
}

func newWatcher(c *Client) *watcher {
	return &watcher{client: c, changed: make(chan struct{}, 1), trouble: map[*source]error{}}
}

func (w *watcher) signal() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// err returns an error that a source has now, if any has one.
func (w *watcher) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, err := range w.trouble {
		return err
	}
	return nil
}

// source is a list of objects that is kept up to date.
type source struct {
	informer cache.SharedIndexInformer
	stop     context.CancelFunc

	mu     sync.Mutex
	denied error // not allowed to list or watch; the list stays empty
}

// known tells whether the list is complete, or will never be.
func (s *source) known() bool {
	return s.informer.HasSynced() || s.refusal() != nil
}

func (s *source) refusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.denied
}

// query selects objects.
type query struct {
	gvk       schema.GroupVersionKind
	namespace string
	labels    string
	fields    string
}

// watch starts to follow a query until ctx ends; convert shapes each object
// before it is kept.
func (w *watcher) watch(ctx context.Context, q query, convert func(*unstructured.Unstructured) (any, error)) (*source, error) {
	m, err := w.client.mapping(ctx, q.gvk)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &source{stop: cancel}
	ri := w.client.dynamic.Resource(m.Resource).Namespace(q.namespace)
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector, o.FieldSelector = q.labels, q.fields
			list, err := ri.List(ctx, o)
			w.asked(s, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector, o.FieldSelector = q.labels, q.fields
			i, err := ri.Watch(ctx, o)
			w.asked(s, err)
			return i, err
		},
	}
	s.informer = cache.NewSharedIndexInformer(lw, &unstructured.Unstructured{}, 0, cache.Indexers{})
	if err := s.informer.SetTransform(func(obj any) (any, error) {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return obj, nil
		}
		u.SetManagedFields(nil) // often half of an object, and of no use here
		return convert(u)
	}); err != nil {
		cancel()
		return nil, err
	}
	// The default handler logs, too.
	if err := s.informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}); err != nil {
		cancel()
		return nil, err
	}
	if _, err := s.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { w.signal() },
		UpdateFunc: func(any, any) { w.signal() },
		DeleteFunc: func(any) { w.signal() },
	}); err != nil {
		cancel()
		return nil, err
	}
	// A reflector logs to stderr when a watch ends; what matters is kept by asked.
	quiet := klog.NewContext(ctx, logr.Discard())
	w.wg.Go(func() { s.informer.RunWithContext(quiet) })
	// An empty list has no event that would tell of its arrival.
	w.wg.Go(func() {
		if cache.WaitForCacheSync(ctx.Done(), s.informer.HasSynced) {
			w.signal()
		}
	})
	return s, nil
}

// asked keeps the answer to a request of a source.
func (w *watcher) asked(s *source, err error) {
	w.mu.Lock()
	had := w.trouble[s]
	switch {
	case err == nil, apierrors.IsResourceExpired(err), apierrors.IsGone(err), apierrors.IsInvalid(err):
		// Too old a version, or a server that does not stream lists: the
		// reflector lists again by itself.
		delete(w.trouble, s)
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err), apierrors.IsNotFound(err):
		s.mu.Lock()
		s.denied = err
		s.mu.Unlock()
		s.stop()
		delete(w.trouble, s)
	default:
		w.trouble[s] = err
	}
	now := w.trouble[s]
	w.mu.Unlock()
	if (had == nil) != (now == nil) || s.refusal() != nil {
		w.signal()
	}
}

// objects returns what a source holds; nil for a source that there is none of.
func objects[T any](s *source) []T {
	if s == nil {
		return nil
	}
	list := s.informer.GetStore().List()
	out := make([]T, 0, len(list))
	for _, o := range list {
		if t, ok := o.(T); ok {
			out = append(out, t)
		}
	}
	return out
}

// as converts to a typed object.
func as[T any](u *unstructured.Unstructured) (any, error) {
	t := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, t); err != nil {
		return nil, err
	}
	return t, nil
}

// same keeps the object as it is.
func same(u *unstructured.Unstructured) (any, error) { return u, nil }

var (
	podKind        = corev1.SchemeGroupVersion.WithKind("Pod")
	eventKind      = corev1.SchemeGroupVersion.WithKind("Event")
	replicaSetKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}
)
