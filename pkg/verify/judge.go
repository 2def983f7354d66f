package verify

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Names of the checks that need no probe; the others are named for their path.
const (
	checkSelector  = "selector"
	checkEndpoints = "endpoints"
	// checkExternalIP only says what is not asked.
	checkExternalIP = "external-ip"
)

// Judge turns what was seen into a Verdict. It is pure: the same arguments give
// the same verdict, anywhere. Probes without an outcome were not asked.
func Judge(s *Snapshot, probes []probe.Probe, outcomes []probe.Outcome) *Verdict {
	return judge(newView(s), probes, outcomes)
}

func judge(v *view, probes []probe.Probe, outcomes []probe.Outcome) *Verdict {
	s, by := v.s, gather(probes, outcomes)
	out := &Verdict{APIVersion: VerdictAPIVersion, Kind: "Verdict", State: StateProven, Gaps: s.Gaps}
	for _, key := range s.Targets {
		var sv ServiceVerdict
		if svc := v.service(key); svc != nil {
			sv = judgeService(v, svc, by[key], by[""])
		} else if want := s.absent(key); want != nil {
			namespace, _, _ := strings.Cut(key, "/")
			sv = judgeAbsent(v, namespace, want)
		} else {
			continue
		}
		out.State = worse(out.State, sv.State)
		out.Services = append(out.Services, sv)
	}
	v.together(out)
	if len(out.Services) == 0 {
		out.State = StateNotProven
	}
	return out
}

// worse returns the state that decides of two.
func worse(a, b State) State {
	for _, s := range []State{StateFailed, StateNotProven} {
		if a == s || b == s {
			return s
		}
	}
	return StateProven
}

// serviceCase is one Service with all that is known about it, while it is judged.
type serviceCase struct {
	v        *view
	svc      *corev1.Service
	ports    []portView
	pods     []*corev1.Pod // that the selector matches
	over     []*corev1.Pod // that it would match, had they not ended
	makers   []*workload   // whose Pods it would match
	ev       evidence
	cluster  evidence // questions about the cluster itself
	checks   []CheckResult
	findings []finding
}

// finding is a Finding with what it explains.
type finding struct {
	Finding
	port   string   // PortKey; empty: all ports
	more   []string // further ports that it is about
	checks []string // names of the checks whose failure it explains; nil: all
	// pods are the names of the Pods whose state it accounts for.
	pods map[string]bool
}

// explains reports whether a failed check needs no other finding.
func (f *finding) explains(c CheckResult) bool {
	if f.Severity != SeverityFailure {
		return false
	}
	return (c.Port == "" || f.about(c.Port)) && (f.checks == nil || slices.Contains(f.checks, c.Name))
}

// about reports whether it is about a port.
func (f *finding) about(port string) bool {
	return f.port == "" || f.port == port || slices.Contains(f.more, port)
}

// rule looks for one kind of cause. Rules are pure and run in the order of
// rules; one may look at what the earlier ones have found.
type rule func(*serviceCase) []finding

// rules lists all of them, causes before what follows from them.
func rules() []rule {
	return slices.Concat(selectionRules, workloadRules, portRules, protocolRules, networkRules, externalRules, treeRules)
}

func judgeService(v *view, svc *corev1.Service, ev, cluster evidence) ServiceVerdict {
	ports := v.ports(svc, Checks{})
	ev = afterWrongGuess(ev, ports)
	pods, over := v.matching(svc)
	if !slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return meshSidecar(p) != "" }) {
		ev = withoutCertificate(ev)
	}
	c := &serviceCase{v: v, svc: svc, ev: ev, cluster: cluster, ports: ports, pods: pods, over: over, makers: v.makersFor(svc)}
	// The checks are those that were asked, which the user may have chosen.
	for i := range c.ports {
		for _, a := range ev {
			if a.probe.Port == c.ports[i].key && !a.probe.Exploratory && a.probe.Check != probe.CheckDNS {
				c.ports[i].check = a.probe.Check
				break
			}
		}
	}
	c.runChecks()
	for _, r := range rules() {
		c.findings = append(c.findings, c.overtaken(r(c))...)
	}
	c.unexplained()
	c.settle()
	return c.verdict()
}

// ref names the Service.
func (c *serviceCase) ref() ObjectRef {
	return ObjectRef{Kind: "Service", Namespace: c.svc.Namespace, Name: c.svc.Name}
}

func (c *serviceCase) key() string { return c.svc.Namespace + "/" + c.svc.Name }

// failure reports whether a cause has been found for a port.
func (c *serviceCase) failure(port string) bool {
	for _, f := range c.findings {
		if f.Severity == SeverityFailure && f.about(port) {
			return true
		}
	}
	return false
}

