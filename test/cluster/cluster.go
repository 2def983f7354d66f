// Package cluster gives tests the cluster they run on: hack/test.sh names it.
package cluster

import (
	"os"
	"strconv"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Kubeconfig returns the path of the cluster's kubeconfig. A run without one is a
// mistake, not a reason to skip.
func Kubeconfig(t *testing.T) string {
	t.Helper()
	return variable(t, "SVCX_E2E_KUBECONFIG")
}

// PrivateImage returns an image that the cluster can pull with a password only.
func PrivateImage(t *testing.T) string {
	t.Helper()
	return variable(t, "SVCX_E2E_PRIVATE_IMAGE")
}

// ProbeImage returns the image of svcx-probe that the cluster can pull.
func ProbeImage(t *testing.T) string {
	t.Helper()
	return variable(t, "SVCX_E2E_PROBE_IMAGE")
}

func variable(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run these tests with make test", name)
	}
	return value
}

// Config returns how to connect to the cluster as its administrator.
func Config(t *testing.T) *rest.Config {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Seed returns what a test's random numbers begin with, another in each run. Its log
// says what to set SVCX_E2E_SEED to for the same ones.
func Seed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("SVCX_E2E_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("SVCX_E2E_SEED=%d", seed)
	return seed
}
