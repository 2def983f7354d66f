package generate

import (
	corev1 "k8s.io/api/core/v1"
)

// checkTypes are the values of workload.check.type.
func checkTypes() []string { return []string{"none", "tcp", "http", "https", "grpc", "exec"} }

// checkProbe is the readiness probe that the Spec asks for in short.
func (a *App) checkProbe(known preset) *corev1.Probe {
	c := a.Spec.Workload.Check
	if c.Type == "exec" {
		return execProbe(c.Command...)
	}
	port, ok := a.probedPort(known)
	if !ok {
		return nil
	}
	p := tcpProbe(port)
	switch c.Type {
	case "http", "https":
		path := c.Path
		if path == "" {
			path = "/"
		}
		p = httpProbe(path)(port)
		if c.Type == "https" {
			p.HTTPGet.Scheme = corev1.URISchemeHTTPS
		}
	case "grpc":
		p.ProbeHandler = corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port.ContainerPort}}
		if c.Service != "" {
			p.GRPC.Service = &c.Service
		}
	case "none":
		return nil
	}
	return p
}
