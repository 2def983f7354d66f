package verify

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

var (
	// inUse is what servers say of a port that another has.
	inUse = regexp.MustCompile(`(?i)address (?:already )?in use|EADDRINUSE|port \d+ (?:is|was) already in use`)
	// saidPort is a port in such a line: behind an address, or so called.
	saidPort = regexp.MustCompile(`(?i)(?::|\bport[ =]+)(\d{1,5})\b`)
)

// takenPort returns the port of which a container's last words say that another has it;
// 0 where they do not say which.
func takenPort(words string) (port int32, taken bool) {
	for line := range strings.SplitSeq(words, "\n") {
		if !inUse.MatchString(line) {
			continue
		}
		taken = true
		for _, m := range saidPort.FindAllStringSubmatch(line, -1) {
			if n, err := strconv.ParseUint(m[1], 10, 16); err == nil && n > 0 {
				port = int32(n)
			}
		}
	}
	return port, taken
}

// portTaken words SVC307 for a container that does not get its port, and names who has
// it where that can be seen: another container of its Pod, with which it shares a
// network, or another Pod on the node's network.
func (c *serviceCase) portTaken(f *Finding, p *corev1.Pod, container, words string) {
	port, taken := takenPort(words)
	if !taken {
		return
	}
	what := "a port that it listens on"
	if port != 0 {
		what = fmt.Sprintf("port %d", port)
	}
	begin := fmt.Sprintf("container %s of %s crashes over and over, since %s is taken", container, f.Object, what)
	for _, ctr := range served(p) {
		if ctr.Name != container && wantsPort(ctr, port) && runs(p, ctr.Name) {
			f.Message = fmt.Sprintf("%s by container %s of the same Pod: the containers of a Pod share one network.", begin, ctr.Name)
			f.Fix = &Fix{Summary: "give one of the two another port (its arguments or configuration)"}
			return
		}
	}
	if !p.Spec.HostNetwork {
		f.Message = begin + " already in its Pod: by another container, or by itself, where it listens on it twice."
		f.Fix = &Fix{Summary: "give each container of the Pod, and each listener in it, a port of its own; " + f.Fix.Summary}
		return
	}
	f.Message = fmt.Sprintf("%s on node %s, whose network its Pod is on (hostNetwork): by another Pod that is, or by a program of the node.", begin, p.Spec.NodeName)
	f.Fix = &Fix{Summary: "leave hostNetwork out, which a Service has no need of, or use a port that is free on the node"}
	var holders []string
	for i := range c.v.s.Pods {
		o := &c.v.s.Pods[i]
		if !o.Spec.HostNetwork || o.Spec.NodeName != p.Spec.NodeName || o.Namespace == p.Namespace && o.Name == p.Name {
			continue
		}
		if slices.ContainsFunc(served(o), func(ctr *corev1.Container) bool { return wantsPort(ctr, port) && runs(o, ctr.Name) }) {
			holders = append(holders, o.Namespace+"/"+o.Name)
		}
	}
	if len(holders) == 0 {
		return
	}
	slices.Sort(holders)
	f.Message = fmt.Sprintf("%s on node %s, whose network its Pod is on (hostNetwork), by Pod %s.", begin, p.Spec.NodeName, shortList(holders, 3))
	f.Fix = &Fix{Summary: fmt.Sprintf("leave hostNetwork out, give one of them another port, or declare %d in ports of both, so that no node gets the two", port)}
}

// wantsPort reports whether a container declares a TCP port, or says its number in its
// command, arguments or variables.
func wantsPort(ctr *corev1.Container, port int32) bool {
	if port == 0 {
		return false
	}
	if slices.ContainsFunc(ctr.Ports, func(cp corev1.ContainerPort) bool { return cp.ContainerPort == port }) {
		return true
	}
	said := regexp.MustCompile(fmt.Sprintf(`(?:^|[:=\s])%d(?:$|[\s,;/])`, port))
	return slices.ContainsFunc(slices.Concat(ctr.Command, ctr.Args), said.MatchString) ||
		slices.ContainsFunc(ctr.Env, func(e corev1.EnvVar) bool { return said.MatchString(e.Value) })
}

// runs reports whether a container of a Pod runs.
func runs(p *corev1.Pod, container string) bool {
	return slices.ContainsFunc(statuses(p), func(cs corev1.ContainerStatus) bool { return cs.Name == container && cs.State.Running != nil })
}
