package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// schedulerGrace is how long a Pod may wait for a scheduler to look at it.
const schedulerGrace = 30 * time.Second

// heldBackCause: SVC327. No scheduler places the Pod: its gates are closed, or
// none goes by the name that it asks for.
func heldBackCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	if p.Spec.NodeName != "" || p.Status.Phase != corev1.PodPending {
		return finding{}, false
	}
	f := Finding{ID: "SVC327", Object: owner}
	var gates []string
	for _, g := range p.Spec.SchedulingGates {
		gates = append(gates, probe.Printable(g.Name, 120))
	}
	name, age := probe.Printable(p.Spec.SchedulerName, 120), c.v.s.Taken.Sub(p.CreationTimestamp.Time)
	claims := resourceClaims(p)
	switch {
	case len(gates) > 0:
		f.Field = "spec.template.spec.schedulingGates"
		f.Message = fmt.Sprintf("the Pods of %s are held back by %s %s, which nobody removes.", owner, plural(len(gates), "scheduling gate"), listWords(gates))
		f.Evidence = []string{fmt.Sprintf("Pod/%s spec.schedulingGates: %s", p.Name, listWords(gates))}
		f.Fix = &Fix{Summary: "restore the controller that removes the gate, or take it out of the Pod template"}
	case podCondition(p, corev1.PodScheduled) != nil || age < schedulerGrace:
		return finding{}, false
	case name != "" && name != corev1.DefaultSchedulerName:
		f.Field = "spec.template.spec.schedulerName"
		f.Message = fmt.Sprintf("no scheduler named %q looks at the Pods of %s.", name, owner)
		f.Fix = templateFix("use the cluster's own scheduler, or start the one that is named", owner, map[string]any{"schedulerName": corev1.DefaultSchedulerName})
	case len(claims) > 0 && !c.overlooked():
		f.Field = "spec.template.spec.resourceClaims"
		f.Message = fmt.Sprintf("the scheduler does not take up the Pods of %s, as it does with Pods whose ResourceClaims do not exist: they ask for %s.", owner, listWords(claims))
		f.Fix = &Fix{Summary: shell.Advice("create what they ask for, or correct its name", shell.Kubectl("get resourceclaims,resourceclaimtemplates -n %s", p.Namespace))}
	default:
		f.Message = fmt.Sprintf("the cluster's scheduler does not look at the Pods of %s: it does not run, or is far behind.", owner)
		f.Fix = &Fix{Summary: shell.Advice("restore the scheduler", shell.Kubectl("get pods -n kube-system -l component=kube-scheduler"))}
	}
	if len(gates) == 0 {
		f.Evidence = []string{fmt.Sprintf("Pod/%s has no node and no condition PodScheduled, %s after it was created", p.Name, lasting(age))}
	}
	return finding{Finding: f}, true
}

// resourceClaims names what a Pod asks for of devices.
func resourceClaims(p *corev1.Pod) []string {
	var out []string
	for _, claim := range p.Spec.ResourceClaims {
		switch {
		case claim.ResourceClaimName != nil:
			out = append(out, "ResourceClaim "+probe.Printable(*claim.ResourceClaimName, 120))
		case claim.ResourceClaimTemplateName != nil:
			out = append(out, "ResourceClaimTemplate "+probe.Printable(*claim.ResourceClaimTemplateName, 120))
		}
	}
	return out
}

// overlooked reports whether the cluster's scheduler has not looked at Pods either that
// ask for no devices.
func (c *serviceCase) overlooked() bool {
	return slices.ContainsFunc(c.v.s.Pods, func(p corev1.Pod) bool {
		return p.Spec.NodeName == "" && len(p.Spec.ResourceClaims) == 0 && (p.Spec.SchedulerName == "" || p.Spec.SchedulerName == corev1.DefaultSchedulerName) &&
			p.Status.Phase == corev1.PodPending && podCondition(&p, corev1.PodScheduled) == nil && c.v.s.Taken.Sub(p.CreationTimestamp.Time) >= schedulerGrace
	})
}

