package verify

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

const (
	// maxTunnels is how many backends of one Service are asked through a tunnel:
	// each costs a connection through the API server. Beyond it a sample stands
	// for all, and the report says so.
	maxTunnels = 16
	// maxNodes is how many nodes' node ports are asked, likewise.
	maxNodes = 16
	// attemptsPerBackend makes it unlikely that a ready backend is missed when
	// asking through the Service: with n backends chosen at random, one given
	// backend is missed with (1-1/n)^(8n), below e^-8.
	attemptsPerBackend = 8
	maxThroughService  = 512
	// maxExplored is how many Pods are asked exploratory questions.
	maxExplored = 3

	// tunnelTimeout is longer than that of other paths: the way through the API server
	// takes its share.
	tunnelTimeout = 3 * time.Second
	// patience is for how long an answer is waited for on those, the second time.
	patience = 2 * probe.DefaultTimeout
)

// PlanOptions narrows what PlanProbes asks.
type PlanOptions struct {
	// Checks are asked in place of those told from the ports.
	Checks Checks
	// Send and Expect, when set, are what udp and tcp checks send and want back.
	Send, Expect string
	// Settle is for how long an answer may still be from before a change, and is
	// asked again: caches of DNS for all of it, proxies for a few seconds.
	Settle time.Duration
	// Client is the namespace of the client that is asked for; empty: each
	// Service's own.
	Client string
	// TLS asks the checks that know both (redis, postgres, mysql, grpc) inside TLS.
	TLS bool
	// Auth, when set, is for the checks that log in (redis).
	Auth *Auth
	// EveryNode asks from every node what is asked from inside the cluster.
	EveryNode bool
}

// PlanProbes derives from a Snapshot the questions to ask of the network: of
// every path, wherever they have to be asked from. It is pure. Questions that
// are not asked after all (no probe Pod, say) are "not proven" to Judge.
func PlanProbes(s *Snapshot, o PlanOptions) []probe.Probe {
	v := newView(s)
	p := &planner{v: v, seen: map[string]bool{}, settle: o.Settle, guarded: map[string]bool{}, admitted: map[string]bool{}, young: map[string]bool{}}
	for _, key := range s.Targets {
		svc := v.service(key)
		if svc == nil {
			continue
		}
		p.guarded[key], p.admitted[key] = p.policies(svc, o.Client)
		p.young[key] = p.isYoung(svc)
		if svc.Spec.Type == corev1.ServiceTypeExternalName {
			p.externalName(svc, o)
			continue
		}
		ports := v.ports(svc, o.Checks)
		for _, pv := range ports {
			p.backends(svc, pv)
			if len(pv.usable) > 0 || pv.unknown {
				p.through(svc, pv)
			}
		}
		if anyUsable(ports) || len(ports) == 0 {
			p.name(svc)
			if o.Client != "" && o.Client != svc.Namespace {
				// What a client elsewhere gets that uses the short name.
				p.add(probe.Probe{Path: probe.PathDNS, From: probe.FromCluster, Check: probe.CheckDNS,
					Service: key, Address: svc.Name, Exploratory: true})
			}
		}
	}
	if len(p.probes) > 0 {
		// Tells a cluster without DNS from a name that is missing.
		p.add(probe.Probe{Path: probe.PathDNS, From: probe.FromCluster, Check: probe.CheckDNS,
			Address: "kubernetes.default.svc:443", Exploratory: true})
	}
	o.finish(s, p.probes)
	switch {
	case o.EveryNode:
		return fromEachNode(s, p.probes)
	case s.Client != nil && s.Client.Node != "":
		return fromNode(p.probes, s.Client.Node)
	}
	return p.probes
}

func anyUsable(ports []portView) bool {
	for _, pv := range ports {
		if len(pv.usable) > 0 || pv.unknown {
			return true
		}
	}
	return false
}

type planner struct {
	v      *view
	probes []probe.Probe
	seen   map[string]bool
	settle time.Duration
	// guarded are the Services with policies that stand between the prober and their
	// Pods, and among them admitted those whose policies let it through.
	guarded, admitted map[string]bool
	// young are the Services that have changed, or whose Pods have, a moment ago.
	young map[string]bool
}

