package apply

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// evidence is what is seen of a workload. Lists may be empty because they may
// not be read; that makes the explanation poorer, not wrong.
type evidence struct {
	workload    *unstructured.Unstructured
	replicaSets []*appsv1.ReplicaSet
	pods        []*corev1.Pod
	events      []*corev1.Event
	// readySeen is when each Pod was first seen as ready since it last became so,
	// by the clock of now: that of its node may be another.
	readySeen sightings
	// began is when applying began, by the same clock; zero where nothing was applied.
	began time.Time
}

// finding is what a workload waits for.
type finding struct {
	done      bool
	message   string
	since     time.Time
	stuck     *StuckError
	container string        // whose log tells more, when stuck
	recheck   time.Duration // judge again after this time even if nothing changes; 0: no need
}

// diagnose tells whether a workload has rolled out and, if not, what it waits
// for and whether that can heal by itself. It is a pure function.
func diagnose(e evidence, now time.Time) finding {
	ref := refOf(e.workload)
	ready, want := readiness(e.workload)
	count := fmt.Sprintf("%d/%d ready", ready, want)
	result, err := status.Compute(e.workload)
	if err != nil {
		return finding{message: count + " · " + plain(err.Error())}
	}
	if rolledOut(e.workload, result.Status) {
		if e.contradicted() {
			return finding{message: count, recheck: time.Second}
		}
		if wait := e.unproven(now); wait > 0 {
			return finding{message: count + " · no readiness probe, so seeing whether it stays up", recheck: wait}
		}
		return finding{done: true, message: joinReasons(count, partly(e.workload))}
	}
	if observed, _ := number(e.workload, "status", "observedGeneration"); observed < e.workload.GetGeneration() {
		// What is there is of the old generation and says nothing about the new.
		return finding{message: count}
	}
	if paused(e.workload) {
		return finding{message: count + " · paused", stuck: &StuckError{Object: ref, Reason: "Paused",
			Message: "its rollout is paused", Next: shell.Advice("resume it", command("rollout resume", e.workload))}}
	}
	pods := e.current()
	best := e.creation(ref, now)
	for _, p := range pods {
		if f := diagnosePod(ref, p, e.events, now); best.message == "" || f.weight() > best.weight() {
			best = f
		}
	}
	f := finding{message: count, since: best.since, stuck: best.stuck, container: best.container, recheck: best.recheck}
	switch {
	case best.message != "" && best.pod != "":
		f.message = joinReasons(count, best.pod+": "+best.message)
	case best.message != "":
		f.message = joinReasons(count, best.message)
	default:
		f.message = joinReasons(count, leftover(e, pods))
	}
	if f.stuck == nil && result.Status == status.FailedStatus {
		f.stuck = &StuckError{Object: ref, Pod: best.pod, Reason: "ProgressDeadlineExceeded",
			Message: joinReasons(best.message, plain(result.Message)),
			Next:    shell.Advice("look at it", command("describe", e.workload)) + "; " + shell.Advice("take the change back", command("rollout undo", e.workload))}
		f.since = e.gaveUp()
	}
	return e.believed(f, now)
}

// believed holds back what is from before the apply: what was in the way may be mended
// since, and what is tried again ever more rarely has not been tried since then.
func (e evidence) believed(f finding, now time.Time) finding {
	const (
		patience = 30 * time.Second
		rounding = 2 * time.Second // the cluster writes whole seconds
	)
	if f.stuck == nil || f.since.IsZero() || !f.since.Before(e.began.Add(-rounding)) {
		return f
	}
	if left := e.began.Add(patience).Sub(now); left > 0 {
		f.stuck, f.recheck = nil, left
		return f
	}
	again := shell.Advice("if that is mended by now, have it tried at once", command("rollout restart", e.workload))
	f.stuck.Next = strings.TrimPrefix(f.stuck.Next+"; "+again, "; ")
	return f
}

