package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/cgroup"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/components"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/network"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/supervisor"
)

// Options of Up.
type Options struct {
	Name     string
	Programs Programs
	Install  bool          // missing Debian packages, rather than only name them
	IPv4Only bool          // although the machine has IPv6
	Timeout  time.Duration // of each thing that is waited for; 0 means DefaultTimeout
	Progress func(string)
}

// DefaultTimeout is many times what any step takes on two cores.
const DefaultTimeout = 2 * time.Minute

type runner struct {
	lab      layout.Lab
	machine  *Machine
	paths    Programs
	timeout  time.Duration
	progress func(string)
	options  components.Options
	clients  map[string]*supervisor.Client
	config   *rest.Config
	kube     kubernetes.Interface
}

// Up brings a lab up, over whatever is left of an earlier one with its name, and returns
// when the cluster works: both nodes Ready, DNS answering. If it fails or ctx ends, it
// takes down what it made, and keeps the logs of a failure.
func Up(ctx context.Context, o Options) (layout.Lab, error) {
	lab := layout.Lab{Name: o.Name}
	if err := layout.CheckName(o.Name); err != nil {
		return lab, err
	}
	machine, err := Examine()
	var cannot *CannotRunError
	if o.Install && errors.As(err, &cannot) && cannot.OnlyPackages {
		if err := Install(ctx, machine.Missing, o.Progress); err != nil {
			return lab, err
		}
		machine, err = Examine()
	}
	if err != nil {
		return lab, err
	}
	unlock, err := lock(lab.RunDir())
	if err != nil {
		return lab, err
	}
	defer func() { unlock() }()
	if err := clear(ctx, lab, machine.Hierarchies); err != nil {
		return lab, fmt.Errorf("clear the remains of lab %s: %w", o.Name, err)
	}
	unlock()
	// Only now: a lab that was up gave its own back.
	if err := checkWatchers(); err != nil {
		return lab, err
	}
	if unlock, err = lock(lab.RunDir()); err != nil {
		return lab, err
	}
	if o.IPv4Only {
		machine.IPv6, machine.WhyNoIPv6 = false, "as asked"
	}
	lab.IPv6 = machine.IPv6
	if lab, err = claimSlot(lab); err != nil {
		return lab, err
	}
	if !lab.IPv6 {
		o.Progress("IPv4 only: " + machine.WhyNoIPv6)
	}
	r := &runner{lab: lab, machine: machine, paths: o.Programs, timeout: o.Timeout, progress: o.Progress}
	if r.timeout == 0 {
		r.timeout = DefaultTimeout
	}
	if err := r.up(ctx); err != nil {
		return lab, r.abandon(err)
	}
	return lab, nil
}

// abandon takes a half-made lab down. Its logs are named in the error, so they are kept
// beside it until the next up or down of that name.
func (r *runner) abandon(cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	kept := r.keepLogs(cause)
	if err := clear(ctx, r.lab, r.machine.Hierarchies); err != nil {
		return errors.Join(cause, fmt.Errorf("take the half-made lab down: %w", err))
	}
	if kept != nil {
		kept()
	}
	return cause
}

// keepLogs reads the logs of a failure so that they can be written again after the lab
// was cleared away.
func (r *runner) keepLogs(cause error) func() {
	var failure *LogError
	if !errors.As(cause, &failure) {
		return nil
	}
	data, err := os.ReadFile(failure.Log)
	if err != nil {
		return nil
	}
	// Resolve the text now: it quotes the log, which is about to go.
	failure.text = failure.Error()
	return func() {
		if os.MkdirAll(filepath.Dir(failure.Log), 0o755) == nil {
			_ = os.WriteFile(failure.Log, data, 0o600)
		}
	}
}

func (r *runner) up(ctx context.Context) error {
	start := time.Now()
	step := func(text string) { r.progress(fmt.Sprintf("%4.1fs  %s", time.Since(start).Seconds(), text)) }
	if err := r.prepare(); err != nil {
		return err
	}
	step("starting two nodes on " + r.lab.NodeNet4().Masked().String())
	hosts, err := r.startHosts(ctx)
	if err != nil {
		return err
	}
	if err := network.Up(r.lab, hosts); err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.startImages(gctx) })
	group.Go(func() error { return r.startNodes(gctx, hosts) })
	group.Go(func() error { return r.startAPI(gctx) })
	if err := group.Wait(); err != nil {
		return err
	}
	step("API server ready at " + r.lab.APIServer() + ", images pushed to " + r.lab.Registry())
	if err := r.startRest(ctx); err != nil {
		return err
	}
	if err := r.createObjects(ctx); err != nil {
		return err
	}
	if err := r.waitNodes(ctx); err != nil {
		return err
	}
	step("nodes Ready: " + strings.Join(layout.Nodes(), ", "))
	if err := r.waitDNS(ctx); err != nil {
		return err
	}
	step("cluster DNS answers at " + layout.ClusterDNS.String())
	return nil
}

