package apply

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// lookBalancer waits for a load balancer's address, but only until a moment:
// on a cluster without a controller it never comes, and the Service is of use
// without it.
func lookBalancer(u *unstructured.Unstructured, events []*corev1.Event, now, until time.Time) (finding, error) {
	s, err := toService(u)
	if err != nil {
		return finding{}, err
	}
	if ingress := s.Status.LoadBalancer.Ingress; len(ingress) > 0 {
		return finding{done: true, message: "address " + plain(ingress[0].IP+ingress[0].Hostname)}, nil
	}
	f := finding{message: "waiting for an address: " + whyNoAddress(s, events), since: u.GetCreationTimestamp().Time}
	if !now.Before(until) {
		f.done = true
		f.message = "no address yet: " + whyNoAddress(s, events)
	} else {
		f.recheck = until.Sub(now)
	}
	return f, nil
}

// whyNoAddress looks for a controller's own words. A Service that no controller
// serves gets no event at all.
func whyNoAddress(s *corev1.Service, events []*corev1.Event) string {
	var warning, any *corev1.Event
	for _, e := range events {
		if e.InvolvedObject.UID != s.UID {
			continue
		}
		if any == nil || seen(any).Before(seen(e)) {
			any = e
		}
		if e.Type == corev1.EventTypeWarning && (warning == nil || seen(warning).Before(seen(e))) {
			warning = e
		}
	}
	switch {
	case warning != nil:
		return plain(warning.Reason + ": " + warning.Message)
	case any != nil:
		return plain(any.Reason + ": " + any.Message)
	case s.Spec.LoadBalancerClass != nil:
		return fmt.Sprintf("no controller of class %q has taken it up", plain(*s.Spec.LoadBalancerClass))
	}
	return "no load-balancer controller has taken it up"
}
