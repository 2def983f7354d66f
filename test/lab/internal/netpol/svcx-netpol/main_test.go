package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/netpol/attach"
)

const previous = `{"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.244.0.7/32"},{"version":"6","address":"fd44::7/128"}]}`

// plugin runs the plugin as a container runtime does.
func plugin(t *testing.T, command, stdin string) (stdout, stderr string, err error) {
	t.Helper()
	env := map[string]string{"CNI_COMMAND": command, "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=u1"}
	var out, errs bytes.Buffer
	err = run(t.Context(), func(name string) string { return env[name] }, strings.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), err
}

func TestAddTellsAndPassesTheResultOn(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan attach.Attachment, 1)
	done := make(chan error, 1)
	go func() {
		done <- attach.Serve(ctx, socket, func(_ context.Context, a attach.Attachment) error { got <- a; return nil })
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	config := fmt.Sprintf(`{"cniVersion":"0.4.0","socket":%q,"prevResult":%s}`, socket, previous)
	// Serve may not listen yet; then the plugin carries on with a word on stderr.
	for deadline := time.Now().Add(10 * time.Second); ; {
		stdout, stderr, err := plugin(t, "ADD", config)
		if err != nil || stdout != previous {
			t.Fatalf("printed %q, error %v; want the result of before", stdout, err)
		}
		if stderr == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(stderr)
		}
	}
	a := <-got
	if fmt.Sprint(a) != "{shop web u1 [10.244.0.7 fd44::7]}" {
		t.Errorf("told %v", a)
	}
}

func TestAddCarriesOnWhenNobodyAnswers(t *testing.T) {
	config := fmt.Sprintf(`{"cniVersion":"0.4.0","socket":%q,"prevResult":%s}`, filepath.Join(t.TempDir(), "none"), previous)
	stdout, stderr, err := plugin(t, "ADD", config)
	if err != nil || stdout != previous || !strings.Contains(stderr, "Pod shop/web") {
		t.Errorf("printed %q, %q, error %v", stdout, stderr, err)
	}
}

func TestOtherCommands(t *testing.T) {
	if stdout, _, err := plugin(t, "VERSION", "{}"); err != nil || !json.Valid([]byte(stdout)) || !strings.Contains(stdout, "0.4.0") {
		t.Errorf("VERSION printed %q, %v", stdout, err)
	}
	for _, command := range []string{"DEL", "CHECK"} {
		if stdout, _, err := plugin(t, command, "{}"); err != nil || stdout != "" {
			t.Errorf("%s printed %q, %v", command, stdout, err)
		}
	}
	if _, _, err := plugin(t, "ADD", "{"); err == nil {
		t.Error("a broken configuration is no error")
	}
}
