package verify

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// crashCause: SVC307, SVC308, SVC313, SVC319 and SVC323. A container ends over and over.
func crashCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	for _, cs := range statuses(p) {
		last := crashed(p, cs, c.v.s.Taken.Time)
		if last == nil {
			// What ends well when it is told to may still be told to over and over.
			if last = lastRun(cs, c.v.s.Taken.Time); last == nil || last.ExitCode != 0 || c.killedByProbe(p, cs, last) == nil {
				continue
			}
		}
		field := containerField(p, cs.Name)
		how := fmt.Sprintf("exit code %d", last.ExitCode)
		if last.Signal != 0 {
			how = fmt.Sprintf("signal %d", last.Signal)
		}
		if last.Reason != "" && last.Reason != "Error" {
			how += " (" + probe.Printable(last.Reason, 64) + ")"
		}
		evidence := []string{fmt.Sprintf("Pod/%s container %s: %s, restarted %s", p.Name, cs.Name, how, plural(int(cs.RestartCount), "time"))}
		words := c.lastWords(p, cs.Name, last)
		if msg := lastLine(words); msg != "" && last.Reason != startError {
			evidence = append(evidence, "its last words: "+msg)
		}
		logs := shell.Kubectl("logs %s -n %s -c %s --previous", p.Name, p.Namespace, cs.Name)
		f := Finding{ID: "SVC307", Object: owner, Field: field, Evidence: evidence}
		switch link := c.serviceLink(p, words); {
		case last.Reason == "OOMKilled", last.Reason == startError && strings.Contains(last.Message, "OOM-killed"):
			f.ID, f.Field = "SVC308", field+".resources.limits.memory"
			f.Message = fmt.Sprintf("container %s of %s is killed for want of memory.", cs.Name, owner)
			f.Fix = &Fix{Summary: "raise the memory limit"}
		case link != "":
			f.ID, f.Field = "SVC319", "spec.template.spec.enableServiceLinks"
			f.Message = fmt.Sprintf("container %s of %s stumbles over %s, a variable that Kubernetes injects for a Service of this namespace.", cs.Name, owner, link)
			f.Fix = templateFix("set enableServiceLinks: false", owner, map[string]any{"enableServiceLinks": false})
		case c.killedByProbe(p, cs, last) != nil:
			ev := c.killedByProbe(p, cs, last)
			f.ID = "SVC323"
			f.Message = fmt.Sprintf("the kubelet restarts container %s of %s over and over, since its liveness or startup probe fails.", cs.Name, owner)
			f.Evidence = append(f.Evidence, "event "+ev.Reason+": "+probe.Printable(ev.Message, maxEventText))
			f.Fix = &Fix{Summary: "correct the probe's port, path or delays, or what the application answers to it"}
			if off, ok := killedAstray(owner, p, cs.Name, ev); ok {
				f.Field, f.Fix, f.Evidence = off.Field, off.Fix, append(f.Evidence, off.Evidence...)
				f.Message = fmt.Sprintf("the kubelet restarts container %s of %s over and over: %s", cs.Name, owner, off.Message)
			}
		case last.Reason == startError && notMounted.MatchString(last.Message):
			c.unmounted(&f, p, cs.Name, last.Message)
		case last.Reason == startError: // and it has written no log
			f.Message = fmt.Sprintf("container %s of %s cannot be started: %s", cs.Name, owner, commandReason(lastLine(last.Message)))
			f.Fix = &Fix{Summary: "correct its command, args or workingDir, or use an image that has what they name"}
		case last.ExitCode == 0 && last.Signal == 0:
			f.Message = fmt.Sprintf("container %s of %s ends over and over, as if its work were done: %s.", cs.Name, owner, how)
			f.Fix = &Fix{Summary: shell.Advice("give it a command that stays in the foreground; its log says what it did", logs)}
		default:
			f.Message = fmt.Sprintf("container %s of %s crashes over and over: %s.", cs.Name, owner, how)
			f.Fix = &Fix{Summary: shell.Advice("its log says why", logs)}
			c.portTaken(&f, p, cs.Name, words)
		}
		return finding{Finding: f}, true
	}
	return finding{}, false
}

