package verify

import (
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

func TestParseChecks(t *testing.T) {
	sh := func(s string) Question { return Question{Check: probe.CheckExec, Command: []string{"sh", "-c", s}} }
	for _, tc := range []struct {
		in   []string
		want Checks
	}{
		{nil, Checks{}},
		{[]string{""}, Checks{}},
		{[]string{"HTTP"}, Checks{Every: Question{Check: probe.CheckHTTP}}},
		{[]string{"dns"}, Checks{Every: Question{Check: probe.CheckDNSServer}}},
		{[]string{"web=http,9000=tcp", "tls"}, Checks{Every: Question{Check: probe.CheckTLS},
			Ports: map[string]Question{"web": {Check: probe.CheckHTTP}, "9000": {Check: probe.CheckTCP}}}},
		{[]string{"exec:a=b c, d"}, Checks{Every: sh("a=b c, d")}},
		{[]string{"web=http,db=exec:psql -c 'select 1, 2'"}, Checks{Ports: map[string]Question{"web": {Check: probe.CheckHTTP}, "db": sh("psql -c 'select 1, 2'")}}},
		{[]string{`exec:["redis-cli", "-p", "$(SVCX_PORT)"]`}, Checks{Every: Question{Check: probe.CheckExec, Command: []string{"redis-cli", "-p", "$(SVCX_PORT)"}}}},
	} {
		if got, err := ParseChecks(tc.in); err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q: %+v, %v; want %+v", tc.in, got, err, tc.want)
		}
	}
	for in, want := range map[string]string{
		"htp": "did you mean http", "exec:": "command is missing", "exec:[oops": "JSON list", "exec:[]": "JSON list", "http,tcp": "one check for every port",
		"web=http,web=tcp": "two checks", "web=": "unknown check", "http,": "unknown check",
	} {
		if got, err := ParseChecks([]string{in}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want an error with %q", in, got, err, want)
		}
	}
}

// severalPorts is a Service of three transports over one Pod.
func severalPorts() *Snapshot {
	s := &Snapshot{Targets: []string{"demo/many"}}
	s.Services = []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "many"}, Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.0.10", Selector: map[string]string{"app": "many"},
		Ports: []corev1.ServicePort{{Name: "web", Port: 80}, {Name: "admin", Port: 8080}, {Name: "query", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "assoc", Port: 132, Protocol: corev1.ProtocolSCTP}}}}}
	s.Pods = []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "many-0", Labels: map[string]string{"app": "many"}},
		Spec: corev1.PodSpec{NodeName: "one", Containers: []corev1.Container{{Name: "side"}, {Name: "main", Image: "main:1", Ports: []corev1.ContainerPort{{ContainerPort: 80}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.0.9", PodIPs: []corev1.PodIP{{IP: "10.244.0.9"}},
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}}}}
	s.Gaps = []Gap{{Resource: "endpointslices", Namespace: "demo"}} // then ready Pods stand for them
	return s
}

