// Command bench measures the plugin side by side with what a user would run
// instead, in one run, and prints ratios. It never fails for being slow: figures
// depend on the machine, and are there to be read.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

// comparison is one thing done in two ways, each by commands one after the other.
type comparison struct {
	what         string
	ours, theirs [][]string
	goal         float64 // ours/theirs to stay at or below
	dir          string  // where the commands run, made new for each; the current one when empty
}

const rounds = 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	plugin, kubectl := filepath.Join(bin, "kubectl-svcx"), os.Getenv("KUBECTL")
	if kubectl == "" {
		return errors.New("KUBECTL does not name the kubectl to compare with: run make bench")
	}
	work, err := os.MkdirTemp("", "svcx-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "COMPARED (best/median of %d)\tOURS\tTHEIRS\tRATIO\tGOAL\n", rounds)
	for _, c := range []comparison{
		{what: "start-up: version --client", ours: [][]string{{plugin, "version", "--client"}}, theirs: [][]string{{kubectl, "version", "--client"}}, goal: 0.35},
		{what: "one app: generate with five overlays; create deployment + create service", dir: filepath.Join(work, "one"), goal: 1,
			ours: [][]string{{plugin, "generate", "redis", "--image=redis:alpine", "--replicas=2", "--port=6379", "--external-name=server.example.com"}},
			theirs: [][]string{{kubectl, "create", "deployment", "redis", "--image=redis:alpine", "--replicas=2", "--port=6379", "--dry-run=client", "-o", "yaml"},
				{kubectl, "create", "service", "clusterip", "redis", "--tcp=6379:6379", "--dry-run=client", "-o", "yaml"}}},
	} {
		if err := c.measure(ctx, out); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return many(ctx, os.Stdout, plugin, work)
}

// cost is what one run of a command took.
type cost struct{ wall, cpu time.Duration }

// measure runs both commands in turn, so that whatever else the machine does
// falls on both, and writes a line for wall and CPU time each.
func (c comparison) measure(ctx context.Context, out *tabwriter.Writer) error {
	var ours, theirs []cost
	for range rounds {
		for _, side := range []struct {
			commands [][]string
			into     *[]cost
		}{{c.ours, &ours}, {c.theirs, &theirs}} {
			if c.dir != "" {
				if err := errors.Join(os.RemoveAll(c.dir), os.Mkdir(c.dir, 0o777)); err != nil {
					return err
				}
			}
			var all cost
			for _, argv := range side.commands {
				cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
				cmd.Dir = c.dir
				start := time.Now()
				if err := cmd.Run(); err != nil {
					return fmt.Errorf("%v: %w", argv, err)
				}
				all.wall += time.Since(start)
				all.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			}
			*side.into = append(*side.into, all)
		}
	}
	for _, dimension := range []struct {
		name string
		of   func(cost) time.Duration
	}{{"wall", func(c cost) time.Duration { return c.wall }}, {"CPU", func(c cost) time.Duration { return c.cpu }}} {
		a, b := durations(ours, dimension.of), durations(theirs, dimension.of)
		fmt.Fprintf(out, "%s, %s\t%s / %s\t%s / %s\t%.2f / %.2f\t%.2f\n", c.what, dimension.name,
			milli(a[0]), milli(a[rounds/2]), milli(b[0]), milli(b[rounds/2]),
			float64(a[0])/float64(b[0]), float64(a[rounds/2])/float64(b[rounds/2]), c.goal)
	}
	return nil
}

// durations returns one dimension of the costs, the smallest first.
func durations(costs []cost, of func(cost) time.Duration) []time.Duration {
	all := make([]time.Duration, len(costs))
	for i, c := range costs {
		all[i] = of(c)
	}
	slices.Sort(all)
	return all
}

func milli(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
