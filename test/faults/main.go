// Command faults is the bench of kubectl svcx verify: it seeds faults on a real
// cluster, one a namespace, waits for their steady state, asks for the cause and
// compares it with what was seeded. Healthy Services that tools tend to accuse
// are among the cases.
//
//	go run ./test/faults --lab=faults                  # all
//	go run ./test/faults --lab=faults SVC2 healthy     # some
package main

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

//go:embed testdata
var testdata embed.FS

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = 1
	}
	os.Exit(code)
}

// bench is one run.
type bench struct {
	kubeconfig string
	lab        string // the lab's name; empty: another cluster
	run        string // marks the namespaces
	home       string // the canary's namespace
	canaryIP   string
	nodes      []string
	out        string
	image      string
	keep       bool
	catalogue  *Catalogue
	timeout    time.Duration

	kube    kubernetes.Interface
	dynamic dynamic.Interface
	mapper  meta.RESTMapper
}

// run returns the exit code: 0 when all is right, 2 when not.
func run(ctx context.Context, args []string) (int, error) {
	b := &bench{run: strings.ToLower(rand.Text()[:4])}
	flags := flag.NewFlagSet("faults", flag.ExitOnError)
	flags.StringVar(&b.lab, "lab", "", "the lab to use; without it the current cluster, and no component failures")
	flags.StringVar(&b.out, "out", "", "write verdicts and result.json to `DIR`; default: a new one")
	flags.StringVar(&b.image, "probe-image", "kubectlsvcx/svcx-probe:latest", "the probe Pods' `IMAGE`")
	flags.BoolVar(&b.keep, "keep", false, "keep the namespaces of the cases that are not right")
	flags.DurationVar(&b.timeout, "timeout", 2*time.Minute, "how long a case may take")
	parallel := flags.Int("parallel", 4, "how many cases at once")
	list := flags.Bool("list", false, "only list the cases")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: faults [flags] [ID | part of a case's name]...")
		flags.PrintDefaults()
	}
	_ = flags.Parse(args)

	sub, err := fs.Sub(testdata, "testdata")
	if err != nil {
		return 1, err
	}
	catalogue, err := loadCatalogue(sub)
	if err != nil {
		return 1, err
	}
	b.catalogue = catalogue
	all, err := loadCases(sub)
	if err != nil {
		return 1, err
	}
	var cases []*Case
	for _, c := range all {
		if c.matches(flags.Args()) {
			cases = append(cases, c)
		}
	}
	// False alarms are what matters most: they show first.
	slices.SortStableFunc(cases, func(a, b *Case) int { return min(len(a.Expect), 1) - min(len(b.Expect), 1) })
	if *list {
		for _, c := range cases {
			fmt.Printf("%-44s %s\n", c.name, c.About)
		}
		return 0, nil
	}
	if len(cases) == 0 {
		return 1, fmt.Errorf("no case is called %s; see them with --list", strings.Join(flags.Args(), " or "))
	}
	if err := b.connect(ctx); err != nil {
		return 1, err
	}
	results := b.all(ctx, cases, *parallel)
	if err := b.save(results); err != nil {
		return 1, err
	}
	if err := printTable(os.Stdout, results); err != nil {
		return 1, err
	}
	for _, r := range results {
		if r.Mark != MarkRight || r.Mended == MendedNo {
			return 2, nil
		}
	}
	return 0, ctx.Err()
}

// connect makes the clients.
func (b *bench) connect(ctx context.Context) error {
	if b.lab != "" {
		out, err := exec.CommandContext(ctx, "svcx-lab", "kubeconfig", "--path", "--name", b.lab).Output()
		if err != nil {
			return fmt.Errorf("the lab %s is not up: %w; bring it up: svcx-lab up --name %s", b.lab, err, b.lab)
		}
		b.kubeconfig = strings.TrimSpace(string(out))
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if b.kubeconfig != "" {
		rules.ExplicitPath = b.kubeconfig
	}
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return err
	}
	cfg.QPS, cfg.Burst = 200, 400
	cfg.WarningHandler = rest.NoWarnings{} // most seeds deserve them
	if b.kube, err = kubernetes.NewForConfig(cfg); err != nil {
		return err
	}
	if b.dynamic, err = dynamic.NewForConfig(cfg); err != nil {
		return err
	}
	b.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(b.kube.Discovery()))
	if b.out == "" {
		if b.out, err = os.MkdirTemp("", "svcx-faults-out-"); err != nil {
			return err
		}
	}
	return os.MkdirAll(b.out, 0o755)
}

// all runs the cases: many at once first, then those that need the cluster alone.
func (b *bench) all(ctx context.Context, cases []*Case, parallel int) []Result {
	defer b.sweep()
	started, cancel := context.WithTimeout(ctx, b.timeout)
	err := b.startCanary(started)
	cancel()
	if err != nil {
		return []Result{{Variant: canary, Mark: MarkError, Why: err.Error()}}
	}
	var mu sync.Mutex
	var results []Result
	one := func(c *Case) {
		r := b.one(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		results = append(results, r)
		if err := b.save(results); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		why := r.Why
		if r.Mended == MendedNo {
			why = strings.TrimSpace(why + " not mended: " + r.MendWhy)
		}
		fmt.Fprintf(os.Stderr, "%3d/%d  %-11s  %5.1f s  %-7s  %s  %s\n", len(results), len(cases), r.Mark, r.Seconds, r.Mended, c.name, shorten(why, 200))
	}
	var wg sync.WaitGroup
	places := make(chan struct{}, parallel)
	for _, c := range cases {
		if c.Alone || ctx.Err() != nil {
			continue
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			one(c)
		})
	}
	wg.Wait()
	for _, c := range cases {
		if c.Alone && ctx.Err() == nil {
			one(c)
		}
	}
	return results
}

