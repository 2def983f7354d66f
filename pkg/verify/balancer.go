package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

const (
	// pendingGrace is how long a load balancer may take before it counts as failed,
	// where nothing shows that anybody makes one.
	pendingGrace = 30 * time.Second
	// servedGrace is how long it may take where somebody does: clouds take minutes,
	// and some more until the name that they gave is known.
	servedGrace = 10 * time.Minute
)

// balancerTimes keeps of a Service's managed fields when its type and its load
// balancer's addresses were set: nothing else tells a Service that has just
// become a load balancer from one that has waited for a day.
func balancerTimes(svc *corev1.Service) []metav1.ManagedFieldsEntry {
	if svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	var out []metav1.ManagedFieldsEntry
	for _, m := range svc.ManagedFields {
		var fields struct {
			Spec   map[string]any `json:"f:spec"`
			Status map[string]any `json:"f:status"`
		}
		if m.Time == nil || m.FieldsV1 == nil || json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		_, typed := fields.Spec["f:type"]
		_, given := fields.Status["f:loadBalancer"]
		if typed || given {
			out = append(out, metav1.ManagedFieldsEntry{Time: m.Time})
		}
	}
	return out
}

// lbAge returns for how long the load balancer has been as it is, at most.
func (c *serviceCase) lbAge() time.Duration {
	return c.v.s.Taken.Sub(lastKept(&c.svc.ObjectMeta))
}

// bystanders are the components of Kubernetes that report on a Service without
// having to do with its load balancer.
var bystanders = []string{"endpoint-controller", "endpoint-slice-controller", "endpoint-slice-mirroring-controller",
	"ipallocator-repair-controller", "portallocator-repair-controller", "kube-proxy"}

// newestEvent returns the newest event on the Service that may be about its load
// balancer, of those that are warnings, or of the others; nil: there is none.
func (c *serviceCase) newestEvent(warning bool) *corev1.Event {
	var last *corev1.Event
	for i := range c.v.s.Events {
		ev := &c.v.s.Events[i]
		if ev.InvolvedObject.Kind == "Service" && ev.InvolvedObject.Name == c.svc.Name && ev.Namespace == c.svc.Namespace &&
			(ev.Type == corev1.EventTypeWarning) == warning && (ev.InvolvedObject.UID == "" || ev.InvolvedObject.UID == c.svc.UID) &&
			!slices.Contains(bystanders, ev.Source.Component) && !slices.Contains(bystanders, ev.ReportingController) &&
			(last == nil || eventTime(ev).After(eventTime(last))) {
			last = ev
		}
	}
	return last
}

// serviceEvent returns the newest warning on the Service, made printable.
func (c *serviceCase) serviceEvent() string { return eventText(c.newestEvent(true)) }

func eventText(ev *corev1.Event) string {
	if ev == nil {
		return ""
	}
	return probe.Printable(ev.Reason+": "+ev.Message, maxEventText)
}

// takenUp says what shows that a controller makes the Service's load balancer:
// an event on it, or a finalizer, by which the controller is told of its end. ""
// where nothing does. Those of the garbage collector have no domain.
func (c *serviceCase) takenUp() string {
	if text := eventText(c.newestEvent(false)); text != "" {
		return "event " + text
	}
	for _, f := range c.svc.Finalizers {
		if strings.Contains(f, "/") {
			return "finalizer " + probe.Printable(f, maxEventText)
		}
	}
	return ""
}

// beingMade reports whether the load balancer may yet come to work: its
// controller is at it, and has not been for too long.
func (c *serviceCase) beingMade() bool {
	age := c.lbAge()
	if ev := c.newestEvent(false); ev != nil {
		age = min(age, c.v.s.Taken.Sub(eventTime(ev)))
	}
	return c.takenUp() != "" && age < servedGrace
}

func (c *serviceCase) checkLoadBalancer() {
	if len(ingressHosts(c.svc)) > 0 {
		for _, pv := range c.ports {
			c.checkOutside(pv, probe.PathLoadBalancer)
		}
		return
	}
	r := CheckResult{Name: string(probe.PathLoadBalancer), State: StateFailed, Summary: "pending: no address has been given"}
	switch age := c.lbAge(); {
	case c.serviceEvent() != "": // its controller has said why
	case c.beingMade():
		r.State, r.Needs = StateNotProven, moreTime
		r.Summary = "pending: a controller has taken it up and has given no address yet"
	case age < pendingGrace:
		r.State, r.Needs = StateNotProven, moreTime
		r.Summary = fmt.Sprintf("pending since %.0f s: no address has been given yet", age.Seconds())
	}
	c.add(r)
}

const moreTime = "more time: load balancers take a while"

// nameToCome turns a load balancer's name that DNS does not know into what may
// be known in a while: it is given before DNS has heard of it.
func (c *serviceCase) nameToCome(r *CheckResult, here evidence) {
	unknown := here.where(probe.ClassNameUnknown)
	if r.State != StateFailed || len(unknown) == 0 || len(unknown) != here.tally().failed || c.lbAge() >= servedGrace {
		return
	}
	r.State, r.Needs = StateNotProven, moreTime
	r.Summary = fmt.Sprintf("not proven: DNS does not know the name %s yet", unknown[0].host())
}
