package apply

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// podFinding is what one Pod waits for.
type podFinding struct {
	pod       string
	message   string
	since     time.Time
	stuck     *StuckError
	container string
	recheck   time.Duration
	problem   bool // something went wrong, as opposed to not being there yet
}

// weight orders findings: what is certain, what went wrong, what takes time.
func (f podFinding) weight() int {
	switch {
	case f.message == "":
		return 0
	case f.stuck != nil:
		return 3
	case f.problem:
		return 2
	}
	return 1
}

// settle makes a problem certain once it has lasted for its grace.
func (f *podFinding) settle(grace time.Duration, now time.Time, stuck *StuckError) {
	f.problem = true
	if age := now.Sub(f.since); age >= grace {
		f.stuck = stuck
	} else {
		f.recheck = grace - age
	}
}

// diagnosePod tells what a Pod waits for; its message is empty when it is ready.
func diagnosePod(ref Ref, p *corev1.Pod, events []*corev1.Event, now time.Time) podFinding {
	d := podDoctor{ref: ref, pod: p, events: events, now: now}
	f := d.look()
	f.pod = plain(p.Name)
	if f.stuck != nil {
		f.stuck.Object, f.stuck.Pod = ref, p.Name
	}
	return f
}

type podDoctor struct {
	ref    Ref
	pod    *corev1.Pod
	events []*corev1.Event
	now    time.Time
}

// describe is the command that shows the Pod.
func (d podDoctor) describe() string {
	return shell.Kubectl("describe %s -n %s", "pod/"+d.pod.Name, d.pod.Namespace)
}

func (d podDoctor) condition(t corev1.PodConditionType) *corev1.PodCondition {
	return condition(d.pod, t)
}

