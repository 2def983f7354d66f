package verify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
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
	// cleanupTimeout bounds removing a probe Pod after the run's own context has ended.
	cleanupTimeout = 5 * time.Second
	// createTimeout bounds creating it.
	createTimeout = 10 * time.Second
)

// podFailure says why nothing could be asked from inside the cluster, and what would help.
type podFailure struct {
	reason string
	needs  string
	// noShell says that the image cannot take in svcx-probe; another one may.
	noShell bool
	// left is a probe Pod that could not be removed; nil: none is left.
	left *ObjectRef
}

func (e *podFailure) Error() string { return e.reason }

// LeftError says that a run was ended and that probe Pods of it could not be removed.
type LeftError struct{ Pods []ObjectRef }

// Error names them and the next step.
func (e *LeftError) Error() string {
	var out []string
	for _, p := range e.Pods {
		out = append(out, fmt.Sprintf("%s in namespace %s could not be removed; %s", p, p.Namespace, shell.Advice("remove it", shell.Kubectl("delete pod %s -n %s", p.Name, p.Namespace))))
	}
	return strings.Join(out, "\n")
}

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
	stream    *streamed     // how svcx-probe gets into the image; nil: it is there
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
	if r.stream != nil {
		r.stream.prepare(pod, r.node)
	}
	return pod, nil
}

// pinTo has a Pod run on one of some nodes, whatever keeps other Pods off them.
// The scheduler still decides, so that it can say why not.
func pinTo(pod *corev1.Pod, nodes ...string) {
	var terms []corev1.NodeSelectorTerm // any of them will do
	for _, n := range nodes {
		terms = append(terms, corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{
			{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{n}}}})
	}
	pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
	}}
	pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
}

func barePod(r podRun, env []corev1.EnvVar) *corev1.Pod {
	yes, no := true, false
	uid := int64(probeUID)
	seconds := int64((r.timeout+deadlineSlack)/time.Second) + 1
	grace := int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:      r.name,
			Namespace: r.namespace,
			Labels:    ownLabels(r.run),
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
				Name: probeName,
				// No pull policy: the API server's default pulls a moving tag (latest)
				// every time, and any other only where it is missing.
				Image: r.image,
				Env:   env,
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
					Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("64Mi")},
				},
				SecurityContext: restricted(),
			}},
		},
	}
}

// ownLabels mark what a run has made for itself.
func ownLabels(run string) map[string]string {
	return map[string]string{labelName: probeName, labelManagedBy: managedBy, LabelProbe: run}
}

// probeUID is the user that svcx-probe runs as.
const probeUID = 65532

// restricted satisfies the restricted Pod Security Standard for one container.
func restricted() *corev1.SecurityContext {
	yes, no := true, false
	uid := int64(probeUID)
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, RunAsNonRoot: &yes, RunAsUser: &uid, RunAsGroup: &uid,
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
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
	if ctx.Err() != nil {
		return fail("more time (--timeout)", "the run ended before the probe Pod was created")
	}
	created := false
	var line *lifeline
	defer func() {
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		rerr := removePod(cctx, c, namespace, pod.Name)
		line.release(cctx)
		if rerr != nil && created {
			f := asPodFailure(fail(shell.Advice("removing it", shell.Kubectl("delete pod %s -n %s", pod.Name, namespace)), "the probe Pod could not be removed: %v", rerr))
			f.left = &ObjectRef{Kind: "Pod", Namespace: namespace, Name: pod.Name}
			err = f
		}
	}()
	// The requests are not cut off with ctx: a Pod that the API server makes after
	// this process has given up would be left behind.
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	line = newLifeline(cctx, c, pod)
	made, err := createPod(cctx, c, pod)
	if err != nil {
		return createFailure(namespace, err)
	}
	created = true
	progress("probe Pod " + namespace + "/" + made.Name + " starts")
	at := &seat{namespace: namespace, pod: made.Name, container: probeName, image: r.image, version: made.ResourceVersion, streamed: r.stream != nil}
	if err := waitStarted(ctx, c, at); err != nil {
		return err
	}
	var in io.Reader
	if r.stream != nil {
		f, err := r.stream.prober.Open()
		if err != nil {
			return fail("a file of svcx-probe that can be read (--probe-binary)", "svcx-probe cannot be streamed: %v", err)
		}
		defer f.Close()
		in = f
	}
	return c.converse(ctx, at, in, false, len(r.probes), emit)
}

// createPod creates a probe Pod. A try whose answer was lost may have made it.
func createPod(ctx context.Context, c *clients, pod *corev1.Pod) (*corev1.Pod, error) {
	tried := false
	return again.Try(ctx, func() (*corev1.Pod, error) {
		made, err := c.core.Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{FieldManager: managedBy})
		if tried && apierrors.IsAlreadyExists(err) {
			return pod.DeepCopy(), nil // names are random: it is ours
		}
		tried = true
		return made, err
	})
}

// removePod deletes a probe Pod at once: it holds nothing.
func removePod(ctx context.Context, c *clients, namespace, name string) error {
	now := int64(0)
	_, err := again.Try(ctx, func() (struct{}, error) {
		return struct{}{}, c.core.Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// asPodFailure gives any error the form that Judge reports.
func asPodFailure(err error) *podFailure {
	var f *podFailure
	if errors.As(err, &f) {
		return f
	}
	return &podFailure{reason: probe.Printable(err.Error(), maxReason), needs: "another try"}
}
