package verify

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
)

// scheduleGrace is how long a probe Pod may be unschedulable before it is given up.
const scheduleGrace = 5 * time.Second

// pullGrace is how long an image may take to arrive, at most; half of what is
// left of the run where that is less.
const pullGrace = 30 * time.Second

// limitPattern is what the admission plugin LimitRanger says (kubernetes:
// plugin/pkg/admission/limitranger/admission.go).
var limitPattern = regexp.MustCompile(`(minimum|maximum) \S+ usage per |limit to request ratio per `)

// createFailure says why the API server refused the probe Pod.
func createFailure(namespace string, err error) error {
	msg := err.Error()
	switch {
	case strings.Contains(msg, "exceeded quota"), strings.Contains(msg, "must specify limits"):
		return fail("room for one small Pod in the quota", "the quota of namespace %s refuses the probe Pod: %s", namespace, msg)
	case apierrors.IsForbidden(err) && strings.Contains(msg, "minimum ") && limitPattern.MatchString(msg):
		return fail("a minimum that admits 10m of CPU and 16Mi of memory, which is what the probe Pod asks for", "a LimitRange of namespace %s refuses the probe Pod: %s", namespace, msg)
	case apierrors.IsForbidden(err) && limitPattern.MatchString(msg):
		return fail("room for 64Mi of memory and one CPU, which is what the probe Pod may use at most", "a LimitRange of namespace %s refuses the probe Pod: %s", namespace, msg)
	case strings.Contains(msg, "PodSecurity"):
		return fail("a namespace that admits the restricted Pod Security Standard", "Pod Security refuses the probe Pod: %s", msg)
	case strings.Contains(msg, "admission webhook"), strings.Contains(msg, "ValidatingAdmissionPolicy"):
		return fail("a policy that admits the probe Pod, perhaps with another image (--probe-image)", "a policy refuses the probe Pod: %s", msg)
	case apierrors.IsForbidden(err) && strings.Contains(msg, "cannot create"):
		return fail("permission to create Pods in namespace "+namespace, "no permission to create the probe Pod in namespace %s", namespace)
	case apierrors.IsNotFound(err):
		return fail("a namespace that exists", "the probe Pod was not created: %s", msg)
	}
	return fail("a probe Pod that the cluster admits", "the probe Pod was refused: %s", msg)
}

// waitStarted returns when the container of svcx-probe has started, or early
// when it cannot. It notes in s on which node that is.
func waitStarted(ctx context.Context, c *clients, s *seat) error {
	st := &starting{c: c, seat: s}
	opts := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", s.pod).String(), ResourceVersion: s.version}
	for cuts := 0; ; cuts++ {
		w, err := c.core.Pods(s.namespace).Watch(ctx, opts)
		switch {
		case ctx.Err() != nil:
			return st.late()
		case err != nil && !again.Passing(err) && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err):
			return fail("permission to watch Pods in namespace "+s.namespace, "the probe Pod cannot be watched: %v", err)
		case err == nil:
			done, err := st.follow(ctx, w)
			w.Stop()
			if done || err != nil {
				return err
			}
		}
		// A watch that was cut off, or is too old. The next one begins with what is.
		opts.ResourceVersion = ""
		if !again.Pause(ctx, cuts+1) {
			return st.late()
		}
	}
}

// starting is a probe Pod on its way.
type starting struct {
	c             *clients
	seat          *seat
	unschedulable <-chan time.Time
	slow          <-chan time.Time // its image is late then
	why           string
}

func (st *starting) late() error {
	return fail("more time (--timeout)", "the probe Pod had not started when the run ended%s", st.why)
}

// follow follows one watch to its end; done when the container has started.
func (st *starting) follow(ctx context.Context, w watch.Interface) (done bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return false, st.late()
		case <-st.unschedulable:
			return false, fail(nodeFor(st.why), "the probe Pod is not scheduled%s", st.why)
		case <-st.slow:
			pulling, last := st.c.stillPulling(ctx, st.seat)
			if pulling {
				return false, st.seat.noImage("it did not arrive in time; does the node reach its registry?")
			}
			if last != "" {
				st.why = ": " + last
			}
		case ev, ok := <-w.ResultChan():
			if !ok || ev.Type == watch.Error {
				return false, nil
			}
			p, isPod := ev.Object.(*corev1.Pod)
			if !isPod {
				continue
			}
			if ev.Type == watch.Deleted {
				return false, fail("another try", "somebody removed Pod/%s", st.seat.pod)
			}
			st.seat.node, st.seat.addresses = p.Spec.NodeName, partyOf(p).addresses
			if started, err := podProgress(p, st.seat); started || err != nil {
				return started, err
			}
			st.scheduling(ctx, p)
		}
	}
}

