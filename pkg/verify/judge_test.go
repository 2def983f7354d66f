package verify

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

var update = flag.Bool("update", false, "write the golden files anew")

// judgeCase is one document of testdata/cases.yaml.
type judgeCase struct {
	Case     string                    `json:"case"`
	Patch    map[string]map[string]any `json:"patch"`
	Add      []map[string]any          `json:"add"`
	Gaps     []string                  `json:"gaps"`
	Network  []peer                    `json:"network"`
	State    State                     `json:"state"`
	Findings []string                  `json:"findings"`
	Patched  map[string]any            `json:"patched"` // what Fix.Patch must say
	Logs     []ContainerLog            `json:"logs"`
	Expected []map[string]any          `json:"expected"` // the tree
	Client   string                    `json:"client"`   // the namespace that is asked from
	From     *Client                   `json:"from"`     // whom the questions are asked as
	// ServiceCIDRs are the cluster's ranges; Target names a Service that only the tree has.
	ServiceCIDRs []string `json:"serviceCIDRs"`
	Target       string   `json:"target"`
}

// peer says what probes that match meet.
type peer struct {
	Path     probe.Path        `json:"path"`
	From     probe.Location    `json:"from"`
	Check    probe.Check       `json:"check"`
	Port     string            `json:"port"`
	Address  string            `json:"address"` // part of it
	As       string            `json:"as"`      // the server name
	Secure   bool              `json:"secure"`  // inside TLS
	Class    probe.Class       `json:"class"`
	Detail   string            `json:"detail"`
	Answers  int               `json:"answers"`
	Facts    map[string]string `json:"facts"`
	Backends map[string]int    `json:"backends"`
	Resolved []string          `json:"resolved"`
}

func (r peer) matches(p probe.Probe) bool {
	return (r.Path == "" || r.Path == p.Path) && (r.From == "" || r.From == p.From) && (r.Check == "" || r.Check == p.Check) &&
		(r.Port == "" || r.Port == p.Port) && (r.As == "" || r.As == p.ServerName) && (!r.Secure || p.TLS) && strings.Contains(p.Address, r.Address)
}

// answerAll plays the network: it answers probes as the first peer that matches would.
func answerAll(probes []probe.Probe, peers []peer) []probe.Outcome {
	var out []probe.Outcome
	for _, p := range probes {
		i := slices.IndexFunc(peers, func(r peer) bool { return r.matches(p) })
		if i < 0 {
			continue
		}
		r := peers[i]
		o := probe.Outcome{Probe: p.ID, Attempts: max(p.Attempts, 1), Answers: r.Answers, Class: r.Class, Detail: r.Detail, Facts: r.Facts, Backends: r.Backends, Resolved: r.Resolved}
		if r.Class == probe.ClassOK {
			o.Answers, o.Latency = o.Attempts, time.Millisecond
			switch {
			case p.Check == probe.CheckDNS && o.Resolved == nil:
				o.Resolved = slices.DeleteFunc(slices.Clone(p.Resolves), func(s string) bool { return strings.HasSuffix(s, ".") })
			case p.Check == probe.CheckRedis && o.Backends == nil && p.Path == probe.PathClusterIP:
				o.Backends = map[string]int{"a": o.Attempts / 2, "b": o.Attempts - o.Attempts/2}
			}
		}
		out = append(out, o)
	}
	return out
}

// documents splits a YAML file whose documents may share anchors.
func documents(t *testing.T, file string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(data, []byte("\n---\n"))
}

// kindField maps a kind to the Snapshot field that holds it.
var kindField = map[string]string{"Service": "Services", "Pod": "Pods", "Node": "Nodes", "Event": "Events", "EndpointSlice": "EndpointSlices",
	"Deployment": "Deployments", "ReplicaSet": "ReplicaSets", "StatefulSet": "StatefulSets", "DaemonSet": "DaemonSets", "NetworkPolicy": "NetworkPolicies", "Namespace": "Namespaces",
	"ReplicationController": "ReplicationControllers", "Job": "Jobs", "CronJob": "CronJobs"}

// merge applies a JSON merge patch (RFC 7396).
func merge(dst, patch map[string]any) map[string]any {
	if dst == nil {
		dst = map[string]any{}
	}
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(dst, k)
		case map[string]any:
			child, _ := dst[k].(map[string]any)
			dst[k] = merge(child, v)
		default:
			dst[k] = v
		}
	}
	return dst
}

