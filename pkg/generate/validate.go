package generate

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// Validate returns an *InvalidError with everything that is wrong with a
// completed App, or nil. It asks nobody: what it accepts, every supported API
// server accepts, as far as that can be told without one.
func (a *App) Validate() error {
	v := &validator{}
	v.identity(a)
	v.workload(a)
	v.service(a)
	v.extras(a)
	v.environments(a)
	if len(v.problems) > 0 {
		return &InvalidError{Problems: v.problems}
	}
	return nil
}

type validator struct{ problems []Problem }

func (v *validator) add(field, value, reason, next string) {
	v.problems = append(v.problems, Problem{Field: field, Value: value, Reason: reason, Next: next})
}

// at tells of what limits finds in a field.
func (v *validator) at(field string) limits.Report {
	return func(p limits.Problem) {
		at, value := field, ""
		for _, part := range p.At {
			if i, ok := part.(int); ok {
				at += fmt.Sprintf("[%d]", i)
			} else {
				at += fmt.Sprintf(".%s", part)
			}
		}
		if p.Value != nil {
			value = fmt.Sprint(p.Value)
		}
		v.add(strings.TrimPrefix(at, "."), value, p.Reason+didYouMean(value, p.Known), p.Next)
	}
}

func (v *validator) identity(a *App) {
	if a.APIVersion != APIVersion {
		v.add("apiVersion", a.APIVersion, "is not a version this program knows", "write "+APIVersion)
	}
	if a.Kind != Kind {
		v.add("kind", a.Kind, "is not a kind this program knows", "write "+Kind)
	}
	v.label("metadata.name", a.Metadata.Name, "it names the Deployment, its container and a label, such as redis or my-app-2")
	if a.Metadata.Namespace != "" {
		v.label("metadata.namespace", a.Metadata.Namespace, "such as shop or team-a")
	}
}

// label demands an RFC 1123 label.
func (v *validator) label(field, value, example string) {
	switch {
	case value == "":
		v.add(field, "", "is missing", "give it a name; "+example)
	case len(validation.IsDNS1123Label(value)) > 0:
		v.add(field, value, labelReason(value, false), example)
	}
}

// labelReason says in words which rule of a DNS label a value breaks; letterFirst
// is the rule of RFC 1035, to begin with a letter.
func labelReason(value string, letterFirst bool) string {
	switch {
	case len(value) > validation.DNS1123LabelMaxLength:
		return fmt.Sprintf("has %d letters; %d is the most", len(value), validation.DNS1123LabelMaxLength)
	case strings.ToLower(value) != value:
		return "has capital letters; only lower-case letters, digits and '-' may be in it"
	case strings.HasPrefix(value, "-") || strings.HasSuffix(value, "-"):
		return "begins or ends with '-'"
	case letterFirst && value[0] >= '0' && value[0] <= '9':
		return "begins with a digit, which Kubernetes before 1.36 does not allow for a Service"
	default:
		return "may hold only lower-case letters, digits and '-'"
	}
}

func (v *validator) workload(a *App) {
	w, s := a.Spec.Workload, a.Spec.Service
	if w == nil {
		if s.Type != ExternalName && isServiceType(s.Type) {
			v.add("spec.workload", "", "is missing: a Service of type "+string(s.Type)+" needs Pods to send to",
				"give an image, or the type ExternalName with an external name")
		}
		return
	}
	const imageField = "spec.workload.image"
	if w.Image == "" {
		v.add(imageField, "", "is missing", "name an image, such as redis:alpine")
	} else if img, reason := parseImage(w.Image); reason != "" {
		next := "such as redis:alpine or registry.example.com/team/app:1.2"
		if lower := strings.ToLower(img.repository); lower != img.repository {
			if _, bad := parseImage(strings.Replace(w.Image, img.repository, lower, 1)); bad == "" {
				next = "did you mean " + strings.Replace(w.Image, img.repository, lower, 1) + "?"
			}
		}
		v.add(imageField, w.Image, reason, next)
	}
	limits.Least(v.at("spec.workload.replicas"), w.Replicas, 0)
	v.texts("spec.workload.command", w.Command)
	v.texts("spec.workload.args", w.Args)
	v.workloadDetails(a)
}

