package generate

import (
	"cmp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// wellKnown is what a port's number says about what is spoken there: name is
// the port's name, appProtocol the IANA service name (grpc has none, but is what
// the implementations read). Only numbers that are rarely anything else.
var wellKnown = map[int32]struct{ name, appProtocol string }{
	22:    {"ssh", "ssh"},
	25:    {"smtp", "smtp"},
	53:    {"dns", "domain"},
	80:    {"http", "http"},
	389:   {"ldap", "ldap"},
	443:   {"https", "https"},
	636:   {"ldaps", "ldaps"},
	1883:  {"mqtt", "mqtt"},
	3306:  {"mysql", "mysql"},
	4222:  {"nats", "nats"},
	5432:  {"postgresql", "postgresql"},
	5672:  {"amqp", "amqp"},
	6379:  {"redis", "redis"},
	8080:  {"http", "http"},
	8443:  {"https", "https"},
	11211: {"memcache", "memcache"},
	27017: {"mongodb", "mongodb"},
	50051: {"grpc", "grpc"},
}

// spoken maps what people call a protocol, in a port's name or as an image's
// name, to its appProtocol.
var spoken = map[string]string{
	"amqp": "amqp", "dns": "domain", "grpc": "grpc", "http": "http", "https": "https",
	"mariadb": "mysql", "memcached": "memcache", "mongo": "mongodb", "mongodb": "mongodb",
	"mqtt": "mqtt", "mysql": "mysql", "nats": "nats", "postgres": "postgresql", "postgresql": "postgresql",
	"rabbitmq": "amqp", "redis": "redis", "valkey": "redis",
}

// Complete fills what was left out with its default: the Service's name and
// type, the port of a known image, and each port's target, protocol, name and
// appProtocol. What was asked is kept, and only brought to the API's spelling.
// Completing twice changes nothing.
func (a *App) Complete() {
	if a.APIVersion == "" {
		a.APIVersion = APIVersion
	}
	if a.Kind == "" {
		a.Kind = Kind
	}
	s := &a.Spec.Service
	if s.Name == "" {
		s.Name = a.Metadata.Name
	}
	if t, err := ParseServiceType(string(s.Type)); err == nil {
		s.Type = t
	}
	if s.Type == "" {
		s.Type = ClusterIP
		if a.Spec.Workload == nil {
			s.Type = ExternalName
		}
	}
	imageRef := ""
	if a.Spec.Workload != nil {
		imageRef = a.Spec.Workload.Image
		if p, ok := presetFor(imageRef); ok {
			if len(s.Ports) == 0 {
				s.Ports = []ServicePort{{Port: p.port}}
			}
			// A known image listens where it always does, whatever port the Service
			// has, unless it is told otherwise on its command line.
			w := a.Spec.Workload
			only := &s.Ports[0]
			if len(s.Ports) == 1 && only.TargetPort == (intstr.IntOrString{}) && only.Protocol != corev1.ProtocolUDP && len(w.Command)+len(w.Args) == 0 {
				only.TargetPort = intstr.FromInt32(p.port)
			}
		}
	}
	for i := range s.Ports {
		completePort(&s.Ports[i], a.Spec.Workload != nil)
		if s.Ports[i].AppProtocol == "" {
			s.Ports[i].AppProtocol = a.appProtocol(s.Ports[i], imageRef)
		}
	}
	a.namePorts()
	for i := range a.Spec.Overlays {
		a.completeEnvironment(&a.Spec.Overlays[i])
	}
}

func completePort(p *ServicePort, workload bool) {
	p.Protocol = cmp.Or(corev1.Protocol(strings.ToUpper(string(p.Protocol))), defaultProtocol)
	if p.TargetPort == (intstr.IntOrString{}) && workload {
		p.TargetPort = intstr.FromInt32(p.Port)
	}
}

// appProtocol tells what is spoken on a port, from the most to the least
// telling: the name it was given, the image behind it, its number. Empty when
// nothing tells.
func (a *App) appProtocol(p ServicePort, imageRef string) string {
	if p.Name != "" {
		prefix, _, _ := strings.Cut(p.Name, "-")
		if prefix == "tcp" || prefix == "udp" || prefix == "sctp" {
			return "" // said to be nothing more
		}
		if protocol, ok := spoken[prefix]; ok && streams(p, protocol) {
			return protocol
		}
	}
	container := a.targetNumber(p)
	if container == 0 {
		container = p.Port
	}
	only := len(a.Spec.Service.Ports) == 1
	if p.Protocol == corev1.ProtocolTCP && imageRef != "" {
		if preset, ok := presetFor(imageRef); ok && preset.port == container {
			return preset.appProtocol
		}
		if img, reason := parseImage(imageRef); reason == "" && only {
			if protocol, ok := spoken[img.base()]; ok {
				return protocol
			}
		}
	}
	for _, number := range []int32{container, p.Port} {
		if known, ok := wellKnown[number]; ok && streams(p, known.appProtocol) {
			return known.appProtocol
		}
	}
	return ""
}

// streams reports whether an appProtocol fits the port's transport: of those
// known here, only DNS is spoken over UDP too.
func streams(p ServicePort, appProtocol string) bool {
	return p.Protocol == corev1.ProtocolTCP || p.Protocol == corev1.ProtocolUDP && appProtocol == "domain"
}

// namePorts gives each port without a name one that says what is spoken there,
// and that no other port of the Service has.
func (a *App) namePorts() {
	ports := a.Spec.Service.Ports
	taken := map[string]bool{}
	for _, p := range ports {
		taken[p.Name] = true
	}
	for i := range ports {
		p := &ports[i]
		if p.Name != "" {
			continue
		}
		transport, number := strings.ToLower(string(p.Protocol)), strconv.Itoa(int(p.Port))
		var candidates []string
		if name := a.protocolName(*p); name != "" {
			candidates = []string{name, name + "-" + transport, name + "-" + number}
		}
		for _, name := range append(candidates, transport+"-"+number) {
			if !taken[name] && len(validation.IsValidPortName(name)) == 0 {
				p.Name = name
				break
			}
		}
		// A port that is there twice has no free name: Validate names the duplicate.
		if p.Name == "" {
			p.Name = transport + "-" + number
		}
		taken[p.Name] = true
	}
}

// protocolName returns what to call a port that speaks p.AppProtocol.
func (a *App) protocolName(p ServicePort) string {
	if p.AppProtocol == "" {
		return ""
	}
	for _, number := range []int32{a.targetNumber(p), p.Port} {
		if known, ok := wellKnown[number]; ok && known.appProtocol == p.AppProtocol {
			return known.name
		}
	}
	switch p.AppProtocol {
	case "domain":
		return "dns"
	case "kubernetes.io/h2c":
		return "http2"
	case "kubernetes.io/ws":
		return "ws"
	case "kubernetes.io/wss":
		return "wss"
	}
	return strings.ToLower(p.AppProtocol)
}
