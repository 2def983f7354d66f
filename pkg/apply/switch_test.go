package apply

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
)

var serviceResource = schema.GroupVersionResource{Version: "v1", Resource: "services"}

// fakeAPI holds one Service. It keeps versions, merges what is applied, and has
// the test decide about each patch.
type fakeAPI struct {
	dynamic.Interface
	version int
	// patch is asked before a patch is made, and told which one of its type it is.
	patch func(ctx context.Context, kind types.PatchType, n int) error
	// lost is asked after it: an error takes the place of the answer.
	lost   func(kind types.PatchType, n int) error
	counts map[types.PatchType]int
}

func (f *fakeAPI) Resource(r schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	return &fakeResource{NamespaceableResourceInterface: f.Interface.Resource(r), api: f}
}

type fakeResource struct {
	dynamic.NamespaceableResourceInterface
	api *fakeAPI
}

func (r *fakeResource) Namespace(ns string) dynamic.ResourceInterface {
	return &fakeNamespaced{ResourceInterface: r.NamespaceableResourceInterface.Namespace(ns), api: r.api}
}

type fakeNamespaced struct {
	dynamic.ResourceInterface
	api *fakeAPI
}

func (r *fakeNamespaced) Get(ctx context.Context, name string, o metav1.GetOptions, sub ...string) (*unstructured.Unstructured, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return r.ResourceInterface.Get(ctx, name, o, sub...)
}

func (r *fakeNamespaced) Patch(ctx context.Context, name string, kind types.PatchType, data []byte, _ metav1.PatchOptions, _ ...string) (*unstructured.Unstructured, error) {
	f := r.api
	f.counts[kind]++
	n := f.counts[kind]
	if err := f.patch(ctx, kind, n); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	live, err := r.ResourceInterface.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if kind == types.ApplyPatchType {
		var want unstructured.Unstructured
		if err := want.UnmarshalJSON(data); err != nil {
			return nil, err
		}
		spec, _, _ := unstructured.NestedMap(want.Object, "spec")
		if spec["type"] != string(ExternalName) {
			unstructured.RemoveNestedField(live.Object, "spec", "externalName")
		}
		for k, v := range spec {
			if err := unstructured.SetNestedField(live.Object, v, "spec", k); err != nil {
				return nil, err
			}
		}
	} else {
		var ops []op
		if err := json.Unmarshal(data, &ops); err != nil {
			return nil, err
		}
		if ops[0].Path == "/metadata/resourceVersion" && ops[0].Value != live.GetResourceVersion() {
			return nil, apierrors.NewConflict(serviceResource.GroupResource(), name, errors.New("the object has been modified"))
		}
		if live, err = r.ResourceInterface.Patch(ctx, name, kind, data, metav1.PatchOptions{}); err != nil {
			return nil, err
		}
	}
	f.version++
	live.SetResourceVersion(string(rune('a' + f.version)))
	if live, err = r.Update(ctx, live, metav1.UpdateOptions{}); err != nil {
		return nil, err
	}
	if f.lost != nil {
		if err := f.lost(kind, n); err != nil {
			return nil, err
		}
	}
	return live, nil
}

// fakeClient is a Client of a fakeAPI that holds live.
func fakeClient(live *unstructured.Unstructured, patch func(context.Context, types.PatchType, int) error) (*Client, *fakeAPI) {
	f := &fakeAPI{Interface: dynamicfake.NewSimpleDynamicClient(scheme.Scheme, live), patch: patch, counts: map[types.PatchType]int{}}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Version: "v1"}})
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Service"), meta.RESTScopeNamespace)
	return &Client{dynamic: f, mapper: mapper, clock: clock.RealClock{}}, f
}

const balanced = `
apiVersion: v1
kind: Service
metadata: {name: redis, namespace: shop, uid: u, resourceVersion: "1", annotations: {%s}}
spec: {type: LoadBalancer, clusterIP: 10.96.8.164, clusterIPs: [10.96.8.164], selector: {app: redis}, ports: [{port: 6379, protocol: TCP, nodePort: 30688}]}`

