package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// lifelineTTL is how long a probe Pod outlives a run that was killed.
	lifelineTTL = 30 * time.Second
	// lifelinePulse is how often a run puts that off.
	lifelinePulse = 8 * time.Second
)

// lifeline has the cluster remove a probe Pod when this process ends without
// doing so, as on SIGKILL. A Pod alone can end by itself but not remove itself,
// so a Job owns it that runs nothing: without completions it is complete from
// the start, and is removed, with what it owns, a time to live after that
// (ttlSecondsAfterFinished). The run puts that time off for as long as it lives.
type lifeline struct {
	c       *clients
	job     *batchv1.Job
	started time.Time
	stop    context.CancelFunc
	done    chan struct{}
}

// newLifeline makes the Job that a probe Pod is to be owned by, and keeps it
// alive until release. It is nil where Jobs may not be made or kept: then the
// Pod ends by its own deadline and the next run, or cleanup, removes it.
func newLifeline(ctx context.Context, c *clients, pod *corev1.Pod) *lifeline {
	started := time.Now()
	job, err := c.batch.Jobs(pod.Namespace).Create(ctx, lifelineJob(pod), metav1.CreateOptions{FieldManager: managedBy})
	if err != nil {
		return nil
	}
	l := &lifeline{c: c, job: job, started: started, done: make(chan struct{})}
	owner := metav1.OwnerReference{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID}
	if metav1.GetControllerOf(pod) != nil {
		// What keeps others from adopting it has to be its only owner: the Pod would
		// outlive the Job otherwise.
		yes := true
		owner.Controller = &yes
		err = l.complete(ctx)
	}
	if err == nil {
		err = l.putOff(ctx) // else the Pod would go while it is at work
	}
	if err != nil {
		l.remove(ctx)
		return nil
	}
	pod.OwnerReferences = []metav1.OwnerReference{owner}
	pulse, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.beat(pulse)
	return l
}

// completeGrace is how long a Job that runs nothing may take to be complete.
const completeGrace = 5 * time.Second

// complete waits until the Job is complete. Until then its controller lets go of
// Pods that it owns and that do not wear its labels (kubernetes:
// pkg/controller/job/job_controller.go, syncJob); after that it looks at none.
func (l *lifeline) complete(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, completeGrace)
	defer cancel()
	w, err := l.c.batch.Jobs(l.job.Namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", l.job.Name).String(), ResourceVersion: l.job.ResourceVersion})
	if err != nil {
		return err
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		job, ok := e.Object.(*batchv1.Job)
		if ok && slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
		}) {
			return nil
		}
	}
	return errors.New("the Job is not complete")
}

// lifelineJob is the Job for a Pod. Its template is never used, but has to be
// one that policies of the cluster let pass.
func lifelineJob(pod *corev1.Pod) *batchv1.Job {
	none, ttl := int32(0), int32(lifelineTTL/time.Second)
	spec := pod.Spec.DeepCopy()
	for i := range spec.Containers {
		spec.Containers[i].Env = nil // the questions, which may be many
	}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, Labels: ownLabels(pod.Labels[LabelProbe]), Annotations: pod.Annotations},
		Spec: batchv1.JobSpec{
			Parallelism: &none, Completions: &none, BackoffLimit: &none, TTLSecondsAfterFinished: &ttl,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}, Spec: *spec},
		},
	}
}

// beat puts the end off, again and again.
func (l *lifeline) beat(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(lifelinePulse)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_ = l.putOff(ctx) // the next beat tries again
	}
}

// putOff has the Job live for lifelineTTL from now. The time to live counts from
// its completion, which is later than its creation: a little more than asked.
func (l *lifeline) putOff(ctx context.Context) error {
	ttl := (time.Since(l.started) + lifelineTTL) / time.Second
	patch := fmt.Appendf(nil, `{"spec":{"ttlSecondsAfterFinished":%d}}`, ttl)
	_, err := l.c.batch.Jobs(l.job.Namespace).Patch(ctx, l.job.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: managedBy})
	return err
}

// release ends the lifeline; its Pod has been removed, or goes with it.
func (l *lifeline) release(ctx context.Context) {
	if l == nil {
		return
	}
	l.stop()
	<-l.done
	l.remove(ctx)
}

// remove deletes the Job; where that fails its time to live does it.
func (l *lifeline) remove(ctx context.Context) {
	dependents := metav1.DeletePropagationBackground
	_ = l.c.batch.Jobs(l.job.Namespace).Delete(ctx, l.job.Name, metav1.DeleteOptions{PropagationPolicy: &dependents})
}
