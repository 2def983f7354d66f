package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// counter counts the requests that reach the API server through it: a kubectl
// proxy, which writes a line for each.
type counter struct {
	kubeconfig string
	dir        string
	stop       context.CancelFunc
	done       chan struct{}

	mu    sync.Mutex
	lists int
	other int
}

const proxied = `apiVersion: v1
kind: Config
current-context: bench
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
clusters: [{name: bench, cluster: {server: "http://%s"}}]
users: [{name: bench, user: {}}]
`

// countRequests starts the proxy and writes a kubeconfig that leads to it.
func countRequests(ctx context.Context, kubectl string) (*counter, error) {
	ctx, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, kubectl, "proxy", "--port=0", "--reject-paths=^$", "-v=6")
	cmd.WaitDelay = time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		stop()
		return nil, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		stop()
		return nil, err
	}
	c := &counter{stop: stop, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		stop()
		return nil, err
	}
	go func() {
		defer close(c.done)
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			c.note(lines.Text())
		}
		_ = cmd.Wait()
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_, address, found := strings.Cut(strings.TrimSpace(line), "Starting to serve on ")
	if !found {
		c.close()
		return nil, fmt.Errorf("kubectl proxy said %q: %w", line, err)
	}
	if c.dir, err = os.MkdirTemp("", "svcx-scale-"); err != nil {
		c.close()
		return nil, err
	}
	c.kubeconfig = filepath.Join(c.dir, "kubeconfig")
	if err := os.WriteFile(c.kubeconfig, fmt.Appendf(nil, proxied, address), 0o600); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// note counts a line of the proxy's log: "… filtering? … GET /api/v1/pods?…".
func (c *counter) note(line string) {
	if !strings.Contains(line, "Filter accepting") {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if strings.Contains(line, " GET ") {
		c.lists++
	} else {
		c.other++
	}
}

func (c *counter) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%d requests", c.lists+c.other)
}

func (c *counter) close() {
	c.stop()
	<-c.done
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}
