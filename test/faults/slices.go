package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// slicesCurrent waits until the EndpointSlices of a namespace say of every
// selected Pod what the Pod says of itself. A Pod that crashes changes its mind:
// it is asked again after a while.
func (b *bench) slicesCurrent(ctx context.Context, ns string) error {
	for {
		look, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := b.slicesAgree(look, ns)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// slicesAgree waits until EndpointSlices agree with the Pods of now.
func (b *bench) slicesAgree(ctx context.Context, ns string) error {
	services, err := b.kube.CoreV1().Services(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	pods, err := b.kube.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	type key struct{ service, pod string }
	want := map[key]bool{}
	for i := range services.Items {
		svc := &services.Items[i]
		if len(svc.Spec.Selector) == 0 || svc.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		selector := labels.SelectorFromSet(svc.Spec.Selector)
		for j := range pods.Items {
			p := &pods.Items[j]
			if selector.Matches(labels.Set(p.Labels)) && p.Status.PodIP != "" && p.DeletionTimestamp == nil &&
				p.Status.Phase == corev1.PodRunning {
				want[key{svc.Name, p.Name}] = ready(p) || svc.Spec.PublishNotReadyAddresses
			}
		}
	}
	seen := map[string]*unstructured.Unstructured{}
	var missing string
	err = b.watched(ctx, resources["endpointslices"], ns, "", seen, func() bool {
		have := map[key]bool{}
		for _, slice := range seen {
			endpoints, _, _ := unstructured.NestedSlice(slice.Object, "endpoints")
			for _, e := range endpoints {
				m, _ := e.(map[string]any)
				pod, _, _ := unstructured.NestedString(m, "targetRef", "name")
				ready, _, _ := unstructured.NestedBool(m, "conditions", "ready")
				k := key{slice.GetLabels()["kubernetes.io/service-name"], pod}
				have[k] = have[k] || ready
			}
		}
		missing = ""
		for k, isReady := range want {
			if got, ok := have[k]; !ok || got != isReady {
				missing = k.service + " " + k.pod
				return false
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("until EndpointSlices are current: %w; not yet: %s", err, missing)
	}
	return nil
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