// notMounted is what the runtime says when a file of a volume is to take the place of a
// directory, or the reverse: where it is mounted, and why it is not.
var notMounted = regexp.MustCompile(`(?s)error mounting "[^"]*" to rootfs at "([^"]+)".*: ([^:]+)$`)

// unmounted says which mount keeps a container from starting. The kubelet makes an empty
// directory of a subPath that its volume does not have.
func (c *serviceCase) unmounted(f *Finding, p *corev1.Pod, container, said string) {
	m := notMounted.FindStringSubmatch(strings.TrimSuffix(strings.TrimSpace(said), ": unknown"))
	at, why := probe.Printable(m[1], 200), probe.Printable(m[2], 200)
	what := "a volume"
	f.ID = "SVC313"
	f.Fix = &Fix{Summary: "mount a file in the place of a file, and a directory in that of a directory"}
	for _, ctr := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		for _, vm := range ctr.VolumeMounts {
			if ctr.Name != container || vm.MountPath != m[1] {
				continue
			}
			f.Field += fmt.Sprintf(".volumeMounts[mountPath=%s]", at)
			what = "volume " + probe.Printable(vm.Name, 64)
			if vm.SubPath != "" {
				what = "subPath " + probe.Printable(vm.SubPath, 120) + " of " + what
				f.Fix.Summary = "see that the volume has that subPath (of what it lacks an empty directory is made), or " + f.Fix.Summary
			}
		}
	}
	f.Message = fmt.Sprintf("container %s of %s cannot be started: %s does not mount at %s: %s.", container, f.Object, what, at, why)
}

// startError is why a container has ended that never ran: the runtime does not find
// or may not run its command, for one.
const startError = "StartError"

// crashed returns how a container ended that does so again and again, or nil.
func crashed(p *corev1.Pod, cs corev1.ContainerStatus, now time.Time) *corev1.ContainerStateTerminated {
	last := cs.State.Terminated
	if last == nil {
		last = cs.LastTerminationState.Terminated
	}
	reason := ""
	if w := cs.State.Waiting; w != nil {
		reason = w.Reason
	}
	switch {
	case reason == "RunContainerError" && last == nil:
		return &corev1.ContainerStateTerminated{Reason: startError, ExitCode: 128, Message: cs.State.Waiting.Message}
	case last == nil:
		return nil
	case reason == "CrashLoopBackOff", reason == "RunContainerError" && last.Reason == startError:
		return last
	case cs.State.Terminated != nil:
		if cs.State.Terminated.ExitCode == 0 && !restarted(p, cs.Name) {
			return nil // an init container that was tried again, and is done
		}
		return last
	case last.ExitCode == 0:
		return nil
	}
	return lastRun(cs, now)
}

