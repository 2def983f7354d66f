// Command svcx-probe asks the network questions that it is given and writes
// what it saw. It is what the probe Pods of kubectl svcx run.
//
// It says hello first. The list comes through the environment (see package probe) or, with
// --stdin, as a JSON array on stdin. One JSON object a line goes to stdout for
// each outcome, then a last line with the count. It exits with 0 when all
// questions have been asked, whatever the answers; 1 when there was no list.
//
// In a container that nobody can remove, two flags see to it that it ends:
// --attended stops asking when stdin ends, which it does when whoever started it
// is gone, and --within=DURATION bounds it in any case, waiting for the list
// included.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Set by the linker.
var (
	version = "dev"
	commit  = "unknown"
	date    = "unknown"
)

// Thousands of questions leave much behind that is soon garbage, and a process
// that lives for seconds has room for it: to collect it at every few MB costs more
// than it is worth. The limit is half of what a probe Pod may use.
const (
	gcPercent   = 400
	memoryLimit = 32 << 20 // bytes
)

func main() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	logging.Disable() // it would repeat what servers send as it is
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "error: %v; usage: svcx-probe [--version | --stdin [--attended]] [--within=DURATION]\n", err)
		return 1
	}
	if o.version {
		fmt.Fprintf(stdout, "svcx-probe %s (commit %s, %s, %s %s/%s)\n", version, commit, date, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return 0
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.within > 0 {
		ctx, cancel = context.WithTimeout(ctx, o.within)
		defer cancel()
	}
	out := bufio.NewWriter(stdout)
	enc := json.NewEncoder(out)
	_ = enc.Encode(probe.Hello{Prober: probe.ProberName, Version: version})
	_ = out.Flush()
	probes, err := o.list(ctx, getenv, stdin, cancel)
	if err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		_ = enc.Encode(probe.End{End: true, Version: version, Error: err.Error()})
		_ = out.Flush()
		return 1
	}
	count, start := 0, time.Now()
	probe.Run(ctx, probes, probe.Options{Getenv: getenv}, func(o probe.Outcome) {
		count++
		_ = enc.Encode(o)
	})
	_ = enc.Encode(probe.End{End: true, Count: count, Version: version, Seconds: time.Since(start).Seconds()})
	if err := out.Flush(); err != nil {
		fmt.Fprintf(stderr, "error: writing the outcomes: %v\n", err)
		return 1
	}
	return 0
}

// options are what the arguments say.
type options struct {
	version, stdin, attended bool
	within                   time.Duration
}

func parse(args []string) (o options, err error) {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch {
		case arg == "--version", arg == "version":
			o.version = true
		case arg == "--stdin":
			o.stdin = true
		case arg == "--attended":
			o.attended = true
		case name == "--within":
			if o.within, err = time.ParseDuration(value); err != nil || o.within <= 0 {
				return o, fmt.Errorf("--within: %q is no duration, such as 90s", value)
			}
		default:
			return o, fmt.Errorf("unknown argument %q", arg)
		}
	}
	if o.attended && !o.stdin {
		return o, errors.New("--attended needs --stdin")
	}
	return o, nil
}

// list reads the questions. Where the run is attended, gone is called when
// stdin ends. A read cannot be given up: at the end of ctx it is left behind,
// since the process is about to end.
func (o options) list(ctx context.Context, getenv func(string) string, stdin io.Reader, gone func()) ([]probe.Probe, error) {
	if !o.stdin {
		return probe.Decode(getenv)
	}
	var probes []probe.Probe
	read := make(chan error, 1)
	go func() {
		read <- json.NewDecoder(stdin).Decode(&probes)
		if o.attended {
			_, _ = io.Copy(io.Discard, stdin)
			gone()
		}
	}()
	select {
	case err := <-read:
		if err != nil {
			return nil, fmt.Errorf("reading the probe list from stdin: %w", err)
		}
		return probes, nil
	case <-ctx.Done():
		return nil, errors.New("no probe list came on stdin in time")
	}
}
