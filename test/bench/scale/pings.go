package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// pings has one probe Pod PING as many endpoints as there are, and a shell in a
// Pod do a part of the same with redis-cli, as one would by hand.
func (b *bench) pings(ctx context.Context) error {
	if b.image == "" {
		fmt.Println("PINGs of one probe Pod: not measured: SVCX_PROBE_IMAGE does not name its image")
		return nil
	}
	probes := make([]probe.Probe, b.endpoints)
	for i := range probes {
		probes[i] = probe.Probe{ID: fmt.Sprint(i), Path: probe.PathPod, Check: probe.CheckRedis, Confirm: true, Address: net.JoinHostPort(b.pods[i%len(b.pods)], "6379")}
	}
	list, err := json.Marshal(probes)
	if err != nil {
		return err
	}
	out, err := b.kube(ctx, list, "run", "pinger", "-n", b.namespace, "--image="+b.image, "--restart=Never", "--rm", "-i", "--quiet",
		"--override-type=strategic", "--overrides="+limits, "--", "--stdin")
	if err != nil {
		return err
	}
	good, end := 0, probe.End{}
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o probe.Outcome
		if json.Unmarshal(lines.Bytes(), &o) == nil && o.Class == probe.ClassOK {
			good++
		}
		if bytes.Contains(lines.Bytes(), []byte(`"end":true`)) {
			_ = json.Unmarshal(lines.Bytes(), &end)
		}
	}
	if end.Seconds == 0 {
		return fmt.Errorf("the probe Pod did not come to its end: %.200s", out)
	}
	n := min(b.loop, b.endpoints)
	start := time.Now()
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do for ip in %s; do redis-cli -h $ip ping; i=$((i+1)); done; done", n, strings.Join(b.pods, " "))
	answers, err := b.kube(ctx, nil, "exec", "deployment/backend", "-n", b.namespace, "--", "sh", "-c", script)
	if err != nil {
		return err
	}
	byHand := time.Since(start).Seconds() * float64(b.endpoints) / float64(max(1, strings.Count(answers, "PONG")))
	fmt.Printf("PINGs of one probe Pod:     %6.2f s           %d of %d endpoints answered PONG, with role and run_id (%.0f a second)\n",
		end.Seconds, good, b.endpoints, float64(good)/end.Seconds)
	fmt.Printf("redis-cli in a shell loop:  %6.1f s           reckoned from %d; %.0f times as long\n", byHand, strings.Count(answers, "PONG"), byHand/end.Seconds)
	return nil
}

// limits are those of a probe Pod.
const limits = `{"spec":{"containers":[{"name":"pinger","resources":{"limits":{"cpu":"1","memory":"64Mi"}}}]}}`
