package verify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// treeRules compare a live Service with the tree that it should come from.
var treeRules = []rule{ruleLostPort, ruleRefusedByServer, ruleDrift}

// expected returns the Service as the tree says, or nil.
func (c *serviceCase) expected() *corev1.Service {
	return c.v.s.Expected.service(c.svc.Namespace, c.svc.Name)
}

// ruleLostPort: SVC209. Client-side apply merges ports by their number alone,
// so that of two that share one, TCP and UDP, one is lost.
func ruleLostPort(c *serviceCase) []finding {
	want, from := c.expected(), "the tree"
	if want == nil {
		want, from = lastApplied(c.svc), "what was last applied"
	}
	if want == nil || want.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	live := map[string]bool{}
	for _, p := range c.svc.Spec.Ports {
		live[numberKey(p)] = true
	}
	byNumber := map[int32]int{}
	for _, p := range want.Spec.Ports {
		byNumber[p.Port]++
	}
	for i, p := range want.Spec.Ports {
		if byNumber[p.Port] < 2 || live[numberKey(p)] {
			continue
		}
		var ports []any
		for _, q := range want.Spec.Ports {
			ports = append(ports, portMap(q))
		}
		return []finding{{Finding: Finding{ID: "SVC209", Severity: SeverityFailure, Object: c.ref(), Field: fmt.Sprintf("spec.ports[%d]", i),
			Message: fmt.Sprintf("%s has lost its port %s: another port of the same number took its place when it was applied.", c.ref(), numberKey(p)),
			Evidence: []string{
				fmt.Sprintf("%s has %s of number %d", from, plural(byNumber[p.Port], "port"), p.Port),
				"the live Service has: " + livePorts(c.svc),
			},
			Fix: &Fix{Summary: "apply the Service server-side, which tells ports apart by number and protocol",
				Command: shell.Kubectl("apply --server-side --force-conflicts -f FILE -n %s", c.svc.Namespace),
				Patch:   portsPatch(ports)}}, checks: []string{}}}
	}
	return nil
}

// lastApplied returns the Service that kubectl apply has noted on the live one, or nil.
func lastApplied(svc *corev1.Service) *corev1.Service {
	text := svc.Annotations[corev1.LastAppliedConfigAnnotation]
	if text == "" {
		return nil
	}
	var out corev1.Service
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil
	}
	return &out
}

func numberKey(p corev1.ServicePort) string {
	return fmt.Sprintf("%d/%s", p.Port, protocolOf(p.Protocol))
}

func livePorts(svc *corev1.Service) string {
	var out []string
	for _, p := range svc.Spec.Ports {
		out = append(out, numberKey(p))
	}
	return shortList(out, 8)
}

// portMap writes a port with all that it says, for a patch that replaces the list.
func portMap(p corev1.ServicePort) map[string]any {
	m := map[string]any{"port": p.Port, "protocol": string(protocolOf(p.Protocol))}
	if p.Name != "" {
		m["name"] = p.Name
	}
	if p.AppProtocol != nil {
		m["appProtocol"] = *p.AppProtocol
	}
	if p.NodePort != 0 {
		m["nodePort"] = p.NodePort
	}
	switch {
	case p.TargetPort.StrVal != "":
		m["targetPort"] = p.TargetPort.StrVal
	case p.TargetPort.IntVal != 0:
		m["targetPort"] = p.TargetPort.IntVal
	}
	return m
}

// portsPatch replaces the whole list of ports.
func portsPatch(ports []any) string {
	y, err := yaml.Marshal(map[string]any{"spec": map[string]any{"ports": append([]any{map[string]any{"$patch": "replace"}}, ports...)}})
	if err != nil {
		return ""
	}
	return string(y)
}

// expectedTarget is the targetPort that the tree gives a port; empty: it has none.
func (c *serviceCase) expectedTarget(pv portView) string {
	want := c.expected()
	if want == nil {
		return ""
	}
	for _, p := range want.Spec.Ports {
		if PortKey(p) == pv.key {
			return targetText(p)
		}
	}
	return ""
}

// ruleDrift: SVC801. A verdict on the live Service says nothing of the tree.
// Where the cause of a failure is a field that differs, that is told under it.
func ruleDrift(c *serviceCase) []finding {
	want := c.expected()
	if want == nil || c.has("SVC209", "SVC501", "SVC502", "SVC508", "SVC604") {
		return nil
	}
	var evidence []string
	for _, d := range serviceDiff(c.svc, want) {
		i := slices.IndexFunc(c.findings, func(f finding) bool {
			return f.Severity == SeverityFailure && f.Object == c.ref() && f.Field == d.field
		})
		if i >= 0 {
			c.findings[i].Evidence = append(c.findings[i].Evidence, d.String())
			continue
		}
		evidence = append(evidence, d.String())
	}
	if len(evidence) == 0 {
		return nil
	}
	return []finding{{Finding: Finding{ID: "SVC801", Severity: SeverityWarning, Object: c.ref(),
		Message:  fmt.Sprintf("%s in the cluster differs from the tree; what was verified is the one in the cluster.", c.ref()),
		Evidence: evidence, Fix: &Fix{Summary: "apply the tree, or change it to what is wanted"}}}}
}

