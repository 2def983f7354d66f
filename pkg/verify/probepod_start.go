package verify

import (
	"context"
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

// createFailure says why the API server refused the probe Pod.
func createFailure(namespace string, err error) error {
	msg := err.Error()
	switch {
	case strings.Contains(msg, "exceeded quota"), strings.Contains(msg, "must specify limits"):
		return fail("room for one small Pod in the quota", "the quota of namespace %s refuses the probe Pod: %s", namespace, msg)
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

// waitStarted returns when the probe Pod's container has started, or early when
// it cannot. It notes in pod on which node that is.
func waitStarted(ctx context.Context, c *clients, pod *corev1.Pod, image string) error {
	st := &starting{pod: pod, image: image}
	opts := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", pod.Name).String(), ResourceVersion: pod.ResourceVersion}
	for cuts := 0; ; cuts++ {
		w, err := c.core.Pods(pod.Namespace).Watch(ctx, opts)
		switch {
		case ctx.Err() != nil:
			return st.late()
		case err != nil && !again.Passing(err) && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err):
			return fail("permission to watch Pods in namespace "+pod.Namespace, "the probe Pod cannot be watched: %v", err)
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
	pod           *corev1.Pod
	image         string
	unschedulable <-chan time.Time
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
			return false, fail("a node with room for one small Pod", "the probe Pod is not scheduled%s", st.why)
		case ev, ok := <-w.ResultChan():
			if !ok || ev.Type == watch.Error {
				return false, nil
			}
			p, isPod := ev.Object.(*corev1.Pod)
			if !isPod {
				continue
			}
			if ev.Type == watch.Deleted {
				return false, fail("another try", "somebody removed the probe Pod")
			}
			st.pod.Spec.NodeName = p.Spec.NodeName
			if started, err := podProgress(p, st.image); started || err != nil {
				return started, err
			}
			st.scheduling(p)
		}
	}
}

// scheduling notes since when a Pod has no node, and why.
func (st *starting) scheduling(p *corev1.Pod) {
	for _, cond := range p.Status.Conditions {
		if cond.Type != corev1.PodScheduled {
			continue
		}
		if cond.Status == corev1.ConditionTrue {
			st.unschedulable, st.why = nil, ""
		} else if st.unschedulable == nil {
			st.unschedulable, st.why = time.After(scheduleGrace), ": "+cond.Message
		}
	}
}

// podProgress reads from a probe Pod's status whether its container has
// started, or never will.
func podProgress(p *corev1.Pod, image string) (started bool, err error) {
	for _, cs := range p.Status.ContainerStatuses {
		if cs.State.Running != nil || cs.State.Terminated != nil {
			if t := cs.State.Terminated; t != nil && t.Reason == "StartError" || t != nil && t.Reason == "ContainerCannotRun" {
				return false, fail("an image that holds svcx-probe (--probe-image)", "the probe Pod's container does not start: %s", t.Message)
			}
			return true, nil
		}
		wait := cs.State.Waiting
		if wait == nil {
			continue
		}
		switch wait.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
			return false, fail("an image that the cluster can pull (--probe-image)", "the probe Pod's image %s cannot be pulled: %s", image, pullReason(wait.Message))
		case "CreateContainerConfigError":
			// A kubelet that has not seen the Secret or ConfigMap yet tries again.
			if strings.Contains(wait.Message, "timed out waiting for the condition") {
				continue
			}
			return false, fail("a probe Pod that the cluster admits", "the probe Pod's container does not start: %s", wait.Message)
		case "CreateContainerError", "RunContainerError", "CrashLoopBackOff":
			return false, fail("an image that holds svcx-probe (--probe-image)", "the probe Pod's container does not start: %s", wait.Message)
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		return false, fail("another try", "the probe Pod failed: %s %s", p.Status.Reason, p.Status.Message)
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
