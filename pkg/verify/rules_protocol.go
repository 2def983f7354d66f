package verify

import (
	"fmt"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// protocolRules find why a server that is reached does not answer well (7xx).
var protocolRules = []rule{ruleErrorReply, ruleOtherProtocol}

// redisReplies maps the first words of a Redis error to what they mean.
var redisReplies = []struct{ words, id, cause, fix string }{
	{"-DENIED", "SVC701", "is in protected mode and refuses clients from outside its Pod", "set a password and bind all addresses, or turn protected-mode off"},
	{"-NOAUTH", "SVC702", "wants a password", "name the Secret that holds the password"},
	{"-WRONGPASS", "SVC702", "refuses the password given", "name the Secret that holds the right password"},
	{"-ERR Client sent AUTH", "SVC702", "has no password set, and one was given", "leave the password out"},
	{"-ERR invalid password", "SVC702", "refuses the password given", "name the Secret that holds the right password"},
	{"-LOADING", "SVC703", "is still loading its data", "wait until it has"},
	{"-MASTERDOWN", "SVC704", "is a replica that has lost its master", "see to the master"},
	{"-MISCONF", "SVC705", "cannot save its data to disk", "see to its disk"},
	{"-ERR max number of clients", "SVC708", "has reached its limit of clients", "raise maxclients, or find who holds the connections"},
}

// direct returns the answers of the backends themselves: at their address, or
// through the tunnel where that was not asked.
func (c *serviceCase) direct(port string) (evidence, probe.Path) {
	if e := c.ev.on(probe.PathPod, "", port).asked(); len(e) > 0 {
		return e, probe.PathPod
	}
	return c.ev.on(probe.PathTunnel, "", port).asked(), probe.PathTunnel
}

// ruleErrorReply: SVC701 to SVC705, SVC708 and SVC709.
func ruleErrorReply(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		e, path := c.direct(pv.key)
		bad := e.where(probe.ClassErrorReply)
		if len(bad) == 0 {
			continue
		}
		owner, _ := c.backendOwner(pv)
		reply := bad[0].outcome.Detail
		f := finding{port: pv.key, Finding: Finding{Severity: SeverityFailure, Object: owner,
			Evidence: []string{fmt.Sprintf("%s: %q from %d/%d", path, reply, len(bad), len(e))}}}
		switch pv.check {
		case probe.CheckRedis:
			for _, r := range redisReplies {
				if strings.HasPrefix(reply, r.words) {
					f.ID, f.Fix = r.id, &Fix{Summary: r.fix}
					f.Message = fmt.Sprintf("the Redis of %s %s.", owner, r.cause)
				}
			}
		case probe.CheckHTTP, probe.CheckHTTPS:
			f.ID = "SVC709"
			f.Message = fmt.Sprintf("the server of %s answers with a failing status: %s.", owner, reply)
			f.Fix = &Fix{Summary: "the application's log says why"}
		}
		if f.ID == "" {
			f.Message = fmt.Sprintf("the server of %s answers with an error: %s", owner, reply)
		}
		out = append(out, f)
	}
	return out
}

// ruleOtherProtocol: SVC706 and SVC707.
func ruleOtherProtocol(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		if c.has("SVC204") {
			continue
		}
		e, path := c.direct(pv.key)
		bad := e.where(probe.ClassProtocol, probe.ClassTLS)
		if len(bad) == 0 || len(bad) < len(e) {
			continue
		}
		owner, _ := c.backendOwner(pv)
		o := bad[0].outcome
		peer := o.Facts["peer"]
		f := finding{port: pv.key, Finding: Finding{Severity: SeverityFailure, Object: c.ref(), Field: portField(pv, "appProtocol"),
			Evidence: []string{fmt.Sprintf("%s: %s", path, o.Detail)}}}
		switch {
		case peer == "tls":
			f.ID = "SVC706"
			f.Message = fmt.Sprintf("port %s of %s speaks TLS, and %s was asked without it.", bad[0].port(), owner, pv.check)
			f.Fix = &Fix{Summary: "say so in the port's appProtocol or name (https, tls), or choose the check"}
		case o.Class == probe.ClassTLS && strings.Contains(o.Detail, "does not speak TLS"):
			f.ID = "SVC706"
			f.Message = fmt.Sprintf("port %s of %s does not speak TLS, and %s was asked.", bad[0].port(), owner, pv.check)
			f.Fix = &Fix{Summary: "say so in the port's appProtocol or name, or choose the check"}
		case o.Class == probe.ClassProtocol && peer != "":
			f.ID = "SVC707"
			f.Message = fmt.Sprintf("port %s of %s speaks %s, not %s.", bad[0].port(), owner, peer, pv.check)
			f.Fix = &Fix{Summary: "use the right port, or say the protocol in appProtocol"}
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}
