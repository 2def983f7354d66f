package verify

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

func nodeOf(name, arch string) corev1.Node {
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelArchStable: arch}}}
}

// TestStreams: whose image svcx-probe is streamed into, and on which nodes.
func TestStreams(t *testing.T) {
	pod := func(name, namespace, node string, secrets []corev1.LocalObjectReference, images ...string) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PodSpec{NodeName: node, ImagePullSecrets: secrets}}
		for _, image := range images {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Image: image})
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
		}
		return p
	}
	pull := []corev1.LocalObjectReference{{Name: "pull"}}
	s := &Snapshot{
		Nodes: []corev1.Node{nodeOf("one", "amd64"), nodeOf("two", "arm64"), nodeOf("three", "amd64")},
		Pods:  []corev1.Pod{pod("a", "demo", "one", pull, "app:1", "side:1"), pod("b", "demo", "two", pull, "app:1"), pod("c", "demo", "three", pull, "app:1"), pod("d", "other", "one", nil, "other:1")},
	}
	probes := []probe.Probe{{Pod: "demo/a"}, {Pod: "demo/b"}, {Pod: "demo/c"}, {Pod: "other/d"}}
	amd, arm := Prober{Arch: "amd64", Size: 7}, Prober{Arch: "arm64", Size: 8}
	web := &client{Client: Client{Node: "two"}, spec: corev1.PodSpec{Containers: []corev1.Container{{Image: "web:1"}}}}
	for _, tc := range []struct {
		name    string
		at      place
		client  *client
		probers []Prober
		image   string
		want    []string // image, architecture, nodes
		err     string
	}{
		{"the Pods asked about", place{namespace: "demo"}, nil, []Prober{amd}, "", []string{"app:1 amd64 one three", "side:1 amd64 one"}, ""},
		{"a prober for each architecture", place{namespace: "demo", node: "two"}, nil, []Prober{amd, arm}, "", []string{"app:1 arm64 two", "side:1 arm64 two"}, ""},
		{"the client's own", place{namespace: "shop"}, web, []Prober{amd, arm}, "", []string{"web:1 arm64 two"}, ""},
		{"an image that was given", place{namespace: "demo"}, nil, []Prober{arm}, "busybox", []string{"busybox arm64 "}, ""},
		{"no prober for the node", place{namespace: "shop"}, web, []Prober{amd}, "", nil, "is there for linux/amd64, and the nodes are linux/arm64"},
		{"no Pod", place{namespace: "empty"}, nil, []Prober{amd}, "", nil, "no Pod of the target runs in namespace empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := streams(s, tc.at, tc.client, probes, tc.probers, tc.image)
			if (err == nil) != (tc.err == "") || err != nil && (!strings.Contains(err.Error(), tc.err) || asPodFailure(err).needs == "") {
				t.Fatalf("error %v, want %q", err, tc.err)
			}
			var got []string
			for _, r := range list {
				got = append(got, r.image+" "+r.stream.prober.Arch+" "+strings.Join(r.stream.nodes, " "))
				if tc.image == "" && tc.client == nil && !reflect.DeepEqual(r.stream.secrets, pull) {
					t.Errorf("pull secrets %v", r.stream.secrets)
				}
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestStreamedPodIsHarmless: streaming takes nothing of a probe Pod's restrictions back.
func TestStreamedPodIsHarmless(t *testing.T) {
	r := podRun{namespace: "demo", run: "r", image: "app:1", timeout: time.Second, stream: &streamed{prober: Prober{Arch: "amd64", Size: 7}, nodes: []string{"one", "two"}}}
	pod, err := newProbePod(r)
	if err != nil {
		t.Fatal(err)
	}
	c := pod.Spec.Containers[0]
	for what, ok := range map[string]bool{
		"no token":         !*pod.Spec.AutomountServiceAccountToken,
		"read-only root":   *c.SecurityContext.ReadOnlyRootFilesystem && *c.SecurityContext.RunAsNonRoot,
		"waits for stdin":  c.Stdin && c.StdinOnce && c.Command[0] == "sh",
		"a bounded volume": pod.Spec.Volumes[0].EmptyDir.SizeLimit != nil,
		"no pull":          c.ImagePullPolicy == corev1.PullIfNotPresent,
		"architecture":     pod.Spec.NodeSelector[corev1.LabelArchStable] == "amd64",
		"on either node":   len(pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms) == 2,
	} {
		if !ok {
			t.Errorf("the probe Pod lacks: %s", what)
		}
	}
}

// TestStreamScript runs what the shell of an image is given.
func TestStreamScript(t *testing.T) {
	dir := t.TempDir()
	program := "#!/bin/sh\necho started\n"
	s := &streamed{prober: Prober{Size: int64(len(program))}}
	script := strings.ReplaceAll(s.script(), streamDir+"/", dir+"/")
	run := func(in string) (string, error) {
		cmd := exec.Command("sh", "-c", script)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(program); err != nil || out != "started\n" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := run(program[:10]); err == nil || !strings.Contains(out, "incomplete: 10 of 23 bytes") {
		t.Errorf("half a program: %q, %v", out, err)
	}
	if err := os.Remove(filepath.Join(dir, "svcx-probe")); err != nil {
		t.Error(err)
	}
}

// TestEphemeralContainer: it satisfies the restricted standard by itself, keeps
// nothing of what is asked in the Pod's spec, and ends.
func TestEphemeralContainer(t *testing.T) {
	e := ephemeral("svcx-probe-x", "probe:1", &Auth{Secret: "login"}, time.Minute)
	sc := e.SecurityContext
	for what, ok := range map[string]bool{
		"restricted": !*sc.AllowPrivilegeEscalation && *sc.RunAsNonRoot && sc.Capabilities.Drop[0] == "ALL" && sc.SeccompProfile != nil,
		"ends":       reflect.DeepEqual(e.Args, []string{"--stdin", "--attended", "--within=1m15s"}),
		"attended":   e.Stdin && e.StdinOnce,
		"reference":  len(e.Env) == 1 && e.Env[0].Value == "" && e.Env[0].ValueFrom.SecretKeyRef.Name == "login",
	} {
		if !ok {
			t.Errorf("the container lacks: %s: %+v", what, e)
		}
	}
	for msg, needs := range map[string]string{
		`pods "web" is forbidden: User "u" cannot patch resource "pods/ephemeralcontainers"`: "permission to patch pods/ephemeralcontainers",
		`violates PodSecurity "restricted:latest"`:                                           "a policy that admits it",
		`static pods do not support ephemeral containers`:                                    "a Pod that takes",
	} {
		err := errors.New(msg)
		if strings.Contains(msg, "forbidden") {
			err = forbiddenError(msg)
		}
		if f := asPodFailure(ephemeralFailure(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"}}, err)); !strings.Contains(f.needs, needs) || !strings.Contains(f.needs, "leave --ephemeral out") {
			t.Errorf("%s: needs %q, want %q", msg, f.needs, needs)
		}
	}
}
