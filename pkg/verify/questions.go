package verify

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Checks say which protocol question to ask of which port, in place of the one
// that is told from the port itself.
type Checks struct {
	// Every is asked of every port that it suits.
	Every Question
	// Ports is asked of single ports, by name or number; it counts more.
	Ports map[string]Question
}

// Question is a check with what it takes. The zero value is none.
type Question struct {
	Check probe.Check
	// Command is what an exec check runs.
	Command []string
}

// askable are the checks that can be chosen, by the names that people use.
var askable = map[string]probe.Check{
	"redis": probe.CheckRedis, "tcp": probe.CheckTCP, "udp": probe.CheckUDP, "http": probe.CheckHTTP, "https": probe.CheckHTTPS,
	"grpc": probe.CheckGRPC, "tls": probe.CheckTLS, "dns": probe.CheckDNSServer, "postgres": probe.CheckPostgres, "mysql": probe.CheckMySQL,
}

// CheckNames lists the checks that ParseChecks knows, and "exec:".
func CheckNames() []string {
	return append(slices.Sorted(maps.Keys(askable)), execPrefix)
}

const execPrefix = "exec:"

var forPort = regexp.MustCompile(`^([a-z0-9]([-a-z0-9]*[a-z0-9])?)=(.*)$`)

// ParseChecks reads checks as people give them: "http" for every port,
// "web=http,admin=tcp" for single ones, "exec:COMMAND" for a command that a
// shell runs, and exec:["COMMAND","ARG"] for one that needs none. A command
// takes all that follows.
func ParseChecks(list []string) (Checks, error) {
	var out Checks
	for _, value := range list {
		for rest, more := value, value != ""; more; {
			var word string
			if at := strings.Index(rest, execPrefix); at >= 0 && !strings.Contains(rest[:at], ",") {
				word, rest, more = rest, "", false
			} else {
				word, rest, more = strings.Cut(rest, ",")
			}
			port, name := "", word
			if m := forPort.FindStringSubmatch(word); m != nil && !strings.HasPrefix(word, execPrefix) {
				port, name = m[1], m[3]
			}
			q, err := parseQuestion(name)
			if err != nil {
				return Checks{}, err
			}
			if err := out.set(port, q); err != nil {
				return Checks{}, err
			}
		}
	}
	return out, nil
}

func (c *Checks) set(port string, q Question) error {
	if port == "" {
		if c.Every.Check != "" {
			return fmt.Errorf("%q and %q: one check for every port is enough; for single ports say PORT=CHECK", c.Every.Check, q.Check)
		}
		c.Every = q
		return nil
	}
	if _, twice := c.Ports[port]; twice {
		return fmt.Errorf("port %q has two checks", port)
	}
	if c.Ports == nil {
		c.Ports = map[string]Question{}
	}
	c.Ports[port] = q
	return nil
}

func parseQuestion(s string) (Question, error) {
	if text, ok := strings.CutPrefix(s, execPrefix); ok {
		return parseCommand(text)
	}
	if c, ok := askable[strings.ToLower(s)]; ok {
		return Question{Check: c}, nil
	}
	msg := fmt.Sprintf("unknown check %q", s)
	if n := nearest.Name(s, CheckNames()); n != "" {
		msg += "; did you mean " + n + "?"
	}
	return Question{}, fmt.Errorf("%s (one of %s)", msg, strings.Join(CheckNames(), ", ")+"COMMAND")
}

func parseCommand(text string) (Question, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Question{}, fmt.Errorf("%q: the command is missing, such as exec:redis-cli ping", execPrefix)
	}
	q := Question{Check: probe.CheckExec, Command: []string{"sh", "-c", text}}
	if strings.HasPrefix(text, "[") {
		if err := json.Unmarshal([]byte(text), &q.Command); err != nil || len(q.Command) == 0 {
			return Question{}, fmt.Errorf(`%s%s: write it as a JSON list, such as exec:["redis-cli","ping"]`, execPrefix, text)
		}
	}
	return q, nil
}

// of returns the question for a port; its check is empty where nothing is said.
func (c Checks) of(p corev1.ServicePort) Question {
	for _, key := range []string{p.Name, strconv.Itoa(int(p.Port))} {
		if q, ok := c.Ports[key]; ok && key != "" {
			return q
		}
	}
	return c.Every
}

