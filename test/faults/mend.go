package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// Mended says whether the fix of a finding, written into a tree and applied,
// makes the same verification pass.
type Mended string

// The answers. MendedNo fails the bench.
const (
	MendedYes    Mended = "yes"
	MendedNo     Mended = "no"
	MendedByHand Mended = "by hand" // no manifest that can be derived mends it; the data says why
	MendedNone   Mended = "-"       // nothing to mend, or the cause was not named right
)

// applied are faults whose fix is to apply the tree as it is: nothing is written.
var applied = []string{"SVC209", "SVC801", "SVC802"}

// byHand says why no fix of a case can be derived, or "". What its ID has none for may
// have one in this case: where verify offers a patch, that has to mend.
func (c *Catalogue) byHand(of *Case, v *verify.Verdict) string {
	if of.ByHand != "" {
		return of.ByHand
	}
	if of.Recorded != "" {
		return "what was seen is recorded; there is nothing to mend"
	}
	if patched(v) {
		return ""
	}
	for _, id := range of.IDs() {
		if why := c.ByHand[id]; why != "" {
			return why
		}
	}
	return ""
}

// patched reports whether all that was found has a patch.
func patched(v *verify.Verdict) bool {
	found := false
	for _, s := range v.Services {
		for _, f := range s.Findings {
			if f.Severity == verify.SeverityNote {
				continue
			}
			if found = true; f.Fix == nil || f.Fix.Patch == "" {
				return false
			}
		}
	}
	return found
}

// mend writes the objects of a case as a kustomization, lets verify --fix change
// it, applies it, waits for the steady state, and verifies again.
func (b *bench) mend(ctx context.Context, c *Case, ns string) (Mended, string) {
	dir, err := b.writeTree(c, ns)
	if err != nil {
		return MendedNo, err.Error()
	}
	defer os.RemoveAll(dir)
	v, raw, _, err := b.verify(ctx, c, ns, dir, "--fix")
	if err != nil {
		return MendedNo, err.Error()
	}
	b.keepText(c.name+".fix.json", raw)
	if why := unwritten(v); why != "" {
		return MendedNo, why
	}
	// The tree names its namespaces itself, which may be several.
	if err := b.kubectl(ctx, "svcx", "apply", "-k", dir, "--yes", "--force-conflicts"); err != nil {
		return MendedNo, err.Error()
	}
	if err := errors.Join(b.running(ctx, c, ns), b.listening(ctx, ns), b.slicesCurrent(ctx, ns), b.proxiesCurrent(ctx, ns+"-m")); err != nil {
		return MendedNo, err.Error()
	}
	if v, raw, _, err = b.verify(ctx, c, ns, dir); err != nil {
		return MendedNo, err.Error()
	}
	b.keepText(c.name+".mended.json", raw)
	var left []string
	for _, s := range v.Services {
		for _, f := range s.Findings {
			if f.Severity != verify.SeverityNote {
				left = append(left, orNone(f.ID)+" "+f.Message)
			}
		}
	}
	if v.State != verify.StateProven && (c.NotProven == "" || v.State == verify.StateFailed) {
		left = append(left, checksThat(v, v.State))
	}
	if len(left) > 0 {
		return MendedNo, "after the fix: " + strings.Join(left, "; ")
	}
	return MendedYes, ""
}

// unwritten says which finding has left the tree as it was, or "". Applying an
// unchanged tree mends nothing, unless that is the fix.
func unwritten(v *verify.Verdict) string {
	written := false
	done := map[string]bool{} // a cause that several Services share is mended once
	for _, s := range v.Services {
		for _, f := range s.Findings {
			if f.Fix != nil && done[f.Object.String()+f.Fix.Patch] {
				continue
			}
			switch {
			case f.Severity == verify.SeverityNote:
			case slices.Contains(applied, f.ID), f.Fix != nil && strings.HasPrefix(f.Fix.Summary, "apply the tree"):
				written = true
			case written && f.Fix != nil && strings.HasSuffix(f.Fix.Summary, "above holds it"):
				// Another Service's finding has the same fix; what verify says in the end counts.
			case f.Fix == nil || f.Fix.Patch == "":
				return fmt.Sprintf("%s has no patch", orNone(f.ID))
			case len(f.Fix.Edits) == 0:
				return fmt.Sprintf("the patch of %s: %s", orNone(f.ID), f.Fix.Unlocated)
			default:
				written = true
				done[f.Object.String()+f.Fix.Patch] = true
			}
		}
	}
	if !written {
		return "with the tree, verify finds nothing to mend"
	}
	return ""
}
