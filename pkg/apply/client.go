package apply

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/skew"
)

// The client's own limits. The API server's priority and fairness is what
// protects it; client-go's default of 5 a second only makes a user wait.
const (
	clientQPS   = 100
	clientBurst = 200
	// parallel bounds the requests that run at once.
	parallel = 8
)

// Client applies objects to one cluster.
type Client struct {
	dynamic dynamic.Interface
	core    corev1client.CoreV1Interface // for logs, which are no objects
	mapper  meta.RESTMapper
	clock   clock.WithTicker
	skew    *skew.Skew
}

// NewClient returns a Client for the cluster of cfg, which it does not change;
// mapper says which resource each kind is.
func NewClient(cfg *rest.Config, mapper meta.RESTMapper) (*Client, error) {
	own := rest.CopyConfig(cfg)
	own.QPS, own.Burst = clientQPS, clientBurst
	own.WarningHandler = nil
	own.WarningHandlerWithContext = collector{}
	local := clock.RealClock{}
	ahead := skew.New(local.Now)
	own.Wrap(ahead.Wrap)
	d, err := dynamic.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("setting up the client: %w", err)
	}
	core, err := corev1client.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("setting up the client: %w", err)
	}
	return &Client{dynamic: d, core: core, mapper: mapper, clock: local, skew: ahead}, nil
}

// collector hands the API server's warnings to the warnings of the request's context.
type collector struct{}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (collector) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	const miscellaneous = 299 // the only code the API server uses
	if w, ok := ctx.Value(warningsKey{}).(*warnings); ok && code == miscellaneous && text != "" {
		w.add(plain(text))
	}
}

type warningsKey struct{}

// warnings gathers the warnings of some requests, each once.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) add(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, have := range w.list {
		if have == text {
			return
		}
	}
	w.list = append(w.list, text)
}

func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.list...)
}

func withWarnings(ctx context.Context) (context.Context, *warnings) {
	w := &warnings{}
	return context.WithValue(ctx, warningsKey{}, w), w
}

// mapping finds the resource of a kind.
func (c *Client) mapping(ctx context.Context, gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	// This may ask the API server what it serves.
	m, err := again.Try(ctx, func() (*meta.RESTMapping, error) {
		return unless(ctx, func() (*meta.RESTMapping, error) { return c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version) })
	})
	if meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("the cluster has no kind %s in %s; install its CustomResourceDefinition first, or correct apiVersion and kind: %w", gvk.Kind, gvk.GroupVersion(), err)
	}
	return m, err
}

// unless calls f, which no context can end, and goes on without it when ctx ends.
func unless[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		got T
		err error
	}
	done := make(chan result, 1)
	go func() {
		got, err := f()
		done <- result{got, err}
	}()
	select {
	case r := <-done:
		return r.got, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// resource returns the endpoint at which an object lives.
func (c *Client) resource(ctx context.Context, u *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	m, err := c.mapping(ctx, u.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		return c.dynamic.Resource(m.Resource), nil
	}
	return c.dynamic.Resource(m.Resource).Namespace(u.GetNamespace()), nil
}

// get returns the live object, or nil when there is none.
func (c *Client) get(ctx context.Context, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	ri, err := c.resource(ctx, u)
	if err != nil {
		return nil, err
	}
	live, err := again.Try(ctx, func() (*unstructured.Unstructured, error) {
		return ri.Get(ctx, u.GetName(), metav1.GetOptions{})
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

// patch sends a patch as FieldManager, with unknown fields refused.
func (c *Client) patch(ctx context.Context, p patchRequest) (*unstructured.Unstructured, error) {
	ri, err := c.resource(ctx, p.object)
	if err != nil {
		return nil, err
	}
	o := metav1.PatchOptions{FieldManager: FieldManager, FieldValidation: metav1.FieldValidationStrict}
	if p.dryRun {
		o.DryRun = []string{metav1.DryRunAll}
	}
	if p.force {
		o.Force = &p.force
	}
	// An apply may be sent twice; any other patch of ours holds the version that
	// it is for, and a second one of it is refused as a conflict.
	return again.Try(ctx, func() (*unstructured.Unstructured, error) {
		return ri.Patch(ctx, p.object.GetName(), p.kind, p.data, o)
	})
}

func refOf(u *unstructured.Unstructured) Ref {
	return Ref{APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName()}
}
