// Command svcx-netpol is a chained network plugin (CNI). It holds a new Pod back until
// the lab's network policies for its addresses are in force, as network plugins with
// policies of their own do. It changes nothing itself, and when nobody answers it lets
// the Pod start.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/netpol/attach"
)

// config is the plugin's part of the network configuration.
type config struct {
	CNIVersion string          `json:"cniVersion"`
	Socket     string          `json:"socket"`
	PrevResult json.RawMessage `json:"prevResult"`
}

func main() {
	if err := run(context.Background(), os.Getenv, os.Stdin, os.Stdout, os.Stderr); err != nil {
		// The format that runtimes read errors in.
		_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"cniVersion": "0.4.0", "code": 999, "msg": err.Error()})
		os.Exit(1)
	}
}

func run(ctx context.Context, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	switch getenv("CNI_COMMAND") {
	case "VERSION":
		_, err := io.WriteString(stdout, `{"cniVersion":"0.4.0","supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0"]}`+"\n")
		return err
	case "ADD":
	default:
		return nil // nothing to undo or to check
	}
	var c config
	if err := json.NewDecoder(stdin).Decode(&c); err != nil {
		return fmt.Errorf("svcx-netpol: read the configuration: %w", err)
	}
	a, err := attachment(getenv("CNI_ARGS"), c.PrevResult)
	if err != nil {
		return fmt.Errorf("svcx-netpol: %w", err)
	}
	if err := attach.Tell(ctx, c.Socket, a); err != nil {
		fmt.Fprintf(stderr, "svcx-netpol: Pod %s/%s starts without word that its policies are in force: %v\n", a.Namespace, a.Name, err)
	}
	_, err = stdout.Write(c.PrevResult)
	return err
}

// attachment reads what the plugins before have done.
func attachment(args string, result json.RawMessage) (attach.Attachment, error) {
	var previous struct {
		IPs []struct {
			Address netip.Prefix `json:"address"`
		} `json:"ips"`
	}
	if err := json.Unmarshal(result, &previous); err != nil {
		return attach.Attachment{}, fmt.Errorf("read the result of the plugin before: %w", err)
	}
	var a attach.Attachment
	for _, ip := range previous.IPs {
		a.Addrs = append(a.Addrs, ip.Address.Addr())
	}
	for pair := range strings.SplitSeq(args, ";") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "K8S_POD_NAMESPACE":
			a.Namespace = value
		case "K8S_POD_NAME":
			a.Name = value
		case "K8S_POD_UID":
			a.UID = value
		}
	}
	return a, nil
}
