package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// ephemeral returns the container that asks from within a client's Pod. What
// stays of it in the Pod's spec is small, and none of what is asked: the list
// comes on stdin. It ends when the run does, or its time is over.
func ephemeral(name, image string, auth *Auth, timeout time.Duration) corev1.EphemeralContainer {
	return corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: name, Image: image,
		Args:  []string{"--stdin", "--attended", "--within=" + (timeout + deadlineSlack).String()},
		Stdin: true, StdinOnce: true,
		Env:             auth.env(),
		SecurityContext: restricted(),
	}}
}

// fromClient asks a list from an ephemeral container in the client's Pod.
func (r *runner) fromClient(ctx context.Context, name string, probes []probe.Probe) {
	answered := map[string]bool{}
	err := r.inClient(ctx, name, probes, func(o probe.Outcome) {
		answered[o.Probe] = true
		r.emit(o)
	})
	if err != nil {
		r.unanswered(probes, answered, asPodFailure(err))
	}
}

func (r *runner) inClient(ctx context.Context, name string, probes []probe.Probe, emit func(probe.Outcome)) error {
	list, err := json.Marshal(probes)
	if err != nil {
		return err
	}
	at := r.client.pod
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{
		"ephemeralContainers": []corev1.EphemeralContainer{ephemeral(name, r.o.ProbeImage, r.o.Auth, r.o.Timeout)}}})
	if err != nil {
		return err
	}
	pod, err := r.c.core.Pods(at.Namespace).Patch(ctx, at.Name, types.StrategicMergePatchType, patch,
		metav1.PatchOptions{FieldManager: managedBy}, "ephemeralcontainers")
	if err != nil {
		return ephemeralFailure(at, err)
	}
	r.say("ephemeral container "+name+" starts in Pod "+at.Namespace+"/"+at.Name, false)
	s := &seat{namespace: pod.Namespace, pod: pod.Name, container: name, image: r.o.ProbeImage, version: pod.ResourceVersion}
	if err := waitStarted(ctx, r.c, s); err != nil {
		return err
	}
	return r.c.converse(ctx, s, bytes.NewReader(list), true, len(probes), emit)
}

// ephemeralFailure says why the API server refused the container.
func ephemeralFailure(p *corev1.Pod, err error) error {
	msg := err.Error()
	const without = "; or leave --ephemeral out, and a Pod like it is asked from"
	switch {
	case strings.Contains(msg, "PodSecurity"), strings.Contains(msg, "admission webhook"), strings.Contains(msg, "ValidatingAdmissionPolicy"):
		return fail("a policy that admits it"+without, "the ephemeral container was refused: %s", msg)
	case apierrors.IsForbidden(err):
		return fail("permission to patch pods/ephemeralcontainers in namespace "+p.Namespace+", which even the role admin lacks"+without,
			"no permission to add an ephemeral container to Pod/%s in namespace %s", p.Name, p.Namespace)
	case apierrors.IsNotFound(err):
		return fail("a client that runs", "Pod/%s in namespace %s has gone", p.Name, p.Namespace)
	}
	return fail("a Pod that takes an ephemeral container"+without, "no ephemeral container was added to Pod/%s: %s", p.Name, msg)
}
