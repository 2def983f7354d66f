// Command svcx-probe asks the network questions that it is given and writes
// what it saw. It is what the probe Pods of kubectl svcx run.
//
// It says hello first. The list comes through the environment (see package probe) or, with
// --stdin, as a JSON array on stdin. One JSON object a line goes to stdout for
// each outcome, then a last line with the count. It exits with 0 when all
// questions have been asked, whatever the answers; 1 when there was no list.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Set by the linker.
var (
	version = "dev"
	commit  = "unknown"
	date    = "unknown"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	fromStdin := false
	for _, arg := range args {
		switch arg {
		case "--version", "version":
			fmt.Fprintf(stdout, "svcx-probe %s (commit %s, %s, %s %s/%s)\n", version, commit, date, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return 0
		case "--stdin":
			fromStdin = true
		default:
			fmt.Fprintf(stderr, "error: unknown argument %q; usage: svcx-probe [--version | --stdin]\n", arg)
			return 1
		}
	}
	out := bufio.NewWriter(stdout)
	enc := json.NewEncoder(out)
	_ = enc.Encode(probe.Hello{Prober: probe.ProberName, Version: version})
	_ = out.Flush()
	probes, err := list(fromStdin, getenv, stdin)
	if err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		_ = enc.Encode(probe.End{End: true, Version: version, Error: err.Error()})
		_ = out.Flush()
		return 1
	}
	count := 0
	probe.Run(ctx, probes, probe.Options{Getenv: getenv}, func(o probe.Outcome) {
		count++
		_ = enc.Encode(o)
	})
	_ = enc.Encode(probe.End{End: true, Count: count, Version: version})
	if err := out.Flush(); err != nil {
		fmt.Fprintf(stderr, "error: writing the outcomes: %v\n", err)
		return 1
	}
	return 0
}

func list(fromStdin bool, getenv func(string) string, stdin io.Reader) ([]probe.Probe, error) {
	if !fromStdin {
		return probe.Decode(getenv)
	}
	var probes []probe.Probe
	if err := json.NewDecoder(stdin).Decode(&probes); err != nil {
		return nil, fmt.Errorf("reading the probe list from stdin: %w", err)
	}
	return probes, nil
}
