// Package apply brings manifests to a cluster: it builds a kustomization, plans
// what applying it would change, applies it server-side and waits until it runs.
package apply

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/servicetype"
)

// FieldManager owns the fields that this tool applies.
const FieldManager = "kubectl-svcx"

// Action is what applying does to one object.
type Action string

// The actions.
const (
	ActionCreate    Action = "create"
	ActionUpdate    Action = "update"
	ActionUnchanged Action = "unchanged"
	// ActionTransition changes a Service's type in a way that one apply cannot, see Transition.
	ActionTransition Action = "transition"
)

// Plan says what applying a list of objects would do, in the order it would be done.
type Plan struct {
	Changes []Change `json:"changes"`
	// CreatesNamespace names the namespaces that have to be created first, with ", "
	// between them; empty if none. What is to be in them was checked offline only:
	// an API server checks nothing in a namespace that does not exist yet.
	CreatesNamespace string `json:"createsNamespace,omitempty"`
	// Notes are facts a reader should know that change nothing, such as a live
	// Deployment that the overlay no longer holds.
	Notes []string `json:"notes,omitempty"`

	newNamespaces []string  // to be created first
	force         bool      // take over fields of other managers
	began         time.Time // when Apply began, by our own clock; zero before that
}

// NewNamespaces lists the namespaces that have to be created first.
func (p *Plan) NewNamespaces() []string {
	if p.CreatesNamespace == "" {
		return nil
	}
	return strings.Split(p.CreatesNamespace, ", ")
}

// Change is what applying one object would do.
type Change struct {
	Object Ref         `json:"object"`
	Action Action      `json:"action"`
	Diffs  []FieldDiff `json:"diffs,omitempty"`
	// Transition is set when the object is a Service whose type changes.
	Transition *Transition `json:"transition,omitempty"`
	// Warnings are the API server's own.
	Warnings []string `json:"warnings,omitempty"`

	desired *unstructured.Unstructured
	live    *unstructured.Unstructured // nil when it does not exist
	settled bool                       // nothing to send: fields and their ownership are as desired

	unserved bool // the server does not know its kind, whose definition is applied before it

	generation int64 // of the object once it is applied
}

// Awaited reports whether Wait waits for the object: a workload for its Pods, a
// LoadBalancer Service for its address. Others are there once they are applied.
func (c *Change) Awaited() bool {
	switch {
	case c.desired == nil: // of no plan of ours
		return false
	case isService(c.desired):
		return specType(c.desired) == string(LoadBalancer)
	}
	return isWorkload(c.desired)
}

// Ref names an object.
type Ref struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String returns Kind/name.
func (r Ref) String() string { return r.Kind + "/" + r.Name }

// FieldDiff is one field that would change: its path and its values, in YAML
// flow form; an empty Old means that the field is added, an empty New that it is removed.
type FieldDiff struct {
	Path string `json:"path"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// ServiceType is a Service's type as a user names it: the four of the API, and Headless.
type ServiceType = servicetype.Type

// The five types.
const (
	ClusterIP    = servicetype.ClusterIP
	NodePort     = servicetype.NodePort
	LoadBalancer = servicetype.LoadBalancer
	ExternalName = servicetype.ExternalName
	Headless     = servicetype.Headless // ClusterIP with clusterIP: None
)

// Transition explains a change of a live Service's type.
type Transition struct {
	From ServiceType `json:"from"`
	To   ServiceType `json:"to"`
	// Via is the type the Service takes for a moment in between, for the changes
	// that the API server refuses or silently ignores; empty when one apply does it.
	Via ServiceType `json:"via,omitempty"`
	// Interrupts is true when clients that are connected or know an address lose
	// the Service, for a moment or for good; it takes consent.
	Interrupts bool `json:"interrupts"`
	// Effects say what happens, one line each: "the cluster IP 10.96.8.164 is released".
	Effects []string `json:"effects,omitempty"`
}
