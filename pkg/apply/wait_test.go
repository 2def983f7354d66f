package apply

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/clock"
)

// balancerClient is a Client of a cluster that holds one Service with an address,
// which a list leaves out for the first times.
func balancerClient(t *testing.T, exists bool, stale int) (*Client, *Plan) {
	t.Helper()
	live := object(t, strings.Replace(balanced, "%s", "", 1)+"\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}")
	var objs []runtime.Object
	if exists {
		objs = append(objs, live)
	}
	fake := dynamicfake.NewSimpleDynamicClient(scheme.Scheme, objs...)
	fake.PrependReactor("list", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
		if stale--; stale < 0 {
			return false, nil, nil
		}
		return true, &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "ServiceList"}}, nil
	})
	fake.PrependWatchReactor("*", func(a clienttesting.Action) (bool, watch.Interface, error) {
		if w, ok := a.(clienttesting.WatchActionImpl); ok && w.ListOptions.SendInitialEvents != nil {
			return true, nil, apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", nil) // no lists as streams
		}
		if a.GetResource() != serviceResource {
			return false, nil, nil
		}
		late := watch.NewFake()
		if exists {
			time.AfterFunc(3*time.Second, func() { late.Add(live.DeepCopy()) })
		}
		return true, late, nil
	})
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Version: "v1"}})
	mapper.Add(live.GroupVersionKind(), meta.RESTScopeNamespace)
	mapper.Add(eventKind, meta.RESTScopeNamespace)
	return &Client{dynamic: fake, mapper: mapper, clock: clock.RealClock{}},
		&Plan{Changes: []Change{{Object: refOf(live), Action: ActionCreate, desired: live}}}
}

// A list that is older than the object does not say that the object was deleted.
func TestWaitForWhatAListDoesNotHaveYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := balancerClient(t, true, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Wait(ctx, p, nil); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, p := balancerClient(t, false, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Wait(ctx, p, nil); err == nil || !strings.Contains(err.Error(), "deleted meanwhile") {
			t.Error(err)
		}
	})
}
