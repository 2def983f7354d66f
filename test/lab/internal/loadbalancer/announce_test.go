package loadbalancer

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
)

var testNodes = map[string][]netip.Addr{
	"a": {netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("fd01::1")},
	"b": {netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("fd01::2")},
}

func node(name string, ready corev1.ConditionStatus) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
	}
}

func endpointSlice(family discoveryv1.AddressType, node string, ready *bool) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "s-" + string(family) + "-" + node, Labels: map[string]string{discoveryv1.LabelServiceName: "s"}},
		AddressType: family,
		Endpoints:   []discoveryv1.Endpoint{{NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: ready}}},
	}
}

func TestAnnouncements(t *testing.T) {
	const v4, v6 = discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6
	excluded := node("a", corev1.ConditionTrue)
	excluded.Labels = map[string]string{corev1.LabelNodeExcludeBalancers: ""}
	both := []*corev1.Node{node("b", corev1.ConditionTrue), node("a", corev1.ConditionTrue)}
	for _, tc := range []struct {
		name      string
		local     bool
		addrs     []string
		nodes     []*corev1.Node
		endpoints []*discoveryv1.EndpointSlice
		want      string
	}{
		{"any ready node", false, []string{"10.0.0.0", "fd00::f0"}, both, nil, "map[10.0.0.0:10.1.0.1 fd00::f0:fd01::1]"},
		{"not one that is not ready", false, []string{"10.0.0.0"}, []*corev1.Node{node("a", corev1.ConditionUnknown), both[0]}, nil, "map[10.0.0.0:10.1.0.2]"},
		{"not one that is kept out", false, []string{"10.0.0.0"}, []*corev1.Node{excluded, both[0]}, nil, "map[10.0.0.0:10.1.0.2]"},
		{"not one whose address is unknown", false, []string{"10.0.0.0"}, []*corev1.Node{node("c", corev1.ConditionTrue)}, nil, "map[]"},
		{"Local: where the endpoint is", true, []string{"10.0.0.0"}, both, []*discoveryv1.EndpointSlice{endpointSlice(v4, "b", ptr.To(true))}, "map[10.0.0.0:10.1.0.2]"},
		{"Local: unset means ready", true, []string{"10.0.0.0"}, both, []*discoveryv1.EndpointSlice{endpointSlice(v4, "b", nil)}, "map[10.0.0.0:10.1.0.2]"},
		{"Local: an endpoint that is not ready", true, []string{"10.0.0.0"}, both, []*discoveryv1.EndpointSlice{endpointSlice(v4, "b", ptr.To(false))}, "map[]"},
		{"Local: each family for itself", true, []string{"10.0.0.0", "fd00::f0"}, both,
			[]*discoveryv1.EndpointSlice{endpointSlice(v4, "b", nil), endpointSlice(v6, "a", nil)}, "map[10.0.0.0:10.1.0.2 fd00::f0:fd01::1]"},
		{"an address that is not of the pool", false, []string{"192.0.2.1"}, both, nil, "map[]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := service("s", func(s *corev1.Service) {
				if tc.local {
					s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
				}
				for _, a := range tc.addrs {
					s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: a})
				}
			})
			got := announcements(Config{Pool: testPool(), Nodes: testNodes}, []*corev1.Service{s}, tc.endpoints, tc.nodes)
			if text := fmt.Sprint(got); text != tc.want {
				t.Errorf("announced %s, want %s", text, tc.want)
			}
		})
	}
}

// fakeRouter tells of each change.
type fakeRouter struct {
	mu      sync.Mutex
	now     map[netip.Addr]netip.Addr
	changed chan string
}

func (f *fakeRouter) routes() (map[netip.Addr]netip.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.now), nil
}

func (f *fakeRouter) set(addr, via netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now[addr] = via
	f.changed <- fmt.Sprintf("%s via %s", addr, via)
	return nil
}

func (f *fakeRouter) remove(addr netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.now, addr)
	f.changed <- fmt.Sprintf("%s removed", addr)
	return nil
}

func TestRoutesFollowTheEndpoints(t *testing.T) {
	client := fake.NewClientset(node("a", corev1.ConditionTrue), node("b", corev1.ConditionTrue),
		service("s", func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal }),
		endpointSlice(discoveryv1.AddressTypeIPv4, "b", nil))
	// What an earlier run left is put right.
	r := &fakeRouter{now: map[netip.Addr]netip.Addr{netip.MustParseAddr("10.0.0.1"): testNodes["a"][0]}, changed: make(chan string, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, client, record.NewFakeRecorder(100), Config{Pool: testPool(), Nodes: testNodes}, r)
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	expect := func(wants ...string) { // in any order
		t.Helper()
		for len(wants) > 0 {
			select {
			case got := <-r.changed:
				i := slices.Index(wants, got)
				if i < 0 {
					t.Fatalf("route %s, want %q", got, wants)
				}
				wants = slices.Delete(wants, i, i+1)
			case <-time.After(10 * time.Second):
				t.Fatalf("no change of routes, want %q", wants)
			}
		}
	}
	expect("10.0.0.1 removed", "10.0.0.0 via 10.1.0.2")
	if _, err := client.DiscoveryV1().EndpointSlices("shop").Create(ctx, endpointSlice(discoveryv1.AddressTypeIPv4, "a", nil), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	expect("10.0.0.0 via 10.1.0.1")
	if err := client.CoreV1().Services("shop").Delete(ctx, "s", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	expect("10.0.0.0 removed")
}

func TestRoutesInTheKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s DID NOT RUN: it needs root, to make a network namespace", t.Name())
	}
	home, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	// The thread comes back: were it the process's first, it would not end. One that cannot
	// stays locked, so that nothing else runs on it.
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	defer func() {
		if err := netns.Set(home); err != nil {
			t.Error(err)
			return
		}
		runtime.UnlockOSThread()
	}()
	for _, args := range [][]string{
		{"link", "add", "br0", "up", "type", "bridge"},
		{"addr", "add", "10.1.0.9/24", "dev", "br0"},
		{"addr", "add", "fd01::9/64", "dev", "br0", "nodad"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	r, err := newRouter()
	if err != nil {
		t.Fatal(err)
	}
	v4, v6 := netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("fd00::f0")
	for _, name := range []string{"a", "b"} { // the second replaces the first
		if err := r.set(v4, testNodes[name][0]); err != nil {
			t.Fatal(err)
		}
		if err := r.set(v6, testNodes[name][1]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.routes()
	if want := "map[10.0.0.0:10.1.0.2 fd00::f0:fd01::2]"; err != nil || fmt.Sprint(got) != want {
		t.Fatalf("routes %v, error %v; want %s", got, err, want)
	}
	for range 2 { // what is gone may be removed again
		if err := r.remove(v4); err != nil {
			t.Fatal(err)
		}
		if err := r.remove(v6); err != nil {
			t.Fatal(err)
		}
	}
	if got, err = r.routes(); err != nil || len(got) != 0 {
		t.Fatalf("routes %v are left, error %v", got, err)
	}
}
