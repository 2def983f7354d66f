package supervisor

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serve runs a supervisor without namespaces and returns a client for it.
func serve(t *testing.T) *Client {
	t.Helper()
	s := newSupervisor()
	child := make(chan os.Signal, 1)
	signal.Notify(child, unix.SIGCHLD)
	go func() {
		for range child {
			s.reap()
		}
	}()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s.handler()}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		for _, c := range s.list() {
			_ = s.stop(c.Name)
		}
		server.Close()
		signal.Stop(child)
		close(child)
	})
	return NewClient("test", socket)
}

func waitFor(t *testing.T, c *Client, name string, done func(Status) bool) Status {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		list, err := c.List(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if s.Name == name && done(s) {
				return s
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not get there: %+v", name, list)
		}
		time.Sleep(poll)
	}
}

const poll = 5 * time.Millisecond

func TestStartStopStart(t *testing.T) {
	c := serve(t)
	ctx := context.Background()
	log := filepath.Join(t.TempDir(), "log")
	if err := c.Start(ctx, Component{Name: "x", Args: []string{"/bin/sh", "-c", "echo hello; exec sleep 1000"}, Log: log}); err != nil {
		t.Fatal(err)
	}
	first := waitFor(t, c, "x", func(s Status) bool {
		data, _ := os.ReadFile(log)
		return s.State == Running && string(data) == "hello\n"
	})
	if err := c.Start(ctx, Component{Name: "x"}); err == nil || !strings.Contains(err.Error(), "running already") {
		t.Errorf("starting twice: %v", err)
	}
	if err := c.Stop(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if s := waitFor(t, c, "x", func(Status) bool { return true }); s.State != Stopped || s.PID != 0 {
		t.Errorf("after stop: %+v", s)
	}
	if err := unix.Kill(first.PID, 0); err == nil {
		t.Error("the process outlived stop")
	}
	if err := c.Stop(ctx, "x"); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
	if err := c.Start(ctx, Component{Name: "x"}); err != nil {
		t.Fatal(err)
	}
	second := waitFor(t, c, "x", func(s Status) bool { return s.State == Running })
	if second.PID == first.PID || second.Restarts != 0 {
		t.Errorf("after start: %+v", second)
	}
}

func TestCrashIsRestartedAndTold(t *testing.T) {
	c := serve(t)
	if err := c.Start(context.Background(), Component{
		Name: "x", Args: []string{"/bin/sh", "-c", "exit 3"}, Log: filepath.Join(t.TempDir(), "log"),
	}); err != nil {
		t.Fatal(err)
	}
	s := waitFor(t, c, "x", func(s Status) bool { return s.State == Crashed && s.Restarts > 0 })
	if s.Exit != "exit status 3" {
		t.Errorf("exit is %q", s.Exit)
	}
	if err := c.Stop(context.Background(), "x"); err != nil {
		t.Fatal(err)
	}
	if s := waitFor(t, c, "x", func(Status) bool { return true }); s.State != Stopped {
		t.Errorf("a crashed component that is stopped is %s", s.State)
	}
}

func TestUnknownComponent(t *testing.T) {
	c := serve(t)
	for what, err := range map[string]error{
		"start": c.Start(context.Background(), Component{Name: "nope"}),
		"stop":  c.Stop(context.Background(), "nope"),
	} {
		if err == nil || !strings.Contains(err.Error(), `no component "nope"`) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	c := serve(t)
	err := c.Start(context.Background(), Component{Name: "x", Args: []string{"/does/not/exist"}, Log: filepath.Join(t.TempDir(), "log")})
	if err == nil || !strings.Contains(err.Error(), "/does/not/exist") {
		t.Errorf("error is %v", err)
	}
}

func TestOnlyTheFirstProcessMakesAHost(t *testing.T) {
	if err := Run(Config{Host: "x"}); err == nil || !strings.Contains(err.Error(), "not the first process") {
		t.Errorf("error is %v", err)
	}
}