// gaveUp is since when a Deployment counts as one that makes no progress.
func (e evidence) gaveUp() time.Time {
	list, _, _ := unstructured.NestedSlice(e.workload.Object, "status", "conditions")
	for _, c := range list {
		if m, ok := c.(map[string]any); ok && m["type"] == string(appsv1.DeploymentProgressing) {
			text, _ := m["lastUpdateTime"].(string)
			t, _ := time.Parse(time.RFC3339, text)
			return t
		}
	}
	return time.Time{}
}

// rolledOut says whether a workload has the Pods that it is to have by now, as
// far as its own status tells. kstatus does not know of a Deployment that is
// paused after it rolled out, nor what onDelete means for Pods.
func rolledOut(u *unstructured.Unstructured, computed status.Status) bool {
	observed, _ := number(u, "status", "observedGeneration")
	ready, want := readiness(u)
	switch {
	case onDelete(u):
		made, _ := number(u, "status", "replicas")
		if u.GetKind() == "DaemonSet" {
			made, _ = number(u, "status", "currentNumberScheduled")
		}
		return observed > 0 && observed >= u.GetGeneration() && made == want && ready == want
	case paused(u):
		made, _ := number(u, "status", "replicas")
		updated, _ := number(u, "status", "updatedReplicas")
		available, _ := number(u, "status", "availableReplicas")
		return observed >= u.GetGeneration() && made == updated && updated == available && available == want
	}
	return computed == status.CurrentStatus
}

func paused(u *unstructured.Unstructured) bool {
	v, _ := nested(u, "spec", "paused")
	return u.GetKind() == "Deployment" && v == true
}

// onDelete says that Pods of an old revision stay until somebody deletes them.
func onDelete(u *unstructured.Unstructured) bool {
	v, _ := nested(u, "spec", "updateStrategy", "type")
	return v == string(appsv1.OnDeleteStatefulSetStrategyType)
}

// partition is the ordinal from which on a StatefulSet's Pods get a new revision.
func partition(u *unstructured.Unstructured) int64 {
	n, _ := number(u, "spec", "updateStrategy", "rollingUpdate", "partition")
	return n
}

// partly says that a workload which has rolled out has Pods of an old revision
// all the same, or will not roll out further.
func partly(u *unstructured.Unstructured) string {
	_, want := readiness(u)
	updated, _ := number(u, "status", "updatedReplicas")
	if u.GetKind() == "DaemonSet" {
		updated, _ = number(u, "status", "updatedNumberScheduled")
	}
	switch old := want - updated; {
	case paused(u):
		return "paused"
	case onDelete(u) && old == 1:
		return "1 Pod keeps the old revision until somebody deletes it (OnDelete)"
	case onDelete(u) && old > 1:
		return fmt.Sprintf("%d Pods keep the old revision until somebody deletes them (OnDelete)", old)
	case partition(u) > 0 && old > 0:
		return fmt.Sprintf("%d of the new revision (partition %d)", updated, partition(u))
	}
	return ""
}

// contradicted reports whether a Pod is not ready that the workload's status counts as
// such. Each kind is watched by itself, and one may be ahead of the other: the Pod that
// has just failed, or the status that already knows of the Pod.
func (e evidence) contradicted() bool {
	return slices.ContainsFunc(e.current(), func(p *corev1.Pod) bool {
		ended := p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded // evicted, say, and replaced
		return !ended && readySince(p) == nil
	})
}

// unproven is how much longer to look at Pods that count as ready only because
// nothing asks them: one that ends at its start is "ready" for a moment.
func (e evidence) unproven(now time.Time) time.Duration {
	const enough = 5 * time.Second
	var wait time.Duration
	for _, p := range e.current() {
		asked := true
		for _, c := range p.Spec.Containers {
			asked = asked && c.ReadinessProbe != nil
		}
		if asked {
			continue
		}
		if since := readySince(p); since != nil {
			age := max(now.Sub(since.Time), e.readySeen.age(p, now), 0)
			wait = max(wait, enough-age)
		}
	}
	return wait
}

