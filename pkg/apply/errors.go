package apply

import (
	"errors"
	"fmt"
	"strings"
)

// Conflict is one field that another field manager owns and that applying would change.
type Conflict struct {
	Field   string // spec.ports[port=6379,protocol=TCP].nodePort
	Manager string // "kubectl-edit"
}

// ConflictError says that other field managers own fields that would change.
// PlanOptions.ForceConflicts takes the fields over.
type ConflictError struct {
	Object    Ref
	Conflicts []Conflict
	Err       error // the API server's own error
}

// Error names every field and its owner.
func (e *ConflictError) Error() string {
	byManager := map[string][]string{}
	var managers []string
	for _, c := range e.Conflicts {
		if _, ok := byManager[c.Manager]; !ok {
			managers = append(managers, c.Manager)
		}
		byManager[c.Manager] = append(byManager[c.Manager], c.Field)
	}
	parts := make([]string, 0, len(managers))
	for _, m := range managers {
		parts = append(parts, fmt.Sprintf("%s owns %s", m, strings.Join(byManager[m], ", ")))
	}
	return fmt.Sprintf("%s: %s; leave these fields out of the manifest, or take them over with --force-conflicts",
		e.Object, strings.Join(parts, "; "))
}

// Unwrap returns the API server's error.
func (e *ConflictError) Unwrap() error { return e.Err }

// NamespaceError says that a namespace does not exist and that there was no
// consent to create it.
type NamespaceError struct {
	Namespace string
	Err       error
}

// Error names the namespace and the flag that creates it.
func (e *NamespaceError) Error() string {
	return fmt.Sprintf("namespace %q does not exist; create it with --create-namespace, or choose another with -n", e.Namespace)
}

// Unwrap returns the API server's error.
func (e *NamespaceError) Unwrap() error { return e.Err }

// IncompleteError says that applying ended before all objects were applied.
type IncompleteError struct {
	Object  Ref   // the object that failed, or that would have been next
	Applied []Ref // what was applied before, in order
	Pending []Ref // what was not applied, Object included
	Err     error
}

// Error says what failed and what was applied already.
func (e *IncompleteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "applying %s: %v", e.Object, e.Err)
	switch {
	case len(e.Applied) == 0:
		b.WriteString("; nothing was applied")
	default:
		fmt.Fprintf(&b, "; already applied: %s", refList(e.Applied))
	}
	if len(e.Pending) > 1 {
		fmt.Fprintf(&b, "; not applied: %s", refList(e.Pending))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *IncompleteError) Unwrap() error { return e.Err }

// SwitchError says that a change of a Service's type by way of another one failed
// on its way, and what the Service is now.
type SwitchError struct {
	Object Ref
	From   ServiceType // what it was
	Now    ServiceType // what it was made on the way
	Err    error       // why the change failed
	Undo   error       // why the Service is still of type Now; nil: it was put back
	Unsure bool        // no API server told whether it is of type Now
}

// Error says why, and what became of the Service.
func (e *SwitchError) Error() string { return fmt.Sprintf("%v; %s", e.Err, e.State()) }

// Unwrap returns the cause.
func (e *SwitchError) Unwrap() error { return e.Err }

// State says what became of the Service.
func (e *SwitchError) State() string {
	switch {
	case e.Unsure:
		return fmt.Sprintf("it may be of type %s now, which could not be seen (%s): apply it again", e.Now, plain(e.Undo.Error()))
	case e.Undo != nil:
		alias := ""
		if e.Now == ExternalName && e.From != ExternalName {
			alias = ", an alias of nothing"
		}
		return fmt.Sprintf("it could not be put back as it was (%s) and is of type %s now%s: correct the manifest and apply it again", plain(e.Undo.Error()), e.Now, alias)
	case e.From == LoadBalancer:
		return "it was put back as it was; its load balancer may give it another address than it had"
	}
	return "it was put back as it was"
}

func refList(refs []Ref) string {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.String()
	}
	return strings.Join(names, ", ")
}

// StuckError says that a workload cannot become ready by itself.
type StuckError struct {
	Object  Ref
	Pod     string // the Pod that shows it; empty where no Pod could be made
	Reason  string // a short word: "ImagePullBackOff", "Unschedulable"
	Message string // what was seen, bounded and free of control characters
	Next    string // the next step, with its command
}

// Error tells what is wrong and what to do next.
func (e *StuckError) Error() string {
	var b strings.Builder
	b.WriteString(e.Object.String())
	if e.Pod != "" {
		fmt.Fprintf(&b, ": Pod/%s", e.Pod)
	}
	fmt.Fprintf(&b, ": %s", e.Reason)
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Next != "" {
		fmt.Fprintf(&b, "; %s", e.Next)
	}
	return b.String()
}

// WaitError says that the time given ended before a workload was ready.
type WaitError struct {
	Waiting []Event // the last that was seen of each object that is not ready
	Err     error   // the context's error
}

// Error says what each object was still waiting for.
func (e *WaitError) Error() string {
	parts := make([]string, 0, len(e.Waiting))
	for _, w := range e.Waiting {
		parts = append(parts, fmt.Sprintf("%s: %s", w.Object, w.Message))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("waiting: %v", e.Err)
	}
	return fmt.Sprintf("waiting for %s: %v", strings.Join(parts, "; "), e.Err)
}

// Unwrap returns the context's error.
func (e *WaitError) Unwrap() error { return e.Err }

// errSilent is the cause of a request that succeeded without doing what it asked.
var errSilent = errors.New("the API server accepted the change without making it")