// snapshot builds the Snapshot of a case.
func (jc *judgeCase) snapshot(t *testing.T) *Snapshot {
	t.Helper()
	taken, _ := time.Parse(time.RFC3339, "2026-01-01T01:00:00Z")
	s := &Snapshot{APIVersion: SnapshotAPIVersion, Kind: "Snapshot", Taken: metav1.NewTime(taken)}
	var objs []map[string]any
	for _, doc := range documents(t, "base.yaml") {
		var o map[string]any
		if err := yaml.Unmarshal(doc, &o); err != nil {
			t.Fatal(err)
		}
		key := o["kind"].(string) + "/" + o["metadata"].(map[string]any)["name"].(string)
		patch, patched := jc.Patch[key]
		if patched && patch == nil {
			continue
		}
		objs = append(objs, merge(o, patch))
	}
	objs = append(objs, jc.Add...)
	for _, o := range objs {
		field := reflect.ValueOf(s).Elem().FieldByName(kindField[o["kind"].(string)])
		item := reflect.New(field.Type().Elem())
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(normal(t, o), item.Interface()); err != nil {
			t.Fatalf("%v: %v", o["metadata"], err)
		}
		field.Set(reflect.Append(field, item.Elem()))
	}
	for _, g := range jc.Gaps {
		s.Gaps = append(s.Gaps, Gap{Resource: g, Namespace: "demo", Reason: "forbidden"})
		if g == "nodes" {
			s.Gaps[len(s.Gaps)-1].Namespace = ""
		}
	}
	s.Logs = jc.Logs
	var tree []*unstructured.Unstructured
	for _, o := range jc.Expected {
		tree = append(tree, &unstructured.Unstructured{Object: normal(t, o)})
	}
	s.Expected = expectedOf(tree)
	if s.Client = jc.From; s.Client != nil {
		jc.Client = s.Client.Namespace
	}
	s.ServiceCIDRs = jc.ServiceCIDRs
	s.Targets = []string{"demo/" + cmp.Or(jc.Target, s.Services[0].Name)}
	return s
}

// normal turns what YAML gave into what the converter takes: int64 for whole numbers.
func normal(t *testing.T, o map[string]any) map[string]any {
	t.Helper()
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				v[k] = walk(v[k])
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case float64:
			return int64(v)
		}
		return v
	}
	return walk(o).(map[string]any)
}

func loadCases(t *testing.T) []judgeCase {
	t.Helper()
	var cases []judgeCase
	files, _ := filepath.Glob("testdata/cases*.yaml")
	for _, f := range files {
		cases = append(cases, loadFile(t, filepath.Base(f))...)
	}
	return cases
}

func loadFile(t *testing.T, file string) []judgeCase {
	t.Helper()
	docs := documents(t, file)
	// Anchors do not outlive a document; the cases are written as one list of
	// documents, so they are read as one sequence.
	var list strings.Builder
	for _, d := range docs {
		first := true
		for line := range strings.Lines(string(d) + "\n") {
			if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
				continue
			}
			if first {
				list.WriteString("- " + line)
				first = false
				continue
			}
			list.WriteString("  " + line)
		}
	}
	var cases []judgeCase
	if err := yaml.UnmarshalStrict([]byte(list.String()), &cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return cases
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

func TestJudge(t *testing.T) {
	files := map[string]bool{}
	for _, jc := range loadCases(t) {
		t.Run(jc.Case, func(t *testing.T) {
			s := jc.snapshot(t)
			probes := PlanProbes(s, PlanOptions{Client: jc.Client})
			outcomes := answerAll(probes, jc.Network)
			more := PlanExploration(s, probes, outcomes)
			probes = append(probes, more...)
			outcomes = append(outcomes, answerAll(more, jc.Network)...)
			before, _ := json.Marshal(s)
			v := Judge(s, probes, outcomes)
			if after, _ := json.Marshal(s); !bytes.Equal(before, after) {
				t.Error("Judge changed the Snapshot")
			}
			sv := v.Services[0]
			ids := []string{}
			for _, f := range sv.Findings {
				ids = append(ids, f.ID)
			}
			if sv.State != jc.State || v.State != jc.State || !slices.Equal(ids, append([]string{}, jc.Findings...)) {
				got, _ := yaml.Marshal(sv)
				t.Errorf("state %s with %q, want %s with %q\n%s", sv.State, ids, jc.State, jc.Findings, got)
			}
			if jc.Patched != nil {
				var got map[string]any
				if sv.Findings[0].Fix == nil || yaml.Unmarshal([]byte(sv.Findings[0].Fix.Patch), &got) != nil || !reflect.DeepEqual(got, jc.Patched) {
					t.Errorf("patch %v, want %v", got, jc.Patched)
				}
			}
			noEscapes(t, sv)
			file := strings.Trim(notWord.ReplaceAllString(strings.ToLower(jc.Case), "-"), "-") + ".yaml"
			files[file] = true
			golden(t, file, sv)
		})
	}
	old, _ := filepath.Glob("testdata/verdicts/*.yaml")
	for _, f := range old {
		if !files[filepath.Base(f)] {
			t.Errorf("%s belongs to no case", f)
		}
	}
}

// noEscapes wants every text of a verdict to be fit for a terminal.
func noEscapes(t *testing.T, sv ServiceVerdict) {
	t.Helper()
	data, _ := json.Marshal(sv)
	for _, bad := range []string{`\u001b`, "\u202e", `\u0007`} {
		if bytes.Contains(data, []byte(bad)) {
			t.Errorf("the verdict holds %q: %s", bad, data)
		}
	}
}

// golden compares a verdict with the file that shows it.
func golden(t *testing.T, file string, sv ServiceVerdict) {
	t.Helper()
	got, err := yaml.Marshal(sv)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "verdicts", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with go test ./pkg/verify -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the verdict differs from %s (go test ./pkg/verify -update writes it anew):\n%s", path, got)
	}
}

