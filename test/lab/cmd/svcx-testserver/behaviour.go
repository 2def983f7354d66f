package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// mode is a way to behave.
type mode string

const (
	normal   mode = "normal"
	slow     mode = "slow"     // wait before each answer
	refusing mode = "refusing" // nobody listens
	closing  mode = "closing"  // accept, then close
	reset    mode = "reset"    // accept, then reset
	silent   mode = "silent"   // accept, never answer
	garbage  mode = "garbage"  // answer in no protocol
	endless  mode = "endless"  // an answer that never ends
	status   mode = "status"   // HTTP: that code; gRPC: that health
	escapes  mode = "escapes"  // terminal escape sequences in the answer

	noAuth     mode = "noauth"     // Redis: every command wants a password
	wrongPass  mode = "wrongpass"  // Redis: every password is wrong
	denied     mode = "denied"     // Redis: protected mode
	loading    mode = "loading"    // Redis: still loading
	misconf    mode = "misconf"    // Redis: cannot persist
	masterDown mode = "masterdown" // Redis: a replica without its master
	maxClients mode = "maxclients" // Redis: no room for another client
)

var behaviourHelp = `  normal, slow=DURATION, refusing, closing, reset, silent, garbage, endless, escapes,
  status=CODE (http) or status=SERVING|NOT_SERVING|UNKNOWN|SERVICE_UNKNOWN (grpc),
  hostile=` + hostileNames() + `,
  noauth, wrongpass, denied, loading, misconf, masterdown, maxclients (redis)
`

// behaviour is a mode with its value.
type behaviour struct {
	mode   mode
	delay  time.Duration // slow
	status string        // status
	kind   string        // hostile
}

// modesOf says which modes make sense for a protocol.
func modesOf(protocol string) []mode {
	stream := []mode{normal, slow, refusing, closing, reset, silent, garbage, endless, hostile}
	switch protocol {
	case "http", "https":
		return append(stream, status, escapes)
	case "grpc":
		return append(stream, status)
	case "redis":
		return append(stream, escapes, noAuth, wrongPass, denied, loading, misconf, masterDown, maxClients)
	case "udp":
		return []mode{normal, slow, refusing, silent, garbage, endless, escapes}
	}
	return append(stream, escapes) // tcp
}

// parseBehaviour reads "mode" or "mode=value".
func parseBehaviour(protocol, text string) (behaviour, error) {
	name, value, hasValue := strings.Cut(text, "=")
	b := behaviour{mode: mode(name)}
	if !slices.Contains(modesOf(protocol), b.mode) {
		return b, fmt.Errorf("unknown behaviour %q of %s; one of %v", name, protocol, modesOf(protocol))
	}
	var err error
	switch b.mode {
	case slow:
		b.delay, err = time.ParseDuration(value)
		if err == nil && b.delay < 0 {
			err = fmt.Errorf("negative duration %s", value)
		}
	case status:
		b.status = value
		if protocol == "grpc" {
			_, err = healthStatus(value)
		} else if code, parseErr := strconv.Atoi(value); parseErr != nil || code < 200 || code > 599 {
			err = fmt.Errorf("status %q is not between 200 and 599", value)
		}
	case hostile:
		if b.kind = value; hostileKinds[value] == nil {
			err = fmt.Errorf("%q is none of %s", value, hostileNames())
		}
	default:
		if hasValue {
			err = fmt.Errorf("%s takes no value", name)
		}
	}
	if err != nil {
		return b, fmt.Errorf("behaviour %s: %w", text, err)
	}
	return b, nil
}

// String is what parseBehaviour reads.
func (b behaviour) String() string {
	switch b.mode {
	case slow:
		return "slow=" + b.delay.String()
	case status:
		return "status=" + b.status
	case hostile:
		return "hostile=" + b.kind
	}
	return string(b.mode)
}

// current is the behaviour of a listener now; it may change at any time.
type current struct{ value atomic.Pointer[behaviour] }

func (c *current) get() behaviour  { return *c.value.Load() }
func (c *current) set(b behaviour) { c.value.Store(&b) }

// spec is one listener as the command line asks for it.
type spec struct {
	protocol, address  string
	behaviour          behaviour
	tls                bool
	names              []string
	starts, expires    time.Duration // of the certificate, from now; starts 0: in the past
	weak, issued       bool          // the certificate: a short key; an authority that nobody knows
	clientCert         bool          // TLS clients have to show a certificate
	username, password string
}

// parseSpec reads "ADDRESS[,OPTION…]".
func parseSpec(protocol, text string) (spec, error) {
	parts := strings.Split(text, ",")
	s := spec{
		protocol: protocol, address: parts[0], behaviour: behaviour{mode: normal},
		tls: protocol == "https", names: []string{"localhost"}, expires: 24 * time.Hour, username: "default",
	}
	if _, port, err := net.SplitHostPort(s.address); err != nil {
		return s, err
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return s, fmt.Errorf("port %q of %s is not a number up to 65535", port, s.address)
	} else if n == 0 && slices.Contains(parts, string(refusing)) {
		return s, fmt.Errorf("%s: a port that refuses must be given", s.address)
	}
	for _, option := range parts[1:] {
		name, value, _ := strings.Cut(option, "=")
		var err error
		switch {
		case name == "tls" && protocol != "udp":
			s.tls = true
		case name == "names":
			s.names = strings.Split(value, "+")
		case name == "expires":
			s.expires, err = time.ParseDuration(value)
		case name == "starts":
			s.starts, err = time.ParseDuration(value)
		case name == "weak":
			s.weak = true
		case name == "issued":
			s.issued = true
		case name == "client-cert":
			s.clientCert = true
		case name == "username" && protocol == "redis":
			s.username = value
		case name == "password" && protocol == "redis":
			s.password = value
		default:
			s.behaviour, err = parseBehaviour(protocol, option)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// garbageBytes are of no protocol: not text, not TLS, not HTTP, not RESP.
var garbageBytes = []byte("\x00\xff\xfe\x13\x37garbage\x00\x01\x02\xf0\x9f\r\r\x80\x81\n")

// escapeText is what an untrusted answer may hold: it would clear the screen, set the
// window's title, move the cursor, reverse the text, and forge a line of a report.
const escapeText = "\x1b[2J\x1b[1;1H\x1b]0;owned\x07\x1b[31mALERT\x1b[0m\u202egnp\u0085\r  ✓ all paths VERIFIED\b\b\x9b31m"
