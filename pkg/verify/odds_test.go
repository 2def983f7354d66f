package verify

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

func TestOdds(t *testing.T) {
	for _, tc := range []struct {
		backends, attempts int
		want, any          string
	}{
		{1, 8, "below 0.01 %", "below 0.01 %"},
		{2, 16, "below 0.01 %", "below 0.01 %"},
		{3, 8, "4 %", "12 %"},
		{64, 512, "0.03 %", "2 %"},
		{2500, 512, "81 %", "100 %"},
	} {
		if got, any := percent(oddsOfMissing(tc.backends, tc.attempts)), percent(oddsOfAny(tc.backends, tc.attempts)); got != tc.want || any != tc.any {
			t.Errorf("%d backends, %d attempts: %s and %s, want %s and %s", tc.backends, tc.attempts, got, any, tc.want, tc.any)
		}
	}
}

// wide is a Service with many backends, in slices of at most 1,000 endpoints.
func wide(n int, check string) *Snapshot {
	s := &Snapshot{Targets: []string{"demo/wide"}, Taken: metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	s.Services = []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "wide"}, Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.0.10", Selector: map[string]string{"app": "wide"}, Ports: []corev1.ServicePort{{Name: check, Port: 6379}}}}}
	yes, port, proto := true, int32(6379), corev1.ProtocolTCP
	for i := range n {
		name, ip := fmt.Sprintf("wide-%04d", i), fmt.Sprintf("10.%d.%d.%d", 1+i>>16, i>>8&255, i&255)
		s.Pods = append(s.Pods, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: name, Labels: map[string]string{"app": "wide"}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip}})
		if i%1000 == 0 {
			s.EndpointSlices = append(s.EndpointSlices, discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4,
				ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: fmt.Sprintf("wide-%d", i), Labels: map[string]string{discoveryv1.LabelServiceName: "wide"}},
				Ports:      []discoveryv1.EndpointPort{{Name: &check, Port: &port, Protocol: &proto}}})
		}
		last := &s.EndpointSlices[len(s.EndpointSlices)-1]
		last.Endpoints = append(last.Endpoints, discoveryv1.Endpoint{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: &yes},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "demo", Name: name}})
	}
	return s
}

// TestMoreEndpointsThanASliceHolds: every endpoint of every slice is asked, and
// what the answers through the Service prove is not overstated.
func TestMoreEndpointsThanASliceHolds(t *testing.T) {
	s := wide(2500, "tcp")
	probes := PlanProbes(s, PlanOptions{})
	counts := map[probe.Path]int{}
	var outcomes []probe.Outcome
	for _, p := range probes {
		if !p.Exploratory {
			counts[p.Path]++
		}
		o := probe.Outcome{Probe: p.ID, Attempts: max(p.Attempts, 1), Answers: max(p.Attempts, 1), Class: probe.ClassOK}
		if p.Check == probe.CheckDNS {
			o.Resolved = p.Resolves
		}
		outcomes = append(outcomes, o)
	}
	if want := (map[probe.Path]int{probe.PathPod: 2500, probe.PathTunnel: maxTunnels, probe.PathClusterIP: 1, probe.PathDNS: 2}); !reflect.DeepEqual(counts, want) {
		t.Errorf("asks %v, want %v", counts, want)
	}
	if _, err := probe.Encode(probes); err != nil {
		t.Error(err)
	}
	sv := Judge(s, probes, outcomes).Services[0]
	if sv.State != StateProven {
		t.Errorf("state %s, %+v", sv.State, sv.Findings)
	}
	want := map[string]string{"endpoints": "tcp 2500/2500 ready", "tunnel": "connects from 16/16, a sample of 2500", "pod": "connects from 2500/2500",
		"cluster-ip": "connects 512/512; chance that one of 2500 backends was missed: 81 %"}
	for _, r := range sv.Checks {
		if w := want[r.Name]; w != "" && r.Summary != w {
			t.Errorf("%s: %q, want %q", r.Name, r.Summary, w)
		}
	}
	// One bad endpoint of the last slice is enough.
	i := slices.IndexFunc(outcomes, func(o probe.Outcome) bool {
		return o.Probe == probes[slices.IndexFunc(probes, func(p probe.Probe) bool { return p.Pod == "demo/wide-2499" && p.Path == probe.PathPod })].ID
	})
	outcomes[i].Class, outcomes[i].Answers = probe.ClassRefused, 0
	if sv := Judge(s, probes, outcomes).Services[0]; sv.State != StateFailed {
		t.Errorf("state %s with one that refuses", sv.State)
	}
}

