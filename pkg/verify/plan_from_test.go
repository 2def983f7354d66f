package verify

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

func TestParseFrom(t *testing.T) {
	for in, want := range map[string]From{
		"nodes":             {Nodes: true},
		"pod/a":             {Kind: "Pod", Name: "a"},
		"deploy/web":        {Kind: "Deployment", Name: "web"},
		"shop/sts/db":       {Namespace: "shop", Kind: "StatefulSet", Name: "db"},
		"daemonsets.apps/x": {Kind: "DaemonSet", Name: "x"},
	} {
		if got, err := ParseFrom(in); err != nil || *got != want {
			t.Errorf("%s: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "web", "node", "svc/web", "pod/", "a/b/c/d", "shop/web"} {
		if got, err := ParseFrom(in); err == nil {
			t.Errorf("%q: %+v, want an error", in, got)
		}
	}
}

// someProbes are of every location.
func someProbes() []probe.Probe {
	return []probe.Probe{
		{ID: "here", From: probe.FromHere, Service: "demo/redis", Check: probe.CheckRedis},
		{ID: "tunnel", From: probe.FromTunnel, Service: "demo/redis", Check: probe.CheckRedis},
		{ID: "pod", From: probe.FromCluster, Service: "demo/redis", Check: probe.CheckRedis},
		{ID: "ip", From: probe.FromCluster, Service: "demo/redis", Check: probe.CheckRedis, Attempts: 16},
		{ID: "name", From: probe.FromCluster, Service: "demo/redis", Check: probe.CheckDNS},
		{ID: "other", From: probe.FromCluster, Service: "demo/redis", Check: probe.CheckTCP, Exploratory: true},
	}
}

func TestFromEachNode(t *testing.T) {
	s := &Snapshot{Nodes: []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, {ObjectMeta: metav1.ObjectMeta{Name: "b"}}, {ObjectMeta: metav1.ObjectMeta{Name: "c"}}}}
	var got []string
	seen := map[string]bool{}
	for _, p := range fromEachNode(s, someProbes()) {
		if seen[p.ID] {
			t.Errorf("%s is there twice", p.ID)
		}
		seen[p.ID] = true
		got = append(got, p.ID)
		if strings.HasPrefix(p.ID, "ip ") && p.Attempts != 6 {
			t.Errorf("%s: %d attempts, want a third of 16, rounded up", p.ID, p.Attempts)
		}
		if strings.Contains(p.ID, " from ") != (p.FromNode != "") {
			t.Errorf("%s is asked from node %q", p.ID, p.FromNode)
		}
	}
	want := []string{"here", "tunnel", "pod from a", "pod from b", "pod from c", "ip from a", "ip from b", "ip from c",
		"name from a", "name from b", "name from c", "other from a"}
	if !slices.Equal(got, want) {
		t.Errorf("probes %q, want %q", got, want)
	}
}

// TestExploringFromANodeThatCan: what is asked from one node only is asked from
// one that can run a probe Pod.
func TestExploringFromANodeThatCan(t *testing.T) {
	gone := corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}}
	s := &Snapshot{Nodes: []corev1.Node{
		{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Status: gone},
		{ObjectMeta: metav1.ObjectMeta{Name: "b", Labels: map[string]string{corev1.LabelOSStable: "windows"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "c"}}}}
	for _, p := range fromEachNode(s, someProbes()) {
		if p.Exploratory && p.FromNode != "c" {
			t.Errorf("%s is asked from node %s, want c", p.ID, p.FromNode)
		}
	}
}

// TestAuthStaysAReference: what a probe, a Pod and a Snapshot hold is the name
// of the Secret, and only the probe Pod can follow it.
func TestAuthStaysAReference(t *testing.T) {
	o := PlanOptions{Auth: &Auth{Secret: "login", UserKey: "who"}, TLS: true}
	list := someProbes()
	o.finish(&Snapshot{}, list)
	want := map[string]string{"here": envPassword + "/demo", "tunnel": envPassword + "/demo", "pod": envPassword, "ip": envPassword}
	for _, p := range list {
		if p.PasswordEnv != want[p.ID] || (p.UsernameEnv != "") != (want[p.ID] != "") || p.TLS != (p.Check == probe.CheckRedis) {
			t.Errorf("%s: %+v", p.ID, p)
		}
	}
	pod, err := newProbePod(podRun{namespace: "demo", run: "r", image: "i", timeout: time.Second, auth: o.Auth, probes: list})
	if err != nil {
		t.Fatal(err)
	}
	refs := 0
	for _, v := range pod.Spec.Containers[0].Env {
		if !strings.HasPrefix(v.Name, "SVCX_AUTH_") {
			continue
		}
		refs++
		if v.Value != "" || v.ValueFrom.SecretKeyRef.Name != "login" || !*v.ValueFrom.SecretKeyRef.Optional {
			t.Errorf("variable %+v, want an optional reference", v)
		}
	}
	if refs != 2 || pod.Spec.Containers[0].Env[0].ValueFrom.SecretKeyRef.Key != "password" {
		t.Errorf("variables %+v, want password and user", pod.Spec.Containers[0].Env)
	}
}

