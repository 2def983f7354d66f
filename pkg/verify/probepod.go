package verify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

const (
	// LabelProbe marks probe Pods; its value tells the runs apart.
	LabelProbe = "svcx/probe"
	// A probe Pod that stands for no client is labelled with these, too.
	labelName, labelManagedBy = "app.kubernetes.io/name", "app.kubernetes.io/managed-by"
	probeName, managedBy      = "svcx-probe", "kubectl-svcx"
	// annotationPurpose is on every probe Pod, also on those that wear a client's labels.
	annotationPurpose = "svcx/purpose"
	// probePodName starts the name of a probe Pod.
	probePodName = probeName + "-"
	// deadlineSlack is what a probe Pod may live beyond the run's own timeout.
	deadlineSlack = 15 * time.Second
	// maxPodLog bounds what is read of a probe Pod's log, in bytes.
	maxPodLog = 64 << 20
	// cleanupTimeout bounds removing a probe Pod after the run's own context has ended.
	cleanupTimeout = 5 * time.Second
	// createTimeout bounds creating it.
	createTimeout = 10 * time.Second
	// helloGrace is how long a started probe Pod may take to write its first line.
	helloGrace = 10 * time.Second
	// scheduleGrace is how long a probe Pod may be unschedulable before it is given up.
	scheduleGrace = 5 * time.Second
)

// podFailure says why nothing could be asked from inside the cluster, and what would help.
type podFailure struct {
	reason string
	needs  string
}

func (e *podFailure) Error() string { return e.reason }

// fail makes a podFailure with text from the cluster in it.
func fail(needs, format string, args ...any) error {
	return &podFailure{reason: probe.Printable(fmt.Sprintf(format, args...), maxReason), needs: needs}
}

// podRun is what one probe Pod is to do, and where.
type podRun struct {
	namespace string
	node      string // to run on; empty: any
	name      string // of the Pod
	run       string // value of LabelProbe
	image     string
	timeout   time.Duration // of the whole run
	auth      *Auth
	client    *client // whom the Pod stands for; nil: nobody
	probes    []probe.Probe
}

// newProbePod returns the Pod that asks a list of probes from inside a namespace.
// It satisfies the restricted Pod Security Standard, has no credentials for the
// API, and ends by itself.
func newProbePod(r podRun) (*corev1.Pod, error) {
	vars, err := probe.Encode(r.probes)
	if err != nil {
		return nil, err
	}
	env := r.auth.env()
	for _, v := range vars {
		env = append(env, corev1.EnvVar{Name: v[0], Value: v[1]})
	}
	pod := barePod(r, env)
	if r.client != nil {
		r.client.dress(pod)
	}
	if r.node != "" {
		pinTo(pod, r.node)
	}
	return pod, nil
}

// pinTo has a Pod run on one node, whatever keeps other Pods off it. The
// scheduler still decides, so that it can say why not.
func pinTo(pod *corev1.Pod, node string) {
	pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
		}}},
	}}
	pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
}

func barePod(r podRun, env []corev1.EnvVar) *corev1.Pod {
	yes, no := true, false
	uid := int64(65532)
	seconds := int64((r.timeout+deadlineSlack)/time.Second) + 1
	grace := int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:      r.name,
			Namespace: r.namespace,
			Labels: map[string]string{
				labelName:      probeName,
				labelManagedBy: managedBy,
				LabelProbe:     r.run,
			},
			Annotations: map[string]string{
				annotationPurpose: "asks the network on behalf of kubectl svcx verify; removed when it has, and safe to remove",
				// A mesh's sidecar would answer in place of the network, and outlive the prober.
				"sidecar.istio.io/inject": "false",
				"linkerd.io/inject":       "disabled",
			},
		},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			ActiveDeadlineSeconds:         &seconds,
			TerminationGracePeriodSeconds: &grace,
			AutomountServiceAccountToken:  &no,
			EnableServiceLinks:            &no,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &uid, RunAsGroup: &uid,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "svcx-probe",
				// No pull policy: the API server's default pulls a moving tag (latest)
				// every time, and any other only where it is missing.
				Image: r.image,
				Env:   env,
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
					Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("64Mi")},
				},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, RunAsNonRoot: &yes,
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// runID returns a random value for LabelProbe.
func runID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

