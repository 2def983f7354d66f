package netpol

import (
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/netpol/attach"
)

// announcements are the addresses of Pods that the API does not tell of yet.
type announcements struct {
	mu     sync.Mutex
	byPod  map[string]*announcement // namespace/name
	notify func()
}

type announcement struct {
	attach.Attachment
	inForce chan struct{} // closed once rules that know the addresses are applied
	done    bool          // inForce is closed
}

// enforce announces a Pod's addresses and waits until rules that know them are applied.
func (s *announcements) enforce(ctx context.Context, a attach.Attachment) error {
	one := &announcement{Attachment: a, inForce: make(chan struct{})}
	key := a.Namespace + "/" + a.Name
	s.mu.Lock()
	s.byPod[key] = one
	s.mu.Unlock()
	s.notify()
	select {
	case <-one.inForce:
		return nil
	case <-ctx.Done():
		// A Pod that never came would be kept for ever.
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.byPod[key] == one && !one.done {
			delete(s.byPod, key)
		}
		return fmt.Errorf("rules for Pod %s are not in force: %w", key, ctx.Err())
	}
}

// amend gives the Pods listed the addresses announced of them, and forgets announcements
// that the API has caught up with. What is returned is to be told once rules for the
// amended list are applied.
func (s *announcements) amend(pods []*corev1.Pod) (amended []*corev1.Pod, applied func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	listed := map[string]bool{}
	var known []*announcement
	amended = slices.Clone(pods)
	for i, pod := range amended {
		key := pod.Namespace + "/" + pod.Name
		a, ok := s.byPod[key]
		if !ok || (a.UID != "" && a.UID != string(pod.UID)) {
			continue
		}
		listed[key] = true
		known = append(known, a)
		if slices.Equal(sortedAddrs(podAddrs(pod)), sortedAddrs(slices.Clone(a.Addrs))) {
			delete(s.byPod, key)
			continue
		}
		changed := *pod
		changed.Status.PodIPs = nil
		for _, addr := range a.Addrs {
			changed.Status.PodIPs = append(changed.Status.PodIPs, corev1.PodIP{IP: addr.String()})
		}
		amended[i] = &changed
	}
	for key, a := range s.byPod {
		if a.done && !listed[key] {
			delete(s.byPod, key) // the Pod is gone
		}
	}
	return amended, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, a := range known {
			if !a.done {
				a.done = true
				close(a.inForce)
			}
		}
	}
}