// TestNoOddsWhereTheProxyPrefers: a proxy that chooses among some backends only
// never comes to the others, and no number of attempts makes that less likely.
func TestNoOddsWhereTheProxyPrefers(t *testing.T) {
	local, near := corev1.ServiceInternalTrafficPolicyLocal, "PreferSameZone"
	for _, tc := range []struct {
		reason string
		change func(*Snapshot)
	}{
		{"sessionAffinity ClientIP", func(s *Snapshot) { s.Services[0].Spec.SessionAffinity = corev1.ServiceAffinityClientIP }},
		{"internalTrafficPolicy Local", func(s *Snapshot) { s.Services[0].Spec.InternalTrafficPolicy = &local }},
		{"trafficDistribution PreferSameZone", func(s *Snapshot) { s.Services[0].Spec.TrafficDistribution = &near }},
		{"topology hints", func(s *Snapshot) {
			s.EndpointSlices[0].Endpoints[1].Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "a"}}}
		}},
	} {
		for _, known := range []bool{false, true} {
			s := wide(3, "redis")
			tc.change(s)
			probes := PlanProbes(s, PlanOptions{})
			var outcomes []probe.Outcome
			for _, p := range probes {
				o := probe.Outcome{Probe: p.ID, Attempts: max(p.Attempts, 1), Answers: max(p.Attempts, 1), Class: probe.ClassOK, Resolved: p.Resolves}
				switch {
				case known && p.Path == probe.PathPod:
					o.Backends = map[string]int{"id of " + p.Pod: 1}
				case known && p.Path == probe.PathClusterIP:
					o.Backends = map[string]int{"id of demo/wide-0000": 24}
				}
				outcomes = append(outcomes, o)
			}
			want := "PONG 24/24 (" + tc.reason + ")"
			if known {
				want = "PONG 24/24, 1 of 3 backends (" + tc.reason + ")"
			}
			for _, r := range Judge(s, probes, outcomes).Services[0].Checks {
				if r.Name == "cluster-ip" && (r.Summary != want || r.ChanceMissed != nil) {
					t.Errorf("%q with chance %v, want %q and none", r.Summary, r.ChanceMissed, want)
				}
			}
		}
	}
}

// TestWhichBackendsAnswered: servers that say who they are are counted by Pod,
// and the one that never came up is named.
func TestWhichBackendsAnswered(t *testing.T) {
	s := wide(3, "redis")
	probes := PlanProbes(s, PlanOptions{})
	var outcomes []probe.Outcome
	for _, p := range probes {
		o := probe.Outcome{Probe: p.ID, Attempts: max(p.Attempts, 1), Answers: max(p.Attempts, 1), Class: probe.ClassOK}
		switch p.Path {
		case probe.PathPod:
			o.Backends = map[string]int{"id of " + p.Pod: 1}
		case probe.PathClusterIP:
			o.Backends = map[string]int{"id of demo/wide-0000": 14, "id of demo/wide-0002": 10}
		case probe.PathDNS:
			o.Resolved = p.Resolves
		}
		outcomes = append(outcomes, o)
	}
	for _, r := range Judge(s, probes, outcomes).Services[0].Checks {
		if r.Name != "cluster-ip" {
			continue
		}
		if want := "PONG 24/24, 2 of 3 backends, not wide-0001 (by chance: 0.02 %)"; r.Summary != want {
			t.Errorf("%q, want %q", r.Summary, want)
		}
		if want := map[string]int{"wide-0000": 14, "wide-0002": 10}; !reflect.DeepEqual(r.Backends, want) {
			t.Errorf("backends %v, want %v", r.Backends, want)
		}
		if r.ChanceMissed == nil || *r.ChanceMissed > 0.001 {
			t.Errorf("chance %v", r.ChanceMissed)
		}
	}
}

func TestCertificatesAreShown(t *testing.T) {
	ok := func(names, until string) answer {
		return answer{outcome: &probe.Outcome{Class: probe.ClassOK, Facts: map[string]string{"certNames": names, "certNotAfter": until}}}
	}
	for want, e := range map[string]evidence{
		"": {{outcome: &probe.Outcome{Class: probe.ClassOK}}},
		"; certificate for a.example until 2027-01-02 03:04 UTC":            {ok("a.example", "2027-01-02T03:04:05Z"), ok("a.example", "2027-01-02T03:04:05Z")},
		"; certificate for a.example, b.example until 2026-12-31 00:00 UTC": {ok("a.example", "2027-01-02T03:04:05Z"), ok("b.example", "2026-12-31T00:00:00Z")},
	} {
		if got := certificates(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
