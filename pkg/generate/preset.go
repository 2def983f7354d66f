package generate

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// preset is what is known about an image: enough to run it well under the
// restricted Pod Security standard without being told.
type preset struct {
	// repositories are the names, without a registry, under which exactly this
	// image is published; a mirror may hold them too. Other images of the same
	// program (bitnami/redis) have other users and paths, and are not meant.
	repositories []string
	// before limits the preset to the major versions below it, by the tag; 0 is no limit.
	before      int
	port        int32
	appProtocol string
	// user and group that the image itself creates for its program.
	user, group int64
	writable    []mount
	requests    resources
	limits      resources
	readiness   func(port corev1.ContainerPort) *corev1.Probe
	liveness    func(port corev1.ContainerPort) *corev1.Probe
}

type mount struct{ name, path, limit string }

type resources struct{ cpu, memory string }

// presets is the table of known images.
var presets = []preset{
	{
		repositories: []string{"redis", "library/redis"},
		before:       7,
		port:         6379, appProtocol: "redis",
		user: 999, group: 999,
		writable: []mount{{"data", "/data", "1Gi"}},
		requests: resources{"50m", "64Mi"}, limits: resources{"500m", "256Mi"},
		readiness: oldPongProbe("redis-cli"), liveness: replyProbe("redis-cli"),
	},
	{
		repositories: []string{"redis", "library/redis"},
		port:         6379, appProtocol: "redis",
		user: 999, group: 999,
		writable: []mount{{"data", "/data", "1Gi"}},
		requests: resources{"50m", "64Mi"}, limits: resources{"500m", "256Mi"},
		readiness: pongProbe("redis-cli"), liveness: replyProbe("redis-cli"),
	},
	{
		repositories: []string{"valkey/valkey"},
		port:         6379, appProtocol: "redis",
		user: 999, group: 999,
		writable: []mount{{"data", "/data", "1Gi"}},
		requests: resources{"50m", "64Mi"}, limits: resources{"500m", "256Mi"},
		readiness: pongProbe("valkey-cli"), liveness: replyProbe("valkey-cli"),
	},
	{
		repositories: []string{"nginx", "library/nginx"},
		port:         80, appProtocol: "http",
		user: 101, group: 101,
		// /var/run is a link to /run in this image.
		writable: []mount{{"cache", "/var/cache/nginx", "256Mi"}, {"run", "/run", "16Mi"}, {"tmp", "/tmp", "64Mi"}},
		requests: resources{"50m", "32Mi"}, limits: resources{"500m", "128Mi"},
		readiness: httpProbe("/"), liveness: patientTCPProbe,
	},
}

// unknownImage serves for an image that is in no preset. Any user but root does
// for most servers, as a root filesystem that they cannot write does with /tmp.
// It has no liveness probe: how long the program may take is not known, and a
// wrong guess restarts it for ever.
var unknownImage = preset{
	user: 10001, group: 10001,
	writable: []mount{{"tmp", "/tmp", "64Mi"}},
	requests: resources{"50m", "64Mi"}, limits: resources{"500m", "256Mi"},
	readiness: tcpProbe,
}

// presetFor returns the preset of an image, and whether there is one.
func presetFor(ref string) (preset, bool) {
	img, reason := parseImage(ref)
	if reason != "" {
		return unknownImage, false
	}
	for _, p := range presets {
		if slices.Contains(p.repositories, img.repository) && (p.before == 0 || img.olderThan(p.before)) {
			return p, true
		}
	}
	return unknownImage, false
}

// olderThan reports whether the tag names a major version below one; a tag that
// names none (alpine, latest) stands for a recent one.
func (i image) olderThan(major int) bool {
	digits := i.tag[:len(i.tag)-len(strings.TrimLeft(i.tag, "0123456789"))]
	version, err := strconv.Atoi(digits)
	return err == nil && version < major
}

// pongProbe asks for PONG itself: without -e the client's exit code is 0 also for
// an error reply such as -LOADING or -MASTERDOWN. A server that wants a password
// is asked with the one in the environment variable REDISCLI_AUTH, when the Pod
// has it. It needs no shell in the image.
func pongProbe(cli string) func(corev1.ContainerPort) *corev1.Probe {
	return func(port corev1.ContainerPort) *corev1.Probe {
		return execProbe(cli, "-e", "-p", strconv.Itoa(int(port.ContainerPort)), "ping")
	}
}

// oldPongProbe asks the same of a client that does not know -e.
func oldPongProbe(cli string) func(corev1.ContainerPort) *corev1.Probe {
	return func(port corev1.ContainerPort) *corev1.Probe {
		return execProbe("sh", "-c", `test "$(`+cli+` -p `+strconv.Itoa(int(port.ContainerPort))+` ping)" = PONG`)
	}
}

func execProbe(command ...string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: command}},
		PeriodSeconds:    5,
		TimeoutSeconds:   3,
		FailureThreshold: 3,
	}
}

// replyProbe is content with any reply, an error too, and is patient: to restart
// a server that is loading its data or is busy only makes it start again.
func replyProbe(cli string) func(corev1.ContainerPort) *corev1.Probe {
	return func(port corev1.ContainerPort) *corev1.Probe {
		return patient(execProbe(cli, "-p", strconv.Itoa(int(port.ContainerPort)), "ping"))
	}
}

func httpProbe(path string) func(corev1.ContainerPort) *corev1.Probe {
	return func(port corev1.ContainerPort) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: path, Port: intstr.FromString(port.Name),
			}},
			PeriodSeconds:    5,
			TimeoutSeconds:   3,
			FailureThreshold: 3,
		}
	}
}

func tcpProbe(port corev1.ContainerPort) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString(port.Name)}},
		PeriodSeconds:    5,
		TimeoutSeconds:   3,
		FailureThreshold: 3,
	}
}

func patientTCPProbe(port corev1.ContainerPort) *corev1.Probe {
	return patient(tcpProbe(port))
}

// patient makes of a readiness probe one for liveness: it takes a minute without
// an answer to restart the container.
func patient(p *corev1.Probe) *corev1.Probe {
	p.PeriodSeconds, p.TimeoutSeconds, p.FailureThreshold = 10, 5, 6
	return p
}