// explained reports whether any cause has been found.
func (c *serviceCase) explained() bool {
	return slices.ContainsFunc(c.findings, func(f finding) bool { return f.Severity == SeverityFailure })
}

// caused is failure without the family 7xx: what a server answers has nothing
// to do with the way to it, nor have the causes with one of the IDs of except.
func (c *serviceCase) caused(port string, except ...string) bool {
	for _, f := range c.findings {
		if f.Severity == SeverityFailure && f.about(port) && !strings.HasPrefix(f.ID, "SVC7") && !slices.Contains(except, f.ID) {
			return true
		}
	}
	return false
}

// has reports whether a finding of one of the IDs exists.
func (c *serviceCase) has(ids ...string) bool {
	return slices.ContainsFunc(c.findings, func(f finding) bool { return slices.Contains(ids, f.ID) })
}

// accounted reports whether a finding accounts for the state of a Pod.
func (c *serviceCase) accounted(pod string) bool {
	return slices.ContainsFunc(c.findings, func(f finding) bool { return f.pods[pod] })
}

// check returns the state of a check for a port, "" when there is no such line.
func (c *serviceCase) check(name, port string) State {
	for _, r := range c.checks {
		if r.Name == name && (r.Port == port || r.Port == "") {
			return r.State
		}
	}
	return ""
}

// unexplained gives each failed check that no cause accounts for a plain
// finding of its own, without an ID: what fails is failed, known or not.
func (c *serviceCase) unexplained() {
	var loose []CheckResult
	for _, r := range c.checks {
		if r.State != StateFailed || slices.ContainsFunc(c.findings, func(f finding) bool { return f.explains(r) }) {
			continue
		}
		loose = append(loose, r)
	}
	if len(loose) == 0 {
		return
	}
	// Paths build on each other: the first that fails stands for those after it.
	first := loose[0]
	f := finding{Finding: Finding{Severity: SeverityFailure, Object: c.ref(),
		Message: c.ref().String() + ": " + first.Name + ": " + first.Summary + "; no single cause was found for it"}}
	for _, r := range loose {
		f.Evidence = append(f.Evidence, r.Name+": "+r.Summary)
	}
	if first.Name == checkSelector && c.selectsNothing() {
		f.Evidence = append(f.Evidence, c.unmadeText()...)
	}
	if first.Name == checkEndpoints {
		for _, p := range sample(c.pods, 3) {
			f.Evidence = append(f.Evidence, "Pod/"+p.Name+": "+podText(p))
		}
	}
	for _, r := range c.checks {
		if r.State == StateProven {
			f.Evidence = append(f.Evidence, "but "+r.Name+": "+r.Summary)
		}
	}
	c.findings = append(c.findings, f)
}

// podText says in a few words what state a Pod is in.
func podText(p *corev1.Pod) string {
	text := string(p.Status.Phase)
	if p.DeletionTimestamp != nil {
		text = "terminating"
	}
	for _, cs := range statuses(p) {
		switch {
		case cs.State.Waiting != nil:
			text += ", " + cs.Name + " waits: " + cs.State.Waiting.Reason
		case !cs.Ready && cs.State.Running != nil:
			text += ", " + cs.Name + " runs and is not ready"
		}
	}
	for _, g := range p.Spec.ReadinessGates {
		if cond := podCondition(p, g.ConditionType); cond == nil || cond.Status != corev1.ConditionTrue {
			text += ", readiness gate " + string(g.ConditionType) + " is not set"
		}
	}
	return probe.Printable(text, maxEventText)
}

// settle turns into "not probed" what failed only since no backend can answer.
func (c *serviceCase) settle() {
	for i := range c.checks {
		r := &c.checks[i]
		switch probe.Path(r.Name) {
		case probe.PathClusterIP, probe.PathNodePort, probe.PathLoadBalancer, probe.PathDNS:
		default:
			continue
		}
		if r.State == StateProven || !c.backendsSilent(r.Port) || r.pending() {
			continue
		}
		r.State, r.Summary, r.Needs, r.Detail = StateNotProbed, "not probed: no backend can answer", "", nil
	}
}

// pending marks a load balancer that has no address, which is a failure of its own.
func (r *CheckResult) pending() bool {
	return r.Name == string(probe.PathLoadBalancer) && strings.Contains(r.Summary, "pending")
}

// backendsSilent reports whether it is known that nobody behind a port answers.
func (c *serviceCase) backendsSilent(port string) bool {
	if c.svc.Spec.Type == corev1.ServiceTypeExternalName {
		return false
	}
	silent := len(c.ports) > 0
	for _, pv := range c.ports {
		if port == "" || port == pv.key {
			silent = silent && c.portSilent(pv)
		}
	}
	return silent
}

