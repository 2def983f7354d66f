// Command scale measures verify on a cluster with many Services: how many
// requests it makes, how long it takes and how much memory, side by side with a
// shell loop that asks kubectl for the EndpointSlices of each Service; and how
// long one probe Pod takes for a PING of every endpoint.
//
// The EndpointSlices are written directly, since as many Pods would be too many
// for one machine: each endpoint is the address of one of the few Redis Pods
// that the command starts, so that all of them answer. It works in a namespace
// of its own on the cluster that KUBECONFIG names, and removes it. It prints
// figures and never fails for being slow.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type bench struct {
	plugin, kubectl, image string
	services, endpoints    int
	loop                   int // Services that the shell loop asks about
	namespace              string
	pods                   []string // addresses of the backends
}

func main() {
	b := &bench{namespace: fmt.Sprintf("svcx-scale-%d", time.Now().Unix())}
	flag.StringVar(&b.plugin, "plugin", "bin/kubectl-svcx", "the plugin")
	flag.StringVar(&b.kubectl, "kubectl", "kubectl", "the kubectl to compare with")
	flag.StringVar(&b.image, "probe-image", os.Getenv("SVCX_PROBE_IMAGE"), "the image of the probe Pod")
	flag.IntVar(&b.services, "services", 1000, "how many Services")
	flag.IntVar(&b.endpoints, "endpoints", 5000, "how many endpoints they have together")
	flag.IntVar(&b.loop, "loop", 100, "how many Services the shell loop asks about; the rest is reckoned")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) error {
	defer func() {
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, _ = b.kube(cctx, nil, "delete", "namespace", b.namespace, "--wait=false", "--ignore-not-found")
	}()
	if err := b.seed(ctx); err != nil {
		return err
	}
	fmt.Printf("%d Services, %d endpoints in namespace %s\n", b.services, b.endpoints, b.namespace)
	if err := b.observe(ctx); err != nil {
		return err
	}
	if err := b.shellLoop(ctx); err != nil {
		return err
	}
	if err := b.pings(ctx); err != nil {
		return err
	}
	return b.inCluster(ctx)
}

// kube runs kubectl and returns its stdout.
func (b *bench) kube(ctx context.Context, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, b.kubectl, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

const backends = `apiVersion: apps/v1
kind: Deployment
metadata: {name: backend}
spec:
  replicas: 5
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec:
      enableServiceLinks: false
      terminationGracePeriodSeconds: 0
      containers: [{name: redis, image: "redis:alpine"}]
`

type object = map[string]any

// seed makes the namespace, a few backends, and Services whose slices name
// these backends, each at most once in a slice.
func (b *bench) seed(ctx context.Context) error {
	if _, err := b.kube(ctx, nil, "create", "namespace", b.namespace); err != nil {
		return err
	}
	if _, err := b.kube(ctx, []byte(backends), "apply", "-n", b.namespace, "-f", "-"); err != nil {
		return err
	}
	if _, err := b.kube(ctx, nil, "rollout", "status", "deployment/backend", "-n", b.namespace, "--timeout=2m"); err != nil {
		return err
	}
	ips, err := b.kube(ctx, nil, "get", "pods", "-n", b.namespace, "-l", "app=backend", "-o", "jsonpath={.items[*].status.podIP}")
	if err != nil {
		return err
	}
	b.pods = strings.Fields(ips)
	for i := 0; i < b.services; i += 100 {
		var items []object
		for n := i; n < min(i+100, b.services); n++ {
			items = append(items, b.service(n, b.pods)...)
		}
		list, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": items})
		if err != nil {
			return err
		}
		if _, err := b.kube(ctx, list, "create", "-n", b.namespace, "--validate=false", "-f", "-"); err != nil {
			return err
		}
	}
	return nil
}

// service is one Service without a selector, and its slices. An address may
// stand once in a slice, so that several endpoints more take several slices.
func (b *bench) service(n int, pods []string) []object {
	name := fmt.Sprintf("s%04d", n)
	out := []object{{"apiVersion": "v1", "kind": "Service", "metadata": object{"name": name},
		"spec": object{"clusterIP": "None", "ports": []object{{"name": "redis", "port": 6379}}}}}
	share := b.endpoints / b.services
	for at := 0; at < share; at += len(pods) {
		var ends []object
		for i := at; i < min(at+len(pods), share); i++ {
			ends = append(ends, object{"addresses": []string{pods[i%len(pods)]}, "conditions": object{"ready": true}})
		}
		out = append(out, object{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
			"metadata":  object{"name": fmt.Sprintf("%s-%d", name, at), "labels": object{"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "bench"}},
			"endpoints": ends, "ports": []object{{"name": "redis", "port": 6379, "protocol": "TCP"}}})
	}
	return out
}

// observe runs verify from here, and counts its requests.
func (b *bench) observe(ctx context.Context) error {
	c, err := b.verify(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("verify, nothing created:    %6.1f s  %4.0f MB  %s\n", c.wall.Seconds(), c.megabytes, c.note)
	return nil
}

// shellLoop does what a script would: one kubectl a Service.
func (b *bench) shellLoop(ctx context.Context) error {
	n := min(b.loop, b.services)
	start := time.Now()
	for i := range n {
		name := fmt.Sprintf("kubernetes.io/service-name=s%04d", i)
		if _, err := b.kube(ctx, nil, "get", "endpointslices", "-n", b.namespace, "-l", name, "-o", "name"); err != nil {
			return err
		}
	}
	took := time.Since(start)
	fmt.Printf("shell loop, %4d of them:   %6.1f s           %d requests; for all %d: about %.0f s\n",
		n, took.Seconds(), n, b.services, took.Seconds()*float64(b.services)/float64(n))
	return nil
}

// inCluster has verify ask every endpoint from one probe Pod, among all else.
func (b *bench) inCluster(ctx context.Context) error {
	if b.image == "" {
		fmt.Println("one probe Pod: not measured: SVCX_PROBE_IMAGE does not name its image")
		return nil
	}
	c, err := b.verify(ctx, "--in-cluster", "--probe-image="+b.image)
	if err != nil {
		return err
	}
	fmt.Printf("verify --in-cluster:        %6.1f s  %4.0f MB  %s\n", c.wall.Seconds(), c.megabytes, c.note)
	return nil
}

type cost struct {
	wall      time.Duration
	megabytes float64
	note      string
}

// verify runs the plugin over the namespace. A verdict that is not "verified"
// is no failure here.
func (b *bench) verify(ctx context.Context, args ...string) (cost, error) {
	counter, err := countRequests(ctx, b.kubectl)
	if err != nil {
		return cost{}, err
	}
	defer counter.close()
	cmd := exec.CommandContext(ctx, b.plugin, append([]string{"verify", "-n", b.namespace, "--timeout=5m", "-o", "json", "--kubeconfig", counter.kubeconfig}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err = cmd.Run()
	took := time.Since(start)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 1) {
		return cost{}, fmt.Errorf("verify: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	var verdict struct {
		State    string
		Services []struct {
			Checks []struct{ Name, State string }
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &verdict); err != nil {
		return cost{}, fmt.Errorf("verify -o json: %w", err)
	}
	proven := 0
	for _, s := range verdict.Services {
		for _, c := range s.Checks {
			if c.Name == "pod" && c.State == "proven" {
				proven++
			}
		}
	}
	rss := float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024
	return cost{wall: took, megabytes: rss, note: fmt.Sprintf("%s; %s; %d Services' backends all answered", counter.text(), verdict.State, proven)}, nil
}
