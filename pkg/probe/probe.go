// Package probe asks questions of the network and records what it saw.
//
// A Probe is plain data: the same list runs from the user's machine, through a
// port-forward tunnel, or inside the cluster, and only the dialer differs. An
// Outcome says what was seen and never what it means; meaning is given by
// package verify. Nothing here imports Kubernetes.
package probe

import (
	"time"
)

// Path names one way that a client's traffic can take to a container.
type Path string

// The paths, in the order in which they build on each other.
const (
	PathTunnel       Path = "tunnel"        // port-forward: localhost inside the Pod
	PathPod          Path = "pod"           // the Pod's address, from inside the cluster
	PathClusterIP    Path = "cluster-ip"    // the Service's address, through the service proxy
	PathDNS          Path = "dns"           // the Service's name, from inside the cluster
	PathNodePort     Path = "node-port"     // each node's address and node port
	PathLoadBalancer Path = "load-balancer" // the load balancer's address
	PathExternalName Path = "external-name" // the name that an ExternalName Service stands for
)

// Check names the protocol question that a probe asks once it is connected.
type Check string

// The checks known so far.
const (
	CheckRedis Check = "redis" // PING, then ROLE and run_id
	CheckTCP   Check = "tcp"   // the connection opens
	CheckUDP   Check = "udp"   // a datagram is answered
	CheckHTTP  Check = "http"  // GET answers with a status below 400, or below 500 where no path is given
	CheckHTTPS Check = "https" // the same over TLS
	CheckGRPC  Check = "grpc"  // grpc.health.v1 says SERVING
	CheckTLS   Check = "tls"   // a TLS handshake completes
	CheckDNS   Check = "dns"   // the host of the address resolves; nothing is connected to

	CheckDNSServer Check = "dns-server" // a query is answered, over the probe's network
	CheckPostgres  Check = "postgres"   // the server takes up a start-up message
	CheckMySQL     Check = "mysql"      // the server greets and takes up a login

	CheckExec Check = "exec" // a command in a container ends with exit code 0
)

// Location is where a probe has to run for its answer to mean anything.
type Location string

// The locations.
const (
	FromHere    Location = "here"    // this process's own network
	FromTunnel  Location = "tunnel"  // this process, through a port-forward
	FromCluster Location = "cluster" // a Pod of the cluster
)

// Probe is one question to ask. It is data only, so that it can be sent to
// another place and asked there.
type Probe struct {
	// ID is unique within one run; an Outcome refers to its Probe by it.
	ID string `json:"id"`
	// Path and From say which way the question goes and where it has to start.
	Path Path     `json:"path"`
	From Location `json:"from,omitempty"`
	// Check is the protocol question.
	Check Check `json:"check"`
	// Network is "tcp" (the default) or "udp".
	Network string `json:"network,omitempty"`
	// Address is host:port for the dialer of the location. For FromTunnel the
	// host is NAMESPACE/POD.
	Address string `json:"address"`
	// Attempts is how many times to ask, each on a connection of its own; 0 means 1.
	Attempts int `json:"attempts,omitempty"`
	// Timeout bounds one attempt from dial to answer; 0 means DefaultTimeout.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Resolves lists what the host of the address should resolve to: addresses,
	// or names that stand for their own addresses; empty: anything. It is only
	// waited for (see Settle); what was seen in the end is in Outcome.Resolved.
	Resolves []string `json:"resolves,omitempty"`
	// Settle is for how long to ask again while the answer may be from before a
	// change: a name that does not resolve to Resolves yet, for all of it; a
	// connection that fails, for at most MaxSettleConnect of it.
	Settle time.Duration `json:"settle,omitempty"`
	// Confirm asks once more, with twice the time, before silence counts.
	Confirm bool `json:"confirm,omitempty"`
	// Options of single checks; empty where the check does not use them.
	ServerName string `json:"serverName,omitempty"` // TLS SNI and HTTP Host, which the certificate has to be for
	SNI        string `json:"sni,omitempty"`        // the same where the address is no name; the certificate need not be for it
	HTTPPath   string `json:"httpPath,omitempty"`
	HTTPHost   string `json:"httpHost,omitempty"` // http: the Host header, where it is another than the name asked
	H2C        bool   `json:"h2c,omitempty"`      // http: HTTP/2 without TLS, as appProtocol kubernetes.io/h2c means
	Send       string `json:"send,omitempty"`     // udp: the datagram to send, one of no protocol when empty; tcp: what to send, nothing when empty
	Expect     string `json:"expect,omitempty"`   // udp, tcp: what the answer must contain; anything (tcp: and nothing) when empty
	// Command is what exec runs, in the container In, as NAMESPACE/POD/CONTAINER.
	Command []string `json:"command,omitempty"`
	In      string   `json:"in,omitempty"`
	// UsernameEnv and PasswordEnv name environment variables of the process that
	// runs the probe. Secrets are never part of a Probe. Where the variable holds
	// no password the server is asked without one.
	UsernameEnv string `json:"usernameEnv,omitempty"`
	PasswordEnv string `json:"passwordEnv,omitempty"`
	// PasswordFrom says in words where the password comes from, for a report.
	PasswordFrom string `json:"passwordFrom,omitempty"`
	TLS          bool   `json:"tls,omitempty"` // speak the check's protocol inside TLS

	// What the probe is about, carried through for the judge.
	Service string `json:"service,omitempty"` // namespace/name
	Port    string `json:"port,omitempty"`    // Service port as PortKey names it
	Pod     string `json:"pod,omitempty"`     // namespace/name of the one backend asked
	Node    string `json:"node,omitempty"`    // the node whose address is asked, or that the backend runs on
	// FromNode is the node to ask from; empty: any.
	FromNode string `json:"fromNode,omitempty"`
	// Guessed says that the check was only told from how the port's name begins.
	Guessed bool `json:"guessed,omitempty"`
	// Exploratory marks a question asked only to tell causes apart (another port
	// of the Pod, say); its failure is no fault of the Service.
	Exploratory bool `json:"exploratory,omitempty"`
}

