package verify

import (
	"fmt"
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// ruleOneFamily: SVC211. A Service of two address families, or of IPv6 alone, whose
// Pods answer at their addresses of one family and refuse at those of the other: the
// application listens on 0.0.0.0, which is IPv4 alone.
func ruleOneFamily(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		if c.failure(pv.key) {
			continue
		}
		by := map[corev1.IPFamily]evidence{}
		direct := c.ev.on(probe.PathPod, "", pv.key)
		if f, ok := c.notIPv6(pv, direct); ok {
			out = append(out, f)
			continue
		}
		for _, a := range direct {
			f := familyOf(a.host())
			by[f] = append(by[f], a)
		}
		for _, f := range []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol} {
			other := corev1.IPv4Protocol
			if f == other {
				other = corev1.IPv6Protocol
			}
			if !by[f].all(probe.ClassRefused) || !by[other].all(probe.ClassOK) {
				continue
			}
			owner, _ := c.backendOwner(pv)
			out = append(out, finding{port: pv.key, Finding: Finding{ID: "SVC211", Severity: SeverityFailure, Object: c.ref(), Field: "spec.ipFamilyPolicy",
				Message: fmt.Sprintf("%s serves IPv4 and IPv6, and the application of %s listens on %s only: clients that take the other are refused.", c.ref(), owner, other),
				Evidence: []string{
					fmt.Sprintf("%s: %s: %s", other, pv.check.Good(), by[other].addresses(3)),
					fmt.Sprintf("%s: connect refused: %s", f, by[f].addresses(3)),
				},
				Fix: c.oneFamilyFix(other)}})
		}
	}
	return out
}

// notIPv6 is ruleOneFamily for a Service that has IPv6 addresses alone. The family of a
// Service stays what it is, so it is the application that has to change.
func (c *serviceCase) notIPv6(pv portView, direct evidence) (finding, bool) {
	other := slices.DeleteFunc(c.ev.explored(probe.PathPod, pv.key).asked(), func(a answer) bool {
		return familyOf(a.host()) != corev1.IPv4Protocol || !targetOf(pv, a) || a.probe.Network != "tcp"
	})
	if !direct.all(probe.ClassRefused) || !other.all(probe.ClassOK) || len(c.svc.Spec.IPFamilies) != 1 || c.svc.Spec.IPFamilies[0] != corev1.IPv6Protocol {
		return finding{}, false
	}
	owner, _ := c.backendOwner(pv, other...)
	return finding{port: pv.key, Finding: Finding{ID: "SVC211", Severity: SeverityFailure, Object: c.ref(), Field: "spec.ipFamilies",
		Message: fmt.Sprintf("%s serves IPv6 only, and the application of %s listens on IPv4 only: every client is refused.", c.ref(), owner),
		Evidence: []string{
			fmt.Sprintf("IPv4: %s: %s", pv.check.Good(), other.addresses(3)),
			fmt.Sprintf("IPv6: connect refused: %s", direct.addresses(3)),
		},
		Fix: &Fix{Summary: "make the application listen on all addresses of both families (:: rather than 0.0.0.0), or make the Service anew with ipFamilies: [IPv4]"}}}, true
}

// oneFamilyFix leaves the Service with the family that its Pods serve. The first
// family of a Service cannot be changed, so that only the second can go.
func (c *serviceCase) oneFamilyFix(served corev1.IPFamily) *Fix {
	summary := "make the application listen on all addresses of both families (:: rather than 0.0.0.0), or use ipFamilyPolicy SingleStack"
	if len(c.svc.Spec.IPFamilies) == 0 || c.svc.Spec.IPFamilies[0] != served {
		return &Fix{Summary: summary}
	}
	f := patchFix(summary, c.ref(), map[string]any{"spec": map[string]any{"ipFamilyPolicy": "SingleStack", "ipFamilies": []any{string(served)}}})
	f.Command = shell.Kubectl("patch service %s -n %s --type=merge -p %s", c.svc.Name, c.svc.Namespace,
		fmt.Sprintf(`{"spec":{"ipFamilyPolicy":"SingleStack","ipFamilies":[%q],"clusterIPs":[%q]}}`, served, c.svc.Spec.ClusterIP))
	return f
}

func familyOf(address string) corev1.IPFamily {
	if ip := net.ParseIP(address); ip != nil && ip.To4() == nil {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}
