package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/components"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/network"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/supervisor"
)

const hostNamespaces = unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// poll is how often a condition is looked at that cannot be watched.
const poll = 25 * time.Millisecond

// hostConfig is the path of a host's configuration; it also tells, on the command line
// of a process, which lab and host that process is the first of.
func hostConfig(lab layout.Lab, host string) string {
	return filepath.Join(lab.HostRunDir(host), "host.json")
}

func hostArg(lab layout.Lab, host string) string { return "--config=" + hostConfig(lab, host) }

// findHosts finds the first processes of a lab's hosts among the machine's processes. No
// file that says so could be stale or missing.
func findHosts(lab layout.Lab) ([]network.Host, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []network.Host
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil {
			continue // it ended meanwhile
		}
		args := strings.Split(string(bytes.TrimRight(data, "\x00")), "\x00")
		if len(args) != 4 || args[1] != "run" || args[2] != "host" {
			continue
		}
		for _, host := range layout.Hosts() {
			if args[3] == hostArg(lab, host) {
				out = append(out, network.Host{Name: host, PID: pid})
			}
		}
	}
	return out, nil
}

// killHosts ends hosts with everything in them and returns when they are gone.
func killHosts(ctx context.Context, hosts []network.Host) error {
	for _, h := range hosts {
		fd, err := unix.PidfdOpen(h.PID, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return fmt.Errorf("host %s (process %d): %w", h.Name, h.PID, err)
		}
		defer unix.Close(fd)
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("end host %s (process %d): %w", h.Name, h.PID, err)
		}
		for {
			// Readable means ended; the kernel ends the first process of a namespace only
			// after all others in it.
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			if n > 0 {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("host %s (process %d) does not end: %w", h.Name, h.PID, ctx.Err())
			}
		}
	}
	return nil
}

// startHost makes a host's namespaces and returns when its supervisor answers.
func (r *runner) startHost(ctx context.Context, host string) (network.Host, error) {
	config := supervisor.Config{
		Host:   host,
		Socket: r.lab.Socket(host),
		Var:    r.lab.HostVar(host),
		Keep:   []string{r.lab.RunDir(), r.lab.StateDir()},
		Files: map[string]string{
			components.Binary:    r.paths.Components,
			components.LabBinary: r.paths.Lab,
		},
		Sysctls: map[string]string{
			"net/ipv4/ip_forward":              "1",
			"net/ipv6/conf/all/forwarding":     "1",
			"net/ipv6/conf/default/accept_dad": "0",
			"net/ipv6/conf/default/accept_ra":  "0",
			// A redirect would use up the allowance for the refusal that follows it.
			"net/ipv4/conf/all/send_redirects":     "0",
			"net/ipv4/conf/default/send_redirects": "0",
			"net/ipv4/icmp_ratelimit":              "0",
			"net/ipv6/icmp/ratelimit":              "0",
			// A Service's answer may come back on another interface than the default route's.
			"net/ipv4/conf/all/rp_filter":     "0",
			"net/ipv4/conf/default/rp_filter": "0",
		},
		// What the kubelet would otherwise set for the whole machine.
		Mask: map[string]string{
			"vm/overcommit_memory":      "1",
			"vm/panic_on_oom":           "0",
			"kernel/panic":              "10",
			"kernel/panic_on_oops":      "1",
			"kernel/keys/root_maxkeys":  "1000000",
			"kernel/keys/root_maxbytes": "25000000",
		},
	}
	if host == layout.Outside {
		redis, err := filepath.EvalSymlinks(r.machine.Programs["redis-check-rdb"])
		if err != nil {
			return network.Host{}, err
		}
		config.Files[components.RedisServer] = redis
	} else {
		for inside, outside := range components.NodePlugins(r.lab, host, r.paths.PolicyPlugin) {
			config.Files[inside] = outside
		}
	}
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return network.Host{}, err
	}
	if err := os.WriteFile(hostConfig(r.lab, host), data, 0o600); err != nil {
		return network.Host{}, err
	}
	logPath := r.lab.Log(host, "init")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return network.Host{}, err
	}
	defer log.Close()
	cmd := exec.Command(r.paths.Lab, "run", "host", hostArg(r.lab, host))
	// The environment stays out: a proxy or a KUBECONFIG set there is not the lab's.
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: hostNamespaces, Setsid: true}
	if err := cmd.Start(); err != nil {
		return network.Host{}, fmt.Errorf("make host %s: %w", host, err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()

	client := r.client(host)
	for {
		if _, err := client.List(ctx); err == nil {
			return network.Host{Name: host, PID: cmd.Process.Pid}, nil
		}
		select {
		case <-ended:
			return network.Host{}, &LogError{What: "host " + host + " ended while starting", Log: logPath}
		case <-ctx.Done():
			return network.Host{}, fmt.Errorf("host %s: %w", host, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// LogError is a failure that a log explains.
type LogError struct {
	text string
	What string
	Log  string
}

func (e *LogError) Error() string {
	if e.text != "" {
		return e.text
	}
	return e.What + "\n" + tail(e.Log, 12) + "the whole log: " + e.Log
}

// tail returns the last lines of a file, each indented, bounded in length.
func tail(path string, lines int) string {
	const most = 16 << 10
	f, err := os.Open(path)
	if err != nil {
		return "  (no log: " + err.Error() + ")\n"
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, 2)
	}
	data := make([]byte, most)
	n, _ := f.Read(data)
	all := strings.Split(strings.TrimRight(string(data[:n]), "\n"), "\n")
	var b strings.Builder
	for _, line := range all[max(0, len(all)-lines):] {
		fmt.Fprintf(&b, "  %.300s\n", line)
	}
	return b.String()
}