// sandboxCause: SVC329. What the Pod's containers would run in cannot be made.
func sandboxCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	if p.Spec.NodeName == "" || slices.ContainsFunc(statuses(p), func(cs corev1.ContainerStatus) bool { return !creating(cs) }) {
		return finding{}, false
	}
	ev := c.podEvent(p, "FailedCreatePodSandBox", "Pulling", "Pulled", "Created")
	if ev == nil || ev.Reason != "FailedCreatePodSandBox" {
		return finding{}, false
	}
	text := probe.Printable(ev.Message, maxEventText)
	f := Finding{ID: "SVC329", Object: owner, Field: "spec.template.spec",
		Message:  fmt.Sprintf("the kubelet cannot make the sandbox that the Pods of %s run in: %s", owner, text),
		Evidence: []string{fmt.Sprintf("event FailedCreatePodSandBox on Pod/%s: %s", p.Name, text)},
		Fix:      &Fix{Summary: "mend what the message names: the network plugin of node " + p.Spec.NodeName + ", its container runtime, or the Pod's own settings"}}
	switch low := strings.ToLower(text); {
	case strings.Contains(low, "oom-killed"):
		// The sandbox lives on the memory of the containers in it.
		f.ID = "SVC308"
		f.Message = fmt.Sprintf("the memory limits of %s leave no room for a container to start in.", owner)
		f.Fix.Summary = "raise the memory limit"
		var limited []string
		for _, ctr := range served(p) {
			if limit, ok := ctr.Resources.Limits[corev1.ResourceMemory]; ok {
				limited = append(limited, ctr.Name)
				f.Evidence = append(f.Evidence, fmt.Sprintf("container %s: limits.memory is %s", ctr.Name, limit.String()))
			}
		}
		if len(limited) == 1 {
			f.Field = containerField(p, limited[0]) + ".resources.limits.memory"
		}
	case p.Spec.RuntimeClassName != nil && strings.Contains(low, "runtime"):
		f.Field += ".runtimeClassName"
		f.Evidence = append(f.Evidence, "spec.runtimeClassName is "+probe.Printable(*p.Spec.RuntimeClassName, 120))
		f.Fix.Summary = "use a RuntimeClass whose handler the node's container runtime has"
	case p.Spec.SecurityContext != nil && len(p.Spec.SecurityContext.Sysctls) > 0 && containsAny(low, "sysctl", "/proc/sys/"):
		f.Field += ".securityContext.sysctls"
		f.Fix.Summary = "correct the sysctl, or leave it out"
	}
	return finding{Finding: f}, true
}

// hookCause: SVC330. A container whose postStart hook fails is killed.
func hookCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	ev := c.podEvent(p, "FailedPostStartHook")
	if ev == nil {
		return finding{}, false
	}
	for _, cs := range statuses(p) {
		if cs.Ready || cs.State.Terminated != nil && cs.State.Terminated.ExitCode == 0 || !isAbout(ev, cs.Name) {
			continue
		}
		if r := cs.State.Running; r != nil && eventTime(ev).Add(maxCrashSpan).Before(r.StartedAt.Time) {
			continue // a failure of long ago
		}
		text := probe.Printable(ev.Message, maxEventText)
		return finding{Finding: Finding{ID: "SVC330", Object: owner, Field: containerField(p, cs.Name) + ".lifecycle.postStart",
			Message: fmt.Sprintf("the postStart hook of container %s of %s fails, and the kubelet kills the container for it.", cs.Name, owner),
			Evidence: []string{
				fmt.Sprintf("event FailedPostStartHook on Pod/%s: %s", p.Name, text),
				fmt.Sprintf("Pod/%s container %s: restarted %s", p.Name, cs.Name, plural(int(cs.RestartCount), "time")),
			},
			Fix: &Fix{Summary: "correct the hook's command, path or port, or what it needs"}}}, true
	}
	return finding{}, false
}

// creating reports whether a container waits for nothing but being made.
func creating(cs corev1.ContainerStatus) bool {
	w := cs.State.Waiting
	return w != nil && slices.Contains([]string{"ContainerCreating", "PodInitializing", ""}, w.Reason)
}

