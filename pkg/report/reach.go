package report

import (
	"fmt"
	"net"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// reach is how to use a Service: a command that works, and from where.
type reach struct {
	command string
	note    string // "from inside the cluster"; empty for from here
}

// bestReach picks the outermost path that was proven from here, else one that
// works inside the cluster, else a port-forward.
func bestReach(s *verify.ServiceVerdict) (reach, bool) {
	for _, from := range []probe.Location{probe.FromHere, probe.FromCluster, probe.FromTunnel} {
		for i := range s.Reach {
			if s.Reach[i].From == from {
				return reachOf(s, &s.Reach[i]), true
			}
		}
	}
	return reach{}, false
}

// reachOf is the command for one address that was seen to answer.
func reachOf(s *verify.ServiceVerdict, r *verify.Reach) reach {
	if r.From == probe.FromTunnel || r.Path == probe.PathTunnel {
		port := ""
		for _, p := range s.Ports {
			if r.Port == "" || p.Key == r.Port {
				port = fmt.Sprintf(" %d:%d", p.Port, p.Port)
				break
			}
		}
		return reach{command: "kubectl port-forward -n " + shell.Word(clean(s.Namespace)) + " service/" + shell.Word(clean(s.Name)) + port}
	}
	out := reach{command: clientCommand(r.Check, r.TLS, clean(r.Address))}
	if r.From == probe.FromCluster {
		out.note = "from inside the cluster"
	}
	return out
}

// clientCommand is a command of a client that people have, asking the check's
// question of address (host:port). Nobody knows here whom a cluster's clients trust.
func clientCommand(check probe.Check, secure bool, address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, ""
	}
	host, port = shell.Word(host), shell.Word(port)
	switch check {
	case probe.CheckRedis:
		if secure {
			return "redis-cli --insecure -u " + shell.Word("rediss://"+address)
		}
		return "redis-cli -u " + shell.Word("redis://"+address)
	case probe.CheckHTTP:
		return "curl " + shell.Word("http://"+strings.TrimSuffix(address, ":80")+"/")
	case probe.CheckHTTPS:
		return "curl " + shell.Word("https://"+strings.TrimSuffix(address, ":443")+"/")
	case probe.CheckGRPC:
		way := "-plaintext "
		if secure {
			way = "-insecure "
		}
		return "grpcurl " + way + shell.Word(address) + " grpc.health.v1.Health/Check"
	case probe.CheckTLS:
		return "openssl s_client -connect " + shell.Word(address)
	case probe.CheckUDP:
		return "nc -u " + host + " " + port
	case probe.CheckDNS:
		return "nslookup " + host
	}
	return "nc -vz " + host + " " + port
}
