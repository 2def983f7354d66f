package apply

import "github.com/kubectl-svcx/kubectl-svcx/pkg/probe"

// maxUntrusted bounds text that Pods, events and the API server put into
// messages, in bytes.
const maxUntrusted = 300

// plain makes text from the cluster fit to print: one line, bounded, without what
// commands a terminal.
func plain(s string) string { return probe.Printable(s, maxUntrusted) }