// nodeFor says what kind of node would help, from what the scheduler says of those there are.
func nodeFor(why string) string {
	if strings.Contains(why, "Insufficient") || !containsAny(why, "untolerated taint", "were unschedulable") {
		return "a node with room for one small Pod"
	}
	return "a node that is not tainted nor cordoned; or --from nodes, which asks from each whether it is or not"
}

// scheduling notes since when a Pod has no node, and why.
func (st *starting) scheduling(ctx context.Context, p *corev1.Pod) {
	for _, cond := range p.Status.Conditions {
		if cond.Type != corev1.PodScheduled {
			continue
		}
		switch {
		case cond.Status != corev1.ConditionTrue && st.unschedulable == nil:
			st.unschedulable, st.why = time.After(scheduleGrace), ": "+cond.Message
		case cond.Status == corev1.ConditionTrue:
			if st.unschedulable != nil {
				st.unschedulable, st.why = nil, ""
			}
			if st.slow == nil {
				st.slow = time.After(pullPatience(ctx))
			}
		}
	}
}

// pullPatience is how long a run waits for an image.
func pullPatience(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(pullGrace, time.Until(end)/2)
	}
	return pullGrace
}

// stillPulling reads from the Pod's events whether its image is on the way, and
// what was said last.
func (c *clients) stillPulling(ctx context.Context, s *seat) (pulling bool, last string) {
	list, err := c.core.Events(s.namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("involvedObject.name", s.pod).String(), Limit: pageSize})
	if err != nil {
		return false, ""
	}
	var latest time.Time
	pulled := false
	for i := range list.Items {
		e := &list.Items[i]
		if at := eventTime(e); !at.Before(latest) {
			latest, last = at, e.Message
		}
		if strings.Contains(e.Message, s.image) {
			pulling = pulling || e.Reason == "Pulling"
			pulled = pulled || e.Reason == "Pulled"
		}
	}
	return pulling && !pulled, last
}

// noImage is the failure of an image that the node does not get.
func (s *seat) noImage(why string) error {
	if s.streamed {
		return fail("an image with a shell that the nodes hold (--probe-image)", "the image %s cannot be pulled: %s", s.image, why)
	}
	return fail("an image that the cluster can pull (--probe-image), or none: --probe-via=stream",
		"the probe Pod's image %s cannot be pulled: %s", s.image, why)
}

// noStart is the failure of an image that is there, and does not run what it should.
func (s *seat) noStart(why string) error {
	if s.streamed {
		f := asPodFailure(fail("an image with a shell (--probe-image)", "the image %s does not start a shell to stream svcx-probe into: %s", s.image, why))
		f.noShell = true
		return f
	}
	return fail("an image that holds svcx-probe (--probe-image)", "the container of svcx-probe does not start: %s", why)
}

// probers are the statuses of the container of svcx-probe: one, or none yet.
func probers(p *corev1.Pod, s *seat) []corev1.ContainerStatus {
	return slices.DeleteFunc(slices.Concat(p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses),
		func(cs corev1.ContainerStatus) bool { return cs.Name != s.container })
}

// podProgress reads from a Pod's status whether the container of svcx-probe has
// started, or never will.
func podProgress(p *corev1.Pod, s *seat) (started bool, err error) {
	for _, cs := range probers(p, s) {
		if cs.State.Running != nil || cs.State.Terminated != nil {
			if t := cs.State.Terminated; t != nil && (t.Reason == "StartError" || t.Reason == "ContainerCannotRun") {
				return false, s.noStart(t.Message)
			}
			return true, nil
		}
		wait := cs.State.Waiting
		if wait == nil {
			continue
		}
		switch wait.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
			return false, s.noImage(pullReason(wait.Message))
		case "CreateContainerConfigError":
			// A kubelet that has not seen the Secret or ConfigMap yet tries again.
			if strings.Contains(wait.Message, "timed out waiting for the condition") {
				continue
			}
			return false, fail("a probe Pod that the cluster admits", "the container of svcx-probe does not start: %s", wait.Message)
		case "CreateContainerError", "RunContainerError", "CrashLoopBackOff":
			return false, s.noStart(wait.Message)
		}
	}
	switch p.Status.Phase {
	case corev1.PodFailed, corev1.PodSucceeded:
		return false, fail("another try", "Pod/%s has ended: %s %s", p.Name, p.Status.Reason, p.Status.Message)
	}
	return false, nil
}

// pullReason shortens what a container runtime says of a failed pull, which
// repeats the image's name several times around a few words.
func pullReason(msg string) string {
	low := strings.ToLower(msg)
	switch {
	case containsAny(low, "unauthorized", "denied", "authentication required", "authorization failed"):
		return "the registry wants credentials, or does not have it"
	case containsAny(low, "not found", "manifest unknown"):
		return "not found"
	case containsAny(low, "i/o timeout", "no such host", "connection refused", "deadline exceeded"):
		return "the registry cannot be reached"
	}
	return msg
}