const (
	// lag is how long proxies and servers may take to follow a change.
	lag = 5 * time.Second
	// policyLag is how long policies may take to let a new Pod through.
	policyLag = 2 * probe.DefaultTimeout
	// youth is for how long something counts as new.
	youth = 20 * time.Second
)

// isYoung reports whether a Service or a container behind it is new.
func (p *planner) isYoung(svc *corev1.Service) bool {
	since := p.v.s.Taken.Add(-youth)
	if svc.CreationTimestamp.After(since) {
		return true
	}
	for _, pod := range p.v.selected(svc) {
		for _, cs := range servedStatuses(pod) {
			if cs.State.Running != nil && cs.State.Running.StartedAt.After(since) {
				return true
			}
		}
	}
	return false
}

// policies reports whether policies stand between the prober and a Service's
// Pods, and whether they admit it as far as can be told.
func (p *planner) policies(svc *corev1.Service, client string) (guarded, admits bool) {
	if client == "" {
		client = svc.Namespace
	}
	from := p.v.asker(client)
	// An address block takes in a new Pod at once; only what is selected by labels
	// has to be told to a network policy controller first.
	byLabels := from
	byLabels.addresses = []string{""}
	for _, pod := range sample(p.v.selected(svc), maxExplored) {
		for _, sp := range svc.Spec.Ports {
			n := targetNumber(pod, sp)
			in, _, r := p.v.ingress(from, partyOf(pod), n, sp.Protocol)
			_, _, told := p.v.ingress(byLabels, partyOf(pod), n, sp.Protocol)
			out, e := p.v.egress(from, partyOf(pod), n, sp.Protocol)
			guarded = guarded || len(in)+len(out) > 0
			if e != denied && (len(in) > 0 && told != denied || len(out) > 0 && r != denied) {
				return true, true
			}
		}
	}
	return guarded, false
}

// add gives a probe its ID and keeps it, once.
func (p *planner) add(pr probe.Probe) {
	if len(pr.Command) > 0 {
		pr = p.commanded(pr)
	}
	if pr.Network == networkSCTP && pr.Check != probe.CheckExec {
		return
	}
	kind := ""
	if pr.Exploratory {
		kind = "?"
	}
	pr.ID = fmt.Sprintf("%s:%s %s%s/%s %s %s", pr.Service, pr.Port, pr.Path, kind, pr.From, pr.Check, pr.Address)
	if pr.Exploratory && pr.ServerName != "" {
		pr.ID += " as " + pr.ServerName
	}
	if p.seen[pr.ID] {
		return
	}
	p.seen[pr.ID] = true
	pr.Confirm = (!pr.Exploratory || pr.Check == probe.CheckDNS) && pr.Check != probe.CheckExec
	if !pr.Exploratory {
		pr.Settle = p.settle
		switch {
		case p.young[pr.Service]:
			// What has just started may not listen yet, and proxies may not have followed.
			pr.Settle = max(pr.Settle, lag)
		case pr.From == probe.FromCluster && p.admitted[pr.Service] && pr.Check != probe.CheckDNS:
			// A network policy controller may not know the prober's address.
			pr.Settle = max(pr.Settle, policyLag)
		case pr.Path == probe.PathTunnel || pr.Path == probe.PathPod:
			pr.Settle = min(p.settle, time.Second)
		}
	}
	if pr.Settle >= policyLag && pr.Settle <= lag && pr.Confirm && p.guarded[pr.Service] && pr.Network == "tcp" && pr.Path != probe.PathTunnel {
		// What a policy drops hangs, and is asked again since it may settle. With more
		// than the patience of Confirm from the start twice is enough.
		pr.Timeout, pr.Confirm = pr.Settle, false
	}
	p.probes = append(p.probes, pr)
}

// networkSCTP marks questions that only a command can ask.
const networkSCTP = "sctp"

