//go:build !linux

// Command svcx-lab brings a real Kubernetes cluster up and down on one Linux machine.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "error: the lab cannot run on this machine: it needs Linux\n"+
		"use a cluster of your own instead: SVCX_E2E_CONTEXT=NAME make test, or CONTEXT=NAME make demo")
	os.Exit(4)
}