// prepare writes every file that the hosts and components need.
func (r *runner) prepare() error {
	r.options = components.Options{
		Containerd:  r.machine.Programs["containerd"],
		Nft:         r.machine.Programs["nft"],
		Snapshotter: "overlayfs",
	}
	r.clients = map[string]*supervisor.Client{}
	dirs := []string{r.lab.RunDir(), r.lab.PKI(""), r.lab.StateDir(), filepath.Dir(r.lab.Log("", ""))}
	for _, host := range layout.Hosts() {
		dirs = append(dirs, r.lab.HostRunDir(host), r.lab.HostVar(host))
		r.clients[host] = supervisor.NewClient(host, r.lab.Socket(host))
	}
	dirs = append(dirs, filepath.Join(r.lab.HostVar(layout.Outside), "lib", "registry"))
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	r.options.Snapshotter = snapshotter(r.lab.StateDir())
	if err := writeKeys(r.lab); err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	for _, node := range layout.Nodes() {
		for path, content := range components.NodeFiles(r.lab, node, r.options) {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			// Executable, since one of them is a plugin.
			if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
				return err
			}
		}
		if err := cgroup.Create(r.machine.Hierarchies, r.lab.Cgroup(node)); err != nil {
			return &CannotRunError{Reasons: []string{err.Error()}}
		}
	}
	return nil
}

func (r *runner) client(host string) *supervisor.Client { return r.clients[host] }

func (r *runner) startHosts(ctx context.Context) ([]network.Host, error) {
	names := layout.Hosts()
	hosts := make([]network.Host, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() (err error) {
			hosts[i], err = r.startHost(ctx, name)
			return err
		})
	}
	return hosts, group.Wait()
}

func (r *runner) start(ctx context.Context, host string, list ...supervisor.Component) error {
	for _, c := range list {
		if err := r.client(host).Start(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) startImages(ctx context.Context) error {
	err := r.start(ctx, layout.Outside,
		components.RegistryComponent(r.lab),
		components.ExternalHostComponent(r.lab))
	if err != nil {
		return err
	}
	if err := r.until(ctx, "the registry to listen", func(ctx context.Context) (bool, error) {
		return dials(ctx, r.lab.Registry()) && dials(ctx, r.lab.PrivateRegistryAddr()), nil
	}); err != nil {
		return err
	}
	return PushImages(ctx, r.lab, r.paths)
}

// startNodes starts what a node needs before there is an API server.
func (r *runner) startNodes(ctx context.Context, hosts []network.Host) error {
	for _, h := range hosts {
		if h.Name == layout.Outside {
			continue
		}
		if err := inHost(ctx, h.PID, components.Masquerade(r.lab, h.Name, r.options)...); err != nil {
			return fmt.Errorf("rules of node %s: %w", h.Name, err)
		}
	}
	for _, node := range layout.Nodes() {
		if err := r.start(ctx, node, components.ContainerdComponent(r.lab, node, r.options)); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) startAPI(ctx context.Context) error {
	err := r.start(ctx, layout.ControlPlane, components.EtcdComponent(r.lab), components.APIServerComponent(r.lab))
	if err != nil {
		return err
	}
	if r.config, r.kube, err = connect(r.lab); err != nil {
		return err
	}
	return r.until(ctx, "the API server", func(ctx context.Context) (bool, error) {
		err := r.kube.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		return err == nil, nil
	})
}

// startRest starts what needs the API server.
func (r *runner) startRest(ctx context.Context) error {
	if err := r.createNodes(ctx); err != nil {
		return err
	}
	err := r.start(ctx, layout.ControlPlane,
		components.ControllerManagerComponent(r.lab), components.SchedulerComponent(r.lab))
	if err != nil {
		return err
	}
	for _, node := range layout.Nodes() {
		err := r.start(ctx, node,
			components.KubeletComponent(r.lab, node),
			components.KubeProxyComponent(r.lab, node),
			components.NetworkPolicyComponent(r.lab, node))
		if err != nil {
			return err
		}
	}
	return r.start(ctx, layout.Outside, components.LoadBalancerComponent(r.lab))
}

// until waits for a condition, and fails early when a component of the lab keeps ending.
// The longer it takes, the less often it looks: a slow machine has to do what is waited
// for with the time that looking leaves it.
func (r *runner) until(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("not within %s; on a slow machine, give --timeout more", r.timeout))
	defer cancel()
	start := time.Now()
	for {
		ok, err := done(ctx)
		if ok || err != nil {
			return err
		}
		if err := r.crashed(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-time.After(max(poll, time.Since(start)/50)):
		}
	}
}

// crashed reports a component that ended twice; once happens when it starts before what
// it depends on.
func (r *runner) crashed(ctx context.Context) error {
	for _, host := range layout.Hosts() {
		list, err := r.client(host).List(ctx)
		if err != nil {
			return err
		}
		for _, s := range list {
			if s.State == supervisor.Crashed && s.Restarts > 0 {
				return &LogError{What: fmt.Sprintf("%s on %s keeps ending (%s); its last lines:", s.Name, host, s.Exit), Log: s.Log}
			}
		}
	}
	return nil
}

func dials(ctx context.Context, addr string) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// inHost runs a short command in a host's network namespace.
func inHost(ctx context.Context, pid int, args ...string) error {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", pid), "--"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