// base starts a probe about one port of a Service.
func base(svc *corev1.Service, pv portView) probe.Probe {
	pr := probe.Probe{Service: svc.Namespace + "/" + svc.Name, Port: pv.key, Check: pv.check, Command: pv.command, Network: "tcp"}
	switch protocolOf(pv.port.Protocol) {
	case corev1.ProtocolUDP:
		pr.Network = "udp"
	case corev1.ProtocolSCTP:
		pr.Network = networkSCTP
	}
	pr.TLS = (pv.check == probe.CheckRedis || pv.check == probe.CheckGRPC) && insideTLS(pv.port)
	if pv.port.AppProtocol != nil && strings.EqualFold(*pv.port.AppProtocol, "kubernetes.io/h2c") && pv.check == probe.CheckHTTP {
		pr.H2C = true
	}
	if pv.check == probe.CheckHTTP || pv.check == probe.CheckHTTPS {
		pr.HTTPPath, pr.HTTPHost = readyPath(pv)
	}
	pr.Guessed = pv.guess != told
	return pr
}

// readyPath returns the path that the backends' own readiness probe asks on
// this port, the best guess at one that answers well, and for which host. A
// question that the check cannot repeat as the kubelet asks it (with other
// headers, of another address, by the other scheme) would not be the same one.
func readyPath(pv portView) (path, host string) {
	for _, e := range pv.usable {
		if e.pod == nil {
			continue
		}
		for _, c := range served(e.pod) {
			if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil {
				continue
			}
			if g := c.ReadinessProbe.HTTPGet; probePort(c, g.Port) == e.port {
				return repeatable(g, pv.check)
			}
		}
		return "", ""
	}
	return "", ""
}

// hostHeader is what is carried over of a Host header: a name or address, with a
// port or not.
var hostHeader = regexp.MustCompile(`^[\w.:\[\]-]{1,253}$`)

// repeatable returns the path and the host of a probe that a check can ask as well.
func repeatable(g *corev1.HTTPGetAction, check probe.Check) (path, host string) {
	if g.Host != "" || (g.Scheme == corev1.URISchemeHTTPS) != (check == probe.CheckHTTPS) {
		return "", ""
	}
	for _, h := range g.HTTPHeaders {
		if !strings.EqualFold(h.Name, "Host") || !hostHeader.MatchString(h.Value) {
			return "", ""
		}
		host = h.Value
	}
	return g.Path, host
}

func hostPort(host string, port int32) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// backends asks every backend of a port: through the tunnel and at its address.
func (p *planner) backends(svc *corev1.Service, pv portView) {
	var withPod []endpoint
	for _, e := range pv.usable {
		pr := base(svc, pv)
		pr.Path, pr.From, pr.Pod, pr.Node, pr.Address = probe.PathPod, probe.FromCluster, e.podName, e.node, hostPort(e.address, e.port)
		p.add(pr)
		if e.podName != "" {
			withPod = append(withPod, e)
		}
	}
	for _, e := range sample(onePerPod(withPod), maxTunnels) {
		p.tunnel(svc, pv, e.podName, e.port, false)
	}
	for _, e := range sample(onePerPod(withPod), maxExplored) {
		p.otherPorts(svc, pv, e.pod, e.address, e.port)
		p.otherProtocol(svc, pv, e)
		p.otherFamily(svc, pv, e)
	}
	if pv.unknown {
		return
	}
	// What running Pods answer that are not ready tells a bad readiness probe from
	// an app that does not listen.
	n := 0
	for _, pod := range p.v.selected(svc) {
		port := targetNumber(pod, pv.port)
		if port == 0 || !running(pod) || pod.Status.PodIP == "" || len(pv.usable) > 0 && (podReady(pod) || pod.DeletionTimestamp != nil) {
			continue
		}
		if n++; n > maxExplored {
			break
		}
		key := pod.Namespace + "/" + pod.Name
		p.tunnel(svc, pv, key, port, true)
		for _, ctr := range served(pod) {
			// Which the kubelet does not tell apart from a slow one.
			if ctr.ReadinessProbe != nil && ctr.ReadinessProbe.GRPC != nil && ctr.ReadinessProbe.GRPC.Port != port {
				p.tunnel(svc, pv, key, ctr.ReadinessProbe.GRPC.Port, true)
			}
		}
		pr := base(svc, pv)
		pr.Path, pr.From, pr.Pod, pr.Exploratory = probe.PathPod, probe.FromCluster, key, true
		pr.Address = hostPort(pod.Status.PodIP, port)
		p.add(pr)
		p.otherPorts(svc, pv, pod, pod.Status.PodIP, port)
	}
}

