package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// apiServer plays the parts of an API server that are read: lists in pages,
// some of them forbidden, one forgotten half way.
type apiServer struct {
	t        *testing.T
	snapshot *Snapshot
	page     int             // objects a page; 0: all
	forbid   map[string]bool // plural resource names, or "create pods"
	expire   string          // resource whose second page is gone

	mu       sync.Mutex
	requests []string
}

func (a *apiServer) start() *rest.Config {
	srv := httptest.NewServer(a)
	a.t.Cleanup(srv.Close)
	return &rest.Config{Host: srv.URL}
}

func (a *apiServer) status(w http.ResponseWriter, code int, reason metav1.StatusReason, msg string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: int32(code), Reason: reason, Message: msg})
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.requests = append(a.requests, r.Method+" "+r.URL.Path)
	a.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	rest := parts[2:] // api/v1
	if parts[0] == "apis" {
		rest = parts[3:]
	}
	namespace := ""
	if len(rest) > 2 && rest[0] == "namespaces" {
		namespace, rest = rest[1], rest[2:]
	}
	resource := rest[0]
	if a.forbid[resource] && len(rest) == 1 || r.Method == http.MethodPost && a.forbid["create "+resource] {
		a.status(w, http.StatusForbidden, metav1.StatusReasonForbidden, resource+" is forbidden: User \"u\" cannot create or list resource \""+resource+"\"")
		return
	}
	if r.Method != http.MethodGet {
		a.status(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "no")
		return
	}
	items := a.items(resource, namespace, r.URL.Query().Get("fieldSelector"))
	if len(rest) > 1 {
		for _, it := range items {
			if it["metadata"].(map[string]any)["name"] == rest[1] {
				it["apiVersion"], it["kind"] = "v1", "Service"
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(it)
				return
			}
		}
		a.status(w, http.StatusNotFound, metav1.StatusReasonNotFound, rest[1]+" not found")
		return
	}
	start, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	if a.expire == resource && start > 0 {
		a.status(w, http.StatusGone, metav1.StatusReasonExpired, "The provided continue parameter is too old")
		return
	}
	end, next := len(items), ""
	if limit := r.URL.Query().Get("limit"); a.page > 0 && limit != "" && start+a.page < end {
		end = start + a.page
		next = strconv.Itoa(end)
	}
	w.Header().Set("Content-Type", "application/json")
	version := "v1"
	if parts[0] == "apis" {
		version = parts[1] + "/" + parts[2]
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": kindOf(resource) + "List", "apiVersion": version,
		"metadata": map[string]any{"continue": next}, "items": items[start:end]})
}

// kindOf returns the kind of a plural resource name.
func kindOf(resource string) string {
	for kind := range kindField {
		if strings.ToLower(kind)+"s" == resource || strings.ToLower(strings.TrimSuffix(kind, "y"))+"ies" == resource {
			return kind
		}
	}
	return ""
}

func (a *apiServer) items(resource, namespace, fields string) []map[string]any {
	var out []map[string]any
	v := reflect.ValueOf(a.snapshot).Elem()
	for kind, field := range kindField {
		if kind != kindOf(resource) {
			continue
		}
		data, _ := json.Marshal(v.FieldByName(field).Interface())
		var all []map[string]any
		_ = json.Unmarshal(data, &all)
		for _, o := range all {
			m := o["metadata"].(map[string]any)
			if (namespace == "" || m["namespace"] == namespace) && (fields == "" || fields == fmt.Sprintf("metadata.name=%s", m["name"])) {
				out = append(out, o)
			}
		}
	}
	return out
}

func (a *apiServer) count(method string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, r := range a.requests {
		if strings.HasPrefix(r, method+" ") {
			n++
		}
	}
	return n
}

func newAPI(t *testing.T) *apiServer {
	jc := judgeCase{}
	return &apiServer{t: t, snapshot: jc.snapshot(t)}
}

func TestObserveListsAFixedNumberOfTimes(t *testing.T) {
	for _, services := range []int{1, 300} {
		a := newAPI(t)
		for i := range services - 1 {
			svc := a.snapshot.Services[0].DeepCopy()
			svc.Name = fmt.Sprintf("redis-%d", i)
			a.snapshot.Services = append(a.snapshot.Services, *svc)
		}
		s, err := Observe(t.Context(), a.start(), Target{Namespace: "demo"})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Targets) != services || len(s.Gaps) != 0 || len(s.Pods) != 2 || len(s.Nodes) != 2 {
			t.Errorf("%d targets, gaps %v, %d Pods, %d Nodes", len(s.Targets), s.Gaps, len(s.Pods), len(s.Nodes))
		}
		if n := a.count("GET"); n != 10 {
			t.Errorf("%d requests for %d Services, want 10", n, services)
		}
	}
}

