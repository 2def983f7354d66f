package report

import (
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// Standing is where one Service stands: its state, and why in one line. It
// leaves out what differs from run to run, such as latencies.
type Standing struct {
	State  verify.State
	IDs    string
	Reason string
}

// Standings sums up a verdict by namespace/name.
func Standings(v *verify.Verdict) map[string]Standing {
	out := map[string]Standing{}
	for i := range v.Services {
		s := &v.Services[i]
		var ids []string
		for _, f := range s.Findings {
			if f.Severity != verify.SeverityNote {
				ids = append(ids, clean(f.ID))
			}
		}
		slices.Sort(ids)
		st := Standing{State: s.State, IDs: strings.Join(ids, ",")}
		if s.State != verify.StateProven || len(ids) > 0 {
			st.Reason = reason(s)
		}
		out[clean(s.Namespace)+"/"+clean(s.Name)] = st
	}
	return out
}

// Transitions writes one line for each Service that stands elsewhere than
// before: when, which, from what to what, and why. what names the object whose
// change led to it; it may be empty.
func Transitions(w io.Writer, before, now map[string]Standing, at time.Time, what string, o Options) error {
	c := newCanvas(o)
	keys := map[string]bool{}
	for k := range before {
		keys[k] = true
	}
	for k := range now {
		keys[k] = true
	}
	when := at.Format("15:04:05")
	if what != "" {
		what = "  (after a change of " + clean(what) + ")"
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		was, had := before[k]
		is, has := now[k]
		if was == is && had == has {
			continue
		}
		lead := when + "  " + k + "  "
		from, to, sgr := "new", "GONE", yellow
		if had {
			from, _ = word(was.State)
		}
		if has {
			to, sgr = word(is.State)
		}
		if from != to {
			lead += from + " → "
		}
		text := strings.TrimLeft(is.Reason+what, " ")
		width := cols(lead+to) + 2
		lead += c.paint(sgr, to)
		if c.Width == 0 || width+cols(text) <= c.Width {
			c.line(lead, "  ", text)
			continue
		}
		const under = len("15:04:05  ")
		c.line(lead)
		c.hang(strings.Repeat(" ", under), under, text)
	}
	return c.flush(w)
}
