package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// ShortName is where a container is told the bare name of a Service, which
// means one of the container's own namespace.
type ShortName struct {
	Container string `json:"container"`
	Variable  string `json:"variable,omitempty"` // of the environment; empty: an argument
	// Value is what the variable says, where that is nothing but the name and
	// perhaps a port; empty where it may hold more than an address.
	Value string `json:"value,omitempty"`
}

// String says where the name was found.
func (n ShortName) String() string {
	if n.Variable == "" {
		return "an argument of container " + n.Container
	}
	return "environment variable " + n.Variable + " of container " + n.Container
}

// field is the path in a workload of what tells the name.
func (n ShortName) field() string {
	field := fmt.Sprintf("spec.template.spec.containers[name=%s]", n.Container)
	if n.Variable != "" {
		field += fmt.Sprintf(".env[name=%s]", n.Variable)
	}
	return field
}

// fix has the variable of a client say something else.
func (n ShortName) fix(summary string, client ObjectRef, value string) *Fix {
	return containersFix(summary, client, nil, map[string]map[string]any{n.Container: {"env": []any{map[string]any{"name": n.Variable, "value": value}}}})
}

// ruleShortName: SVC405. A client of another namespace is told the Service's
// short name, which does not exist there.
func ruleShortName(c *serviceCase) []finding {
	if len(c.svc.Spec.Ports) == 0 {
		return nil
	}
	if cl := c.v.s.Client; cl != nil {
		return c.clientShortName(cl)
	}
	for _, ns := range slices.Sorted(maps.Keys(c.v.byNS)) {
		if ns == c.svc.Namespace || c.v.service(ns+"/"+c.svc.Name) != nil {
			continue
		}
		for _, p := range c.v.byNS[ns] {
			where := shortNameIn(&p.Spec, c.svc)
			if where == nil {
				continue
			}
			owner := c.v.ownerOf(p)
			owner.Namespace = ns
			f := c.shortName(owner, *where)
			f.Severity = SeverityWarning
			f.Evidence = append(f.Evidence, "namespace "+ns+" has no Service of that name")
			return []finding{{Finding: f, checks: []string{}}}
		}
	}
	return nil
}

// clientShortName asks whether the client that was asked for knows the Service
// by a name that its own DNS does not know.
func (c *serviceCase) clientShortName(cl *Client) []finding {
	where, told := cl.ShortNames[c.key()]
	if !told || cl.Namespace == c.svc.Namespace {
		return nil
	}
	f := c.shortName(cl.ObjectRef, where)
	f.Severity = SeverityWarning
	for _, a := range c.ev.explored(probe.PathDNS, "").asked() {
		if a.host() != c.svc.Name {
			continue
		}
		if a.outcome.Class != probe.ClassNameUnknown {
			return nil // it leads somewhere, or DNS said nothing
		}
		f.Severity = SeverityFailure
		f.Evidence = append(f.Evidence, fmt.Sprintf("dns: %s does not exist for a Pod in namespace %s", a.host(), cl.Namespace))
	}
	return []finding{{Finding: f, checks: []string{}}}
}

// shortName words the finding, and makes the name whole where that can be done.
func (c *serviceCase) shortName(client ObjectRef, where ShortName) Finding {
	long := c.svc.Name + "." + c.svc.Namespace
	f := Finding{ID: "SVC405", Object: client, Field: where.field(),
		Message: fmt.Sprintf("%s in namespace %s uses the short name %q, which exists in namespace %s only: there the Service is called %s.",
			client, client.Namespace, c.svc.Name, c.svc.Namespace, long),
		Evidence: []string{where.String() + " says " + c.svc.Name},
		Fix:      &Fix{Summary: "use " + long}}
	if where.Value != "" {
		f.Fix = where.fix(f.Fix.Summary, client, long+strings.TrimPrefix(where.Value, c.svc.Name))
	}
	return f
}

// shortNames finds the Services of other namespaces among the targets that a
// client is told by their bare names.
func (s *Snapshot) shortNames(namespace string, spec *corev1.PodSpec) map[string]ShortName {
	out := map[string]ShortName{}
	for _, key := range s.Targets {
		svc := s.service(key)
		if svc == nil || svc.Namespace == namespace {
			continue
		}
		if where := shortNameIn(spec, svc); where != nil {
			out[key] = *where
		}
	}
	return out
}

// shortNameIn says where containers are told the Service's bare name with one
// of its ports, or as a host; nil: nowhere that can be seen.
func shortNameIn(spec *corev1.PodSpec, svc *corev1.Service) *ShortName {
	for i := range spec.Containers {
		ctr := &spec.Containers[i]
		name := probe.Printable(ctr.Name, 64)
		for _, e := range ctr.Env {
			host := strings.HasSuffix(e.Name, "HOST") || strings.HasSuffix(e.Name, "ADDR") || strings.HasSuffix(e.Name, "SERVER")
			if !namesService(svc, e.Value, host) {
				continue
			}
			out := &ShortName{Container: name, Variable: probe.Printable(e.Name, 64)}
			if rest, ok := strings.CutPrefix(e.Value, svc.Name); ok && (rest == "" || rest[0] == ':' && strings.Trim(rest[1:], "0123456789") == "") {
				out.Value = e.Value
			}
			return out
		}
		for _, a := range slices.Concat(ctr.Command, ctr.Args) {
			if namesService(svc, a, false) {
				return &ShortName{Container: name}
			}
		}
	}
	return nil
}

func namesService(svc *corev1.Service, text string, host bool) bool {
	return host && text == svc.Name || addressIn(svc, text) != ""
}

// addressIn returns a Service's bare name with one of its ports where a text
// holds it as an address, else "".
func addressIn(svc *corev1.Service, text string) string {
	for _, p := range svc.Spec.Ports {
		address := fmt.Sprintf("%s:%d", svc.Name, p.Port)
		i := strings.Index(text, address)
		if i < 0 {
			continue
		}
		before, after := text[:i], text[i+len(address):]
		if (before == "" || strings.ContainsAny(before[len(before)-1:], "/@,= ")) && (after == "" || strings.ContainsAny(after[:1], "/?, ")) {
			return address
		}
	}
	return ""
}