// sightings is when Pods were first seen as ready, by our own clock.
type sightings map[types.UID]sighting

type sighting struct {
	since metav1.Time // as the Pod says it
	at    time.Time
}

// look keeps what is new.
func (s sightings) look(pods []*corev1.Pod, now time.Time) {
	for _, p := range pods {
		since := readySince(p)
		if since == nil {
			delete(s, p.UID)
		} else if have, ok := s[p.UID]; !ok || !have.since.Equal(since) {
			s[p.UID] = sighting{*since, now}
		}
	}
}

// age is for how long a Pod has been seen as ready.
func (s sightings) age(p *corev1.Pod, now time.Time) time.Duration {
	if have, ok := s[p.UID]; ok {
		return now.Sub(have.at)
	}
	return 0
}

// leftover says what remains once no Pod has a problem.
func leftover(e evidence, current []*corev1.Pod) string {
	old := 0
	for _, p := range e.pods {
		if !slices.Contains(current, p) && p.DeletionTimestamp != nil {
			old++
		}
	}
	if old > 0 {
		return fmt.Sprintf("%d old %s to end", old, plural("Pod", old))
	}
	return "" // the count says it
}

func joinReasons(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " · ")
}

// readiness counts the Pods that are ready: those of the newest revision, but of
// any where old ones are meant to stay.
func readiness(u *unstructured.Unstructured) (ready, want int64) {
	if u.GetKind() == "DaemonSet" {
		want, _ = number(u, "status", "desiredNumberScheduled")
		ready, _ = number(u, "status", "numberReady")
		updated, _ := number(u, "status", "updatedNumberScheduled")
		if onDelete(u) {
			updated = ready
		}
		return min(ready, updated, want), want
	}
	var ok bool
	if want, ok = number(u, "spec", "replicas"); !ok {
		want = 1
	}
	ready, _ = number(u, "status", "readyReplicas")
	updated, _ := number(u, "status", "updatedReplicas")
	if onDelete(u) || partition(u) > 0 {
		updated = ready
	}
	return min(ready, updated, want), want
}

func number(u *unstructured.Unstructured, path ...string) (int64, bool) {
	v, ok, err := unstructured.NestedInt64(u.Object, path...)
	return v, ok && err == nil
}

