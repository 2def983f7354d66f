package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// makersFor returns the workloads whose Pods a Service's selector would match.
func (v *view) makersFor(svc *corev1.Service) []*workload {
	var out []*workload
	for i := range v.workload {
		if w := &v.workload[i]; w.ref.Namespace == svc.Namespace && w.makesFor(svc) {
			out = append(out, w)
		}
	}
	return out
}

// makesFor reports whether a Service's selector matches Pods that the workload makes,
// or would make if it were not scaled to zero.
func (w *workload) makesFor(svc *corev1.Service) bool {
	if n, one := w.ordinal(svc.Spec.Selector); one {
		return w.desired() == 0 || n >= w.start && n < w.start+w.desired()
	}
	return selects(svc, w.labels)
}

// objectOf returns the object of a list that has a name in a namespace, or nil.
func objectOf[T any, O interface {
	*T
	metav1.Object
}](list []T, namespace, name string) *T {
	for i := range list {
		if o := O(&list[i]); o.GetName() == name && o.GetNamespace() == namespace {
			return &list[i]
		}
	}
	return nil
}

// podLabels are the labels that the controller of a StatefulSet gives to one Pod each:
// they stand in no template.
var podLabels = []string{appsv1.StatefulSetPodNameLabel, appsv1.PodIndexLabel}

// onePod reports whether a selector means one Pod of a StatefulSet.
func onePod(selector map[string]string) bool {
	return slices.ContainsFunc(podLabels, func(k string) bool { return selector[k] != "" })
}

// ordinal returns the number of the one Pod of a StatefulSet that a selector means;
// false where it means none of this workload alone.
func (w *workload) ordinal(selector map[string]string) (int, bool) {
	if w.ref.Kind != "StatefulSet" || !onePod(selector) {
		return 0, false
	}
	number := selector[appsv1.PodIndexLabel]
	if name, ok := selector[appsv1.StatefulSetPodNameLabel]; ok {
		i := strings.LastIndexByte(name, '-')
		if i < 0 || name[:i] != w.ref.Name || number != "" && number != name[i+1:] {
			return 0, false
		}
		number = name[i+1:]
	}
	for k, v := range selector {
		if got, ok := w.labels[k]; !slices.Contains(podLabels, k) && (!ok || got != v) {
			return 0, false
		}
	}
	n, err := strconv.Atoi(number)
	return n, err == nil && n >= 0
}

// stopped returns the matching workloads where all of them were told to run no Pods.
func (c *serviceCase) stopped() []*workload {
	if slices.ContainsFunc(c.makers, func(w *workload) bool { return !w.suspended && (w.replicas == nil || *w.replicas != 0) }) {
		return nil
	}
	return c.makers
}

// makerKinds are the kinds of which workloads are made, as in RBAC.
var makerKinds = []string{"deployments", "statefulsets", "daemonsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs"}

// unmadeText says who would carry the labels of a selector that matches nothing.
func (c *serviceCase) unmadeText() []string {
	var out []string
	if !slices.ContainsFunc(makerKinds, func(k string) bool { return c.v.gap(k, c.svc.Namespace) != nil }) {
		out = append(out, "no workload in namespace "+c.svc.Namespace+" has these labels in its template")
	}
	free, homes := c.matchElsewhere()
	n := 0
	for _, pods := range homes {
		n += pods
	}
	if n > 0 {
		out = append(out, fmt.Sprintf("%s of other namespaces carry them, and have a Service there", plural(n, "Pod")))
	}
	if len(free) > 0 {
		out = append(out, "Pods of other namespaces carry them: "+shortList(slices.Sorted(maps.Keys(free)), 3))
	}
	return out
}

// refs names workloads.
func refs(list []*workload) []string {
	var out []string
	for _, w := range list {
		out = append(out, w.ref.String())
	}
	return out
}

// toEnd reports whether a workload runs its Pods to their end, and does not replace
// those that have ended well.
func (w *workload) toEnd() bool { return w.ref.Kind == "Job" || w.ref.Kind == "CronJob" }

// jobOver reports whether a Job makes no more Pods.
func jobOver(j *batchv1.Job) bool {
	return slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed)
	})
}

// bareTargets returns the targets that are known to select no Pods of their namespace.
func (v *view) bareTargets() []*corev1.Service {
	var out []*corev1.Service
	for _, key := range v.s.Targets {
		if svc := v.service(key); svc != nil && len(svc.Spec.Selector) > 0 && svc.Spec.Type != corev1.ServiceTypeExternalName &&
			v.gap("pods", svc.Namespace) == nil && len(v.selected(svc)) == 0 {
			out = append(out, svc)
		}
	}
	return out
}

// readMakers reads what else makes Pods from a template, for Services that select none
// and match no template either: ReplicationControllers, Jobs and CronJobs, of which there
// may be many. What none of these Services matches is not kept.
func readMakers(ctx context.Context, c *clients, s *Snapshot, ns string) {
	v := newView(s)
	bare := slices.DeleteFunc(v.bareTargets(), func(svc *corev1.Service) bool {
		return len(v.makersFor(svc)) > 0
	})
	if len(bare) == 0 {
		return
	}
	kept := func(m *metav1.ObjectMeta, labels map[string]string) bool {
		keepChanges(m)
		return slices.ContainsFunc(bare, func(svc *corev1.Service) bool { return svc.Namespace == m.Namespace && selects(svc, labels) })
	}
	var wg sync.WaitGroup
	var noControllers, noJobs, noCronJobs error
	wg.Go(func() {
		s.ReplicationControllers, noControllers = listAll(ctx, c.core.ReplicationControllers(ns).List, func(l *corev1.ReplicationControllerList) []corev1.ReplicationController { return l.Items })
		s.ReplicationControllers = slices.DeleteFunc(s.ReplicationControllers, func(d corev1.ReplicationController) bool {
			return d.Spec.Template == nil || !kept(&d.ObjectMeta, d.Spec.Template.Labels)
		})
	})
	wg.Go(func() {
		s.Jobs, noJobs = listAll(ctx, c.batch.Jobs(ns).List, func(l *batchv1.JobList) []batchv1.Job { return l.Items })
		s.Jobs = slices.DeleteFunc(s.Jobs, func(d batchv1.Job) bool {
			owner := metav1.GetControllerOf(&d)
			return owner != nil && owner.Kind == "CronJob" || !kept(&d.ObjectMeta, d.Spec.Template.Labels)
		})
	})
	wg.Go(func() {
		s.CronJobs, noCronJobs = listAll(ctx, c.batch.CronJobs(ns).List, func(l *batchv1.CronJobList) []batchv1.CronJob { return l.Items })
		s.CronJobs = slices.DeleteFunc(s.CronJobs, func(d batchv1.CronJob) bool { return !kept(&d.ObjectMeta, d.Spec.JobTemplate.Spec.Template.Labels) })
	})
	wg.Wait()
	for _, g := range []struct {
		resource string
		err      error
	}{{"replicationcontrollers", noControllers}, {"jobs", noJobs}, {"cronjobs", noCronJobs}} {
		if g.err != nil {
			s.Gaps = append(s.Gaps, Gap{Resource: g.resource, Namespace: ns, Reason: probe.Printable(g.err.Error(), maxReason)})
		}
	}
}