// fieldDrift is a field of a Service, named by its index in the cluster, that
// the tree says otherwise.
type fieldDrift struct{ field, live, tree string }

func (d fieldDrift) String() string {
	if d.live == "" {
		return fmt.Sprintf("%s: %s in the tree, not in the cluster", d.field, d.tree)
	}
	if d.tree == "" {
		return fmt.Sprintf("%s: %s in the cluster, not in the tree", d.field, d.live)
	}
	return fmt.Sprintf("%s: %s in the cluster, %s in the tree", d.field, d.live, d.tree)
}

// serviceDiff lists the fields that decide where traffic goes and that differ,
// where the tree leaves one out from what the API server fills in.
func serviceDiff(live, want *corev1.Service) []fieldDrift {
	var diff []fieldDrift
	add := func(field, l, w string) {
		if l != w {
			diff = append(diff, fieldDrift{field, orNone(l), orNone(w)})
		}
	}
	wantType := want.Spec.Type
	if wantType == "" {
		wantType = corev1.ServiceTypeClusterIP
	}
	add("spec.type", string(live.Spec.Type), string(wantType))
	if wantType == corev1.ServiceTypeExternalName {
		add("spec.externalName", live.Spec.ExternalName, want.Spec.ExternalName)
		return diff
	}
	add("spec.clusterIP", clusterIPText(live), clusterIPText(want))
	add("spec.externalTrafficPolicy", string(cmp.Or(live.Spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)),
		string(cmp.Or(want.Spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)))
	add("spec.internalTrafficPolicy", internalPolicy(live), internalPolicy(want))
	add("spec.sessionAffinity", string(cmp.Or(live.Spec.SessionAffinity, corev1.ServiceAffinityNone)),
		string(cmp.Or(want.Spec.SessionAffinity, corev1.ServiceAffinityNone)))
	add("spec.publishNotReadyAddresses", fmt.Sprint(live.Spec.PublishNotReadyAddresses), fmt.Sprint(want.Spec.PublishNotReadyAddresses))
	add("spec.selector", selectorText(live.Spec.Selector), selectorText(want.Spec.Selector))
	for i, p := range want.Spec.Ports {
		at := slices.IndexFunc(live.Spec.Ports, func(l corev1.ServicePort) bool { return PortKey(l) == PortKey(p) })
		if at < 0 {
			diff = append(diff, fieldDrift{field: fmt.Sprintf("spec.ports[%d]", i), tree: strconv.Quote(PortKey(p))})
			continue
		}
		l := live.Spec.Ports[at]
		add(fmt.Sprintf("spec.ports[%d].port", at), fmt.Sprint(l.Port), fmt.Sprint(p.Port))
		target := targetText(p)
		if target == "" {
			target = fmt.Sprint(p.Port) // what the API server fills in
		}
		add(fmt.Sprintf("spec.ports[%d].targetPort", at), targetText(l), target)
		add(fmt.Sprintf("spec.ports[%d].protocol", at), string(protocolOf(l.Protocol)), string(protocolOf(p.Protocol)))
		if p.NodePort != 0 { // else the cluster gives one
			add(fmt.Sprintf("spec.ports[%d].nodePort", at), number(l.NodePort), number(p.NodePort))
		}
	}
	for at, l := range live.Spec.Ports {
		if !slices.ContainsFunc(want.Spec.Ports, func(p corev1.ServicePort) bool { return PortKey(p) == PortKey(l) }) {
			diff = append(diff, fieldDrift{field: fmt.Sprintf("spec.ports[%d]", at), live: strconv.Quote(PortKey(l))})
		}
	}
	return diff
}

// clusterIPText says whether a Service has a cluster IP, whichever it is: the
// cluster gives it one.
func clusterIPText(svc *corev1.Service) string {
	if headless(svc) {
		return corev1.ClusterIPNone
	}
	return "an address"
}

func internalPolicy(svc *corev1.Service) string {
	if p := svc.Spec.InternalTrafficPolicy; p != nil {
		return string(*p)
	}
	return string(corev1.ServiceInternalTrafficPolicyCluster)
}

// number words a number that may be missing.
func number(n int32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