func condition(p *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == t {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// readySince is since when a Pod is ready; nil when it is not.
func readySince(p *corev1.Pod) *metav1.Time {
	if c := condition(p, corev1.PodReady); c != nil && c.Status == corev1.ConditionTrue {
		return &c.LastTransitionTime
	}
	return nil
}

func (d podDoctor) look() podFinding {
	if readySince(d.pod) != nil {
		return podFinding{}
	}
	if d.pod.Status.Phase == corev1.PodFailed {
		return podFinding{message: joinReasons("failed", plain(d.pod.Status.Reason), plain(d.pod.Status.Message)), problem: true}
	}
	scheduled := d.condition(corev1.PodScheduled)
	if scheduled == nil {
		return podFinding{message: "waiting for the scheduler", since: d.pod.CreationTimestamp.Time}
	}
	if scheduled.Status != corev1.ConditionTrue {
		return d.unschedulable(scheduled)
	}
	since := scheduled.LastTransitionTime.Time
	best := podFinding{}
	consider := func(f podFinding) {
		if best.message == "" || f.weight() > best.weight() {
			best = f
		}
	}
	for _, s := range d.pod.Status.InitContainerStatuses {
		consider(d.container(s, since, true))
	}
	for _, s := range d.pod.Status.ContainerStatuses {
		consider(d.container(s, since, false))
	}
	if best.message == "" && len(d.pod.Status.ContainerStatuses) == 0 {
		return podFinding{message: "its node has not started it yet", since: since}
	}
	if best.message == "" {
		return d.gates()
	}
	return best
}

// autoscalers tell in these events that a node is on its way.
var autoscalers = []string{"TriggeredScaleUp", "Nominated", "NominatedPod"}

func (d podDoctor) unschedulable(c *corev1.PodCondition) podFinding {
	text, _, _ := strings.Cut(plain(c.Message), " preemption: ") // a second sentence that repeats the first
	f := podFinding{message: "unschedulable", since: c.LastTransitionTime.Time, problem: true}
	if c.Reason == corev1.PodReasonSchedulingGated {
		f.message, f.problem = "held back by its scheduling gates", false
		return f
	}
	if text != "" {
		f.message += ": " + text
	}
	for _, reason := range autoscalers {
		if latest(d.events, d.pod.UID, "", reason) != nil {
			f.message, f.problem = "a node is being added for it", false
			return f
		}
	}
	for _, passing := range []string{"not-ready", "unreachable", "uninitialized", "network-unavailable", "no nodes available"} {
		if strings.Contains(text, passing) {
			return f // nodes that are starting
		}
	}
	grace := 30 * time.Second // Pods that are ending may make room
	next := shell.Advice("make room, or ask for less", d.describe())
	switch {
	case strings.Contains(text, "PersistentVolumeClaim"), strings.Contains(text, "persistentvolumeclaim"):
		grace = 60 * time.Second // a volume may be being made
		next = shell.Advice("look at the claim", shell.Kubectl("get pvc -n %s", d.pod.Namespace))
	case strings.Contains(text, "didn't match Pod's node affinity/selector"), strings.Contains(text, "untolerated taint"):
		next = shell.Advice("compare with the nodes", "kubectl get nodes --show-labels; "+d.describe())
	}
	f.settle(grace, d.now, &StuckError{Reason: "Unschedulable", Message: text, Next: next})
	return f
}

// container judges one container; since is when the Pod came to its node.
func (d podDoctor) container(s corev1.ContainerStatus, since time.Time, init bool) podFinding {
	name := ""
	if init || len(d.pod.Spec.Containers) > 1 {
		name = " (container " + plain(s.Name) + ")"
	}
	switch {
	case s.State.Waiting != nil:
		f := d.waiting(s, since)
		f.message += name
		return f
	case s.State.Terminated != nil:
		if init && s.State.Terminated.ExitCode == 0 {
			return podFinding{}
		}
		return podFinding{message: exit(s.State.Terminated) + name, since: s.State.Terminated.FinishedAt.Time, problem: true}
	case s.State.Running == nil:
		return podFinding{message: "starting" + name, since: since}
	case init:
		if s.Started != nil && *s.Started && s.Ready {
			return podFinding{} // a sidecar
		}
		return podFinding{message: "init container " + plain(s.Name) + " is running", since: s.State.Running.StartedAt.Time}
	case s.Ready:
		return podFinding{}
	}
	return d.notReady(s, name)
}

// notReady explains a container that runs and is not ready by its failing
// probe. Events outlive what they tell of: only one of this run of the
// container, and not long ago, counts.
func (d podDoctor) notReady(s corev1.ContainerStatus, name string) podFinding {
	f := podFinding{message: "started, not ready yet" + name, since: s.State.Running.StartedAt.Time}
	ev := latest(d.events, d.pod.UID, s.Name, "Unhealthy")
	if ev == nil || seen(ev).Before(s.State.Running.StartedAt.Time) {
		return f
	}
	period := 10 * time.Second
	for _, c := range d.pod.Spec.Containers {
		if c.Name != s.Name {
			continue
		}
		for _, p := range []*corev1.Probe{c.ReadinessProbe, c.StartupProbe} {
			if p != nil {
				period = max(period, time.Duration(p.PeriodSeconds)*time.Second)
			}
		}
	}
	// The kubelet repeats the event at every failure, but its client drops
	// some when there are many.
	if d.now.Sub(seen(ev)) > 3*period+time.Minute {
		return f
	}
	text := plain(ev.Message)
	// Most programs are asked once before they listen: one failure is no news.
	const startup = 5 * time.Second
	if age := d.now.Sub(s.State.Running.StartedAt.Time); times(ev) < 2 && age < startup {
		f.recheck = startup - age
		return f
	}
	if text == "" {
		return f
	}
	f.message, f.problem = strings.ToLower(text[:1])+text[1:]+name, true
	return f
}

func (d podDoctor) gates() podFinding {
	for _, g := range d.pod.Spec.ReadinessGates {
		if c := d.condition(g.ConditionType); c == nil || c.Status != corev1.ConditionTrue {
			return podFinding{message: "readiness gate " + plain(string(g.ConditionType)) + " is not set"}
		}
	}
	return podFinding{message: "not ready yet"}
}

func exit(t *corev1.ContainerStateTerminated) string {
	if t.Reason == "OOMKilled" {
		return "out of memory (OOMKilled)"
	}
	text := fmt.Sprintf("exited with code %d", t.ExitCode)
	if t.Message != "" {
		text += ": " + plain(t.Message)
	}
	return text
}

// latest returns the newest event about an object, of a container of it if one
// is named, with one of the reasons.
func latest[U ~string](events []*corev1.Event, uid U, container string, reasons ...string) *corev1.Event {
	var best *corev1.Event
	for _, e := range events {
		if string(e.InvolvedObject.UID) != string(uid) || (container != "" && !strings.HasSuffix(e.InvolvedObject.FieldPath, "{"+container+"}")) {
			continue
		}
		for _, r := range reasons {
			if e.Reason == r && (best == nil || seen(best).Before(seen(e))) {
				best = e
			}
		}
	}
	return best
}

// seen is when an event was last seen; which field holds it depends on who wrote it.
func seen(e *corev1.Event) time.Time {
	t := e.LastTimestamp.Time
	if e.Series != nil && e.Series.LastObservedTime.After(t) {
		t = e.Series.LastObservedTime.Time
	}
	if e.EventTime.After(t) {
		t = e.EventTime.Time
	}
	if t.IsZero() {
		t = e.CreationTimestamp.Time
	}
	return t
}

func first(e *corev1.Event) time.Time {
	if !e.FirstTimestamp.IsZero() {
		return e.FirstTimestamp.Time
	}
	if !e.EventTime.IsZero() {
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// times is how often an event happened.
func times(e *corev1.Event) int32 {
	n := max(e.Count, 1)
	if e.Series != nil {
		n = max(n, e.Series.Count)
	}
	return n
}
