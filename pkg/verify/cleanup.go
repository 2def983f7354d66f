package verify

import (
	"context"
	"fmt"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// clockSkew is how far clocks within the cluster, and what is known of them, may differ.
const clockSkew = 5 * time.Second

// Cleanup removes probe Pods that a killed run has left behind, in a namespace
// or in all, and returns them. The Pods of runs that may still be at work are
// left: a probe Pod is a leftover once its own deadline has passed.
func Cleanup(ctx context.Context, cfg *rest.Config, namespace string, all bool) ([]ObjectRef, error) {
	c, err := newClients(cfg)
	if err != nil {
		return nil, err
	}
	if all {
		namespace = metav1.NamespaceAll
	}
	return cleanup(ctx, c, namespace)
}

func cleanup(ctx context.Context, c *clients, namespace string) ([]ObjectRef, error) {
	list, err := c.core.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: LabelProbe})
	if err != nil {
		return nil, fmt.Errorf("looking for probe Pods: %w", err)
	}
	now := c.now()
	var removed []ObjectRef
	zero := int64(0)
	for i := range list.Items {
		p := &list.Items[i]
		if !leftover(p, now) {
			continue
		}
		opts := metav1.DeleteOptions{GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &p.UID}}
		err := c.core.Pods(p.Namespace).Delete(ctx, p.Name, opts)
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			continue
		}
		if err != nil {
			return removed, fmt.Errorf("removing Pod/%s in namespace %s: %w", p.Name, p.Namespace, err)
		}
		removed = append(removed, ObjectRef{Kind: "Pod", Namespace: p.Namespace, Name: p.Name})
	}
	sort.Slice(removed, func(i, j int) bool {
		return removed[i].Namespace+"/"+removed[i].Name < removed[j].Namespace+"/"+removed[j].Name
	})
	return removed, nil
}

// leftover reports whether no run can still be waiting for a probe Pod. A run
// gives its Pod a deadline later than its own end, so a Pod past its deadline
// has lost its run; one that has merely finished may be about to be read.
func leftover(p *corev1.Pod, now time.Time) bool {
	// A probe Pod may wear the labels of the client that it stands for.
	if p.Labels[labelManagedBy] != managedBy && p.Annotations[annotationPurpose] == "" || p.Labels[LabelProbe] == "" {
		return false
	}
	if p.Status.Phase == corev1.PodFailed && p.Status.Reason == "DeadlineExceeded" {
		return true
	}
	if p.Spec.ActiveDeadlineSeconds == nil {
		return false // none of ours
	}
	life := time.Duration(*p.Spec.ActiveDeadlineSeconds) * time.Second
	return now.After(p.CreationTimestamp.Add(life + clockSkew))
}
