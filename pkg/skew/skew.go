// Package skew tells by how much a cluster's clock differs from this machine's:
// how long something has lasted is told by both.
package skew

import (
	"net/http"
	"sync"
	"time"
)

// Skew is how far the cluster's clock is ahead of this machine's, as the API
// server's answers say. nil is none.
type Skew struct {
	now func() time.Time

	mu    sync.Mutex
	known bool
	most  time.Duration
}

// New returns the Skew of a cluster that has not answered yet; now is this
// machine's clock.
func New(now func() time.Time) *Skew { return &Skew{now: now} }

// accuracy is below what a difference is none: the header counts whole seconds,
// and an answer takes its time.
const accuracy = 3 * time.Second

// Get returns the difference by what was answered so far.
func (s *Skew) Get() time.Duration {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most.Abs() < accuracy {
		return 0
	}
	return s.most
}

// Wrap has the answers that come through rt looked at.
func (s *Skew) Wrap(rt http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := rt.RoundTrip(r)
		if err == nil {
			s.see(resp.Header.Get("Date"))
		}
		return resp, err
	})
}

// see keeps the greatest difference: what takes time on the way makes it smaller.
func (s *Skew) see(date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := at.Sub(s.now()); !s.known || d > s.most {
		s.known, s.most = true, d
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
