package verify

import (
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// State is the answer to a question about a Service. There are three, because
// the lack of evidence is neither good news nor bad.
type State string

// The states. A check that does not apply to a Service is left out, or
// StateNotProbed where a reader would look for it.
const (
	StateProven    State = "proven"
	StateFailed    State = "failed"
	StateNotProven State = "not-proven"
	// StateNotProbed is a check that was left out since another one already
	// decided it ("no backend can answer"); it never decides a verdict.
	StateNotProbed State = "not-probed"
)

// Verdict is everything that one run of verify found out.
type Verdict struct {
	APIVersion string           `json:"apiVersion"` // VerdictAPIVersion
	Kind       string           `json:"kind"`       // "Verdict"
	State      State            `json:"state"`      // failed if any failed, else not-proven if any, else proven
	Services   []ServiceVerdict `json:"services"`
	// Seconds is how long observing and probing took.
	Seconds float64 `json:"seconds,omitempty"`
	// Gaps lists what could not be seen, such as a kind that may not be listed.
	Gaps []Gap `json:"gaps,omitempty"`
}

// VerdictAPIVersion versions the JSON form of a Verdict.
const VerdictAPIVersion = "svcx/v1alpha1"

// ServiceVerdict is the answer for one Service.
type ServiceVerdict struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Type is the Service's spec.type, or "Headless" for a ClusterIP Service whose clusterIP is None.
	Type         string        `json:"type"`
	ClusterIPs   []string      `json:"clusterIPs,omitempty"`
	ExternalName string        `json:"externalName,omitempty"`
	Ports        []PortSummary `json:"ports,omitempty"`
	State        State         `json:"state"`
	Checks       []CheckResult `json:"checks"`
	Findings     []Finding     `json:"findings,omitempty"`
	// Reach lists addresses (URL or host:port) proven to work, the outermost path
	// first, each with where it works from.
	Reach []Reach `json:"reach,omitempty"`
	// NotProven sums up in one sentence what was not proven and why; empty otherwise.
	NotProven string `json:"notProven,omitempty"`
}

// PortSummary is one port of a Service, as a reader wants to see it.
type PortSummary struct {
	Key        string      `json:"key"` // PortKey of the port
	Name       string      `json:"name,omitempty"`
	Port       int32       `json:"port"`
	TargetPort string      `json:"targetPort,omitempty"` // name or number
	NodePort   int32       `json:"nodePort,omitempty"`
	Protocol   string      `json:"protocol"`
	Check      probe.Check `json:"check"`
}

// Reach is one address at which the Service was seen to answer.
type Reach struct {
	Path    probe.Path     `json:"path"`
	From    probe.Location `json:"from"`
	Port    string         `json:"port,omitempty"` // PortKey
	Address string         `json:"address"`        // host:port
	Check   probe.Check    `json:"check"`
	TLS     bool           `json:"tls,omitempty"` // the check's protocol was spoken inside TLS
}

// CheckResult is one line of a report: one question and what was seen.
type CheckResult struct {
	// Name is "selector", "endpoints", "external-ip" or a probe.Path.
	Name string `json:"name"`
	// Port is the PortKey that the line is about; empty where it is about all.
	Port  string `json:"port,omitempty"`
	State State  `json:"state"`
	// Summary is what was seen, in a few words: "PONG from 2/2".
	Summary string `json:"summary"`
	// Detail holds what a second column shows: addresses, latencies.
	Detail []string `json:"detail,omitempty"`
	// Backends counts the answers that came through the Service by the Pod that
	// gave them, where servers say who they are.
	Backends map[string]int `json:"backends,omitempty"`
	// ChanceMissed is the chance, from 0 to 1, that asking through the Service never
	// came to one given backend; left out where there is one only, or where a
	// policy (sessionAffinity, say) has some chosen and not others.
	ChanceMissed *float64 `json:"chanceMissed,omitempty"`
	// Needs says what would prove it, when State is StateNotProven:
	// "a probe Pod (--in-cluster)".
	Needs string `json:"needs,omitempty"`
}

// Severity grades a Finding.
type Severity string

// The severities. Only SeverityFailure makes a verdict fail.
const (
	SeverityFailure Severity = "failure"
	SeverityWarning Severity = "warning"
	SeverityNote    Severity = "note"
)

// Finding names one cause, with what proves it and what mends it.
type Finding struct {
	ID       string    `json:"id"` // "SVC204"
	Severity Severity  `json:"severity"`
	Object   ObjectRef `json:"object"`          // the object at fault
	Field    string    `json:"field,omitempty"` // the field at fault, as a path: spec.ports[0].targetPort
	Message  string    `json:"message"`         // one or two sentences, naming object, value and reason
	Evidence []string  `json:"evidence,omitempty"`
	// Follows lists what merely follows from this cause.
	Follows []string `json:"follows,omitempty"`
	Fix     *Fix     `json:"fix,omitempty"`
	// Source is where in the tree the field at fault is said, when a tree was given.
	Source *Source `json:"source,omitempty"`
}

// Source is a line of a file in the tree.
type Source struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // from 1
}

// Fix mends the cause of a Finding.
type Fix struct {
	Summary string `json:"summary"` // "point targetPort at 6379"
	// Command does it on the live cluster; empty where no single command can.
	Command string `json:"command,omitempty"`
	// Patch is a strategic merge patch for Finding.Object in YAML; empty where no manifest can mend it.
	Patch string `json:"patch,omitempty"`
	// Edits are the patch as changes of the tree's files, when a tree was given.
	Edits []Edit `json:"edits,omitempty"`
	// Unlocated says why the patch has no place in the tree that was given.
	Unlocated string `json:"unlocated,omitempty"`
}

// Edit is a change of one file of the tree.
type Edit struct {
	Source
	// Diff holds the changed lines only, each led by "-" or "+".
	Diff string `json:"diff"`
}

// ObjectRef names an object of the cluster.
type ObjectRef struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String returns Kind/name, the form that error messages and reports use.
func (r ObjectRef) String() string { return r.Kind + "/" + r.Name }