func (c *serviceCase) portSilent(pv portView) bool {
	if pv.unknown {
		return false
	}
	if len(pv.usable) == 0 {
		return true
	}
	if c.meshOnly(pv) != "" {
		return false
	}
	direct := c.ev.on(probe.PathPod, "", pv.key)
	if udpSilence(pv, direct, direct) {
		return false
	}
	if asked := direct.asked(); len(asked) > 0 {
		return len(asked) == len(direct) && len(asked.where(probe.ClassOK)) == 0
	}
	tunnel := c.ev.on(probe.PathTunnel, "", pv.key)
	return len(tunnel) > 0 && len(tunnel.asked()) == len(tunnel) && len(tunnel.where(probe.ClassOK)) == 0 && c.failure(pv.key)
}

// verdict puts the results into their final form.
func (c *serviceCase) verdict() ServiceVerdict {
	sv := ServiceVerdict{Namespace: c.svc.Namespace, Name: c.svc.Name, Type: typeOf(c.svc), ClusterIPs: clusterIPs(c.svc),
		Checks: c.checks, State: StateProven}
	if c.svc.Spec.Type == corev1.ServiceTypeExternalName {
		sv.ExternalName, sv.ClusterIPs = probe.Printable(c.svc.Spec.ExternalName, 253), nil
	}
	for _, pv := range c.ports {
		sv.Ports = append(sv.Ports, PortSummary{Key: pv.key, Name: pv.port.Name, Port: pv.port.Port, TargetPort: targetText(pv.port),
			NodePort: pv.port.NodePort, Protocol: string(protocolOf(pv.port.Protocol)), Check: pv.check})
	}
	proofs := 0
	for _, r := range c.checks {
		if r.State == StateProven {
			proofs++
		}
		if r.State == StateFailed || r.State == StateNotProven {
			sv.State = worse(sv.State, r.State)
		}
	}
	slices.SortStableFunc(c.findings, func(a, b finding) int { return severityRank(a.Severity) - severityRank(b.Severity) })
	for _, f := range c.findings {
		if f.Severity == SeverityFailure {
			sv.State = StateFailed
		}
		sv.Findings = append(sv.Findings, f.Finding)
	}
	if sv.State == StateProven && proofs == 0 {
		sv.State = StateNotProven
	}
	if sv.State == StateNotProven {
		sv.NotProven = notProvenText(c.checks)
	}
	sv.Reach = c.reach()
	return sv
}

func severityRank(s Severity) int {
	return slices.Index([]Severity{SeverityFailure, SeverityWarning, SeverityNote}, s)
}

func typeOf(svc *corev1.Service) string {
	if headless(svc) {
		return "Headless"
	}
	if svc.Spec.Type == "" {
		return string(corev1.ServiceTypeClusterIP)
	}
	return string(svc.Spec.Type)
}

func targetText(p corev1.ServicePort) string {
	if t := p.TargetPort.String(); t != "0" && t != "" {
		return t
	}
	return ""
}

// notProvenText sums up what was proven and what was not, in one sentence.
func notProvenText(checks []CheckResult) string {
	var good, open []string
	for _, r := range checks {
		switch {
		case r.State == StateProven && !slices.Contains(good, r.Name):
			good = append(good, r.Name)
		case r.State == StateNotProven && !slices.Contains(open, r.Name):
			open = append(open, r.Name)
		}
	}
	text := listWords(open) + " " + isAre(len(open)) + " not proven"
	if len(good) > 0 {
		text = listWords(good) + " " + isAre(len(good)) + " good; " + text
	}
	return text
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// listWords joins words as a sentence does: "a, b and c".
func listWords(w []string) string {
	if len(w) < 2 {
		return strings.Join(w, "")
	}
	return strings.Join(w[:len(w)-1], ", ") + " and " + w[len(w)-1]
}

// reach lists where the Service was seen to answer, the outermost path first.
func (c *serviceCase) reach() []Reach {
	var out []Reach
	for _, path := range []probe.Path{probe.PathLoadBalancer, probe.PathNodePort, probe.PathDNS, probe.PathClusterIP, probe.PathExternalName} {
		for _, from := range []probe.Location{probe.FromHere, probe.FromCluster} {
			for _, a := range c.ev.on(path, from, "").connecting() {
				if a.good() && len(out) < 32 {
					out = append(out, Reach{Path: path, From: from, Port: a.probe.Port, Address: strings.Replace(a.probe.Address, ".:", ":", 1), Check: a.probe.Check, TLS: a.probe.TLS})
				}
			}
		}
	}
	return out
}