func TestObserveReadsPages(t *testing.T) {
	for _, expire := range []string{"", "pods"} {
		a := newAPI(t)
		a.page, a.expire = 10, expire
		for i := range 95 {
			p := a.snapshot.Pods[0].DeepCopy()
			p.Name = fmt.Sprintf("p-%d", i)
			a.snapshot.Pods = append(a.snapshot.Pods, *p)
		}
		s, err := Observe(t.Context(), a.start(), Target{Namespace: "demo", Names: []string{"redis"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Pods) != 97 || len(s.Gaps) != 0 {
			t.Errorf("expire %q: %d Pods, want 97; gaps %v", expire, len(s.Pods), s.Gaps)
		}
	}
}

func TestObserveRecordsGaps(t *testing.T) {
	a := newAPI(t)
	a.forbid = map[string]bool{"pods": true, "nodes": true, "events": true}
	s, err := Observe(t.Context(), a.start(), Target{Namespace: "demo", Names: []string{"redis"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range s.Gaps {
		got = append(got, g.Resource)
	}
	if strings.Join(got, " ") != "events nodes pods" || len(s.EndpointSlices) != 1 {
		t.Errorf("gaps %v, %d slices", got, len(s.EndpointSlices))
	}
	t.Run("may get Services only", func(t *testing.T) {
		a := newAPI(t)
		a.forbid = map[string]bool{"services": true, "pods": true, "endpointslices": true, "nodes": true, "events": true, "deployments": true,
			"replicasets": true, "statefulsets": true, "daemonsets": true, "networkpolicies": true}
		s, err := Observe(t.Context(), a.start(), Target{Namespace: "demo", Names: []string{"redis"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Services) != 1 || len(s.Gaps) != 9 {
			t.Errorf("%d Services, gaps %v", len(s.Services), s.Gaps)
		}
		if v := Judge(s, PlanProbes(s, PlanOptions{}), nil); v.State != StateNotProven || len(v.Services[0].Findings) != 0 {
			t.Errorf("verdict %+v, want not-proven without a finding", v)
		}
	})
	t.Run("may not even list Services", func(t *testing.T) {
		a := newAPI(t)
		a.forbid = map[string]bool{"services": true}
		_, err := Observe(t.Context(), a.start(), Target{Namespace: "demo"})
		if err == nil || !strings.Contains(err.Error(), "services in namespace demo") || !strings.Contains(err.Error(), "ask for the verbs") {
			t.Errorf("error %v", err)
		}
	})
}

func TestTargets(t *testing.T) {
	a := newAPI(t)
	for _, m := range []metav1.ObjectMeta{{Name: "redis-svc", Namespace: "demo", Labels: map[string]string{"tier": "db"}}, {Name: "cache", Namespace: "shop"}} {
		a.snapshot.Services = append(a.snapshot.Services, corev1.Service{ObjectMeta: m, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP}})
	}
	cfg := a.start()
	cases := []struct {
		name   string
		target Target
		want   string // the targets, or a part of the error
	}{
		{"by name", Target{Namespace: "demo", Names: []string{"redis"}}, "demo/redis"},
		{"in the order given", Target{Namespace: "demo", Names: []string{"redis-svc", "redis"}}, "demo/redis-svc demo/redis"},
		{"a whole namespace", Target{Namespace: "demo"}, "demo/redis demo/redis-svc"},
		{"everywhere", Target{AllNamespaces: true}, "demo/redis demo/redis-svc shop/cache"},
		{"by label", Target{Namespace: "demo", LabelSelector: "tier=db"}, "demo/redis-svc"},
		{"by Deployment", Target{Namespace: "demo", Workloads: []Workload{{Kind: "deploy", Name: "redis"}}}, "demo/redis"},
		{"by Pod", Target{Namespace: "demo", Workloads: []Workload{{Kind: "Pod", Name: "redis-7f9c-a"}}}, "demo/redis"},
		{"by names and a Deployment, each once", Target{Namespace: "demo", Names: []string{"redis-svc", "redis"}, Workloads: []Workload{{Kind: "deploy", Name: "redis"}}}, "demo/redis-svc demo/redis"},
		{"bad label", Target{Namespace: "demo", LabelSelector: "==="}, "the label selector"},
		{"no such label", Target{Namespace: "demo", LabelSelector: "tier=web"}, "no Service found in namespace demo with labels tier=web"},
		{"a slip", Target{Namespace: "demo", Names: []string{"reids"}}, "Service/reids does not exist in namespace demo; did you mean redis"},
		{"in another namespace", Target{Namespace: "demo", Names: []string{"cache"}}, "namespace shop has one of that name (-n shop)"},
		{"no such Deployment", Target{Namespace: "demo", Workloads: []Workload{{Kind: "deployment", Name: "web"}}}, "Deployment/web does not exist in namespace demo; see what there is"},
		{"a slip in a Deployment", Target{Namespace: "demo", Workloads: []Workload{{Kind: "deploy", Name: "rdeis"}}}, "Deployment/rdeis does not exist in namespace demo; did you mean redis?"},
		{"no such namespace", Target{Namespace: "demmo"}, "namespace demmo does not exist"},
		{"a name in no such namespace", Target{Namespace: "sho", Names: []string{"cache"}}, "namespace sho does not exist; namespace shop has a Service of that name (-n shop)"},
		{"a Deployment in no such namespace", Target{Namespace: "demmo", Workloads: []Workload{{Kind: "deploy", Name: "redis"}}}, "namespace demmo does not exist"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Observe(t.Context(), cfg, tc.target)
			switch {
			case err != nil && !strings.Contains(err.Error(), tc.want):
				t.Errorf("error %v, want %q", err, tc.want)
			case err == nil && strings.Join(s.Targets, " ") != tc.want:
				t.Errorf("targets %v, want %s", s.Targets, tc.want)
			}
		})
	}
	_, err := Observe(t.Context(), cfg, Target{Namespace: "demo", Names: []string{"reids"}})
	var nf *NotFoundError
	if !errors.As(err, &nf) {
		t.Errorf("error %T, want *NotFoundError", err)
	}
}

// TestVerifyAloneChangesNothing wants no request that creates, changes or
// removes an object. (The tunnel's is the exception in the verb, not in deed.)
func TestVerifyAloneChangesNothing(t *testing.T) {
	a := newAPI(t)
	v, err := Run(t.Context(), a.start(), Target{Namespace: "demo", Names: []string{"redis"}}, Options{Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if v.State != StateNotProven {
		t.Errorf("state %s, want not-proven", v.State)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.requests {
		if !strings.HasPrefix(r, "GET ") && !strings.HasSuffix(r, "/portforward") {
			t.Errorf("request %s", r)
		}
	}
}

func TestNoPermissionToCreateIsNotProven(t *testing.T) {
	a := newAPI(t)
	a.forbid = map[string]bool{"create pods": true}
	v, err := Run(t.Context(), a.start(), Target{Namespace: "demo", Names: []string{"redis"}}, Options{InCluster: true, ProbeImage: "x", Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range v.Services[0].Checks {
		if r.Name == string(probe.PathClusterIP) && (r.State != StateNotProven || r.Needs != "permission to create Pods in namespace demo") {
			t.Errorf("cluster-ip: %+v", r)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	block := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }))
	defer srv.Close()
	defer close(block)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := Run(ctx, &rest.Config{Host: srv.URL}, Target{Namespace: "demo"}, Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// TestSearchElsewhereIsBounded: what is not looked for is said, and nothing is
// missing where the Pods of all namespaces were read.
func TestSearchElsewhereIsBounded(t *testing.T) {
	for _, tc := range []struct {
		target Target
		lost   int // Services without Pods
		gaps   []string
	}{
		{Target{Namespace: "demo"}, maxElsewhere, nil},
		{Target{Namespace: "demo"}, maxElsewhere + 2, []string{"those of 8 Services were looked for, not those of demo/lost-8, demo/lost-9; verify these alone"}},
		{Target{AllNamespaces: true}, maxElsewhere + 2, nil},
	} {
		a := newAPI(t)
		for i := range tc.lost {
			svc := a.snapshot.Services[0].DeepCopy()
			svc.Name, svc.Spec.Selector = fmt.Sprintf("lost-%d", i), map[string]string{"app": fmt.Sprint(i)}
			a.snapshot.Services = append(a.snapshot.Services, *svc)
		}
		s, err := Observe(t.Context(), a.start(), tc.target)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range s.Gaps {
			got = append(got, g.Reason)
		}
		if !slices.Equal(got, tc.gaps) {
			t.Errorf("%d lost Services, target %+v: gaps %q, want %q", tc.lost, tc.target, got, tc.gaps)
		}
	}
}

// TestObserveReadsWhatElseMakesPods: only for a Service that selects none, and of it
// only what the Service would select.
func TestObserveReadsWhatElseMakesPods(t *testing.T) {
	a := newAPI(t)
	a.forbid = map[string]bool{"cronjobs": true}
	svc := a.snapshot.Services[0].DeepCopy()
	svc.Name, svc.Spec.Selector = "batch", map[string]string{"app": "batch"}
	a.snapshot.Services = append(a.snapshot.Services, *svc)
	for _, app := range []string{"batch", "other"} {
		j := batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: app, Namespace: "demo"}}
		j.Spec.Template.Labels = map[string]string{"app": app}
		a.snapshot.Jobs = append(a.snapshot.Jobs, j)
	}
	s, err := Observe(t.Context(), a.start(), Target{Namespace: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Jobs) != 1 || s.Jobs[0].Name != "batch" || len(s.Gaps) != 1 || s.Gaps[0].Resource != "cronjobs" {
		t.Errorf("%d Jobs, gaps %v", len(s.Jobs), s.Gaps)
	}
}