// tunnel asks a Pod through the port-forward tunnel, which carries TCP only, or
// by a command in it.
func (p *planner) tunnel(svc *corev1.Service, pv portView, pod string, port int32, exploratory bool) {
	if protocolOf(pv.port.Protocol) != corev1.ProtocolTCP && pv.command == nil {
		return
	}
	pr := base(svc, pv)
	pr.Path, pr.From, pr.Pod, pr.Exploratory = probe.PathTunnel, probe.FromTunnel, pod, exploratory
	pr.Address, pr.Timeout = hostPort(pod, port), tunnelTimeout
	p.add(pr)
}

// otherPorts asks the other ports that a Pod declares, at its address.
func (p *planner) otherPorts(svc *corev1.Service, pv portView, pod *corev1.Pod, address string, except int32) {
	if pod == nil {
		return
	}
	for _, n := range declaredFor(pod, pv.port.Protocol, except) {
		pr := base(svc, pv)
		pr.Path, pr.From, pr.Pod, pr.Exploratory = probe.PathPod, probe.FromCluster, pod.Namespace+"/"+pod.Name, true
		pr.Address = hostPort(address, n)
		p.add(pr)
	}
}

// otherProtocol asks the target port itself by the other transport: TCP where
// the Service says UDP, and UDP where it says TCP and the Pod may mean UDP.
func (p *planner) otherProtocol(svc *corev1.Service, pv portView, e endpoint) {
	if e.pod == nil {
		return
	}
	pr := base(svc, pv)
	pr.Path, pr.From, pr.Pod, pr.Exploratory, pr.Address = probe.PathPod, probe.FromCluster, e.podName, true, hostPort(e.address, e.port)
	switch protocolOf(pv.port.Protocol) {
	case corev1.ProtocolUDP:
		pr.Network, pr.Check, pr.Send = "tcp", probe.CheckTCP, ""
		p.add(pr)
		pr.Path, pr.From, pr.Address, pr.Timeout = probe.PathTunnel, probe.FromTunnel, hostPort(e.podName, e.port), tunnelTimeout
		p.add(pr)
	case corev1.ProtocolTCP:
		if declares(e.pod, e.port, corev1.ProtocolUDP) && !declares(e.pod, e.port, corev1.ProtocolTCP) || len(declaredPorts(e.pod, 0)) == 0 && !declaresAny(e.pod) {
			pr.Network, pr.Check = "udp", probe.CheckUDP
			p.add(pr)
		}
	}
}

// otherFamily asks a Pod at its IPv4 address where the Service has IPv6 ones alone: what
// listens on 0.0.0.0 refuses there, as if it listened on the loopback address.
func (p *planner) otherFamily(svc *corev1.Service, pv portView, e endpoint) {
	if e.pod == nil || familyOf(e.address) != corev1.IPv6Protocol || len(svc.Spec.IPFamilies) != 1 {
		return
	}
	for _, address := range partyOf(e.pod).addresses {
		if familyOf(address) == corev1.IPv4Protocol {
			pr := base(svc, pv)
			pr.Path, pr.From, pr.Pod, pr.Node, pr.Exploratory = probe.PathPod, probe.FromCluster, e.podName, e.node, true
			pr.Address = hostPort(address, e.port)
			p.add(pr)
		}
	}
}

// onePerPod keeps one endpoint a Pod: a dual-stack Service has two.
func onePerPod(list []endpoint) []endpoint {
	seen := map[string]bool{}
	var out []endpoint
	for _, e := range list {
		if !seen[e.podName] {
			seen[e.podName] = true
			out = append(out, e)
		}
	}
	return out
}

// sample returns at most n of a list, spread evenly over it.
func sample[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	out := make([]T, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}
