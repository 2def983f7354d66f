package verify

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// controllerGrace is how long the controllers of a cluster may take to notice.
const controllerGrace = 30 * time.Second

// ruleControllers: SVC331. What the controllers of the cluster should have made
// long ago is not there.
func ruleControllers(c *serviceCase) []finding {
	if c.svc.Spec.Type == corev1.ServiceTypeExternalName || len(c.svc.Spec.Selector) == 0 {
		return nil
	}
	f := Finding{ID: "SVC331", Severity: SeverityFailure,
		Fix: &Fix{Summary: shell.Advice("restore kube-controller-manager", shell.Kubectl("get pods -n kube-system -l component=kube-controller-manager"))}}
	for _, w := range c.makers {
		if !w.unseen || w.desired() == 0 || len(c.pods) > 0 || c.v.gap("pods", c.svc.Namespace) != nil {
			continue
		}
		at, since, status := w.changed, "changed", "a status from before"
		if w.ignored {
			at, since, status = w.created, "created", "no status"
		}
		if age := c.v.s.Taken.Sub(at); age > controllerGrace {
			f.Object, f.Field = w.ref, "status.observedGeneration"
			f.Message = fmt.Sprintf("the cluster's controllers do not run, or are far behind: none has looked at %s since it was %s.", w.ref, since)
			f.Evidence = []string{fmt.Sprintf("%s was %s %s ago, and has %s and no Pods", w.ref, since, lasting(age), status)}
			return []finding{{Finding: f}}
		}
	}
	if c.v.gap("endpointslices", c.svc.Namespace) != nil || c.v.s.Taken.Sub(c.svc.CreationTimestamp.Time) < controllerGrace {
		return nil
	}
	pods, followed := map[string]bool{}, c.followed()
	for _, p := range c.pods {
		ready := podCondition(p, corev1.PodReady)
		if p.DeletionTimestamp != nil || ready == nil || ready.Status != corev1.ConditionTrue || !c.shouldServe(p) {
			continue
		}
		age := c.v.s.Taken.Sub(ready.LastTransitionTime.Time)
		if ready.LastTransitionTime.IsZero() || age < controllerGrace {
			continue
		}
		switch asReady, listed := followed[p.Name]; {
		case !listed:
			f.Evidence = append(f.Evidence, fmt.Sprintf("Pod/%s has been ready for %s, and stands in no EndpointSlice of %s", p.Name, lasting(age), c.ref()))
		case !asReady:
			f.Evidence = append(f.Evidence, fmt.Sprintf("Pod/%s has been ready for %s, and its EndpointSlice still says that it is not", p.Name, lasting(age)))
		default:
			continue
		}
		pods[p.Name] = true
	}
	if len(pods) == 0 {
		return nil
	}
	f.Object, f.Field = c.ref(), "spec.selector"
	f.Message = fmt.Sprintf("the cluster's controllers do not run, or are far behind: the EndpointSlices of %s lack Pods that have been ready for long.", c.ref())
	f.Evidence = f.Evidence[:min(len(f.Evidence), 3)]
	if anyUsable(c.ports) {
		f.Severity = SeverityWarning
	}
	return []finding{{Finding: f, pods: pods}}
}

// shouldServe reports whether a ready Pod belongs into a slice with a port: it has
// an address of a family of the Service, and a number for one of its ports.
func (c *serviceCase) shouldServe(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.PodIPs, func(ip corev1.PodIP) bool {
		return len(c.svc.Spec.IPFamilies) == 0 || slices.Contains(c.svc.Spec.IPFamilies, familyOf(ip.IP))
	}) && slices.ContainsFunc(c.svc.Spec.Ports, func(sp corev1.ServicePort) bool { return targetNumber(p, sp) != 0 })
}

// followed are the names of the Pods in the slices of the Service, and whether they
// stand there as ready.
func (c *serviceCase) followed() map[string]bool {
	out := map[string]bool{}
	for _, slice := range c.v.slices[c.key()] {
		for _, e := range slice.Endpoints {
			if e.TargetRef != nil && (e.TargetRef.Namespace == "" || e.TargetRef.Namespace == c.svc.Namespace) {
				out[e.TargetRef.Name] = out[e.TargetRef.Name] || e.Conditions.Ready == nil || *e.Conditions.Ready
			}
		}
	}
	return out
}
