package verify

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// TestLogThatCannotBeFollowed: a node without inotify instances left ends the log
// early, with words of its own in it. What is written later is read all the same.
func TestLogThatCannotBeFollowed(t *testing.T) {
	const (
		hello = `{"prober":"svcx-probe","version":"v1"}` + "\n"
		one   = `{"probe":"a","class":"ok"}` + "\n"
		two   = `{"probe":"b","class":"ok"}` + "\n"
		end   = `{"end":true,"count":2,"version":"v1"}` + "\n"
		cut   = "failed to create fsnotify watcher: too many open files"
	)
	for _, tc := range []struct {
		name  string
		reads []string // of the log, one after the other; the last one stays
		state string   // of the container
		want  int      // outcomes
		err   string
	}{
		{"read too early", []string{cut, hello + cut, hello + one + cut, hello + one + cut, hello + one + cut, hello + one + cut, hello + one + two + end}, "running", 2, ""},
		{"a watch too many", []string{"failed to watch directory \"/var/log\": no space left on device", hello + one + two + end}, "running", 2, ""},
		{"it has ended", []string{hello + one + cut}, "terminated", 1, "ended early"},
		{"another image", []string{"Hello from Docker!\n"}, "running", 0, "does not run svcx-probe: this is no output of svcx-probe, it begins with \"Hello"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var n atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/log") {
					_, _ = w.Write([]byte(tc.reads[min(int(n.Add(1)), len(tc.reads))-1]))
					return
				}
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"p"},"status":{"containerStatuses":[{"name":"svcx-probe","state":{%q:{}}}]}}]}`, tc.state)
			}))
			defer srv.Close()
			c, err := newClients(&rest.Config{Host: srv.URL})
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			err = followLog(t.Context(), c, &seat{namespace: "demo", pod: "p", container: "svcx-probe", image: "x:1"}, false, 2, func(probe.Outcome) { got++ })
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) || got != tc.want {
				t.Errorf("%d outcomes, error %v; want %d, %q", got, err, tc.want, tc.err)
			}
		})
	}
}
