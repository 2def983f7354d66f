//go:build linux

// Command svcx-lab brings a real Kubernetes cluster up and down on one Linux machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/lab"
)

// Exit codes.
const (
	exitError     = 1
	exitUsage     = 2
	exitCannotRun = 4 // no lab can run on this machine as it is
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	var cannot *lab.CannotRunError
	var usage *usageError
	switch {
	case errors.As(err, &cannot):
		os.Exit(exitCannotRun)
	case errors.As(err, &usage):
		os.Exit(exitUsage)
	}
	os.Exit(exitError)
}