func (v *validator) texts(field string, list []string) {
	for i, s := range list {
		if !utf8.ValidString(s) {
			v.add(fmt.Sprintf("%s[%d]", field, i), strings.ToValidUTF8(s, "?"), "is not UTF-8", "")
		} else if strings.ContainsFunc(s, unbuildable) {
			v.add(fmt.Sprintf("%s[%d]", field, i), s, "has control characters in it, which kustomize cannot build", "put them into a file of the image, or have a shell make them")
		}
	}
}

// rewritten demands a key and a text that kustomize can write and read again: the key it
// writes without quotes, a text of several lines as a block, whose indentation nobody
// can tell when it begins with a tab. It does so with what it sets itself: annotations
// of objects and the data of its generators.
func (v *validator) rewritten(field, key, text string) {
	var n yaml.Node
	if yaml.Unmarshal([]byte(key), &n) == nil && len(n.Content) == 1 && n.Content[0].Kind == yaml.ScalarNode && n.Content[0].ShortTag() != yaml.NodeTagString {
		v.add(field, "", "is a key that YAML reads as "+strings.TrimPrefix(n.Content[0].ShortTag(), "!!")+" and not as text, which kustomize cannot build, in quotes or not", "choose another key, such as "+key+"-x")
	}
	if strings.HasPrefix(text, "\t") && strings.Contains(text, "\n") {
		v.add(field, text, "begins with a tab and has more than one line, which kustomize cannot build", "begin it with another letter, such as a space or a line break")
	}
}

// unbuildable reports whether a letter is one that YAML has no plain form for;
// kustomize writes some of them plainly all the same, and then fails to read them.
func unbuildable(r rune) bool {
	switch r {
	case '\t', '\n', '\r':
		return false
	case '\ufeff', '\ufffe', '\uffff':
		return true
	}
	return unicode.IsControl(r)
}

func (v *validator) service(a *App) {
	s := a.Spec.Service
	if !isServiceType(s.Type) {
		if _, err := ParseServiceType(string(s.Type)); err != nil {
			v.add("spec.service.type", "", err.Error(), "")
		} else {
			v.add("spec.service.type", string(s.Type), "is not spelled as the API does", "complete the Spec first")
		}
	}
	switch {
	case s.Name == "":
		if a.Metadata.Name != "" {
			v.add("spec.service.name", "", "is missing", "give it a name, such as redis-svc")
		}
	case len(validation.IsDNS1123Label(s.Name)) > 0 && s.Name == a.Metadata.Name:
		// It is the app's name, and has been told of there.
	case len(validation.IsDNS1035Label(s.Name)) > 0:
		v.add("spec.service.name", s.Name, labelReason(s.Name, true), "it becomes a DNS name, such as redis-svc")
	}
	if s.ExternalName != "" {
		v.externalName(a)
	} else if s.Type == ExternalName {
		v.add("spec.service.externalName", "", "is missing", "name the host that the Service stands for, such as db.example.com")
	}
	v.ports(a)
	v.serviceDetails(a)
	v.metadata("spec.service.", s.Labels, s.Annotations, nameLabel, managedByLabel)
	for _, key := range sortedKeys(s.Annotations) {
		v.rewritten("spec.service.annotations."+key, key, s.Annotations[key])
	}
	if _, old := s.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]; old {
		v.add("spec.service.annotations."+corev1.AnnotationLoadBalancerSourceRangesKey, "", "would reach every overlay, and the API refuses it but for a LoadBalancer", "use loadBalancerSourceRanges")
	}
}

func isServiceType(t ServiceType) bool {
	for _, known := range ServiceTypes() {
		if t == known {
			return true
		}
	}
	return false
}

