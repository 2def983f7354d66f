package apply

import (
	"net/http"
	"sync"
	"time"
)

// skew is how far the cluster's clock is ahead of this machine's, as the API
// server's answers say: how long something has lasted is told by both.
type skew struct {
	now func() time.Time

	mu    sync.Mutex
	known bool
	most  time.Duration
}

// accuracy is below what a difference is none: the header counts whole seconds,
// and an answer takes its time.
const accuracy = 3 * time.Second

func (s *skew) get() time.Duration {
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

// wrap has the answers that come through rt looked at.
func (s *skew) wrap(rt http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := rt.RoundTrip(r)
		if err == nil {
			s.see(resp.Header.Get("Date"))
		}
		return resp, err
	})
}

// see keeps the greatest difference: what takes time on the way makes it smaller.
func (s *skew) see(date string) {
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
