package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// Mark says how a verdict compares with what was seeded.
type Mark string

// The marks. Everything but MarkRight fails the bench.
const (
	MarkRight      Mark = "right"
	MarkWrong      Mark = "wrong"       // another cause, another object or field, or more than was seeded
	MarkMissed     Mark = "missed"      // nothing was named
	MarkFalseAlarm Mark = "false alarm" // a healthy Service was accused
	MarkUnproven   Mark = "not proven"  // a healthy Service, and no verdict
	MarkError      Mark = "error"       // the bench could not seed it, or ask
)

// Result is one line of the table.
type Result struct {
	IDs     []string `json:"ids"`
	Variant string   `json:"variant"`
	// Recorded says where the case was seen, if not on this cluster.
	Recorded string `json:"recorded,omitempty"`
	Mark     Mark   `json:"mark"`
	// Named are the findings of the verdict: ID, object and field.
	Named []string `json:"named,omitempty"`
	// Why says what is not as it should be.
	Why string `json:"why,omitempty"`
	// Settled is how long the steady state took, Seconds the verdict; both in seconds.
	Settled float64 `json:"settled"`
	Seconds float64 `json:"seconds"`
	// Mended says whether the fix, applied, makes verify pass, and MendWhy why not;
	// Mending is how long that took, in seconds.
	Mended  Mended  `json:"mended"`
	MendWhy string  `json:"mendWhy,omitempty"`
	Mending float64 `json:"mending,omitempty"`
	// Verdict is the file that holds the verdict's JSON.
	Verdict string `json:"verdict,omitempty"`
}

// grade compares a verdict with what a case expects. It is pure.
func grade(c *Case, v *verify.Verdict) (mark Mark, named []string, why string) {
	var found []verify.Finding
	for _, s := range v.Services {
		for _, f := range s.Findings {
			key := fmt.Sprintf("%s %s %s %s", orNone(f.ID), f.Object, f.Field, f.Severity)
			if slices.Contains(named, key) {
				continue // one cause of several Services
			}
			named = append(named, key)
			found = append(found, f)
		}
	}
	if len(c.Expect) == 0 {
		for _, f := range found {
			if f.Severity != verify.SeverityNote {
				return MarkFalseAlarm, named, f.Message
			}
		}
		switch {
		case v.State == verify.StateFailed:
			return MarkFalseAlarm, named, "failed: " + checksThat(v, verify.StateFailed)
		case v.State == verify.StateNotProven && c.NotProven == "":
			return MarkUnproven, named, checksThat(v, verify.StateNotProven)
		}
		return MarkRight, named, ""
	}
	used := map[int]bool{}
	var problems []string
	for _, e := range c.Expect {
		i := slices.IndexFunc(found, func(f verify.Finding) bool { return f.ID == e.ID })
		if i < 0 {
			problems = append(problems, e.ID+" is not named")
			continue
		}
		used[i] = true
		// The same cause may be told of several objects; the best one counts.
		for j, f := range found {
			if f.ID == e.ID && e.differs(f) == "" {
				i, used[j] = j, true
			}
		}
		if d := e.differs(found[i]); d != "" {
			problems = append(problems, e.ID+": "+d)
		}
	}
	some := false
	for i, f := range found {
		if f.Severity == verify.SeverityNote && !used[i] {
			continue
		}
		some = true
		if !used[i] {
			problems = append(problems, fmt.Sprintf("besides: %s %s: %s", orNone(f.ID), f.Object, f.Message))
		}
	}
	switch {
	case len(problems) == 0:
		return MarkRight, named, ""
	case !some:
		state := "verified"
		if v.State != verify.StateProven {
			state = string(v.State) + ": " + checksThat(v, v.State)
		}
		return MarkMissed, named, state
	}
	return MarkWrong, named, strings.Join(problems, "; ")
}

// differs says in what a finding of the right ID is not the one expected.
func (e Expect) differs(f verify.Finding) string {
	if e.Object != "" && !regexp.MustCompile("^(?:"+e.Object+")$").MatchString(f.Object.String()) {
		return fmt.Sprintf("blames %s, not %s", f.Object, e.Object)
	}
	if e.Field != "" && !regexp.MustCompile(e.Field).MatchString(f.Field) {
		return fmt.Sprintf("blames the field %q, not %s", f.Field, e.Field)
	}
	return ""
}

func orNone(id string) string {
	if id == "" {
		return "(no ID)"
	}
	return id
}

// checksThat sums up the lines of a verdict that are in a state.
func checksThat(v *verify.Verdict, state verify.State) string {
	var out []string
	for _, s := range v.Services {
		for _, c := range s.Checks {
			if c.State == state {
				out = append(out, fmt.Sprintf("%s %s: %s", s.Name, c.Name, strings.TrimSpace(c.Summary+" "+c.Needs)))
			}
		}
	}
	return strings.Join(out, "; ")
}
