package apply

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The phases of an Event.
const (
	PhaseApply = "apply"
	PhaseWait  = "wait"
)

// Event is one step of progress. Events of a phase come from one goroutine at a
// time, and only when something changed.
type Event struct {
	Phase   string // PhaseApply or PhaseWait
	Object  Ref
	Message string // "created"; "1/2 ready · redis-7f9c-x2x8q: pulling image redis:alpine"
	Done    bool   // nothing more is to come for this object in this phase
	// Since is when what Message waits for began; zero where that is not known.
	Since time.Time
}

// getOptions is the zero value that every Get takes.
var getOptions metav1.GetOptions