// TestClientsStandIn: a Pod that looks like the client to the network, and is
// none of the client's to Services and controllers.
func TestClientsStandIn(t *testing.T) {
	c := &client{Client: Client{ObjectRef: ObjectRef{Kind: "Deployment", Namespace: "shop", Name: "web"},
		Labels: map[string]string{"app": "web", "app.kubernetes.io/managed-by": "Helm", labelIstioInject: "true"}},
		apiVersion: "apps/v1", uid: "u", spec: corev1.PodSpec{DNSPolicy: corev1.DNSDefault, ServiceAccountName: "boss"}}
	pod, err := newProbePod(podRun{namespace: "shop", run: "r", image: "i", timeout: time.Second, client: c, node: "n1", probes: someProbes()})
	if err != nil {
		t.Fatal(err)
	}
	owner := metav1.GetControllerOf(pod)
	checks := map[string]bool{
		"labels":             pod.Labels["app"] == "web" && pod.Labels["app.kubernetes.io/managed-by"] == "Helm" && pod.Labels[LabelProbe] == "r",
		"no sidecar":         pod.Labels[labelIstioInject] == "false",
		"never ready":        len(pod.Spec.ReadinessGates) == 1,
		"owned":              owner != nil && owner.UID == "u" && owner.Kind == "Deployment" && owner.BlockOwnerDeletion == nil,
		"its DNS":            pod.Spec.DNSPolicy == corev1.DNSDefault,
		"no service account": pod.Spec.ServiceAccountName == "" && !*pod.Spec.AutomountServiceAccountToken,
		"on its node":        pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0].Values[0] == "n1",
		"any taint":          len(pod.Spec.Tolerations) == 1 && pod.Spec.Tolerations[0].Key == "",
		"client unchanged":   c.Labels[LabelProbe] == "" && c.Labels[labelIstioInject] == "true",
	}
	for what, ok := range checks {
		if !ok {
			t.Errorf("the probe Pod lacks: %s: %+v", what, pod.ObjectMeta)
		}
	}
	created := metav1.NewTime(time.Now().Add(-time.Hour))
	if pod.CreationTimestamp = created; !leftover(pod, time.Now()) {
		t.Error("it would not be found as a leftover")
	}
}

func TestCannotRun(t *testing.T) {
	node := func(os string, ready corev1.ConditionStatus) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{corev1.LabelOSStable: os}},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}}}
	}
	for _, tc := range []struct {
		node corev1.Node
		want string
	}{
		{node("linux", corev1.ConditionTrue), ""},
		{node("linux", corev1.ConditionUnknown), "not Ready"},
		{node("windows", corev1.ConditionTrue), "runs windows"},
	} {
		reason, needs := cannotRun(&Snapshot{Nodes: []corev1.Node{tc.node}}, "n")
		if !strings.Contains(reason, tc.want) || (reason == "") != (tc.want == "") || (needs == "") != (tc.want == "") {
			t.Errorf("%q, %q, want %q", reason, needs, tc.want)
		}
	}
}

// The DNS of each node is looked at, not the first one's only.
func TestNameFromEachNode(t *testing.T) {
	jc := judgeCase{}
	s := jc.snapshot(t)
	probes := PlanProbes(s, PlanOptions{EveryNode: true})
	outcomes := answerAll(probes, []peer{{Class: probe.ClassOK}})
	stale := 0
	for i, o := range outcomes {
		if probes[i].ID == o.Probe && probes[i].Check == probe.CheckDNS && probes[i].FromNode == "two" && probes[i].Service != "" {
			outcomes[i].Resolved = []string{"10.96.0.99"}
			stale++
		}
	}
	if stale != 1 {
		t.Fatalf("%d answers made stale", stale)
	}
	for _, c := range Judge(s, probes, outcomes).Services[0].Checks {
		if c.Name == string(probe.PathDNS) && (c.State != StateFailed || !strings.Contains(c.Summary, "missing 10.96.0.10") || !strings.HasSuffix(c.Summary, ", from node two")) {
			t.Errorf("%s: %s", c.State, c.Summary)
		}
	}
}