// ruleStarting: SVC326. Nothing is wrong with the Pods that could be seen: they
// have not come far enough. Where others serve, that is no fault at all.
func ruleStarting(c *serviceCase) []finding {
	if anyUsable(c.ports) || c.v.gap("events", c.svc.Namespace) != nil || c.explained() {
		return nil // without events nobody can say that nothing is wrong
	}
	f := finding{pods: map[string]bool{}, Finding: Finding{ID: "SVC326", Severity: SeverityFailure}}
	var names []string
	for _, p := range c.pods {
		if p.DeletionTimestamp != nil || podReady(p) {
			continue
		}
		text, field := c.starting(p)
		if text == "" {
			return nil // one that does not start is the cause, known or not
		}
		if len(names) == 0 {
			f.Object, f.Field = c.v.ownerOf(p), field
			f.Message = fmt.Sprintf("the Pods of %s have not started yet: %s.", f.Object, text)
		}
		names = append(names, p.Name)
		f.Evidence = append(f.Evidence, "Pod/"+p.Name+": "+text)
		f.pods[p.Name] = true
	}
	if len(names) == 0 {
		return nil
	}
	if len(f.Evidence) > 3 {
		f.Evidence = append(f.Evidence[:3], fmt.Sprintf("and %s more", plural(len(names)-3, "Pod")))
	}
	f.Fix = &Fix{Summary: shell.Advice("wait until they have", shell.Kubectl("svcx verify %s -n %s --wait", c.svc.Name, c.svc.Namespace))}
	return []finding{f}
}

// startSlack is added to the time after which a probe has to have passed.
const startSlack = 10 * time.Second

// starting says what a Pod that starts is at, and which field of its owner has a
// say in it; "" for one that does not just start.
func (c *serviceCase) starting(p *corev1.Pod) (text, field string) {
	now := c.v.s.Taken.Time
	field = "spec.template.spec"
	if p.Spec.NodeName == "" {
		if podCondition(p, corev1.PodScheduled) != nil {
			return "", ""
		}
		return "it waits for the scheduler", field
	}
	if len(statuses(p)) == 0 {
		return "node " + p.Spec.NodeName + " has not begun with it", field
	}
	for _, cs := range statuses(p) {
		ctr := containerOf(p, cs.Name)
		switch {
		case ctr == nil:
			return "", ""
		case cs.State.Terminated != nil:
			continue // an init container that is done
		case creating(cs):
			text = fmt.Sprintf("container %s is being created", cs.Name)
			if ev := c.podEvent(p, "Pulling", "Pulled", "Created"); ev != nil && ev.Reason == "Pulling" && isAbout(ev, cs.Name) {
				text = fmt.Sprintf("the image %s of container %s is being pulled, for %s now", probe.Printable(cs.Image, 200), cs.Name, lasting(now.Sub(eventTime(ev))))
			} else if ctr.Lifecycle != nil && ctr.Lifecycle.PostStart != nil {
				text, field = fmt.Sprintf("container %s has not started, or its postStart hook has not ended", cs.Name), containerField(p, cs.Name)+".lifecycle.postStart"
			}
			return text, field
		case cs.State.Running == nil:
			return "", ""
		case cs.Ready:
			continue
		}
		age := now.Sub(cs.State.Running.StartedAt.Time)
		allowed, which := time.Duration(0), ""
		if ctr.StartupProbe != nil && !started(p, cs.Name) {
			allowed, which = allowance(ctr.StartupProbe), "startupProbe"
		} else if ctr.ReadinessProbe != nil {
			allowed, which = allowance(ctr.ReadinessProbe)+allowance(ctr.StartupProbe), "readinessProbe"
		}
		switch {
		case which == "" && isInit(p, cs.Name) && age < initGrace:
			return fmt.Sprintf("init container %s has been running for %s", cs.Name, lasting(age)), field
		case age > allowed+startSlack:
			return "", ""
		case which == "":
			return fmt.Sprintf("container %s has been running for %s", cs.Name, lasting(age)), field
		}
		return fmt.Sprintf("container %s has been running for %s, and its %s has not passed yet (it may take %s)", cs.Name, lasting(age), which, lasting(allowed)), containerField(p, cs.Name) + "." + which
	}
	return "", ""
}

func containerOf(p *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		if i := slices.IndexFunc(list, func(c corev1.Container) bool { return c.Name == name }); i >= 0 {
			return &list[i]
		}
	}
	return nil
}

func isInit(p *corev1.Pod, name string) bool {
	return slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == name })
}

// allowance is how long a probe that does not fail may take to pass: the kubelet
// spreads the first try over a period.
func allowance(p *corev1.Probe) time.Duration {
	if p == nil {
		return 0
	}
	return time.Duration(p.InitialDelaySeconds+p.PeriodSeconds*(max(p.SuccessThreshold, 1)+1)+p.TimeoutSeconds) * time.Second
}

// lasting words a time in whole seconds.
func lasting(d time.Duration) string { return max(d, 0).Truncate(time.Second).String() }
