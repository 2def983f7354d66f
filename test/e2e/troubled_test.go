//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// trouble is what goes wrong on the way to an API server. Each field but page
// and delay counts: 3 means every third of the requests that it is about.
type trouble struct {
	delay       time.Duration // before each request
	page        int           // objects that a LIST answers with at most
	expireList  bool          // the first continued LIST of each resource is 410 Gone
	expireWatch bool          // the first watch of each URL ends with 410 Gone
	busy        int           // 429 or 503, with Retry-After
	refuseFirst int           // the connection is cut before the request is passed on
	loseAnswer  int           // the request is carried out, and its answer is lost
	cutBody     int           // the answer breaks off in the middle
}

// troubled is a proxy before the API server.
type troubled struct {
	trouble
	url string

	mu       sync.Mutex
	requests []string // "GET /api/v1/pods?limit=500"
	made     map[string]int
	done     map[string]bool
}

// troubledServer starts a proxy and returns it with a kubeconfig that leads there.
func troubledServer(t *testing.T, what trouble) (*troubled, string) {
	t.Helper()
	cfg := cluster.Config(t)
	target, err := url.Parse(cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	cfg.NextProtos = []string{"http/1.1"} // what upgrades (port-forward) need
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &troubled{trouble: what, made: map[string]int{}, done: map[string]bool{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target); p.pages(r.Out) },
		Transport:      transport,
		FlushInterval:  -1,
		ModifyResponse: p.answer,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.trip(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	p.url = srv.URL
	return p, kubeconfigFor(t, clientcmdapi.Cluster{Server: srv.URL}, clientcmdapi.AuthInfo{})
}

// nth counts the requests of a kind of trouble, and tells whether this one is
// to meet it: the first, and then every nth.
func (p *troubled) nth(what string, n int) bool {
	if n == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made[what]++
	return p.made[what]%n == 1%n
}

// once tells whether a thing happens for the first time.
func (p *troubled) once(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.done[what]
	p.done[what] = true
	return !was
}

// met tells how often a trouble was counted.
func (p *troubled) met(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made[what]
}

// isList tells whether a request lists a collection.
func isList(r *http.Request) bool {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return false
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	return r.Method == http.MethodGet && len(parts) == 1 && !r.URL.Query().Has("watch")
}

// pages has the API server answer in pages, whatever was asked for.
func (p *troubled) pages(r *http.Request) {
	if p.page == 0 || !isList(r) {
		return
	}
	q := r.URL.Query()
	q.Set("limit", fmt.Sprint(p.page))
	q.Del("resourceVersion") // with 0 a server answers from its cache, all at once
	q.Del("resourceVersionMatch")
	r.URL.RawQuery = q.Encode()
}

// trip lets trouble happen to a request; false when that has answered it.
func (p *troubled) trip(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	p.requests = append(p.requests, r.Method+" "+r.URL.RequestURI())
	p.mu.Unlock()
	if p.delay > 0 {
		select {
		case <-time.After(p.delay):
		case <-r.Context().Done():
			return false
		}
	}
	q := r.URL.Query()
	switch {
	case p.expireList && isList(r) && q.Get("continue") != "" && p.once("list "+r.URL.Path):
		p.nth("expired list", 1)
		refuse(w, http.StatusGone, "Expired", "The provided continue parameter is too old")
		return false
	case p.expireWatch && q.Get("watch") != "" && p.once("watch "+r.URL.Path+q.Get("fieldSelector")):
		p.nth("expired watch", 1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"type":"ERROR","object":`+status(http.StatusGone, "Expired", "too old resource version")+`}`)
		return false
	case p.nth("busy", p.busy):
		w.Header().Set("Retry-After", "1")
		if p.nth("overload", 2) {
			refuse(w, http.StatusTooManyRequests, "TooManyRequests", "too many requests, please try again later")
		} else {
			refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "the server is currently unable to handle the request")
		}
		return false
	case p.nth("refused", p.refuseFirst):
		panic(http.ErrAbortHandler)
	}
	return true
}

// answer lets trouble happen to an answer.
func (p *troubled) answer(r *http.Response) error {
	if r.StatusCode == http.StatusSwitchingProtocols {
		return nil // what is in it is another protocol's
	}
	if p.nth("lost", p.loseAnswer) {
		return errors.New("lost")
	}
	if p.nth("cut", p.cutBody) {
		r.Body = &cutBody{ReadCloser: r.Body, left: 40}
	}
	return nil
}

// cutBody breaks off.
type cutBody struct {
	io.ReadCloser
	left int
}

func (c *cutBody) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, errors.New("cut")
	}
	n, err := c.ReadCloser.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

func status(code int, reason, message string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":%q,"reason":%q,"code":%d}`, message, reason, code)
}

func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprint(w, status(code, reason, message))
}

// TestBehindAVerySlowAPIServer verifies through an API server that takes
// seconds for each request: what goes through it gets the time that it takes.
func TestBehindAVerySlowAPIServer(t *testing.T) {
	t.Parallel()
	ns, dir := namespace(t, restricted), t.TempDir()
	svcx(t, dir, append(redis, "--replicas=2", "-n", ns)...).want(t, 0)
	_, config := troubledServer(t, trouble{delay: 3 * time.Second})
	svcx(t, dir, "verify", "redis", "--in-cluster", "--timeout=90s", "-n", ns, "--kubeconfig", config).want(t, 0).contains(t, "VERIFIED")
	// Less time than one answer takes is no verdict, and says so.
	r := svcx(t, dir, "verify", "redis", "--in-cluster", "--timeout=2s", "-n", ns, "--kubeconfig", config).want(t, 1)
	r.contains(t, "--timeout")
	if r.stdout != "" {
		t.Errorf("a verdict of what was not read\n%s", r)
	}
}

// TestBehindATroubledAPIServer brings an app up through an API server that is
// hard to reach, and wants it verified all the same.
func TestBehindATroubledAPIServer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		trouble
		counts []string // troubles that have to have come up
	}{
		{"slow", trouble{delay: 500 * time.Millisecond}, nil},
		{"410 Gone in every watch and list", trouble{page: 1, expireList: true, expireWatch: true}, []string{"expired list", "expired watch"}},
		{"too many requests", trouble{busy: 3}, []string{"busy", "overload"}},
		{"connections cut before they are used", trouble{refuseFirst: 5}, []string{"refused"}},
		{"answers lost", trouble{loseAnswer: 5}, []string{"lost"}},
		{"answers broken off", trouble{cutBody: 5}, []string{"cut"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ns, dir := namespace(t, restricted), t.TempDir()
			p, config := troubledServer(t, tc.trouble)
			svcx(t, dir, append(redis, "--replicas=2", "-n", ns, "--kubeconfig", config)...).want(t, 0).contains(t, "VERIFIED")
			for _, what := range tc.counts {
				if p.met(what) == 0 {
					t.Errorf("the trouble %q never came up, among %d requests", what, len(p.requests))
				}
			}
			if left := probePods(t, client(t), ns); len(left) != 0 {
				t.Errorf("%d probe Pods are left", len(left))
			}
		})
	}
}