// TestPlanIsBounded keeps a Service of thousands of endpoints within what one
// probe Pod can take.
func TestPlanIsBounded(t *testing.T) {
	jc := judgeCase{}
	s := jc.snapshot(t)
	s.Services[0].Spec.Ports[0].NodePort = 30000
	slice := s.EndpointSlices[0]
	for i := range 5000 {
		e := slice.Endpoints[0].DeepCopy()
		e.Addresses = []string{fmt.Sprintf("10.%d.%d.%d", 100+i/62500, i/250%250, i%250)}
		e.TargetRef.Name = fmt.Sprintf("pod-%d", i)
		slice.Endpoints = append(slice.Endpoints, *e)
	}
	s.EndpointSlices[0] = slice
	probes := PlanProbes(s, PlanOptions{Settle: time.Minute})
	count := map[probe.Path]int{}
	ids := map[string]bool{}
	for _, p := range probes {
		count[p.Path]++
		if ids[p.ID] {
			t.Errorf("ID %q is used twice", p.ID)
		}
		ids[p.ID] = true
		if p.Attempts > maxThroughService {
			t.Errorf("%s: %d attempts", p.ID, p.Attempts)
		}
	}
	if count[probe.PathTunnel] != maxTunnels || count[probe.PathPod] < 5000 {
		t.Errorf("probes by path: %v", maps.Clone(count))
	}
	if _, err := probe.Encode(from(probes, probe.FromCluster)); err != nil {
		t.Error(err)
	}
}

func TestChooseCheck(t *testing.T) {
	cases := []struct {
		port string
		want probe.Check
	}{
		{`{port: 1, appProtocol: redis}`, probe.CheckRedis},
		{`{port: 1, appProtocol: HTTPS}`, probe.CheckHTTPS},
		{`{port: 6379, appProtocol: postgresql}`, probe.CheckPostgres},
		{`{port: 1, appProtocol: kubernetes.io/h2c}`, probe.CheckHTTP},
		{`{port: 1, name: grpc}`, probe.CheckGRPC},
		{`{port: 1, appProtocol: grpcs}`, probe.CheckGRPC},
		{`{port: 1, name: grpcs-api}`, probe.CheckGRPC},
		{`{port: 1, name: http-metrics}`, probe.CheckHTTP},
		{`{port: 1, name: redis-cache}`, probe.CheckRedis},
		{`{port: 1, name: redis-tls}`, probe.CheckRedis},
		{`{port: 9121, name: redis-exporter}`, probe.CheckTCP},
		{`{port: 9104, name: mysql-metrics}`, probe.CheckTCP},
		{`{port: 9104, name: mysql-http-metrics}`, probe.CheckTCP},
		{`{port: 16379, name: redis-bus}`, probe.CheckTCP},
		{`{port: 8080, name: grpc-web}`, probe.CheckTCP},
		{`{port: 1, name: https-metrics}`, probe.CheckHTTPS},
		{`{port: 1, name: redis-}`, probe.CheckRedis},
		{`{port: 80, name: tcp-raw}`, probe.CheckTCP},
		{`{port: 6379, name: cache}`, probe.CheckRedis},
		{`{port: 443}`, probe.CheckHTTPS},
		{`{port: 8080}`, probe.CheckTCP},
		{`{port: 53, protocol: UDP, name: dns}`, probe.CheckDNSServer},
		{`{port: 80, protocol: UDP}`, probe.CheckUDP},
	}
	for _, tc := range cases {
		jc := judgeCase{Patch: map[string]map[string]any{"Service/redis": {}}}
		var port map[string]any
		if err := yaml.Unmarshal([]byte(tc.port), &port); err != nil {
			t.Fatal(err)
		}
		jc.Patch["Service/redis"] = map[string]any{"spec": map[string]any{"ports": []any{port}}}
		if got, _ := chooseCheck("", jc.snapshot(t).Services[0].Spec.Ports[0]); got != tc.want {
			t.Errorf("%s: check %s, want %s", tc.port, got, tc.want)
		}
	}
}
