package main

import (
	"bufio"
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// spoken is what the programs of the seeds log once they listen, by image. A Pod
// without a readiness probe is ready before that, on a busy machine long before.
var spoken = map[string]string{
	"kubectlsvcx/svcx-testserver": "listening ",
	"redis:alpine":                "eady to accept connections",
}

// listening waits until the running containers of a namespace say that they
// listen. One that ends before it does crashes, and is not waited for.
func (b *bench) listening(ctx context.Context, ns string) error {
	pods, err := b.kube.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		for _, c := range p.Spec.Containers {
			word := spoken[c.Image]
			if word == "" || len(c.Command) > 0 || !runs(p, c.Name) {
				continue
			}
			if err := b.logged(ctx, ns, p.Name, c.Name, word); err != nil {
				return err
			}
		}
	}
	return nil
}

func runs(p *corev1.Pod, container string) bool {
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == container {
			return s.State.Running != nil && s.RestartCount == 0
		}
	}
	return false
}

// logged follows a container's log until it holds a word, or ends.
func (b *bench) logged(ctx context.Context, ns, pod, container, word string) error {
	stream, err := b.kube.CoreV1().Pods(ns).GetLogs(pod, &corev1.PodLogOptions{Container: container, Follow: true}).Stream(ctx)
	if err != nil {
		return nil // the Pod has ended since
	}
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		if strings.Contains(lines.Text(), word) {
			return nil
		}
	}
	return context.Cause(ctx)
}
