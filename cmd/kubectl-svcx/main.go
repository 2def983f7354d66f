// Command kubectl-svcx is the kubectl plugin "kubectl svcx": it generates,
// applies and verifies Kubernetes Services.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-svcx/kubectl-svcx/cmd/kubectl-svcx/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; from then on signals have their
	// default effect again, so that a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(cli.Main(ctx, os.Args[1:], streams, os.Getenv))
}
