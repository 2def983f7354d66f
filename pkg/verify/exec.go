package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

const (
	// execTimeout is how long a command may take.
	execTimeout = 10 * time.Second
	// maxExecAttempts is how often a client's command is run for one address.
	maxExecAttempts = 4
	// maxExecs is how many commands run at once: each is a process on a node.
	maxExecs = 8
)

// annotationContainer names the container of a Pod that tools are meant to use.
const annotationContainer = "kubectl.kubernetes.io/default-container"

// commanded turns a question that has a command into one that runs it: in a
// container of the backend, which then asks itself, or in the client asked for.
// Where there is no such container, the question stays the port's own.
func (p *planner) commanded(pr probe.Probe) probe.Probe {
	client := p.v.s.Client
	switch {
	case pr.Exploratory || pr.Check == probe.CheckDNS:
	case pr.From == probe.FromTunnel && p.v.pods[pr.Pod] != nil:
		pr.In = pr.Pod + "/" + containerFor(p.v.pods[pr.Pod], pr.Address)
	case pr.From == probe.FromCluster && client != nil && client.Container != "":
		pr.In = client.Container
		pr.Attempts = min(pr.Attempts, maxExecAttempts)
	}
	if pr.In == "" {
		pr.Command = nil
		return pr
	}
	pr.Check, pr.Timeout = probe.CheckExec, execTimeout
	pr.TLS, pr.H2C, pr.HTTPPath, pr.HTTPHost, pr.Guessed = false, false, "", "", false
	return pr
}

// containerFor chooses the container of a Pod that a command is for: the one
// that declares the port, the one that the Pod names, or the first.
func containerFor(pod *corev1.Pod, address string) string {
	_, port := splitAddress(address)
	for _, ctr := range served(pod) {
		for _, cp := range ctr.Ports {
			if fmt.Sprint(cp.ContainerPort) == port {
				return ctr.Name
			}
		}
	}
	return mainContainer(pod)
}

// mainContainer is the container that a Pod names for tools, or its first.
func mainContainer(pod *corev1.Pod) string {
	if name := pod.Annotations[annotationContainer]; name != "" {
		for i := range pod.Spec.Containers {
			if pod.Spec.Containers[i].Name == name {
				return name
			}
		}
	}
	return pod.Spec.Containers[0].Name
}

// execute is the probe.Executor of a cluster.
func (c *clients) execute(ctx context.Context, p probe.Probe) (string, int, error) {
	at := strings.Split(p.In, "/")
	if len(at) != 3 {
		return "", 0, &probe.DialError{Class: probe.ClassLocal, Text: fmt.Sprintf("%q is no NAMESPACE/POD/CONTAINER", p.In)}
	}
	req := c.core.RESTClient().Post().Resource("pods").Namespace(at[0]).Name(at[1]).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: at[2], Command: withAddress(p), Stdout: true, Stderr: true}, scheme.ParameterCodec)
	// Of the two outputs that comes last which counts: they arrive in any order.
	out, complaints := &bounded{most: probe.MaxOutput}, &bounded{most: probe.MaxOutput}
	err := c.stream(ctx, req, remotecommand.StreamOptions{Stdout: out, Stderr: complaints})
	var code exec.CodeExitError
	switch {
	case err == nil:
		return complaints.String() + "\n" + out.String(), 0, nil
	case errors.As(err, &code):
		return out.String() + "\n" + complaints.String(), code.Code, nil
	case ctx.Err() != nil:
		return "", 0, ctx.Err()
	case refusedStream(err):
		return "", 0, &probe.DialError{Class: probe.ClassLocal, Text: "running a command in Pod/" + at[1] + " is not permitted"}
	}
	return "", 0, &probe.DialError{Class: probe.ClassLocal, Text: "exec in Pod/" + at[1] + ": " + err.Error()}
}

// withAddress tells a command whom to ask: a shell gets variables, any other
// program $(NAME) replaced in its arguments, as in a container's.
func withAddress(p probe.Probe) []string {
	host, port, err := net.SplitHostPort(p.Address)
	if err != nil {
		host, port = p.Address, ""
	}
	if p.From == probe.FromTunnel {
		host = "127.0.0.1" // the backend asks itself
	}
	host = strings.TrimSuffix(host, ".")
	if len(p.Command) == 3 && p.Command[0] == "sh" && p.Command[1] == "-c" {
		return []string{"sh", "-c", fmt.Sprintf("export SVCX_HOST='%s' SVCX_PORT='%s'\n%s", host, port, p.Command[2])}
	}
	out := make([]string, len(p.Command))
	r := strings.NewReplacer("$(SVCX_HOST)", host, "$(SVCX_PORT)", port)
	for i, arg := range p.Command {
		out[i] = r.Replace(arg)
	}
	return out
}

// execNeeds says what would help where a command was not run.
func execNeeds(o probe.Outcome) probe.Outcome {
	if o.Class != probe.ClassLocal {
		return o
	}
	needs := "a container that has the command (--check=exec:COMMAND)"
	if strings.Contains(o.Detail, "not permitted") {
		needs = "permission to create pods/exec"
	}
	if o.Facts == nil {
		o.Facts = map[string]string{}
	}
	o.Facts[factNeeds] = needs
	return o
}

// bounded keeps the end of what is written to it, of which the last line counts.
type bounded struct {
	most int

	mu  sync.Mutex
	buf []byte
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = append(b.buf, p[max(0, len(p)-b.most):]...)
	b.buf = append(b.buf[:0], b.buf[max(0, len(b.buf)-b.most):]...)
	return len(p), nil
}

func (b *bounded) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf)
}
