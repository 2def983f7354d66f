package verify

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// followPauses are how long to wait before the cluster is read again while its
// EndpointSlices are behind its Pods: their controller follows within moments.
var followPauses = []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second}

// observeFollowed observes a target; what has just become ready is read again
// until the EndpointSlices say so too, for less than four seconds.
func observeFollowed(ctx context.Context, read func() (*Snapshot, error)) (*Snapshot, error) {
	s, err := read()
	for _, pause := range followPauses {
		if err != nil || !behind(newView(s)) {
			break
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return s, nil
		}
		s, err = read()
	}
	return s, err
}

// behind reports whether a Pod that is ready is not yet ready in the
// EndpointSlices of a target that selects it.
func behind(v *view) bool {
	for _, key := range v.s.Targets {
		svc := v.service(key)
		if svc == nil || svc.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		pods := v.selected(svc)
		for _, pv := range v.ports(svc, Checks{}) {
			if pv.unknown {
				continue
			}
			followed := map[string]bool{} // by podName
			for _, list := range [][]endpoint{pv.usable, pv.noPort} {
				for i := range list {
					followed[list[i].podName] = true
				}
			}
			for _, pod := range pods {
				if podReady(pod) && pod.Status.PodIP != "" && pod.DeletionTimestamp == nil && !followed[pod.Namespace+"/"+pod.Name] {
					return true
				}
			}
		}
	}
	return false
}
