package verify

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// OtherPort is where a container is told a Service's address with a port that the
// Service does not have.
type OtherPort struct {
	ShortName
	Port int32 `json:"port"`
}

// toldAddress is a host and port in a value, or in one part of a list of them.
var toldAddress = regexp.MustCompile(`(^|://|@)([A-Za-z0-9.-]+):(\d{1,5})(?:$|[/?])`)

// plainAddress is a value that holds nothing but an address, and a database's number
// perhaps: a path may be a secret, and the value goes into snapshots and patches.
var plainAddress = regexp.MustCompile(`^(?:[a-z][a-z0-9+.-]*://)?[A-Za-z0-9.-]+:\d{1,5}(?:/\d{0,3})?$`)

// otherPorts finds the targets that a client is told with a port that they do not have.
func (s *Snapshot) otherPorts(namespace string, spec *corev1.PodSpec) map[string]OtherPort {
	out := map[string]OtherPort{}
	for _, key := range s.Targets {
		svc := s.service(key)
		// A headless Service has its Pods' addresses, with all of their ports.
		if svc == nil || headless(svc) || svc.Spec.Type == corev1.ServiceTypeExternalName || len(svc.Spec.Ports) == 0 {
			continue
		}
		if told := otherPortIn(spec, svc, namespace); told != nil {
			out[key] = *told
		}
	}
	return out
}

func otherPortIn(spec *corev1.PodSpec, svc *corev1.Service, namespace string) *OtherPort {
	for i := range spec.Containers {
		for _, e := range spec.Containers[i].Env {
			for _, part := range strings.SplitN(e.Value, ",", 16) {
				m := toldAddress.FindStringSubmatch(strings.TrimSpace(part))
				// An image's name and tag look like an address that has no scheme.
				address := slices.ContainsFunc([]string{"HOST", "ADDR", "ADDRESS", "URL", "URI", "SERVER", "SERVERS", "ENDPOINT"},
					func(end string) bool { return strings.HasSuffix(strings.ToUpper(e.Name), end) })
				if m == nil || m[1] == "" && !address || !callsService(m[2], svc, namespace) {
					continue
				}
				port, err := strconv.Atoi(m[3])
				if err != nil || port < 1 || port > 65535 ||
					slices.ContainsFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == port }) {
					continue
				}
				told := &OtherPort{Port: int32(port), ShortName: ShortName{Container: probe.Printable(spec.Containers[i].Name, 64), Variable: probe.Printable(e.Name, 64)}}
				if plainAddress.MatchString(e.Value) {
					told.Value = e.Value
				}
				return told
			}
		}
	}
	return nil
}

// callsService reports whether a name, used in a namespace, is a Service's.
func callsService(name string, svc *corev1.Service, namespace string) bool {
	long := svc.Name + "." + svc.Namespace
	return name == svc.Name && namespace == svc.Namespace || name == long || name == long+".svc" || strings.HasPrefix(name, long+".svc.")
}

// ruleOtherPort: SVC414. The client that was asked for is told a port that the Service
// does not have; its target port, most often. Whether it uses what it is told is not seen.
func ruleOtherPort(c *serviceCase) []finding {
	if c.v.s.Client == nil {
		return nil
	}
	told, ok := c.v.s.Client.OtherPorts[c.key()]
	if !ok {
		return nil
	}
	client := c.v.s.Client.ObjectRef
	f := Finding{ID: "SVC414", Severity: SeverityWarning, Object: client, Field: told.field()}
	var have []string
	var want []corev1.ServicePort
	for _, p := range c.svc.Spec.Ports {
		have = append(have, fmt.Sprint(p.Port))
		if targetText(p) == fmt.Sprint(told.Port) {
			want = append(want, p)
		}
	}
	f.Message = fmt.Sprintf("%s is told to use port %d of %s, which has port %s only.", client, told.Port, c.ref(), listWords(have))
	f.Evidence = []string{fmt.Sprintf("%s says %s with port %d", told.ShortName, c.svc.Name, told.Port)}
	if len(want) > 0 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("%d is the targetPort of port %d; clients use the Service's own", told.Port, want[0].Port))
	}
	if len(want) == 0 && len(c.svc.Spec.Ports) == 1 {
		want = c.svc.Spec.Ports
	}
	f.Fix = &Fix{Summary: "use a port that the Service has, or add that one to the Service"}
	if len(want) == 1 {
		f.Fix.Summary = fmt.Sprintf("use port %d", want[0].Port)
		if told.Value != "" {
			value := strings.Replace(told.Value, fmt.Sprintf(":%d", told.Port), fmt.Sprintf(":%d", want[0].Port), 1)
			f.Fix = told.fix(f.Fix.Summary, client, value)
		}
	}
	return []finding{{Finding: f, checks: []string{}}}
}
