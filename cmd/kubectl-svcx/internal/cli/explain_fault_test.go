package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

func TestExplainFault(t *testing.T) {
	list, err := verify.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, written := range []string{"SVC201", "svc201", "201"} {
		var b bytes.Buffer
		if err := explainFault(&b, list, written); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		text := b.String()
		for _, want := range []string{"SVC201  no container declares", "How it is told from its neighbours\n  ", "How to mend it\n  "} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", written, want, text)
			}
		}
		for line := range strings.Lines(text) {
			if len(strings.TrimRight(line, "\n")) > foldWidth {
				t.Errorf("%s: a line is too long: %q", written, line)
			}
		}
	}
	if err := explainFault(&bytes.Buffer{}, list, "SVC299"); err == nil || !strings.Contains(err.Error(), "there is no fault") {
		t.Errorf("SVC299: %v", err)
	}
	var b bytes.Buffer
	if err := listFaults(&b, list); err != nil || strings.Count(b.String(), "  SVC") != len(list) {
		t.Errorf("%v, %d lines for %d faults", err, strings.Count(b.String(), "  SVC"), len(list))
	}
}
