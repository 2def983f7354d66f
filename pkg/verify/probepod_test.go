package verify

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

func TestProbePodIsHarmless(t *testing.T) {
	pod, err := newProbePod(podRun{namespace: "demo", name: "svcx-probe-abc-0", run: "abc", image: "image", timeout: 30 * time.Second, probes: []probe.Probe{{ID: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	s, c := pod.Spec, pod.Spec.Containers[0]
	checks := map[string]bool{
		"no token":             !*s.AutomountServiceAccountToken,
		"no service links":     !*s.EnableServiceLinks,
		"ends by itself":       *s.ActiveDeadlineSeconds >= 45 && s.RestartPolicy == corev1.RestartPolicyNever,
		"not root":             *s.SecurityContext.RunAsNonRoot && *s.SecurityContext.RunAsUser > 0,
		"seccomp":              s.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"no privileges gained": !*c.SecurityContext.AllowPrivilegeEscalation && c.SecurityContext.Capabilities.Drop[0] == "ALL",
		"read-only":            *c.SecurityContext.ReadOnlyRootFilesystem,
		"limits":               !c.Resources.Limits.Cpu().IsZero() && !c.Resources.Limits.Memory().IsZero(),
		"labels":               pod.Labels[LabelProbe] == "abc" && pod.Labels["app.kubernetes.io/managed-by"] == "kubectl-svcx",
		"no tolerations":       len(s.Tolerations) == 0,
	}
	for what, ok := range checks {
		if !ok {
			t.Errorf("the probe Pod lacks: %s", what)
		}
	}
}

func TestLeftover(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	life := int64(60)
	ours := map[string]string{LabelProbe: "abc", "app.kubernetes.io/managed-by": "kubectl-svcx"}
	pod := func(age time.Duration, labels map[string]string, status corev1.PodStatus) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: labels, CreationTimestamp: metav1.NewTime(now.Add(-age))},
			Spec: corev1.PodSpec{ActiveDeadlineSeconds: &life}, Status: status}
	}
	cases := []struct {
		name string
		pod  *corev1.Pod
		want bool
	}{
		{"another run is at work", pod(30*time.Second, ours, corev1.PodStatus{Phase: corev1.PodRunning}), false},
		{"another run is about to read it", pod(30*time.Second, ours, corev1.PodStatus{Phase: corev1.PodSucceeded}), false},
		{"past its deadline", pod(70*time.Second, ours, corev1.PodStatus{Phase: corev1.PodPending}), true},
		{"ended by its deadline", pod(50*time.Second, ours, corev1.PodStatus{Phase: corev1.PodFailed, Reason: "DeadlineExceeded"}), true},
		{"none of ours", pod(time.Hour, map[string]string{LabelProbe: "x"}, corev1.PodStatus{}), false},
	}
	for _, tc := range cases {
		if got := leftover(tc.pod, now); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestPodProgress(t *testing.T) {
	waiting := func(reason, msg string) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: msg}}}}}}
	}
	terminated := func(reason string) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason}}}}}}
	}
	cases := []struct {
		pod     *corev1.Pod
		started bool
		want    string
	}{
		{&corev1.Pod{}, false, ""},
		{waiting("ContainerCreating", ""), false, ""},
		{waiting("ErrImagePull", "rpc error: img: not found"), false, "cannot be pulled: not found"},
		{waiting("ImagePullBackOff", "401 Unauthorized"), false, "wants credentials"},
		{waiting("InvalidImageName", "bad \x1b[31mname"), false, "bad name"},
		{waiting("CreateContainerError", "exec not there"), false, "does not start"},
		{terminated("Completed"), true, ""},
		{terminated("StartError"), false, "does not start"},
		{&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}}, false, "Evicted"},
	}
	for _, tc := range cases {
		started, err := podProgress(tc.pod, &seat{image: "img"})
		got := ""
		if err != nil {
			got = err.Error()
			if f := asPodFailure(err); f.needs == "" {
				t.Errorf("%s: does not say what would help", got)
			}
		}
		if started != tc.started || (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) || strings.Contains(got, "\x1b") {
			t.Errorf("%+v: %v, %q; want %v, %q", tc.pod.Status, started, got, tc.started, tc.want)
		}
	}
}

func forbiddenError(msg string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "svcx-probe-x", errors.New(msg))
}

func TestCreateFailure(t *testing.T) {
	forbidden := forbiddenError
	cases := []struct {
		err   error
		needs string
	}{
		{forbidden(`User "u" cannot create resource "pods" in API group "" in the namespace "demo"`), "permission to create Pods in namespace demo"},
		{forbidden("exceeded quota: full, requested: pods=1"), "quota"},
		{forbidden("maximum memory usage per Container is 32Mi, but limit is 64Mi"), "room for 64Mi"},
		{forbidden(`violates PodSecurity "restricted:latest"`), "restricted"},
		{errors.New(`admission webhook "x" denied the request`), "--probe-image"},
		{errors.New("anything"), "probe Pod"},
	}
	for _, tc := range cases {
		f := asPodFailure(createFailure("demo", tc.err))
		if !strings.Contains(f.needs, tc.needs) || f.reason == "" {
			t.Errorf("%v: %q needs %q, want %q", tc.err, f.reason, f.needs, tc.needs)
		}
	}
}
