package verify

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// TestPodsThatEndedWhileAsked: a Pod that was read between two crashes is told for what
// it is by the time it has not answered.
func TestPodsThatEndedWhileAsked(t *testing.T) {
	s := (&judgeCase{}).snapshot(t)
	probes := PlanProbes(s, PlanOptions{})
	var outcomes []probe.Outcome
	for _, p := range probes {
		o := probe.Outcome{Probe: p.ID, Attempts: 1, Answers: 1, Class: probe.ClassOK, Resolved: p.Resolves}
		if p.Pod != "" {
			o.Class, o.Answers = probe.ClassRefused, 0
		}
		outcomes = append(outcomes, o)
	}
	after := &Snapshot{}
	ended := &corev1.ContainerStateTerminated{ExitCode: 0, Reason: "Completed"}
	for i := range s.Pods {
		p := s.Pods[i].DeepCopy()
		for j := range p.Status.ContainerStatuses {
			cs := &p.Status.ContainerStatuses[j]
			cs.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
			cs.LastTerminationState.Terminated, cs.RestartCount, cs.Ready = ended, cs.RestartCount+1, false
		}
		after.Pods = append(after.Pods, *p)
	}
	c, err := newClients((&apiServer{t: t, snapshot: after}).start())
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{c: c, asked: probes, outcomes: outcomes}
	if f := Judge(s, probes, outcomes).Services[0].Findings; len(f) != 1 || f[0].ID != "SVC207" {
		t.Fatalf("before they are read again: %+v", f)
	}
	r.departed(context.Background(), s)
	if f := Judge(s, r.asked, r.outcomes).Services[0].Findings; len(f) != 1 || f[0].ID != "SVC307" {
		t.Errorf("%+v, want SVC307", f)
	}
}

// TestPodsThatWentWhileAsked: a Pod that is gone or terminating by the time its
// answers are in is no fault, and one that is still there is.
func TestPodsThatWentWhileAsked(t *testing.T) {
	for _, tc := range []struct {
		name   string
		silent string              // part of the names of the Pods that do not answer
		class  probe.Class         // of their answers
		now    func(*[]corev1.Pod) // what has become of the Pods
		state  State
		line   string // of the path pod
		reads  int    // of the Pods
	}{
		{"all answer", "none", probe.ClassOK, func(p *[]corev1.Pod) { *p = nil }, StateProven, "PONG from 2/2", 0},
		{"one is gone", "-b", probe.ClassClosed, func(p *[]corev1.Pod) { *p = (*p)[:1] }, StateProven, "PONG from 1/1", 1},
		{"one is gone before its tunnel opens", "-b", probe.ClassLocal, func(p *[]corev1.Pod) { *p = (*p)[:1] }, StateProven, "PONG from 1/1", 1},
		{"one terminates", "-b", probe.ClassRefused, func(p *[]corev1.Pod) { now := metav1.NewTime(time.Now()); (*p)[1].DeletionTimestamp = &now }, StateProven, "PONG from 1/1", 1},
		{"another has its name", "-b", probe.ClassClosed, func(p *[]corev1.Pod) { (*p)[1].UID = "other" }, StateProven, "PONG from 1/1", 1},
		{"it is there", "-b", probe.ClassClosed, func(*[]corev1.Pod) {}, StateFailed, "PONG 1/2; closed by 1/2 on 6379 without an answer", 1},
		{"all are gone", "redis", probe.ClassClosed, func(p *[]corev1.Pod) { *p = nil }, StateNotProven, "not proven: Pod/redis-7f9c-b was removed while it was asked", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := (&judgeCase{}).snapshot(t)
			probes := PlanProbes(s, PlanOptions{})
			var outcomes []probe.Outcome
			for _, p := range probes {
				o := probe.Outcome{Probe: p.ID, Attempts: 1, Answers: 1, Class: probe.ClassOK, Resolved: p.Resolves}
				if p.Pod != "" && strings.Contains(p.Pod, tc.silent) && (tc.class != probe.ClassLocal || p.Path == probe.PathTunnel) {
					o.Class, o.Answers = tc.class, 0
				}
				outcomes = append(outcomes, o)
			}
			after := &Snapshot{Pods: slices.Clone(s.Pods)}
			tc.now(&after.Pods)
			api := &apiServer{t: t, snapshot: after}
			c, err := newClients(api.start())
			if err != nil {
				t.Fatal(err)
			}
			r := &runner{c: c, asked: probes, outcomes: outcomes}
			r.departed(context.Background(), s)
			v := Judge(s, r.asked, r.outcomes)
			i := slices.IndexFunc(v.Services[0].Checks, func(r CheckResult) bool { return r.Name == string(probe.PathPod) })
			if line := v.Services[0].Checks[i].Summary; v.State != tc.state || line != tc.line || len(api.requests) != tc.reads {
				t.Errorf("%s with %q after %q, want %s with %q; %+v", v.State, line, api.requests, tc.state, tc.line, v.Services[0].Findings)
			}
			if err := (&Recording{Snapshot: *s, Probes: r.asked, Outcomes: r.outcomes}).check(); err != nil {
				t.Error(err)
			}
		})
	}
}