// DefaultTimeout bounds one attempt where a Probe does not say.
const DefaultTimeout = 2 * time.Second

// MaxSettleConnect bounds how long a failing connection is asked again: service
// proxies and load balancers follow a change within seconds (a busy node's within
// several), caches of DNS within their time to live.
const MaxSettleConnect = 10 * time.Second

// Class sorts what became of an attempt.
type Class string

// The classes. Everything but ClassOK names the first thing that went wrong.
const (
	ClassOK          Class = "ok"           // answered as the check expects
	ClassRefused     Class = "refused"      // connection refused
	ClassTimeout     Class = "timeout"      // nothing came back in time while connecting
	ClassNoAnswer    Class = "no-answer"    // connected, but no (complete) answer in time
	ClassClosed      Class = "closed"       // connected, then closed or reset by the peer
	ClassUnreachable Class = "unreachable"  // no route to host or network
	ClassNameUnknown Class = "name-unknown" // DNS says that the name does not exist
	ClassNameFailed  Class = "name-failed"  // DNS gave no answer
	ClassTLS         Class = "tls"          // the TLS handshake failed
	ClassProtocol    Class = "protocol"     // the peer answered, but not in the check's protocol
	ClassErrorReply  Class = "error-reply"  // the peer answered in the protocol, with an error
	ClassCanceled    Class = "canceled"     // the run ended before an answer
	ClassLocal       Class = "local"        // this side failed: the tunnel, the dialer, the probe's own data
)

// Outcome is what was seen when one Probe was asked. It holds no opinion.
type Outcome struct {
	Probe    string `json:"probe"`    // Probe.ID
	Attempts int    `json:"attempts"` // how many were made
	Answers  int    `json:"answers"`  // how many of them were ClassOK
	// Class is ClassOK when every attempt was, else the class of the first that was not.
	Class Class `json:"class"`
	// Detail is what was seen, printable and at most MaxDetail bytes: an error's
	// text, or the first bytes of an answer.
	Detail string `json:"detail,omitempty"`
	// Latency is the median of the answered attempts, from dial to answer.
	Latency time.Duration `json:"latency,omitempty"`
	// Backends counts answers by the identity the peer gave of itself (Redis run_id).
	Backends map[string]int `json:"backends,omitempty"`
	// Resolved lists the addresses that a name resolved to.
	Resolved []string `json:"resolved,omitempty"`
	// Facts are what the protocol told beside the answer, such as "role": "master".
	Facts map[string]string `json:"facts,omitempty"`
}

// FactClientCert is a fact of a server that wants a certificate of its client, and
// got none: "required". Its class is ClassTLS, with nothing else wrong.
const FactClientCert = "clientCert"

// MaxDetail bounds Outcome.Detail, in bytes.
const MaxDetail = 256