// runInCluster asks probes from a Pod and calls emit for each outcome. The Pod
// is removed before it returns, also when ctx has ended.
func runInCluster(ctx context.Context, c *clients, r podRun, progress func(string), emit func(probe.Outcome)) (err error) {
	if r.image == "" {
		return fail("an image for the probe Pod (--probe-image)", "no image for the probe Pod is set")
	}
	namespace := r.namespace
	pod, err := newProbePod(r)
	if err != nil {
		return fail("fewer Services at once", "%v", err)
	}
	created := false
	defer func() {
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		if rerr := removePod(cctx, c, namespace, pod.Name); rerr != nil && created {
			err = fail("removing it: kubectl delete pod "+pod.Name+" -n "+namespace, "the probe Pod could not be removed: %v", rerr)
		}
	}()
	// The request is not cut off with ctx: a Pod that the API server makes after
	// this process has given up would be left behind.
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	if ctx.Err() != nil {
		return fail("more time (--timeout)", "the run ended before the probe Pod was created")
	}
	made, err := c.core.Pods(namespace).Create(cctx, pod, metav1.CreateOptions{FieldManager: managedBy})
	if err != nil {
		return createFailure(namespace, err)
	}
	created = true
	progress("probe Pod " + namespace + "/" + made.Name + " starts")
	if err := waitStarted(ctx, c, made, r.image); err != nil {
		return err
	}
	return followLog(ctx, c, made, len(r.probes), func(o probe.Outcome) {
		// Where it was asked from is part of what was seen.
		facts := map[string]string{factNamespace: namespace}
		if made.Spec.NodeName != "" {
			facts[factNode] = made.Spec.NodeName
		}
		maps.Copy(facts, o.Facts)
		o.Facts = facts
		emit(o)
	})
}

// removePod deletes a probe Pod at once: it holds nothing.
func removePod(ctx context.Context, c *clients, namespace, name string) error {
	now := int64(0)
	err := c.core.Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

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
	opts := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", pod.Name).String(), ResourceVersion: pod.ResourceVersion}
	w, err := c.core.Pods(pod.Namespace).Watch(ctx, opts)
	if err != nil {
		if ctx.Err() != nil {
			return fail("more time (--timeout)", "the run ended before the probe Pod had started")
		}
		return fail("permission to watch Pods in namespace "+pod.Namespace, "the probe Pod cannot be watched: %v", err)
	}
	defer w.Stop()
	var unschedulable <-chan time.Time
	why := ""
	for {
		select {
		case <-ctx.Done():
			return fail("more time (--timeout)", "the probe Pod had not started when the run ended%s", why)
		case <-unschedulable:
			return fail("a node with room for one small Pod", "the probe Pod is not scheduled%s", why)
		case ev, ok := <-w.ResultChan():
			if !ok || ev.Type == watch.Error {
				return fail("another try", "the watch on the probe Pod was cut off")
			}
			p, isPod := ev.Object.(*corev1.Pod)
			if !isPod {
				continue
			}
			if ev.Type == watch.Deleted {
				return fail("another try", "somebody removed the probe Pod")
			}
			pod.Spec.NodeName = p.Spec.NodeName
			started, err := podProgress(p, image)
			if started || err != nil {
				return err
			}
			for _, cond := range p.Status.Conditions {
				if cond.Type != corev1.PodScheduled {
					continue
				}
				if cond.Status == corev1.ConditionTrue {
					unschedulable, why = nil, ""
				} else if unschedulable == nil {
					unschedulable, why = time.After(scheduleGrace), ": "+cond.Message
				}
			}
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

// followLog reads the prober's output while it is written.
func followLog(ctx context.Context, c *clients, pod *corev1.Pod, want int, emit func(probe.Outcome)) error {
	limit := int64(maxPodLog)
	// An image that is no prober may run for ever and write nothing.
	lctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var silent atomic.Bool
	timer := time.AfterFunc(helloGrace, func() { silent.Store(true); cancel() })
	defer timer.Stop()
	stream, err := c.core.Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true, LimitBytes: &limit}).Stream(lctx)
	if err != nil {
		if apierrors.IsForbidden(err) {
			return fail("permission to read Pod logs (get pods/log) in namespace "+pod.Namespace, "the probe Pod's log may not be read")
		}
		return fail("another try", "the probe Pod's log cannot be read: %v", err)
	}
	defer stream.Close()
	end, err := probe.ReadOutcomes(&heard{Reader: stream, first: func() { timer.Stop() }}, emit)
	switch {
	case err != nil && silent.Load() && ctx.Err() == nil:
		return fail("an image that holds svcx-probe (--probe-image)", "the image %s does not run svcx-probe: it wrote nothing in %.0f s",
			pod.Spec.Containers[0].Image, helloGrace.Seconds())
	case errors.Is(err, probe.ErrNoProber):
		return fail("an image that holds svcx-probe (--probe-image)", "the image %s does not run svcx-probe", pod.Spec.Containers[0].Image)
	case err != nil && ctx.Err() != nil:
		return fail("more time (--timeout)", "the run ended before the probe Pod had")
	case err != nil:
		return fail("an image that holds svcx-probe (--probe-image)", "the probe Pod's log ended early: %v", err)
	case end.Error != "":
		return fail("an image of this version (--probe-image)", "the probe Pod: %s", end.Error)
	case end.Count != want:
		return fail("another try", "the probe Pod answered %d of %d questions", end.Count, want)
	}
	return nil
}

// heard calls first when the first bytes come.
type heard struct {
	io.Reader
	first func()
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 && h.first != nil {
		h.first()
		h.first = nil
	}
	return n, err
}

// asPodFailure gives any error the form that Judge reports.
func asPodFailure(err error) *podFailure {
	var f *podFailure
	if errors.As(err, &f) {
		return f
	}
	return &podFailure{reason: probe.Printable(err.Error(), maxReason), needs: "another try"}
}
