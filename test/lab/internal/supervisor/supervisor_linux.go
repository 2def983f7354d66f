package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Waits between a component's end and its next start, and between a request to end and
// the order to.
const (
	firstRestart = 500 * time.Millisecond
	lastRestart  = 10 * time.Second
	stopGrace    = 3 * time.Second
)

// Run is the life of a host's first process: it makes the host, then starts, watches and
// reaps processes until it is killed.
func Run(c Config) error {
	if err := enter(c); err != nil {
		return err
	}
	s := newSupervisor()
	child := make(chan os.Signal, 1)
	signal.Notify(child, unix.SIGCHLD)
	go func() {
		for range child {
			s.reap()
		}
	}()
	listener, err := net.Listen("unix", c.Socket)
	if err != nil {
		return fmt.Errorf("host %s: %w", c.Host, err)
	}
	return http.Serve(listener, s.handler())
}

type supervisor struct {
	mu         sync.Mutex
	components map[string]*process
	order      []string
	byPID      map[int]*process
	changed    chan struct{} // closed, and replaced, at every change
}

type process struct {
	spec   Component
	status Status
	wait   time.Duration
	timer  *time.Timer
}

func newSupervisor() *supervisor {
	return &supervisor{
		components: map[string]*process{},
		byPID:      map[int]*process{},
		changed:    make(chan struct{}),
	}
}

// start runs a component; an unknown one must come with its arguments.
func (s *supervisor) start(c Component) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.components[c.Name]
	if p == nil {
		if len(c.Args) == 0 {
			return fmt.Errorf("no component %q here", c.Name)
		}
		p = &process{}
		s.components[c.Name] = p
		s.order = append(s.order, c.Name)
	}
	if p.status.State == Running || p.status.State == Stopping {
		return fmt.Errorf("%s is %s already", c.Name, p.status.State)
	}
	if len(c.Args) > 0 {
		p.spec = c
	}
	p.wait = firstRestart
	return s.launch(p)
}

// launch must be called with the lock held, so that a process that ends at once is not
// reaped before it is known.
func (s *supervisor) launch(p *process) error {
	if p.timer != nil {
		p.timer.Stop()
	}
	log, err := os.OpenFile(p.spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	env := append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}, p.spec.Env...)
	pid, err := syscall.ForkExec(p.spec.Args[0], p.spec.Args, &syscall.ProcAttr{
		Dir: "/", Env: env,
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("start %s (%s): %w", p.spec.Name, p.spec.Args[0], err)
	}
	p.status.Name, p.status.Log = p.spec.Name, p.spec.Log
	p.status.State, p.status.PID, p.status.Since = Running, pid, time.Now()
	s.byPID[pid] = p
	s.notify()
	return nil
}

// reap collects every process of the host that ended; orphans of containers too, since
// they become children of the first process.
func (s *supervisor) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		p := s.byPID[pid]
		if p == nil {
			continue
		}
		delete(s.byPID, pid)
		p.status.PID, p.status.Exit = 0, describe(ws)
		requested := p.status.State == Stopping
		if time.Since(p.status.Since) > lastRestart {
			p.wait = firstRestart
		}
		p.status.Since = time.Now()
		if requested {
			p.status.State = Stopped
			s.notify()
			continue
		}
		p.status.State = Crashed
		p.timer = time.AfterFunc(p.wait, func() { s.restart(p) })
		p.wait = min(2*p.wait, lastRestart)
		s.notify()
	}
}

func (s *supervisor) restart(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.status.State != Crashed {
		return
	}
	p.status.Restarts++
	if err := s.launch(p); err != nil {
		p.status.Exit = err.Error()
		p.timer = time.AfterFunc(p.wait, func() { s.restart(p) })
		s.notify()
	}
}

// stop ends a component and returns when it is gone.
func (s *supervisor) stop(name string) error {
	s.mu.Lock()
	p := s.components[name]
	if p == nil {
		s.mu.Unlock()
		return fmt.Errorf("no component %q here", name)
	}
	switch p.status.State {
	case Stopped:
		s.mu.Unlock()
		return nil
	case Crashed:
		p.timer.Stop()
		p.status.State = Stopped
		s.notify()
		s.mu.Unlock()
		return nil
	}
	p.status.State = Stopping
	pid := p.status.PID
	_ = unix.Kill(pid, unix.SIGTERM)
	s.mu.Unlock()

	kill := time.AfterFunc(stopGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.byPID[pid] == p {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	})
	defer kill.Stop()
	for {
		s.mu.Lock()
		state, changed := p.status.State, s.changed
		s.mu.Unlock()
		if state != Stopping {
			return nil
		}
		<-changed
	}
}

func (s *supervisor) list() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Status, 0, len(s.order))
	for _, name := range s.order {
		out = append(out, s.components[name].status)
	}
	return out
}

// notify must be called with the lock held.
func (s *supervisor) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *supervisor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /components", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.list())
	})
	mux.HandleFunc("POST /start", func(w http.ResponseWriter, r *http.Request) {
		var c Component
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.start(c); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, r *http.Request) {
		var c Component
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.stop(c.Name); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	return mux
}

func describe(ws unix.WaitStatus) string {
	if ws.Signaled() {
		return "killed by " + ws.Signal().String()
	}
	return fmt.Sprintf("exit status %d", ws.ExitStatus())
}
