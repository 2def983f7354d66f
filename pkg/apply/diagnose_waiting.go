package apply

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// restartsCertain is after how many restarts a crash loop is taken for certain:
// the first ones may be a dependency that is still starting.
const restartsCertain = 3

// waiting judges a container that has not started.
func (d podDoctor) waiting(s corev1.ContainerStatus, since time.Time) podFinding {
	w := s.State.Waiting
	text := plain(w.Message)
	f := podFinding{since: since}
	switch w.Reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError":
		return d.image(s, since)
	case "InvalidImageName":
		f.message = fmt.Sprintf("image name %q is invalid", plain(s.Image))
		f.settle(0, d.now, &StuckError{Reason: w.Reason, Message: f.message, Next: "correct the image in the manifest"})
	case "ErrImageNeverPull":
		f.message = fmt.Sprintf("image %s is not on node %s, and imagePullPolicy is Never", plain(s.Image), plain(d.pod.Spec.NodeName))
		f.settle(0, d.now, &StuckError{Reason: w.Reason, Message: f.message, Next: "set imagePullPolicy to IfNotPresent, or load the image into the node"})
	case "CreateContainerConfigError":
		f.message = joinReasons(text)
		if f.message == "" {
			f.message = w.Reason
		}
		// Something else may be about to create what is missing.
		f.settle(10*time.Second, d.now, &StuckError{Reason: w.Reason, Message: text, Next: d.missing(text)})
	case "CreateContainerError", "RunContainerError", "PreCreateHookError", "PreStartHookError", "PostStartHookError":
		f.message = strings.TrimSuffix(w.Reason+": "+text, ": ")
		f.problem = true
		if s.RestartCount >= restartsCertain || d.now.Sub(since) > 30*time.Second {
			f.settle(0, d.now, &StuckError{Reason: w.Reason, Message: text, Next: shell.Advice("look at it", d.describe())})
		} else {
			f.recheck = 30*time.Second - d.now.Sub(since)
		}
	case "CrashLoopBackOff":
		return d.crashLoop(s)
	case "ContainerCreating", "PodInitializing", "":
		return d.creating(s, since)
	default:
		f.message = joinReasons(plain(w.Reason), text)
	}
	return f
}

// missing names the command that shows what a container's configuration lacks. What
// is quoted in the text is not always a name: it may be anything that an image says.
func (d podDoctor) missing(text string) string {
	if strings.Contains(text, "runAsNonRoot") {
		return "set securityContext.runAsUser to a user that is not root, or use another image"
	}
	for _, kind := range []string{"configmap", "secret"} {
		if _, after, ok := strings.Cut(strings.ToLower(text), kind+` "`); ok {
			if name, _, ok := strings.Cut(after, `"`); ok {
				return shell.Advice("create it", shell.Kubectl("get "+kind+" %s -n %s", name, d.pod.Namespace))
			}
		}
	}
	if strings.Contains(text, "couldn't find key") {
		return shell.Advice("add the key", d.describe())
	}
	return shell.Advice("look at it", d.describe())
}

// image judges a pull that failed. A registry may fail once and answer the next
// time, so nothing is certain before the second try.
func (d podDoctor) image(s corev1.ContainerStatus, since time.Time) podFinding {
	image := plain(s.Image)
	text := s.State.Waiting.Message
	var failures int32
	known := false
	if ev := latest(d.events, d.pod.UID, s.Name, "Pulling"); ev != nil {
		failures, known = times(ev)-1, true // the last one may still be under way
	}
	for _, e := range d.events {
		if e.InvolvedObject.UID == d.pod.UID && e.Reason == "Failed" && strings.Contains(e.Message, "Failed to pull image") && strings.HasSuffix(e.InvolvedObject.FieldPath, "{"+s.Name+"}") {
			failures = max(failures, times(e))
			if s.State.Waiting.Reason == "ImagePullBackOff" {
				text = e.Message // the back-off's own message does not always say why
			}
		}
	}
	kind, next := pullFailure(text)
	f := podFinding{message: fmt.Sprintf("cannot pull image %s: %s", image, kind), since: since, problem: true}
	if next == "" {
		f.message = fmt.Sprintf("cannot pull image %s: %s", image, plain(text))
		return f // a registry that does not answer may answer later
	}
	stuck := &StuckError{Reason: s.State.Waiting.Reason, Message: f.message, Next: shell.Advice(next, d.describe())}
	// Without events, time tells: the second try comes 10 s after the first.
	patience := 30 * time.Second
	if known {
		patience = 60 * time.Second
	}
	switch age := d.now.Sub(since); {
	case failures >= 2, age >= patience:
		f.stuck = stuck
	default:
		f.recheck = patience - age
	}
	return f
}

// pullFailure sorts the texts of container runtimes; next is empty for what may heal.
func pullFailure(text string) (kind, next string) {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(strings.ToLower(text), p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no such host", "i/o timeout", "connection refused", "connection reset", "tls handshake", "503 ", "502 ", "500 ", "429 ", "too many requests", "toomanyrequests"):
		return "the registry does not answer", ""
	case has("unauthorized", "authorization failed", "authentication required", "no basic auth", "access denied", "denied:", "403 forbidden", "401 "):
		return "not authorised", "name a Secret with the registry's password in imagePullSecrets, or correct the image"
	case has("not found", "manifest unknown", "name unknown", "no match for platform"):
		return "not found", "correct the image's name or tag"
	}
	return "", ""
}

// crashLoop judges a container that ends again and again.
func (d podDoctor) crashLoop(s corev1.ContainerStatus) podFinding {
	f := podFinding{problem: true, container: s.Name}
	why := "it ends again and again"
	if t := s.LastTerminationState.Terminated; t != nil {
		why, f.since = exit(t), t.FinishedAt.Time
	}
	f.message = fmt.Sprintf("crashing: %s, restarted %d %s", why, s.RestartCount, plural("time", int(s.RestartCount)))
	if s.RestartCount >= restartsCertain {
		f.stuck = &StuckError{Reason: "CrashLoopBackOff", Message: f.message,
			Next: shell.Advice("read its log", shell.Kubectl("logs %s -n %s -c %s --previous", "pod/"+d.pod.Name, d.pod.Namespace, s.Name))}
	}
	return f
}

// creating judges a container that is being made: by volumes and sandboxes that
// fail, else by the image that is being pulled.
func (d podDoctor) creating(s corev1.ContainerStatus, since time.Time) podFinding {
	const fresh = 3 * time.Minute // the kubelet tries volumes again at least every two minutes
	f := podFinding{message: "container creating", since: since}
	if ev := latest(d.events, d.pod.UID, "", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"); ev != nil && d.now.Sub(seen(ev)) < fresh {
		text := plain(ev.Message)
		f.message, f.since, f.problem = "container creating: "+text, first(ev), true
		absent := strings.Contains(text, "not found") && (strings.Contains(text, "configmap") || strings.Contains(text, "secret"))
		if ev.Reason == "FailedMount" && absent {
			f.settle(20*time.Second, d.now, &StuckError{Reason: ev.Reason, Message: text, Next: d.missing(text)})
		}
		return f
	}
	pulling := latest(d.events, d.pod.UID, s.Name, "Pulling")
	if pulling == nil {
		return f
	}
	if over := latest(d.events, d.pod.UID, s.Name, "Pulled", "Failed", "Created"); over != nil && !seen(over).Before(seen(pulling)) {
		return f
	}
	return podFinding{message: "pulling image " + plain(s.Image), since: seen(pulling)}
}
