package verify

import (
	"fmt"
	"slices"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// distinct lists the addresses asked, each once: from several nodes the same
// are asked several times.
func (e evidence) distinct() []string {
	var out []string
	for _, a := range e {
		if !slices.Contains(out, a.probe.Address) {
			out = append(out, a.probe.Address)
		}
	}
	return out
}

// fromNodes says which nodes an answer on one path stands for, where it was
// asked from several: ", from 2 nodes", or the ones that fail.
func (e evidence) fromNodes(state State) string {
	var all, bad, unasked []string
	note := func(list *[]string, node string) {
		if !slices.Contains(*list, node) {
			*list = append(*list, node)
		}
	}
	for _, a := range e {
		node := a.probe.FromNode
		if node == "" || a.probe.From != probe.FromCluster {
			continue
		}
		note(&all, node)
		switch {
		case !a.asked():
			note(&unasked, node)
		case !a.good():
			note(&bad, node)
		}
	}
	switch {
	case len(all) < 2:
		return ""
	case state == StateProven:
		return fmt.Sprintf(", from %s", plural(len(all), "node"))
	case state == StateFailed && len(bad) < len(all):
		return fmt.Sprintf(", from node %s only (%d of %d)", shortList(bad, 3), len(bad), len(all))
	case state == StateNotProven && len(unasked) < len(all):
		return fmt.Sprintf(" (not from node %s)", shortList(unasked, 3))
	}
	return ""
}
