package verify

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// able returns the backends of a port that answer well, and of these the ones of which a
// condition holds; none where a cause has been found for the port.
func (c *serviceCase) able(pv portView, holds func(facts map[string]string) bool) (good, those evidence, path probe.Path) {
	if c.failure(pv.key) {
		return nil, nil, ""
	}
	e, path := c.direct(pv.key)
	good = e.where(probe.ClassOK)
	for _, a := range good {
		if holds(a.outcome.Facts) {
			those = append(those, a)
		}
	}
	return good, those, path
}

// ruleMasterless: SVC704. A replica whose master is gone answers PING all the same.
func ruleMasterless(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		good, bad, path := c.able(pv, func(facts map[string]string) bool {
			link := facts["masterLink"]
			return link == "connect" || link == "connecting" || strings.HasPrefix(facts["read"], "-MASTERDOWN")
		})
		if len(bad) == 0 {
			continue
		}
		owner, _ := c.backendOwner(pv, bad...)
		facts := bad[0].outcome.Facts
		f := Finding{ID: "SVC704", Severity: SeverityFailure, Object: owner,
			Message: fmt.Sprintf("the Redis of %s is a replica that has lost its master: it answers PING, and its data is stale.", owner),
			Fix:     &Fix{Summary: "see to the master, or to the address at which the replica looks for it"}}
		if link := facts["masterLink"]; link != "" {
			f.Evidence = append(f.Evidence, fmt.Sprintf("%s: ROLE says %s, link %s, from %d/%d", path, facts["role"], link, len(bad), len(good)))
		}
		if facts["read"] != "" {
			f.Message = fmt.Sprintf("the Redis of %s is a replica that has lost its master: it answers PING, and refuses reads.", owner)
			f.Evidence = append(f.Evidence, "a read says: "+facts["read"])
		}
		out = append(out, finding{Finding: f, port: pv.key})
	}
	return out
}

// ruleClusterDown: SVC714. A Redis whose cluster is down answers PING all the same.
func ruleClusterDown(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		good, bad, path := c.able(pv, func(facts map[string]string) bool { return strings.HasPrefix(facts["read"], "-CLUSTERDOWN") })
		if len(bad) == 0 {
			continue
		}
		owner, _ := c.backendOwner(pv, bad...)
		facts := bad[0].outcome.Facts
		f := Finding{ID: "SVC714", Severity: SeverityFailure, Object: owner,
			Message:  fmt.Sprintf("the Redis of %s answers PING, and refuses reads: its cluster is down.", owner),
			Evidence: []string{fmt.Sprintf("%s: a read says %q, from %d/%d", path, facts["read"], len(bad), len(good))},
			Fix:      &Fix{Summary: "see which of the cluster's nodes are gone, and bring them back (redis-cli cluster nodes)"}}
		if slots := facts["cluster_slots_assigned"]; slots != "" {
			f.Evidence = append(f.Evidence, fmt.Sprintf("CLUSTER INFO: state %s, %s of 16384 slots assigned, %s failed, %s known",
				facts["cluster_state"], slots, facts["cluster_slots_fail"], countWord(facts["cluster_known_nodes"], "node")))
			if slots != "16384" {
				f.Message = fmt.Sprintf("the Redis of %s answers PING, and refuses reads: only %s of its cluster's 16384 slots are assigned to a node.", owner, slots)
				f.Fix.Summary = "assign the slots (redis-cli --cluster create, or --cluster fix), or leave cluster-enabled out"
			}
		}
		out = append(out, finding{Finding: f, port: pv.key})
	}
	return out
}

func countWord(n, what string) string {
	if n == "1" {
		return n + " " + what
	}
	return n + " " + what + "s"
}

// ruleNoWrites: SVC705 of a Redis that serves reads, which may be all that its clients
// want.
func ruleNoWrites(c *serviceCase) []finding {
	var out []finding
	for _, pv := range c.ports {
		lonely := func(facts map[string]string) bool { return facts["goodReplicas"] == "0" }
		good, bad, path := c.able(pv, func(facts map[string]string) bool { return lonely(facts) || fullMemory(facts) })
		if len(bad) == 0 {
			continue
		}
		owner, _ := c.backendOwner(pv, bad...)
		facts := bad[0].outcome.Facts
		f := Finding{ID: "SVC705", Severity: SeverityWarning, Object: owner}
		if lonely(facts) {
			f.Message = fmt.Sprintf("the Redis of %s serves reads and refuses writes: it has no replica in good order, and is told to want some (min-replicas-to-write).", owner)
			f.Evidence = []string{fmt.Sprintf("%s: INFO says min_slaves_good_slaves:0, from %d/%d", path, len(bad), len(good))}
			f.Fix = &Fix{Summary: "see to its replicas, or set min-replicas-to-write to 0"}
		} else {
			f.Message = fmt.Sprintf("the Redis of %s serves reads and refuses writes: its memory is full, and it is told to forget nothing (maxmemory-policy noeviction).", owner)
			f.Evidence = []string{fmt.Sprintf("%s: INFO says %s bytes used, maxmemory %s, from %d/%d", path, facts["usedMemory"], facts["maxMemory"], len(bad), len(good))}
			f.Fix = &Fix{Summary: "raise maxmemory, remove keys, or choose a maxmemory-policy that evicts"}
		}
		out = append(out, finding{Finding: f, port: pv.key})
	}
	return out
}

// fullMemory reports whether a Redis that evicts nothing uses more than it may.
func fullMemory(facts map[string]string) bool {
	limit, err := strconv.ParseInt(facts["maxMemory"], 10, 64)
	used, _ := strconv.ParseInt(facts["usedMemory"], 10, 64)
	return err == nil && limit > 0 && used > limit
}