// one seeds a case, asks, grades and removes it.
func (b *bench) one(parent context.Context, c *Case) (r Result) {
	r = Result{IDs: c.IDs(), Variant: c.name, Recorded: c.Recorded, Mark: MarkError, Mended: MendedNone}
	ctx, cancel := context.WithTimeout(parent, b.timeout)
	defer cancel()
	if c.Recorded != "" {
		b.judge(ctx, c, &r, "")
		return r
	}
	ns := strings.ToLower(c.name) + "-" + b.run
	if len(ns) > 50 {
		ns = ns[:45] + "-" + b.run
	}
	start := time.Now()
	undo, err := b.seed(ctx, c, ns)
	defer func() {
		// Also after an interrupt, the cluster is left as it was.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), 30*time.Second)
		defer cancel()
		for i := len(undo) - 1; i >= 0; i-- {
			if err := undo[i](ctx); err != nil {
				r.Mark, r.Why = MarkError, "undo: "+err.Error()
			}
		}
		if b.keep && r.Mark != MarkRight {
			return
		}
		if err := b.remove(ctx, c, ns); err != nil {
			r.Why = strings.TrimSpace(r.Why + " remove: " + err.Error())
		}
	}()
	if err != nil {
		r.Why = err.Error()
		return r
	}
	r.Settled = time.Since(start).Seconds()
	b.judge(ctx, c, &r, ns)
	if r.Mark != MarkRight || len(c.Expect) == 0 || r.Mended == MendedByHand {
		return r
	}
	ctx, cancelMend := context.WithTimeout(parent, b.timeout)
	defer cancelMend()
	start = time.Now()
	r.Mended, r.MendWhy = b.mend(ctx, c, ns)
	r.Mending = time.Since(start).Seconds()
	return r
}

// judge asks for the cause of a case and grades the answer.
func (b *bench) judge(ctx context.Context, c *Case, r *Result, ns string) {
	v, raw, seconds, err := b.ask(ctx, c, ns)
	r.Seconds = seconds
	r.Verdict = filepath.Join(b.out, c.name+".json")
	if werr := os.WriteFile(r.Verdict, []byte(raw), 0o644); werr != nil {
		r.Why = werr.Error()
		return
	}
	if err != nil {
		// A fault at which verify gives up is not named.
		if r.Why = err.Error(); len(c.Expect) > 0 && ctx.Err() == nil {
			r.Mark = MarkMissed
		}
		return
	}
	r.Mark, r.Named, r.Why = grade(c, v)
	if r.Mark != MarkRight || len(c.Expect) == 0 {
		return
	}
	if r.MendWhy = b.catalogue.byHand(c, v); r.MendWhy != "" {
		r.Mended = MendedByHand
	}
}

// ask asks for the cause of a case.
func (b *bench) ask(ctx context.Context, c *Case, ns string) (v *verify.Verdict, raw string, seconds float64, err error) {
	if c.Recorded != "" {
		return b.askRecord(ctx, c)
	}
	dir := ""
	if c.Tree != "" {
		if dir, err = b.writeTree(c, ns); err != nil {
			return nil, "", 0, err
		}
		defer os.RemoveAll(dir)
	}
	return b.verify(ctx, c, ns, dir)
}

// verify runs kubectl svcx verify, with the tree in dir unless that is empty.
func (b *bench) verify(ctx context.Context, c *Case, ns, dir string, more ...string) (v *verify.Verdict, raw string, seconds float64, err error) {
	args := []string{"svcx", "verify", "-n", ns, "--in-cluster", "--probe-image", b.image, "-o", "json"}
	if dir != "" {
		args = append(args, "-k", dir)
	}
	// The case's own flags come last, and win.
	return b.verdict(ctx, slices.Concat(args, b.place(ns).filled(c.Verify), more)...)
}

// askRecord has a snapshot judged again.
func (b *bench) askRecord(ctx context.Context, c *Case) (v *verify.Verdict, raw string, seconds float64, err error) {
	data, err := testdata.ReadFile("testdata/recorded/" + c.name + ".json")
	if err != nil {
		return nil, "", 0, err
	}
	file := filepath.Join(b.out, c.name+".snapshot.json")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return nil, "", 0, err
	}
	return b.verdict(ctx, "svcx", "verify", "--snapshot", file, "-o", "json")
}

// verdict runs kubectl and reads the verdict that it prints.
func (b *bench) verdict(ctx context.Context, args ...string) (v *verify.Verdict, raw string, seconds float64, err error) {
	start := time.Now()
	raw, code, err := b.command(ctx, "kubectl", args...)
	seconds = time.Since(start).Seconds()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || code == 1) {
		return nil, raw, seconds, fmt.Errorf("kubectl %s: exit %d: %s", strings.Join(args, " "), code, shorten(strings.TrimSpace(raw), 400))
	}
	v = &verify.Verdict{}
	if err := json.NewDecoder(strings.NewReader(raw)).Decode(v); err != nil {
		return nil, raw, seconds, fmt.Errorf("the verdict is no JSON: %w", err)
	}
	return v, raw, seconds, nil
}

// keepText keeps what a step printed beside the verdicts.
func (b *bench) keepText(name, text string) {
	if err := os.WriteFile(filepath.Join(b.out, name), []byte(text), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
}

// sweep removes what is left of this run.
func (b *bench) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if b.home != "" {
		zero := int64(0)
		_ = b.kube.CoreV1().Namespaces().Delete(ctx, b.home, metav1.DeleteOptions{GracePeriodSeconds: &zero})
	}
}

// save writes the results as JSON.
func (b *bench) save(results []Result) error {
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.out, "result.json"), append(data, '\n'), 0o644)
}