func TestChecksOfPorts(t *testing.T) {
	s := severalPorts()
	checks, err := ParseChecks([]string{"web=https,8080=tcp", "redis"})
	if err != nil || checks.unfit(newView(s)) != nil {
		t.Fatal(err, checks.unfit(newView(s)))
	}
	want := map[string]probe.Check{"web": probe.CheckHTTPS, "admin": probe.CheckTCP, "query": probe.CheckUDP}
	seen := map[string]bool{}
	for _, p := range PlanProbes(s, PlanOptions{Checks: checks}) {
		if p.Exploratory || p.Port == "" || p.Check == probe.CheckDNS {
			continue
		}
		seen[p.Port] = true
		if p.Check != want[p.Port] {
			t.Errorf("%s is asked, want %s", p.ID, want[p.Port])
		}
	}
	if len(seen) != 3 {
		t.Errorf("ports %v are asked, want all but the SCTP one", seen)
	}
	for in, want := range map[string]string{"wbe=http": "no Service asked about has a port", "query=http": "it is a UDP port", "assoc=tcp": "it is a SCTP port"} {
		checks, err := ParseChecks([]string{in})
		if err != nil {
			t.Fatal(err)
		}
		if err := checks.unfit(newView(s)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

// TestUnusedFlags: what says how to ask has to be heeded by a check that is made.
func TestUnusedFlags(t *testing.T) {
	login := &Auth{Secret: "login"}
	for _, tc := range []struct {
		check string
		o     PlanOptions
		err   string
	}{
		{"web=http,admin=http,query=dns", PlanOptions{Expect: "healthy"}, "--expect: no port is asked in a way that it is for, only with http and dns; add --check=tcp"},
		{"web=http,admin=http,query=dns", PlanOptions{Send: "x"}, "--send: "},
		{"web=http,admin=tcp", PlanOptions{Send: "x", Expect: "healthy"}, ""},
		{"web=tcp,admin=http,query=udp", PlanOptions{TLS: true}, "--tls: "},
		{"web=https", PlanOptions{TLS: true}, ""},
		{"web=http,admin=mysql", PlanOptions{Auth: login}, "--auth-secret: "},
		{"web=redis", PlanOptions{Auth: login, TLS: true}, ""},
	} {
		checks, err := ParseChecks([]string{tc.check})
		if err != nil {
			t.Fatal(err)
		}
		tc.o.Checks = checks
		s := severalPorts()
		if err := tc.o.unused(PlanProbes(s, tc.o)); (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s %+v: %v, want %q", tc.check, tc.o, err, tc.err)
		}
	}
	if err := (PlanOptions{Expect: "x"}).unused(nil); err != nil {
		t.Errorf("nothing is asked at all: %v", err)
	}
}

// TestCommandsArePlanned: a command asks each backend, and every path where a
// client is named; elsewhere the port's own question stays.
func TestCommandsArePlanned(t *testing.T) {
	checks, err := ParseChecks([]string{"exec:ask $SVCX_HOST"})
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []*Client{nil, {ObjectRef: ObjectRef{Kind: "Pod", Namespace: "shop", Name: "web"}, Container: "shop/web/main"}} {
		s := severalPorts()
		s.Client = client
		in := map[string]int{}
		for _, p := range PlanProbes(s, PlanOptions{Checks: checks}) {
			if (p.Check == probe.CheckExec) != (len(p.Command) > 0) || (p.In != "") != (p.Check == probe.CheckExec) {
				t.Errorf("%s: command %q in %q", p.ID, p.Command, p.In)
			}
			if p.Check != probe.CheckExec {
				if p.Network == networkSCTP {
					t.Errorf("%s cannot be asked", p.ID)
				}
				continue
			}
			in[p.In+" "+string(p.Path)]++
			if p.Attempts > maxExecAttempts || p.Confirm || p.Exploratory {
				t.Errorf("%s: %+v", p.ID, p)
			}
		}
		want := map[string]int{"demo/many-0/main tunnel": 1, "demo/many-0/side tunnel": 3}
		if client != nil {
			for _, path := range []string{"pod", "cluster-ip", "dns"} {
				want["shop/web/main "+path] = 4
			}
		}
		if !reflect.DeepEqual(in, want) {
			t.Errorf("with client %v commands run in %v, want %v", client, in, want)
		}
	}
}

func TestWithAddress(t *testing.T) {
	for _, tc := range []struct {
		p    probe.Probe
		want []string
	}{
		{probe.Probe{From: probe.FromTunnel, Address: "demo/a:6379", Command: []string{"sh", "-c", "x"}}, []string{"sh", "-c", "export SVCX_HOST='127.0.0.1' SVCX_PORT='6379'\nx"}},
		{probe.Probe{From: probe.FromCluster, Address: "[fd00::1]:80", Command: []string{"curl", "http://[$(SVCX_HOST)]:$(SVCX_PORT)/"}}, []string{"curl", "http://[fd00::1]:80/"}},
		{probe.Probe{From: probe.FromCluster, Address: "db.example.com.:80", Command: []string{"a", "$(SVCX_HOST)"}}, []string{"a", "db.example.com"}},
	} {
		if got := withAddress(tc.p); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.p.Address, got, tc.want)
		}
	}
}

func TestBoundedKeepsTheEnd(t *testing.T) {
	b := &bounded{most: 8}
	for _, s := range []string{"abc", "defghijklmnop", "q", "rs"} {
		if n, err := b.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := b.String(); got != "lmnopqrs" {
		t.Errorf("kept %q", got)
	}
}