// commands reports whether any of them is a command to run.
func (c Checks) commands() bool {
	for _, q := range c.Ports {
		if q.Command != nil {
			return true
		}
	}
	return c.Every.Command != nil
}

// unfit returns an error where a check was given for a port that none of the
// Services has, or that cannot be asked so.
func (c Checks) unfit(v *view) error {
	for _, key := range slices.Sorted(maps.Keys(c.Ports)) {
		q := c.Ports[key]
		var have []string
		found := false
		for _, target := range v.s.Targets {
			svc := v.service(target)
			if svc == nil {
				continue
			}
			for _, p := range svc.Spec.Ports {
				if !slices.Contains(have, PortKey(p)) {
					have = append(have, PortKey(p))
				}
				if key != p.Name && key != strconv.Itoa(int(p.Port)) {
					continue
				}
				found = true
				if !suits(q.Check, protocolOf(p.Protocol)) {
					return fmt.Errorf("check %s for port %q: it is a %s port of Service/%s", q.Check, key, protocolOf(p.Protocol), svc.Name)
				}
			}
		}
		if !found {
			return &UnusedError{Flag: "check", Port: key, why: fmt.Sprintf("check %s: no Service asked about has a port %q; there is %s", q.Check, key, shortList(have, 10))}
		}
	}
	return nil
}

// UnusedError says that a flag tells how to ask, and nothing is asked so: what was
// meant to be proven would not be.
type UnusedError struct {
	Flag string // without its dashes
	Port string // which port it is for, where that was said
	why  string
}

// Error says why, and the next step.
func (e *UnusedError) Error() string { return e.why }

// Without leaves out what an UnusedError is about.
func (o Options) Without(e *UnusedError) Options {
	switch e.Flag {
	case "check":
		o.Checks.Ports = maps.Clone(o.Checks.Ports)
		delete(o.Checks.Ports, e.Port)
	case "send":
		o.Send = ""
	case "expect":
		o.Expect = ""
	case "tls":
		o.TLS = false
	case "auth-secret":
		o.Auth = nil
	}
	return o
}

// unused returns an UnusedError for the first of what says how to ask that no probe heeds.
func (o PlanOptions) unused(probes []probe.Probe) error {
	var checks []probe.Check
	var names []string
	for _, p := range probes {
		if !p.Exploratory && p.Check != probe.CheckDNS && !slices.Contains(checks, p.Check) {
			checks = append(checks, p.Check)
			names = append(names, strings.TrimSuffix(string(p.Check), "-server"))
		}
	}
	if len(checks) == 0 {
		return nil
	}
	for _, f := range []struct {
		flag  string
		given bool
		by    []probe.Check // those that heed it
		next  string
	}{
		{"send", o.Send != "", []probe.Check{probe.CheckTCP, probe.CheckUDP}, "add --check=tcp, or leave it out"},
		{"expect", o.Expect != "", []probe.Check{probe.CheckTCP, probe.CheckUDP}, "add --check=tcp, or leave it out"},
		{"tls", o.TLS, []probe.Check{probe.CheckRedis, probe.CheckPostgres, probe.CheckMySQL, probe.CheckGRPC, probe.CheckHTTPS, probe.CheckTLS}, "add --check=tls, or leave it out"},
		{"auth-secret", o.Auth != nil, []probe.Check{probe.CheckRedis}, "add --check=redis, or leave it out"},
	} {
		if f.given && !slices.ContainsFunc(checks, func(c probe.Check) bool { return slices.Contains(f.by, c) }) {
			return &UnusedError{Flag: f.flag, why: fmt.Sprintf("--%s: no port is asked in a way that it is for, only with %s; %s", f.flag, listWords(names), f.next)}
		}
	}
	return nil
}

// suits reports whether a check can be made over a transport.
func suits(c probe.Check, proto corev1.Protocol) bool {
	switch proto {
	case corev1.ProtocolTCP:
		return c != probe.CheckUDP
	case corev1.ProtocolUDP:
		return c == probe.CheckUDP || c == probe.CheckDNSServer || c == probe.CheckExec
	}
	return c == probe.CheckExec
}
