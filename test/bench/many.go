package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"
)

// sizes are how many apps are generated in one run, each with two overlays of
// environments beside those of the Service types.
var sizes = []int{1000, 2000, 5000}

const manySpec = `apiVersion: svcx/v1alpha1
kind: App
metadata: {name: app-%d}
spec:
  workload: {image: "redis:alpine"}
  service: {}
  overlays:
  - {name: dev, namespace: dev}
  - {name: prod, type: LoadBalancer, namespace: prod, replicas: 3}
`

// many generates the trees of many apps at once: for the first time, and again
// when nothing has changed.
func many(ctx context.Context, w io.Writer, plugin, work string) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "\nAPPS (goal: 1000 in 3 s and 200 MB, linear to 5000)\tWALL\tCPU\tMB\tCPU AN APP\tRATIO TO %d\n", sizes[0])
	least := map[string]time.Duration{} // the CPU time of an app among the fewest
	for _, n := range sizes {
		dir := filepath.Join(work, fmt.Sprint(n))
		for i := range n {
			app := filepath.Join(dir, fmt.Sprintf("app-%d", i))
			if err := os.MkdirAll(app, 0o777); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(app, "svcx.yaml"), fmt.Appendf(nil, manySpec, i), 0o666); err != nil {
				return err
			}
		}
		for _, what := range []string{"generated", "again, unchanged"} {
			cmd := exec.CommandContext(ctx, plugin, "generate", "-f", dir, "-R")
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			start := time.Now()
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%v: %w\n%s", cmd.Args, err, said.String())
			}
			wall, cpu := time.Since(start), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
			usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
			if !ok {
				return fmt.Errorf("this system does not say how much memory a process took")
			}
			each := cpu / time.Duration(n)
			if n == sizes[0] {
				least[what] = each
			}
			fmt.Fprintf(out, "%d, %s\t%.2f s\t%.2f s\t%d\t%s\t%.2f\n", n, what, wall.Seconds(), cpu.Seconds(), usage.Maxrss>>10, milli(each), float64(each)/float64(least[what]))
		}
		// The trees stay until all are measured: ext4 is slow to make files just after
		// many were removed, as it uses none of their inodes for some seconds.
	}
	return out.Flush()
}
