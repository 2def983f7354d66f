package cli

import (
	"context"
	"errors"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// heeding is a cluster in which only some namespaces have a use for --send.
type heeding struct {
	cluster
	uses map[string]bool
	sent map[string]bool
}

func (h *heeding) Verify(_ context.Context, t verify.Target, o verify.Options) (*verify.Verdict, error) {
	if o.Send != "" && !h.uses[t.Namespace] {
		return nil, &verify.UnusedError{Flag: "send"}
	}
	h.sent[t.Namespace] = o.Send != ""
	return &verify.Verdict{Services: []verify.ServiceVerdict{{Namespace: t.Namespace, Name: "web"}}}, nil
}

// TestUnusedInSomeNamespaces: what says how to ask has to be heeded in one namespace of
// several, and not in each.
func TestUnusedInSomeNamespaces(t *testing.T) {
	targets := []verify.Target{{Namespace: "a"}, {Namespace: "b"}, {Namespace: "c"}}
	h := &heeding{uses: map[string]bool{"b": true}, sent: map[string]bool{}}
	var all verify.Verdict
	if err := verifyEach(t.Context(), h, targets, verify.Options{Send: "x"}, nil, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Services) != 3 || all.Services[0].Namespace != "a" || h.sent["a"] || !h.sent["b"] || h.sent["c"] {
		t.Errorf("%v, sent %v", all.Services, h.sent)
	}
	h = &heeding{sent: map[string]bool{}}
	var unused *verify.UnusedError
	if err := verifyEach(t.Context(), h, targets, verify.Options{Send: "x"}, nil, &all); !errors.As(err, &unused) {
		t.Errorf("error %v, want that --send has no use anywhere", err)
	}
}
