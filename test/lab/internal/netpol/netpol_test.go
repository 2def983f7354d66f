package netpol

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/knftables"
)

// countingNFT counts transactions, and fails the first ones when told to.
type countingNFT struct {
	knftables.Interface
	runs, fail atomic.Int32
}

func (n *countingNFT) Run(ctx context.Context, tx *knftables.Transaction) error {
	if n.fail.Add(-1) >= 0 {
		return errors.New("nft is not itself today")
	}
	n.runs.Add(1)
	return n.Interface.Run(ctx, tx)
}

func TestRunFollowsTheCluster(t *testing.T) {
	client := fake.NewClientset()
	for _, p := range worldPods() {
		if p.Name == "ended" {
			continue
		}
		if err := client.Tracker().Add(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range worldNamespaces() {
		if err := client.Tracker().Add(n); err != nil {
			t.Fatal(err)
		}
	}
	inner := knftables.NewFake(knftables.InetFamily, table)
	nft := &countingNFT{Interface: inner}
	nft.fail.Store(1)
	applied := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, client, nft, Config{Node: testNode, Applied: func() { applied <- struct{}{} }})
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	next := func() {
		t.Helper()
		select {
		case <-applied:
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was applied")
		}
	}
	next() // although the first try failed

	policy := policyCase{policies: []string{`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}]}]}`}}.objects(t)[0]
	if _, err := client.NetworkingV1().NetworkPolicies("shop").Create(ctx, policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	next()
	if dump := inner.Dump(); !strings.Contains(dump, "add element inet svcx-netpol ingress4 { 10.244.0.10 : goto ") {
		t.Errorf("web is not isolated:\n%s", dump)
	}

	// What policies do not look at applies nothing; labels of a peer do.
	before := nft.runs.Load()
	api, err := client.CoreV1().Pods("shop").Get(ctx, "api", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	api.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady}}
	if api, err = client.CoreV1().Pods("shop").UpdateStatus(ctx, api, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	api.Labels = map[string]string{"app": "renamed"}
	if _, err := client.CoreV1().Pods("shop").Update(ctx, api, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	next()
	if got := nft.runs.Load(); got != before+1 {
		t.Errorf("%d transactions for one change that matters, want 1", got-before)
	}
	if dump := inner.Dump(); strings.Contains(dump, "peers4 { 10.244.0.11 }") {
		t.Errorf("the renamed peer is still admitted:\n%s", dump)
	}

	if err := client.NetworkingV1().NetworkPolicies("shop").Delete(ctx, policy.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	next()
	if dump := inner.Dump(); strings.Contains(dump, "goto") {
		t.Errorf("rules of the deleted policy are left:\n%s", dump)
	}
}
