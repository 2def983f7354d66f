package verify

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// maxFromNodes is from how many nodes questions are asked, a probe Pod each;
// beyond it an even sample stands for all.
const maxFromNodes = 64

// finish adds to the probes what does not depend on the port they are about.
func (o PlanOptions) finish(s *Snapshot, list []probe.Probe) {
	for i := range list {
		p := &list[i]
		switch p.Check {
		case probe.CheckRedis, probe.CheckPostgres, probe.CheckMySQL, probe.CheckGRPC:
			p.TLS = p.TLS || o.TLS
		}
		if p.Check == probe.CheckUDP || p.Check == probe.CheckTCP && !p.Exploratory {
			p.Send, p.Expect = o.Send, o.Expect
		}
		p.SNI = sniFor(p)
		if o.Auth != nil && p.Check == probe.CheckRedis {
			o.Auth.into(p, s.Client)
		}
	}
}

// sniFor is the name that a client would tell a server with TLS which is asked by
// its address: the Service's. A path of the kubelet's is asked as the kubelet does,
// without one; what comes from outside knows the Service by a name of its own.
func sniFor(p *probe.Probe) string {
	secure := p.TLS || p.Check == probe.CheckHTTPS || p.Check == probe.CheckTLS || p.Check == probe.CheckPostgres
	inside := p.Path == probe.PathTunnel || p.Path == probe.PathPod || p.Path == probe.PathClusterIP
	namespace, name, ok := strings.Cut(p.Service, "/")
	if !secure || !inside || !ok || p.HTTPPath != "" {
		return ""
	}
	return name + "." + namespace + ".svc"
}

// fromEachNode repeats for every node what is asked from inside the cluster.
// The attempts are shared out: together they are no fewer than from one place.
func fromEachNode(s *Snapshot, list []probe.Probe) []probe.Probe {
	var names []string
	for i := range s.Nodes {
		names = append(names, s.Nodes[i].Name)
	}
	names = sample(names, maxFromNodes)
	if len(names) == 0 {
		return list
	}
	able := names[0]
	if i := slices.IndexFunc(names, func(n string) bool { why, _ := cannotRun(s, n); return why == "" }); i >= 0 {
		able = names[i]
	}
	var out []probe.Probe
	for _, p := range list {
		switch {
		case p.From != probe.FromCluster:
			out = append(out, p)
		case p.Exploratory:
			// It tells causes apart that are the same everywhere.
			out = append(out, from1(p, able))
		default:
			if p.Attempts > 2 {
				p.Attempts = max(2, (p.Attempts+len(names)-1)/len(names))
			}
			for _, n := range names {
				out = append(out, from1(p, n))
			}
		}
	}
	return out
}

// fromNode marks the probes inside the cluster as asked from one node.
func fromNode(list []probe.Probe, node string) []probe.Probe {
	for i, p := range list {
		if p.From == probe.FromCluster {
			list[i] = from1(p, node)
		}
	}
	return list
}

func from1(p probe.Probe, node string) probe.Probe {
	p.FromNode = node
	p.ID = fmt.Sprintf("%s from %s", p.ID, node)
	return p
}

// cannotRun says why no probe Pod can run on a node, or "".
func cannotRun(s *Snapshot, name string) (reason, needs string) {
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if n.Name != name {
			continue
		}
		if os := n.Labels[corev1.LabelOSStable]; os != "" && os != "linux" {
			return "node " + name + " runs " + os + ", the probe Pod Linux", "a client on that node"
		}
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
				return "node " + name + " is not Ready", "a node that is Ready"
			}
		}
	}
	return "", ""
}