// current returns the Pods of the newest revision, or of any where old ones are
// meant to stay; without those being deleted.
func (e evidence) current() []*corev1.Pod {
	any := onDelete(e.workload) || partition(e.workload) > 0
	mine := func(*corev1.Pod) bool { return false }
	switch e.workload.GetKind() {
	case "Deployment":
		if rs := e.newest(); rs != nil {
			mine = func(p *corev1.Pod) bool { return owned(p, rs.UID) }
		} else if len(e.replicaSets) == 0 {
			// ReplicaSets may be hidden from us while Pods are not: the Pods'
			// own label tells revisions apart, and the youngest is the newest.
			hash := newestHash(e.pods)
			mine = func(p *corev1.Pod) bool { return p.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == hash }
		}
	case "StatefulSet":
		revision, _ := nested(e.workload, "status", "updateRevision")
		mine = func(p *corev1.Pod) bool {
			return owned(p, e.workload.GetUID()) && (any || p.Labels[appsv1.ControllerRevisionHashLabelKey] == revision)
		}
	case "DaemonSet":
		generation := e.workload.GetAnnotations()[appsv1.DeprecatedTemplateGeneration]
		mine = func(p *corev1.Pod) bool {
			return owned(p, e.workload.GetUID()) && (any || p.Labels["pod-template-generation"] == generation)
		}
	}
	var out []*corev1.Pod
	for _, p := range e.pods {
		if mine(p) && p.DeletionTimestamp == nil {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func newestHash(pods []*corev1.Pod) string {
	var newest *corev1.Pod
	for _, p := range pods {
		if newest == nil || newest.CreationTimestamp.Before(&p.CreationTimestamp) {
			newest = p
		}
	}
	if newest == nil {
		return ""
	}
	return newest.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
}

func owned(o metav1.Object, uid types.UID) bool {
	c := metav1.GetControllerOf(o)
	return c != nil && c.UID == uid
}

// newest returns the ReplicaSet of a Deployment's newest revision.
func (e evidence) newest() *appsv1.ReplicaSet {
	var best *appsv1.ReplicaSet
	highest := -1
	for _, rs := range e.replicaSets {
		revision, err := strconv.Atoi(rs.Annotations["deployment.kubernetes.io/revision"])
		if err == nil && revision > highest && owned(rs, e.workload.GetUID()) {
			best, highest = rs, revision
		}
	}
	return best
}

// creation judges why Pods are not even made.
func (e evidence) creation(ref Ref, now time.Time) podFinding {
	var text string
	var since time.Time
	if rs := e.newest(); rs != nil {
		for _, c := range rs.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				text, since = c.Message, c.LastTransitionTime.Time
			}
		}
		// The condition keeps its time while it is tried again; events tell of each try.
		if ev := latest(e.events, rs.UID, "", "FailedCreate"); ev != nil && since.Before(e.began) && !seen(ev).Before(e.began) {
			since = e.began
		}
	} else if ev := latest(e.events, e.workload.GetUID(), "", "FailedCreate"); ev != nil && now.Sub(seen(ev)) < time.Minute {
		text, since = ev.Message, first(ev)
		if since.Before(e.began) && !seen(ev).Before(e.began) {
			since = e.began
		}
	}
	if text == "" {
		return podFinding{}
	}
	f := podFinding{message: "no Pod can be made: " + plain(text), since: since}
	reason, next, grace := refusal(text, ref.Namespace)
	f.settle(grace, now, &StuckError{Object: ref, Reason: reason, Message: plain(text), Next: next})
	return f
}

// refusal sorts the reasons for which the API server refuses to make a Pod. The
// grace is for those that other controllers or ending Pods may still lift.
func refusal(text, namespace string) (reason, next string, grace time.Duration) {
	has := func(s string) bool { return strings.Contains(strings.ToLower(text), s) }
	switch {
	case has("violates podsecurity"):
		return "PodSecurity", shell.Advice("change the securityContext fields it names; the namespace's level", shell.Kubectl("get namespace %s --show-labels", namespace)), 0
	case has("exceeded quota"), has("failed quota"):
		return "QuotaExceeded", shell.Advice("raise the quota or ask for less", shell.Kubectl("describe quota -n %s", namespace)), 20 * time.Second
	case has("serviceaccount") && has("not found"):
		return "ServiceAccountMissing", shell.Advice("create the ServiceAccount", shell.Kubectl("get serviceaccount -n %s", namespace)), 20 * time.Second
	case has("priorityclass") && (has("not found") || has("no priorityclass")):
		return "PriorityClassMissing", "create the PriorityClass: kubectl get priorityclass", 10 * time.Second
	case has("failed calling webhook"):
		return "WebhookFailed", "mend the webhook it names: kubectl get validatingwebhookconfiguration,mutatingwebhookconfiguration", 30 * time.Second
	case has("admission webhook"):
		return "WebhookDenied", "change what the webhook refuses", 5 * time.Second
	case has("limitrange"), has("maximum cpu"), has("maximum memory"), has("minimum cpu"), has("minimum memory"):
		return "LimitRange", shell.Advice("change the container's resources", shell.Kubectl("describe limitrange -n %s", namespace)), 0
	case has("is invalid"):
		return "InvalidPod", "correct the field it names", 0
	}
	return "FailedCreate", shell.Advice("look at it", shell.Kubectl("get events -n %s", namespace)), 20 * time.Second
}
