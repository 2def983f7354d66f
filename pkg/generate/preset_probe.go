package generate

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

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

// commandProbe runs a command, whatever the port.
func commandProbe(command ...string) func(corev1.ContainerPort) *corev1.Probe {
	return func(corev1.ContainerPort) *corev1.Probe { return execProbe(command...) }
}

func httpProbe(path string) func(corev1.ContainerPort) *corev1.Probe {
	return func(port corev1.ContainerPort) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: path, Port: probeTarget(port),
			}},
			PeriodSeconds:    5,
			TimeoutSeconds:   3,
			FailureThreshold: 3,
		}
	}
}

func tcpProbe(port corev1.ContainerPort) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: probeTarget(port)}},
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
