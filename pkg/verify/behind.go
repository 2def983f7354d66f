package verify

import (
	"context"
	"slices"
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
		for _, pv := range v.ports(svc, Checks{}) {
			if pv.unknown {
				continue
			}
			for _, pod := range v.selected(svc) {
				if !podReady(pod) || pod.Status.PodIP == "" || pod.DeletionTimestamp != nil {
					continue
				}
				name := pod.Namespace + "/" + pod.Name
				if !slices.ContainsFunc(slices.Concat(pv.usable, pv.noPort), func(e endpoint) bool { return e.podName == name }) {
					return true
				}
			}
		}
	}
	return false
}
