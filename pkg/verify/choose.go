package verify

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// appProtocols maps the words people use for a protocol, in appProtocol and in
// port names, to the check that asks it.
var appProtocols = map[string]probe.Check{
	"redis": probe.CheckRedis, "valkey": probe.CheckRedis, "redis-sentinel": probe.CheckRedis,
	"http": probe.CheckHTTP, "web": probe.CheckHTTP, "http-web": probe.CheckHTTP,
	"kubernetes.io/h2c": probe.CheckHTTP, "kubernetes.io/ws": probe.CheckHTTP,
	"https": probe.CheckHTTPS, "kubernetes.io/wss": probe.CheckHTTPS,
	"postgres": probe.CheckPostgres, "postgresql": probe.CheckPostgres, "pgsql": probe.CheckPostgres,
	"mysql": probe.CheckMySQL, "mariadb": probe.CheckMySQL, "dns": probe.CheckDNSServer, "dns-tcp": probe.CheckDNSServer,
	"rediss": probe.CheckRedis, "redis-tls": probe.CheckRedis, "valkeys": probe.CheckRedis,
	"grpc": probe.CheckGRPC, "grpcs": probe.CheckGRPC, "grpc-tls": probe.CheckGRPC, "tls": probe.CheckTLS, "tcp": probe.CheckTCP, "udp": probe.CheckUDP,
}

// wellKnown maps port numbers to checks. It is short on purpose: a number is
// the weakest hint, and a wrong guess accuses a healthy server.
var wellKnown = map[int32]probe.Check{
	6379: probe.CheckRedis, 5432: probe.CheckPostgres, 3306: probe.CheckMySQL, 53: probe.CheckDNSServer, 80: probe.CheckHTTP, 443: probe.CheckHTTPS,
}

// besides are the words of ports that stand beside a server's own and speak
// another protocol: a "redis-exporter" is no Redis.
var besides = strings.Fields("metrics metric exporter prometheus prom stats monitoring health healthz status probe bus gossip cluster raft peer peers " +
	"replication admin management mgmt manager console dashboard ui web debug pprof backup http https")

// prefixCheck returns the check for what a port's name starts with; false: it
// starts with no word for a protocol, or goes on with one for another.
func prefixCheck(name string) (probe.Check, bool) {
	words := strings.Split(name, "-")
	check, ok := appProtocols[words[0]]
	if !ok || len(words) < 2 || check == probe.CheckUDP {
		return "", false
	}
	// What stands beside a server speaks HTTP as a rule.
	if check != probe.CheckHTTP && check != probe.CheckHTTPS {
		for _, w := range words[1:] {
			if slices.Contains(besides, w) {
				return "", false
			}
		}
	}
	return check, true
}

// standsBeside reports whether the name of a port says that it is beside the one that
// was wanted, which has no such word of its own.
func standsBeside(name, wanted string) bool {
	have := strings.Split(strings.ToLower(wanted), "-")
	return slices.ContainsFunc(strings.Split(strings.ToLower(name), "-"), func(w string) bool {
		_, protocol := appProtocols[w]
		return !protocol && slices.Contains(besides, w) && !slices.ContainsFunc(have, func(h string) bool { return h != "" && alikeValues(h, w) })
	})
}

// sameMeaning reports whether two names of ports are alike, or words for one protocol
// ("http" and "web") rather than for two ("http" and "https").
func sameMeaning(a, b string) bool {
	x, known := appProtocols[strings.ToLower(a)]
	y, both := appProtocols[strings.ToLower(b)]
	if known && both {
		return x == y
	}
	return a != "" && alikeValues(a, b)
}

// guess is by what the check of a port was told, where nobody has said it.
type guess int

const (
	told       guess = iota // by the user, the appProtocol or the whole name, or it is TCP or UDP
	fromName                // by what the name starts with
	fromNumber              // by the number alone
)

// chooseCheck picks the protocol question for a Service port: what the user
// said, the appProtocol, the name (or what it starts with), the number, TCP.
func chooseCheck(override probe.Check, p corev1.ServicePort) (probe.Check, guess) {
	if override == probe.CheckExec {
		override = "" // it is asked beside the port's own
	}
	if protocolOf(p.Protocol) == corev1.ProtocolUDP {
		if override == probe.CheckDNSServer {
			return override, told
		}
		if says, by := speaksDNS(p); override == "" && says {
			return probe.CheckDNSServer, by
		}
		return probe.CheckUDP, told
	}
	if override != "" && override != probe.CheckUDP {
		return override, told
	}
	if p.AppProtocol != nil && *p.AppProtocol != "" {
		if c, ok := appProtocols[strings.ToLower(*p.AppProtocol)]; ok && c != probe.CheckUDP {
			return c, told
		}
		return probe.CheckTCP, told // it names a protocol that no check asks yet
	}
	name := strings.ToLower(p.Name)
	if c, ok := appProtocols[name]; ok && c != probe.CheckUDP {
		return c, told
	}
	if c, ok := prefixCheck(name); ok {
		return c, fromName
	}
	if c, ok := wellKnown[p.Port]; ok {
		return c, fromNumber
	}
	return probe.CheckTCP, told
}

// speaksDNS reports whether a UDP port says that it is a name server's, by its
// number too: a server there that answers no queries is hardly another.
func speaksDNS(p corev1.ServicePort) (says bool, by guess) {
	if p.AppProtocol != nil && *p.AppProtocol != "" {
		return appProtocols[strings.ToLower(*p.AppProtocol)] == probe.CheckDNSServer, told
	}
	name := strings.ToLower(p.Name)
	if p.Port == 53 || name == "dns" || name == "dns-udp" {
		return true, told
	}
	return strings.HasPrefix(name, "dns-"), fromName
}

// tlsPorts are the words for protocols that start inside TLS, beside those that
// have a check of their own.
var tlsPorts = map[string]bool{"rediss": true, "redis-tls": true, "valkeys": true, "grpcs": true, "grpc-tls": true}

// insideTLS reports whether a port says that its protocol is spoken inside TLS.
func insideTLS(p corev1.ServicePort) bool {
	if p.AppProtocol != nil && *p.AppProtocol != "" {
		return tlsPorts[strings.ToLower(*p.AppProtocol)]
	}
	name := strings.ToLower(p.Name)
	prefix, _, _ := strings.Cut(name, "-")
	return tlsPorts[name] || tlsPorts[prefix]
}
