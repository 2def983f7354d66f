// Package supervisor is the first process of each of a lab's hosts.
//
// A host is a set of namespaces (network, mounts, processes, name) that live exactly as
// long as this process: when it is killed, the kernel ends every process of the host,
// containers included, and drops its mounts and interfaces. So a lab can be cleared away
// however it ended, and no two hosts or labs can get in each other's way.
package supervisor

import "time"

// Config is what a host's first process needs to know, as a file.
type Config struct {
	// Host is its name, also its UTS name.
	Host string `json:"host"`
	// Socket is where it listens for commands.
	Socket string `json:"socket"`
	// Var is the directory that the host sees as /var.
	Var string `json:"var"`
	// Keep are directories of the machine below /run or /var that stay visible at the
	// same path inside the host, which otherwise has its own /run and /var.
	Keep []string `json:"keep"`
	// Files are bound into the host at a path below /run: path inside → path outside.
	Files map[string]string `json:"files"`
	// Sysctls are set in the host's network namespace; missing ones are ignored, since
	// they belong to features that the kernel lacks.
	Sysctls map[string]string `json:"sysctls"`
	// Mask hides a machine-wide setting below /proc/sys behind a file with the value
	// that a component wants to see, so that it does not change the machine's.
	Mask map[string]string `json:"mask"`
}

// Component is a process that the supervisor runs.
type Component struct {
	Name string   `json:"name"`
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	Log  string   `json:"log"`
}

// State is where a component stands.
type State string

// The states of a component.
const (
	Running  State = "running"
	Stopped  State = "stopped"  // on request; stays so until it is started
	Crashed  State = "crashed"  // ended by itself; is started again after a moment
	Stopping State = "stopping" // asked to end, not gone yet
)

// Status is what the supervisor knows of a component.
type Status struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	PID      int       `json:"pid,omitempty"` // inside the host
	Since    time.Time `json:"since"`
	Restarts int       `json:"restarts"`
	Exit     string    `json:"exit,omitempty"`
	Log      string    `json:"log"`
}
