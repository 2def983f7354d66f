package netpol

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/knftables"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/netpol/attach"
)

// A Pod under a policy must be isolated before it starts, which is before the API tells
// of its address.
func TestPodsAreIsolatedBeforeTheirAddressIsKnown(t *testing.T) {
	client := fake.NewClientset()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "new", UID: "u1"}, Spec: corev1.PodSpec{NodeName: testNode}}
	if err := client.Tracker().Add(pod); err != nil {
		t.Fatal(err)
	}
	policy := policyCase{policies: []string{`{podSelector: {}, policyTypes: [Egress]}`}}.objects(t)[0]
	if err := client.Tracker().Add(policy); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	nft := knftables.NewFake(knftables.InetFamily, table)
	applied := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, client, nft, Config{Node: testNode, Socket: socket, Applied: func() { applied <- struct{}{} }})
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	<-applied
	const isolated = "add element inet svcx-netpol egress4 { 10.244.0.77 : goto "
	if strings.Contains(nft.Dump(), isolated) {
		t.Fatal("isolated before anyone knows the address")
	}

	told := attach.Attachment{Namespace: "shop", Name: "new", UID: "u1", Addrs: []netip.Addr{netip.MustParseAddr("10.244.0.77")}}
	// The first call may come before the socket is there.
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := attach.Tell(ctx, socket, told)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if !strings.Contains(nft.Dump(), isolated) {
		t.Errorf("not isolated when the plugin lets the Pod start:\n%s", nft.Dump())
	}
}

func TestAmend(t *testing.T) {
	pod := func(uid types.UID, ips ...string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p", UID: uid}}
		for _, ip := range ips {
			p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
		}
		return p
	}
	for _, tc := range []struct {
		name      string
		pods      []*corev1.Pod
		want      string // the addresses after amending
		forgotten bool
		told      bool
	}{
		{"not listed yet", nil, "[]", false, false},
		{"an older Pod of that name", []*corev1.Pod{pod("old", "10.0.0.9")}, "[10.0.0.9]", false, false},
		{"listed without addresses", []*corev1.Pod{pod("u1")}, "[10.0.0.1 fd00::1]", false, true},
		{"listed with addresses of before", []*corev1.Pod{pod("u1", "10.0.0.9")}, "[10.0.0.1 fd00::1]", false, true},
		{"the API has caught up", []*corev1.Pod{pod("u1", "fd00::1", "10.0.0.1")}, "[fd00::1 10.0.0.1]", true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := &announcement{Attachment: attach.Attachment{Namespace: "shop", Name: "p", UID: "u1", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")}}, inForce: make(chan struct{})}
			s := &announcements{byPod: map[string]*announcement{"shop/p": a}}
			amended, applied := s.amend(tc.pods)
			var got []string
			for _, p := range amended {
				for _, addr := range podAddrs(p) {
					got = append(got, addr.String())
				}
			}
			if text := "[" + strings.Join(got, " ") + "]"; text != tc.want {
				t.Errorf("addresses %s, want %s", text, tc.want)
			}
			if forgotten := len(s.byPod) == 0; forgotten != tc.forgotten {
				t.Errorf("forgotten %t, want %t", forgotten, tc.forgotten)
			}
			applied()
			if a.done != tc.told {
				t.Errorf("told %t, want %t", a.done, tc.told)
			}
		})
	}
}

func TestGivingUpForgetsThePod(t *testing.T) {
	s := &announcements{byPod: map[string]*announcement{}, notify: func() {}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.enforce(ctx, attach.Attachment{Namespace: "shop", Name: "never"}); err == nil {
		t.Error("a Pod that nobody knows counts as enforced")
	}
	if len(s.byPod) != 0 {
		t.Errorf("still kept: %v", s.byPod)
	}
}