// restarted reports whether the kubelet starts a container anew that has ended well.
func restarted(p *corev1.Pod, name string) bool {
	if ctr := containerOf(p, name); ctr != nil && ctr.RestartPolicy != nil {
		return *ctr.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	return !isInit(p, name) && (p.Spec.RestartPolicy == "" || p.Spec.RestartPolicy == corev1.RestartPolicyAlways)
}

// lastRun returns how the last run of a container ended that runs, and has been
// started again and again. Between two crashes it runs for a while: it counts as
// crashing as long as it has not run for longer than it did the last time. What ran
// for longer than any back-off and runs again was restarted, by a node's reboot perhaps.
func lastRun(cs corev1.ContainerStatus, now time.Time) *corev1.ContainerStateTerminated {
	last := cs.LastTerminationState.Terminated
	if last == nil || cs.State.Running == nil || cs.RestartCount < 2 {
		return nil
	}
	span := last.FinishedAt.Sub(last.StartedAt.Time)
	if span > maxCrashSpan || now.Sub(cs.State.Running.StartedAt.Time) > span+crashSlack {
		return nil
	}
	return last
}

const (
	// crashSlack is added to the length of the last run; one longer than
	// maxCrashSpan ends no loop.
	crashSlack   = 20 * time.Second
	maxCrashSpan = 5 * time.Minute
)

// lastWords returns the end of what a container wrote before it ended.
func (c *serviceCase) lastWords(p *corev1.Pod, container string, t *corev1.ContainerStateTerminated) string {
	text := t.Message
	for _, l := range c.v.s.Logs {
		if l.Container != container || strings.TrimSpace(l.Text) == "" {
			continue
		}
		if l.Pod == p.Namespace+"/"+p.Name {
			return l.Text
		}
		// One Pod's log stands for those of its siblings.
		if o := c.v.pods[l.Pod]; o != nil && text == "" && c.v.ownerOf(o) == c.v.ownerOf(p) {
			text = l.Text
		}
	}
	return text
}

// lastLine returns the last line of a text from a container, made printable.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return probe.Printable(lines[len(lines)-1], maxEventText)
}

// linkVariable finds the name of a variable that service links could set.
var linkVariable = regexp.MustCompile(`\b[A-Z][A-Z0-9_]*_(?:SERVICE_PORT|SERVICE_HOST|PORT)(?:_[A-Z0-9_]+)?\b`)

// serviceLink returns the variable, or the value of one, that service links
// inject and that the application's last words complain of.
func (c *serviceCase) serviceLink(p *corev1.Pod, words string) string {
	if words == "" || p.Spec.EnableServiceLinks != nil && !*p.Spec.EnableServiceLinks {
		return ""
	}
	own := map[string]bool{}
	for i := range p.Spec.Containers {
		for _, e := range p.Spec.Containers[i].Env {
			own[e.Name] = true
		}
	}
	for i := range c.v.s.Services {
		svc := &c.v.s.Services[i]
		if svc.Namespace != p.Namespace || len(clusterIPs(svc)) == 0 {
			continue
		}
		// As kubelet's envvars.FromServices does: upper case, "-" to "_".
		prefix := strings.ToUpper(strings.ReplaceAll(svc.Name, "-", "_")) + "_"
		if own[prefix+"PORT"] {
			continue
		}
		for _, port := range svc.Spec.Ports {
			value := strings.ToLower(string(protocolOf(port.Protocol))) + "://" + hostPort(clusterIPs(svc)[0], port.Port)
			if strings.Contains(words, value) {
				return prefix + "PORT=" + value
			}
		}
		found := linkVariable.FindAllString(words, 8)
		if slices.ContainsFunc(found, func(v string) bool { return v == prefix+"PORT" || strings.HasPrefix(v, prefix+"PORT_") }) {
			return prefix + "PORT"
		}
	}
	return ""
}

// killedByProbe returns the event of a liveness or startup probe that ended a
// container which had not failed by itself.
func (c *serviceCase) killedByProbe(p *corev1.Pod, cs corev1.ContainerStatus, last *corev1.ContainerStateTerminated) *corev1.Event {
	if last.Reason == "OOMKilled" || last.Reason == startError {
		return nil
	}
	var found *corev1.Event
	killed := false
	for i := range c.v.s.Events {
		ev := &c.v.s.Events[i]
		if ev.InvolvedObject.Name != p.Name || ev.Namespace != p.Namespace || (ev.InvolvedObject.UID != "" && ev.InvolvedObject.UID != p.UID) {
			continue
		}
		if !isAbout(ev, cs.Name) {
			continue
		}
		switch {
		case ev.Reason == "Killing" && strings.Contains(ev.Message, "failed"):
			killed = true
		case ev.Reason == "Unhealthy" && (strings.HasPrefix(ev.Message, "Liveness probe") || strings.HasPrefix(ev.Message, "Startup probe")):
			found = ev
		}
	}
	if !killed {
		return nil
	}
	return found
}
