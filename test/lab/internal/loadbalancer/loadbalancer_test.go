package loadbalancer

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
)

// bench is a controller at work on a fake API server.
type bench struct {
	t      *testing.T
	client kubernetes.Interface
	events *record.FakeRecorder
}

func startBench(t *testing.T, services ...*corev1.Service) (*bench, func()) {
	t.Helper()
	client := fake.NewClientset()
	for _, s := range services {
		if err := client.Tracker().Add(s); err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{t, client, record.NewFakeRecorder(100)}
	return b, b.run()
}

// run starts the controller and returns what stops it.
func (b *bench) run() func() {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, b.client, b.events, Config{Pool: testPool(), Class: "lab.svcx/pool"}, nil)
	}()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("run: %v", err)
		}
	}
	b.t.Cleanup(stop)
	return stop
}

func service(name string, change func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}},
	}
	if change != nil {
		change(s)
	}
	return s
}

func (b *bench) create(s *corev1.Service) {
	b.t.Helper()
	if _, err := b.client.CoreV1().Services("shop").Create(b.t.Context(), s, metav1.CreateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) update(name string, change func(*corev1.Service)) {
	b.t.Helper()
	s, err := b.client.CoreV1().Services("shop").Get(b.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	change(s)
	if _, err := b.client.CoreV1().Services("shop").Update(b.t.Context(), s, metav1.UpdateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) address(name string) string {
	b.t.Helper()
	s, err := b.client.CoreV1().Services("shop").Get(b.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, a := range addresses(s) {
		out = append(out, a.String())
	}
	return strings.Join(out, " ")
}

// wait waits for a Service to have the addresses given.
func (b *bench) wait(name, want string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	w, err := b.client.CoreV1().Services("shop").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer w.Stop()
	for b.address(name) != want {
		if event, ok := <-w.ResultChan(); !ok || event.Type == watch.Error || ctx.Err() != nil {
			b.t.Fatalf("Service %s has %q, want %q", name, b.address(name), want)
		}
	}
}

func (b *bench) event(want string) {
	b.t.Helper()
	select {
	case got := <-b.events.Events:
		if !strings.Contains(got, want) {
			b.t.Errorf("event %q, want one with %q", got, want)
		}
	case <-time.After(10 * time.Second):
		b.t.Errorf("no event, want one with %q", want)
	}
}

func TestAddressesAreGivenAndComeBack(t *testing.T) {
	b, _ := startBench(t, service("a", nil))
	b.wait("a", "10.0.0.0")
	b.event("Normal IPAllocated Assigned IP [\"10.0.0.0\"]")
	b.create(service("b", nil))
	b.wait("b", "10.0.0.1")
	b.event("IPAllocated")

	b.create(service("c", nil))
	b.event(`Warning AllocationFailed Failed to allocate IP for "shop/c": no available IPs`)

	// A change of type frees the address, clears the status and serves who waits.
	b.update("a", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
	b.wait("a", "")
	b.wait("c", "10.0.0.0")
	b.event("IPAllocated")

	b.create(service("d", nil))
	b.event("AllocationFailed")
	if err := b.client.CoreV1().Services("shop").Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	b.wait("d", "10.0.0.1")
}

func TestOnlyItsOwnClassIsServed(t *testing.T) {
	b, _ := startBench(t,
		service("a-other", func(s *corev1.Service) { s.Spec.LoadBalancerClass = ptr.To("example.com/other") }),
		service("b-node-port", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort }),
		service("z-own", func(s *corev1.Service) { s.Spec.LoadBalancerClass = ptr.To("lab.svcx/pool") }),
	)
	b.wait("z-own", "10.0.0.0")
	b.create(service("zz-none", nil))
	b.wait("zz-none", "10.0.0.1")
	for _, name := range []string{"a-other", "b-node-port"} {
		if got := b.address(name); got != "" {
			t.Errorf("Service %s got %s, want none", name, got)
		}
	}
	b.event("IPAllocated")
	b.event("IPAllocated")
	select {
	case got := <-b.events.Events:
		t.Errorf("unexpected event %q", got)
	default:
	}
}

func TestRestartMovesNothing(t *testing.T) {
	b, stop := startBench(t, service("a", nil))
	b.wait("a", "10.0.0.0")
	b.create(service("b", nil))
	b.wait("b", "10.0.0.1")
	stop()
	// While nobody looks, a is deleted and another comes that sorts first.
	if err := b.client.CoreV1().Services("shop").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	b.create(service("a0", nil))
	b.run()
	b.wait("a0", "10.0.0.0")
	if got := b.address("b"); got != "10.0.0.1" {
		t.Errorf("Service b moved to %q", got)
	}
}

func TestAnotherControllersStatusIsLeftAlone(t *testing.T) {
	foreign := service("a-foreign", func(s *corev1.Service) {
		s.Spec.LoadBalancerClass = ptr.To("example.com/other")
		s.Status = corev1.ServiceStatus{LoadBalancer: status([]netip.Addr{netip.MustParseAddr("192.0.2.1")})}
	})
	b, _ := startBench(t, foreign, service("b", nil))
	b.wait("b", "10.0.0.0")
	if got := b.address("a-foreign"); got != "192.0.2.1" {
		t.Errorf("the other controller's address became %q", got)
	}
}

func TestRequestedAddressThatIsTaken(t *testing.T) {
	b, _ := startBench(t, service("a", nil))
	b.wait("a", "10.0.0.0")
	b.event("IPAllocated")
	b.create(service("b", func(s *corev1.Service) { s.Spec.LoadBalancerIP = "10.0.0.0" }))
	b.event(`address "10.0.0.0" is already in use by "shop/a"`)
	b.update("b", func(s *corev1.Service) { s.Spec.LoadBalancerIP = "10.0.0.1" })
	b.wait("b", "10.0.0.1")
}
