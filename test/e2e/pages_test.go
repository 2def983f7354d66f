//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestManyServicesInPages verifies in a namespace of many Services through an
// API server that answers in pages of 10 and forgets each list in its middle:
// nothing is missed, with 20 requests or fewer beside the further pages.
func TestManyServicesInPages(t *testing.T) {
	t.Parallel()
	const services = 35
	c, ns, dir := client(t), namespace(t, restricted), t.TempDir()
	svcx(t, dir, append(redis, "--replicas=2", "-n", ns)...).want(t, 0)
	like, err := c.CoreV1().Services(ns).Get(t.Context(), "redis", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range services - 1 {
		more := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("redis-%02d", i)},
			Spec: corev1.ServiceSpec{Selector: like.Spec.Selector, Ports: like.Spec.Ports}}
		if _, err := c.CoreV1().Services(ns).Create(t.Context(), more, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	svcx(t, dir, "verify", "-n", ns, "--for=endpoints", "--wait").want(t, 0)

	all, config := troubledServer(t, trouble{page: 10, expireList: true})
	v := svcx(t, dir, "verify", "-n", ns, "--for=endpoints", "-o", "json", "--kubeconfig", config).want(t, 0).verdict(t)
	if len(v.Services) != services {
		t.Errorf("%d Services in the verdict, want %d", len(v.Services), services)
	}
	all.wantFewRequests(t, services)

	one, config := troubledServer(t, trouble{page: 10, expireList: true})
	svcx(t, dir, "verify", "redis-17", "-n", ns, "--in-cluster", "--kubeconfig", config).want(t, 0).contains(t, "VERIFIED")
	one.wantFewRequests(t, services)
}

// wantFewRequests fails the test unless lists of so many objects came in pages,
// and the requests beside them are few.
func (p *troubled) wantFewRequests(t *testing.T, objects int) {
	t.Helper()
	first, further, tunnels := 0, 0, 0
	for _, request := range p.requests {
		_, target, _ := strings.Cut(request, " ")
		u, err := url.Parse(target)
		switch {
		case err != nil:
			t.Fatal(err)
		case strings.HasSuffix(u.Path, "/portforward"):
			tunnels++
		case u.Query().Get("continue") != "":
			further++
		default:
			first++
		}
	}
	if further < (objects-1)/10 || p.met("expired list") == 0 {
		t.Errorf("%d further pages, %d lists expired: the pages were not there", further, p.met("expired list"))
	}
	if restarts := p.met("expired list"); first-restarts > 20 {
		t.Errorf("%d requests beside %d further pages, %d restarted lists and %d tunnels, want 20 or fewer\n%s", first-restarts, further, restarts, tunnels, strings.Join(p.requests, "\n"))
	}
}