func (v *validator) externalName(a *App) {
	const field = "spec.service.externalName"
	name, svc := a.Spec.Service.ExternalName, a.Spec.Service.Name
	host := strings.TrimSuffix(name, ".")
	const example = "such as db.example.com"
	switch {
	case strings.Contains(name, "://"):
		v.add(field, name, "is a URL; DNS knows host names only", "leave out the scheme, the port and the path")
	case isAddress(host):
		v.add(field, name, "is an IP address; the Service becomes a DNS alias (CNAME), and an alias of an address resolves to nothing",
			"for an address use a headless Service without selector and an EndpointSlice made by hand")
	case isHostPort(host):
		v.add(field, name, "has a port in it; DNS knows host names only", "leave the port out, and give it as a port of the Service")
	case len(validation.IsDNS1123Subdomain(host)) > 0:
		reason := "is not a host name (lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit)"
		if len(host) > validation.DNS1123SubdomainMaxLength {
			reason = fmt.Sprintf("has %d letters; a host name has %d at the most", len(host), validation.DNS1123SubdomainMaxLength)
		} else if lower := strings.ToLower(host); lower != host && len(validation.IsDNS1123Subdomain(lower)) == 0 {
			v.add(field, name, "has capital letters, which Kubernetes refuses here", "write "+lower)
			return
		}
		v.add(field, name, reason, example)
	case longLabel(host) != "":
		v.add(field, name, fmt.Sprintf("has a part of more than 63 letters (%q), which DNS cannot carry", shorten(longLabel(host))), example)
	case a.Metadata.Namespace != "" && strings.HasPrefix(host+".", svc+"."+a.Metadata.Namespace+".svc."):
		v.add(field, name, "is the Service's own name: it would be an alias of itself", "name the host that the Service stands for")
	}
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	_, errPort := netip.ParseAddrPort(host)
	return err == nil || errPort == nil
}

func isHostPort(host string) bool {
	name, port, ok := strings.Cut(host, ":")
	_, err := strconv.Atoi(port)
	return ok && name != "" && err == nil
}

// longLabel returns a part of a host name that is longer than DNS allows.
func longLabel(host string) string {
	for _, part := range strings.Split(host, ".") {
		if len(part) > validation.DNS1123LabelMaxLength {
			return part
		}
	}
	return ""
}

func (v *validator) ports(a *App) {
	s := a.Spec.Service
	if len(s.Ports) == 0 && a.Spec.Workload != nil {
		v.add("spec.service.ports", "", "is missing: what port the image listens on is not known", "give one, such as 8080")
	}
	type key struct {
		port     int32
		protocol corev1.Protocol
	}
	seen, names := map[key]int{}, map[string]int{}
	for i, p := range s.Ports {
		field := fmt.Sprintf("spec.service.ports[%d]", i)
		limits.Port(v.at(field+".port"), p.Port)
		v.targetPort(a, field+".targetPort", p)
		switch p.Protocol {
		case corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP:
			k := key{p.Port, p.Protocol}
			if first, dup := seen[k]; dup {
				v.add(field+".port", strconv.Itoa(int(p.Port)), fmt.Sprintf("is there twice with protocol %s: also as ports[%d]", p.Protocol, first), "remove one")
			} else {
				seen[k] = i
			}
		default:
			v.add(field+".protocol", string(p.Protocol), "is no protocol of a Service"+didYouMean(string(p.Protocol), []string{"TCP", "UDP", "SCTP"}), "one of TCP, UDP, SCTP")
		}
		if reason := servicePortNameReason(p.Name); reason != "" {
			v.add(field+".name", p.Name, reason, "such as redis or http-admin")
		} else if first, dup := names[p.Name]; dup {
			v.add(field+".name", p.Name, fmt.Sprintf("is there twice: also as ports[%d]", first), "give each port a name of its own")
		} else {
			names[p.Name] = i
		}
		if p.AppProtocol != "" {
			limits.AppProtocol(v.at(field+".appProtocol"), p.AppProtocol)
		}
	}
}

// servicePortNameReason says what is wrong with the name of a port of a Service.
func servicePortNameReason(name string) string {
	switch {
	case name == "":
		return "is missing"
	case len(validation.IsDNS1123Label(name)) > 0:
		return labelReason(name, false)
	}
	return ""
}

// portNameReason says what is wrong with the name of a container's port, whose rules
// are stricter than those of a Service's.
func portNameReason(name string) string {
	switch {
	case len(validation.IsValidPortName(name)) == 0 && len(validation.IsDNS1123Label(name)) == 0:
		return ""
	case name == "":
		return "is missing"
	case len(name) > 15:
		return fmt.Sprintf("has %d letters; a container's port name has 15 at the most", len(name))
	case strings.ToLower(name) != name:
		return "has capital letters"
	case strings.Contains(name, "--"):
		return "has two '-' in a row"
	case strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-"):
		return "begins or ends with '-'"
	case strings.Trim(name, "0123456789-") == "":
		return "has no letter in it"
	default:
		return "may hold only lower-case letters, digits and '-'"
	}
}