const headless = `
apiVersion: v1
kind: Service
metadata: {name: redis, namespace: shop}
spec: {type: ClusterIP, clusterIP: None, selector: {app: redis}, ports: [{port: 6379, protocol: TCP}]}`

// refused is a connection that nobody takes.
var refused = &url.Error{Op: "Patch", URL: "https://x", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}

// A change of type by way of another one ends at the type asked for or where it
// began, however slow the API server is and whichever of its answers are lost.
func TestSwitchIsMadeOrUndone(t *testing.T) {
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, "redis", nil)
	apply := func(ctx context.Context, took time.Duration, err error) error {
		select {
		case <-time.After(took):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for name, tt := range map[string]struct {
		annotations string
		cancel      bool // as soon as the detour is made
		patch       func(ctx context.Context, kind types.PatchType, n int) error
		lost        func(kind types.PatchType, n int) error
		is          ServiceType
		want        string // in the error; empty for none
	}{
		"a slow apply": {is: Headless, patch: func(ctx context.Context, kind types.PatchType, _ int) error {
			if kind == types.ApplyPatchType {
				return apply(ctx, time.Minute, nil)
			}
			return nil
		}},
		"a slow refusal": {is: LoadBalancer, want: "it was put back as it was; its load balancer may give it another address", patch: func(ctx context.Context, kind types.PatchType, _ int) error {
			if kind == types.ApplyPatchType {
				return apply(ctx, time.Minute, invalid)
			}
			return nil
		}},
		"cancelled, and slow": {is: LoadBalancer, cancel: true, want: "it was put back as it was", patch: func(ctx context.Context, kind types.PatchType, _ int) error {
			if kind == types.ApplyPatchType {
				return apply(ctx, time.Hour, nil)
			}
			return nil
		}},
		"cancelled, and quick": {is: Headless, cancel: true, patch: func(ctx context.Context, kind types.PatchType, _ int) error {
			if kind == types.ApplyPatchType {
				return apply(ctx, 10*time.Second, nil)
			}
			return nil
		}},
		"an API server that is started again": {is: LoadBalancer, want: "connection refused; it was put back as it was", patch: func(_ context.Context, kind types.PatchType, n int) error {
			if kind == types.ApplyPatchType || kind == types.JSONPatchType && n > 1 && n < 5 {
				return refused
			}
			return nil
		}},
		"an API server that stays away": {is: ExternalName, want: "it could not be put back as it was", patch: func(_ context.Context, kind types.PatchType, n int) error {
			if kind == types.ApplyPatchType || n > 1 {
				return refused
			}
			return nil
		}},
		"the detour's answer is lost": {is: Headless, lost: func(kind types.PatchType, n int) error {
			if kind == types.JSONPatchType && n == 1 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}},
		"the apply's answer is lost": {is: Headless, lost: func(kind types.PatchType, _ int) error {
			if kind == types.ApplyPatchType {
				return refused
			}
			return nil
		}},
		"source ranges come back": {annotations: corev1.AnnotationLoadBalancerSourceRangesKey + ": 192.0.2.0/24", is: LoadBalancer, want: "put back", patch: func(_ context.Context, kind types.PatchType, _ int) error {
			if kind == types.ApplyPatchType {
				return invalid
			}
			return nil
		}},
		"source ranges come back beside another": {annotations: "a/b: c, " + corev1.AnnotationLoadBalancerSourceRangesKey + ": 192.0.2.0/24", is: LoadBalancer, want: "put back", patch: func(_ context.Context, kind types.PatchType, _ int) error {
			if kind == types.ApplyPatchType {
				return invalid
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := object(t, strings.Replace(balanced, "%s", tt.annotations, 1))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c, f := fakeClient(before, func(ctx context.Context, kind types.PatchType, n int) error {
					if tt.cancel && kind == types.ApplyPatchType {
						cancel()
					}
					if tt.patch == nil {
						return nil
					}
					return tt.patch(ctx, kind, n)
				})
				f.lost = tt.lost
				sw, err := switchOf(before, object(t, headless))
				if err != nil {
					t.Fatal(err)
				}
				_, err = c.applySwitch(ctx, sw, false)
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				var left *SwitchError
				if tt.is == ExternalName && (!errors.As(err, &left) || left.Undo == nil || left.Now != ExternalName) {
					t.Errorf("the error does not say what it is now: %#v", err)
				}
				after, err := f.Interface.Resource(serviceResource).Namespace("shop").Get(t.Context(), "redis", metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				svc, err := toService(after)
				if err != nil {
					t.Fatal(err)
				}
				if TypeOf(svc) != tt.is {
					t.Errorf("it is %s, want %s", TypeOf(svc), tt.is)
				}
				if tt.is == LoadBalancer && len(svc.Annotations) != len(before.GetAnnotations()) {
					t.Errorf("annotations %v, were %v", svc.Annotations, before.GetAnnotations())
				}
			})
		})
	}
}

// External IPs are of no use to a headless Service or an alias, and would be in force
// again on the way back; where they stay, so does the policy that comes with them.
func TestStaleExternalIPs(t *testing.T) {
	const live = "spec: {type: NodePort, externalIPs: [192.0.2.9], externalTrafficPolicy: Cluster}"
	for _, tt := range []struct {
		to          ServiceType
		live, wants string
		stale       []string
	}{
		{ClusterIP, live, "{}", nil},
		{LoadBalancer, live, "{}", nil},
		{Headless, live, "{}", []string{"externalIPs", "externalTrafficPolicy"}},
		{ExternalName, live, "{}", []string{"externalIPs", "externalTrafficPolicy"}},
		{ClusterIP, live, "{externalIPs: [192.0.2.9]}", nil},
		{Headless, live, "{externalIPs: [192.0.2.9]}", nil},
		{ExternalName, live, "{externalIPs: [192.0.2.9]}", []string{"externalTrafficPolicy"}},
		{ClusterIP, "spec: {type: NodePort, externalTrafficPolicy: Local}", "{}", []string{"externalTrafficPolicy"}},
	} {
		var got []string
		for _, path := range staleFields(object(t, tt.live), object(t, "spec: "+tt.wants), tt.to) {
			got = append(got, path[len(path)-1])
		}
		if !slices.Equal(got, tt.stale) {
			t.Errorf("%s from %s, where %s is wanted: %v, want %v", tt.to, tt.live, tt.wants, got, tt.stale)
		}
	}
}

// External IPs that the manifest does not ask for go once nothing has to be put back.
func TestSwitchTakesExternalIPsLast(t *testing.T) {
	live := strings.Replace(strings.Replace(balanced, "%s", "", 1), "type: LoadBalancer", "type: LoadBalancer, externalIPs: [192.0.2.9], externalTrafficPolicy: Cluster", 1)
	before := object(t, live)
	externalIPs := func(f *fakeAPI) any {
		u, err := f.Interface.Resource(serviceResource).Namespace("shop").Get(t.Context(), "redis", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ips, _ := nested(u, "spec", "externalIPs")
		return ips
	}
	var c *Client
	var f *fakeAPI
	c, f = fakeClient(before, func(_ context.Context, kind types.PatchType, n int) error {
		if kind == types.ApplyPatchType && n == 1 && externalIPs(f) == nil {
			t.Error("they are gone before the change is made")
		}
		return nil
	})
	sw, err := switchOf(before, object(t, headless))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.applySwitch(t.Context(), sw, false); err != nil {
		t.Fatal(err)
	}
	if ips := externalIPs(f); ips != nil {
		t.Errorf("left over: %v", ips)
	}
}
