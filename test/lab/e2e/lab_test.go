//go:build lab

// Package e2e brings real labs up and down. Its tests have the build tag "lab", since
// they need root, and bin/svcx-lab as test/lab/build.sh makes it.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// program is svcx-lab, as built.
func program(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/svcx-lab")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: build it with test/lab/build.sh", err)
	}
	return path
}

func command(ctx context.Context, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// lab runs svcx-lab for one lab and fails the test when it fails.
func lab(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := command(t.Context(), program(t), append(args, "--name", name)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// downAtEnd clears labs away whatever happens to the test.
func downAtEnd(t *testing.T, names ...string) {
	t.Helper()
	svcxLab := program(t)
	t.Cleanup(func() {
		for _, name := range names {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			if _, err := command(ctx, svcxLab, "down", "--name", name); err != nil {
				t.Error(err)
			}
			cancel()
		}
	})
}

type status struct {
	Kubeconfig string
	Problem    string
	Addresses  struct{ APIServer, Registry string }
	Nodes      []struct {
		Name                string
		Addresses           []string
		Ready, Cut, PodsCut bool
	}
	Components []struct{ Host, Name, State string }
}

func statusOf(t *testing.T, name string) status {
	t.Helper()
	var s status
	if err := json.Unmarshal([]byte(lab(t, name, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func kubectl(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	path, err := filepath.Abs("../../../bin/kubectl")
	if err != nil {
		t.Fatal(err)
	}
	return command(t.Context(), path, append([]string{"--kubeconfig", statusOf(t, name).Kubeconfig, "--cache-dir", t.TempDir()}, args...)...)
}

func mustKubectl(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := kubectl(t, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// redis starts a Redis Pod behind a node port and asks it from the machine.
func redis(t *testing.T, name string) {
	t.Helper()
	mustKubectl(t, name, "create", "deployment", "redis", "--image=redis:alpine")
	mustKubectl(t, name, "create", "service", "nodeport", "redis", "--tcp=6379", "--node-port=31379")
	mustKubectl(t, name, "rollout", "status", "deployment/redis", "--timeout=60s")
	for _, node := range statusOf(t, name).Nodes {
		addr := node.Addresses[0] // the Service has one family only
		eventually(t, "PONG from "+addr, func() error { return ping(net.JoinHostPort(addr, "31379")) })
	}
}

func ping(addr string) error {
	const enough = 10 * time.Second // on a machine on which another lab comes up
	conn, err := net.DialTimeout("tcp", addr, enough)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(enough))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 7)
	n, err := conn.Read(answer)
	if err != nil {
		return err
	}
	if got := string(answer[:n]); got != "+PONG\r\n" {
		return fmt.Errorf("answer is %q", got)
	}
	return nil
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// hostPIDs are the first processes of a lab's hosts.
func hostPIDs(t *testing.T, name string) []int {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, path := range entries {
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte("run\x00host\x00--config=/run/svcx-lab/"+name+"/")) {
			var pid int
			if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil {
				out = append(out, pid)
			}
		}
	}
	return out
}

func kill(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		p, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
	}
}

// Two labs work side by side; one is killed in the middle of its work and comes up again
// over its remains while the other goes on; when both are down the machine is as before.
func TestNothingStaysBehind(t *testing.T) {
	one, two := labName("one"), labName("two")
	before := look(t, one, two)
	downAtEnd(t, one, two)

	group, ctx := errgroup.WithContext(t.Context())
	for _, name := range []string{one, two} {
		group.Go(func() error {
			_, err := command(ctx, program(t), "up", "--name", name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	redis(t, one)
	redis(t, two)

	t.Run("two labs do not share an address", func(t *testing.T) {
		if a, b := statusOf(t, one).Addresses.APIServer, statusOf(t, two).Addresses.APIServer; a == b {
			t.Errorf("both API servers are at %s", a)
		}
	})
	t.Run("the look sees a lab", func(t *testing.T) {
		// A check that finds nothing proves something only if it can find.
		kinds := map[string]bool{}
		for _, line := range look(t, one, two).added(before) {
			kind, _, _ := strings.Cut(line, ":")
			kinds[kind] = true
		}
		for _, kind := range []string{"process", "link", "address", "route", "cgroup", "file"} {
			if !kinds[kind] {
				t.Errorf("no %s of two running labs is seen", kind)
			}
		}
		if kinds["mount"] || kinds["sysctl"] || kinds["firewall"] {
			t.Errorf("running labs changed the machine's own mounts, settings or firewall: %v", look(t, one, two).added(before))
		}
	})
	t.Run("a killed lab comes up again", func(t *testing.T) {
		kill(t, hostPIDs(t, one))
		if out, err := command(t.Context(), program(t), "status", "--name", one); err == nil || !strings.Contains(err.Error(), "was killed") {
			t.Errorf("status of a killed lab: %v\n%s", err, out)
		}
		lab(t, one, "up")
		redis(t, one)
	})
	t.Run("the other lab went on", func(t *testing.T) {
		for _, node := range statusOf(t, two).Nodes {
			if err := ping(net.JoinHostPort(node.Addresses[0], "31379")); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("up over a lab that is up", func(t *testing.T) {
		lab(t, two, "up")
		redis(t, two)
	})

	lab(t, one, "down")
	kill(t, hostPIDs(t, two))
	lab(t, two, "down")
	if left := look(t, one, two).added(before); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	lab(t, one, "down") // once more: nothing to do is fine
}

// An up that is killed at any moment leaves remains that the next up or down clears.
func TestKilledWhileComingUp(t *testing.T) {
	name := labName("half")
	before := look(t, name)
	downAtEnd(t, name)
	for _, moment := range []string{"/run/svcx-lab/" + name + "/lab.json", "/run/svcx-lab/" + name + "/worker/init.sock", "/var/lib/svcx-lab/" + name + "/logs/control-plane-etcd.log"} {
		for _, interrupt := range []os.Signal{os.Kill, os.Interrupt} {
			cmd := exec.Command(program(t), "up", "--name", name)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for _, err := os.Stat(moment); err != nil; _, err = os.Stat(moment) {
				select {
				case <-ended:
					t.Fatalf("up has ended before there was %s: %s", moment, &stderr)
				case <-time.After(10 * time.Millisecond):
				}
			}
			if err := cmd.Process.Signal(interrupt); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil {
				t.Fatalf("up was done before it could be stopped at %s", moment)
			}
			if interrupt == os.Kill {
				lab(t, name, "down")
			}
			// Ctrl-C cleans up by itself.
			if left := look(t, name).added(before); len(left) > 0 {
				t.Errorf("%v at %s left behind:\n%s", interrupt, moment, strings.Join(left, "\n"))
			}
		}
	}
}

func TestFailuresOnDemand(t *testing.T) {
	name := labName("fail")
	before := look(t, name)
	downAtEnd(t, name)
	lab(t, name, "up")
	redis(t, name)
	worker := statusOf(t, name).Nodes[1].Addresses[0] + ":10250"
	dial := func() error {
		conn, err := net.DialTimeout("tcp", worker, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	}
	t.Run("cut and heal", func(t *testing.T) {
		if err := dial(); err != nil {
			t.Fatal(err)
		}
		lab(t, name, "cut", "worker")
		if err := dial(); err == nil {
			t.Error("a node that was cut off answers")
		}
		if !statusOf(t, name).Nodes[1].Cut {
			t.Error("status does not say that the node is cut off")
		}
		lab(t, name, "heal", "worker")
		eventually(t, "the healed node", dial)
	})
	t.Run("cut and heal Pods only", func(t *testing.T) {
		lab(t, name, "cut", "worker", "--pods")
		if err := dial(); err != nil {
			t.Errorf("the node itself does not answer: %v", err)
		}
		for _, n := range statusOf(t, name).Nodes {
			if n.Cut || !n.PodsCut {
				t.Errorf("status of %s: cut %t, its Pods %t", n.Name, n.Cut, n.PodsCut)
			}
		}
		lab(t, name, "heal", "worker")
		for _, n := range statusOf(t, name).Nodes {
			if n.PodsCut {
				t.Errorf("the Pods of %s are cut off after heal", n.Name)
			}
		}
	})
	t.Run("API server", func(t *testing.T) {
		lab(t, name, "stop", "kube-apiserver")
		s := statusOf(t, name)
		if s.Problem == "" {
			t.Error("status does not say that the API server is away")
		}
		for _, c := range s.Components {
			if c.Name == "kube-apiserver" && c.State != "stopped" {
				t.Errorf("a stopped component is %s", c.State)
			}
		}
		lab(t, name, "start", "kube-apiserver")
		eventually(t, "the API server", func() error { _, err := kubectl(t, name, "get", "nodes"); return err })
	})
	t.Run("kubelet of one node", func(t *testing.T) {
		lab(t, name, "stop", "worker/kubelet")
		if err := dial(); err == nil {
			t.Error("a stopped kubelet listens")
		}
		lab(t, name, "start", "worker/kubelet")
		eventually(t, "the kubelet", dial)
	})
	t.Run("unknown names", func(t *testing.T) {
		for _, args := range [][]string{{"stop", "nope"}, {"start", "worker/etcd"}, {"cut", "nope"}, {"frobnicate"}} {
			if _, err := command(t.Context(), program(t), append(args, "--name", name)...); err == nil {
				t.Errorf("%v succeeds", args)
			}
		}
	})
	lab(t, name, "down")
	if left := look(t, name).added(before); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

// Every way out of a node ends in the node: only the lab's own networks have a route.
func TestNothingLeavesTheMachine(t *testing.T) {
	name := labName("net")
	downAtEnd(t, name)
	lab(t, name, "up")
	// The table of routes is asked; nothing is sent.
	for _, pid := range hostPIDs(t, name) {
		out, err := command(t.Context(), "nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", pid), "cat", "/proc/net/route")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
			fields := strings.Fields(line)
			if fields[1] == "00000000" && fields[0] != "void0" {
				t.Errorf("a default route leads to %s", fields[0])
			}
		}
	}
	// And a Pod that tries is not answered by anyone.
	mustKubectl(t, name, "run", "out", "--image=redis:alpine", "--restart=Never", "--command", "--", "redis-cli", "-h", "192.0.2.1", "-t", "2", "ping")
	eventually(t, "the Pod to give up", func() error {
		phase := mustKubectl(t, name, "get", "pod", "out", "-o", "jsonpath={.status.phase}")
		if phase != "Failed" {
			return fmt.Errorf("Pod is %s", phase)
		}
		return nil
	})
	lab(t, name, "down")
}
