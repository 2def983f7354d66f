//go:build e2e

package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
)

// look are the rules of one who may see everything and change nothing.
var look = rbacv1.PolicyRule{APIGroups: []string{"", "apps", "discovery.k8s.io", "networking.k8s.io"},
	Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}}

// grant gives somebody rights in a namespace.
func grant(t *testing.T, ns string, who rbacv1.Subject, rules ...rbacv1.PolicyRule) {
	t.Helper()
	c := client(t)
	who.APIGroup = rbacv1.GroupName
	meta := metav1.ObjectMeta{Name: strings.ToLower(who.Name)}
	if _, err := c.RbacV1().Roles(ns).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := rbacv1.RoleBinding{ObjectMeta: meta, Subjects: []rbacv1.Subject{who},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name}}
	if _, err := c.RbacV1().RoleBindings(ns).Create(t.Context(), &binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// Both arrived when one of the rules counts.
	resource := rules[0].Resources[0]
	if resource == rbacv1.ResourceAll {
		resource = "services"
	}
	cluster.AwaitRights(t, c, ns, who, rules[0].Verbs[0], resource+strings.TrimSuffix("."+rules[0].APIGroups[0], "."))
}

// TestLimitedRights verifies one good Service as users who may do less and
// less: what they cannot see is not proven, by the right that is missing, and
// never held against the Service.
func TestLimitedRights(t *testing.T) {
	t.Parallel()
	ns, dir := namespace(t, restricted), t.TempDir()
	svcx(t, dir, append(redis, "--replicas=2", "--type=NodePort", "-n", ns)...).want(t, 0)
	rule := func(group, resources, verbs string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: strings.Split(resources, ","), Verbs: strings.Split(verbs, ",")}
	}
	tunnel := rule("", "pods/portforward", "create,get")
	for _, tc := range []struct {
		user   string
		rules  []rbacv1.PolicyRule
		proven string            // checks, in their order
		needs  map[string]string // check to what its need has to name
	}{
		{"gets-services", []rbacv1.PolicyRule{rule("", "services", "get")}, "",
			map[string]string{"selector": "pods", "endpoints": "endpointslices"}},
		{"lists-services", []rbacv1.PolicyRule{rule("", "services", "list")}, "",
			map[string]string{"selector": "pods", "endpoints": "endpointslices"}},
		{"sees-all", []rbacv1.PolicyRule{look}, "selector endpoints",
			map[string]string{"tunnel": "pods/portforward", "pod": "create Pods", "cluster-ip": "create Pods", "dns": "create Pods", "node-port": "nodes"}},
		{"tunnels", []rbacv1.PolicyRule{look, tunnel}, "selector endpoints tunnel",
			map[string]string{"pod": "create Pods"}},
		{"no-logs", []rbacv1.PolicyRule{rule("", "services,pods,events", "get,list,watch"), rule("apps", "*", "list"), rule("discovery.k8s.io,networking.k8s.io", "*", "list"), tunnel, rule("", "pods", "create,delete")},
			"", map[string]string{"pod": "pods/log"}},
		{"no-slices", []rbacv1.PolicyRule{rule("", "services,pods,pods/log,events", "get,list,watch"), rule("apps", "*", "list"), tunnel, rule("", "pods", "create,delete")},
			"selector", map[string]string{"endpoints": "endpointslices"}},
		{"no-pods", []rbacv1.PolicyRule{rule("", "services,events", "list"), rule("apps", "*", "list"), rule("discovery.k8s.io", "*", "list")},
			"selector endpoints", map[string]string{"tunnel": "pods/portforward"}}, // endpoints are made from what the selector matches
	} {
		t.Run(tc.user, func(t *testing.T) {
			t.Parallel()
			grant(t, ns, rbacv1.Subject{Kind: rbacv1.UserKind, Name: tc.user}, tc.rules...)
			args := []string{"verify", "redis", "--in-cluster", "-n", ns, "--as", tc.user}
			r := svcx(t, dir, append(args, "-o", "json")...).want(t, 3)
			v := r.verdict(t)
			wantNoFailure(t, v)
			states := map[string]verify.CheckResult{}
			for _, check := range v.Services[0].Checks {
				states[check.Name] = check
			}
			for check := range strings.FieldsSeq(tc.proven) {
				if states[check].State != verify.StateProven {
					t.Errorf("%s is %s, want proven\n%s", check, states[check].State, r)
				}
			}
			for check, needs := range tc.needs {
				if got := states[check]; got.State != verify.StateNotProven || !strings.Contains(got.Needs, needs) {
					t.Errorf("%s is %s and needs %q, want not proven for want of %q\n%s", check, got.State, got.Needs, needs, r)
				}
			}
			text := svcx(t, dir, args...).want(t, 3)
			if strings.Contains(text.stdout, "matches no") || strings.Contains(text.stdout, "FAILED") {
				t.Errorf("what was not seen is held against the Service\n%s", text)
			}
		})
	}
	t.Run("one namespace, and -A", func(t *testing.T) {
		t.Parallel()
		const user = "local"
		grant(t, ns, rbacv1.Subject{Kind: rbacv1.UserKind, Name: user}, look, tunnel)
		svcx(t, dir, "verify", "-A", "--as", user).want(t, 1).contains(t, `user "local" may not list services in the whole cluster`, "kubectl auth can-i list services -A --as=local", "-n NAMESPACE")
		svcx(t, dir, "verify", "-n", ns, "--as", user).want(t, 3)
	})
	t.Run("no right at all", func(t *testing.T) {
		t.Parallel()
		svcx(t, dir, "verify", "redis", "-n", ns, "--as", "nobody").want(t, 1).contains(t, `user "nobody" may not`, "services", ns)
	})
}

// TestNamespacesWithLimits verifies one good Service in namespaces that do not
// let a probe Pod in, or that let it in: the limit is named, and the Service
// is not blamed for it.
func TestNamespacesWithLimits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		limit func(t *testing.T, ns string)
		code  int
		says  []string
	}{
		{"quota without room", func(t *testing.T, ns string) {
			q := corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "full"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("2")}}}
			if _, err := client(t).CoreV1().ResourceQuotas(ns).Create(t.Context(), &q, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			kubectl(t, t.TempDir(), "wait", "-n", ns, "resourcequota/full", "--for=jsonpath={.status.used.pods}=2", "--timeout=60s").want(t, 0)
		}, 3, []string{"the quota of namespace", "full", "room for one small Pod"}},
		{"LimitRange without room", func(t *testing.T, ns string) {
			limitRange(t, ns, corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("32Mi")}})
		}, 3, []string{"a LimitRange of namespace", "32Mi", "room for 64Mi"}},
		{"LimitRange with defaults", func(t *testing.T, ns string) {
			limitRange(t, ns, corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")}})
		}, 0, []string{"VERIFIED"}},
		{"quota with room", func(t *testing.T, ns string) {
			q := corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "room"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
				corev1.ResourceLimitsMemory: resource.MustParse("2Gi"), corev1.ResourceRequestsCPU: resource.MustParse("2"), "count/jobs.batch": resource.MustParse("0")}}}
			if _, err := client(t).CoreV1().ResourceQuotas(ns).Create(t.Context(), &q, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			kubectl(t, t.TempDir(), "wait", "-n", ns, "resourcequota/room", "--for=jsonpath={.status.hard.limits\\.memory}=2Gi", "--timeout=60s").want(t, 0)
		}, 0, []string{"VERIFIED"}},
		// The app's own policy lets everybody in, and nobody out to it.
		{"default-deny", admitNobody, 2, []string{"SVC409", "NetworkPolicy nobody"}},
		{"default-deny, without a policy of the app's own", func(t *testing.T, ns string) {
			admitNobody(t, ns)
			kubectl(t, t.TempDir(), "delete", "-n", ns, "networkpolicy/redis").want(t, 0)
		}, 2, []string{"SVC401", "NetworkPolicy nobody"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ns, dir := namespace(t, restricted), t.TempDir()
			svcx(t, dir, append(redis, "--replicas=2", "-n", ns)...).want(t, 0)
			tc.limit(t, ns)
			r := svcx(t, dir, "verify", "redis", "--in-cluster", "-n", ns).want(t, tc.code)
			r.contains(t, tc.says...)
			if strings.Contains(r.stdout, "matches no") {
				t.Errorf("the Service is blamed\n%s", r)
			}
			if left := probePods(t, client(t), ns); len(left) != 0 {
				t.Errorf("%d probe Pods are left", len(left))
			}
		})
	}
}

// admitNobody keeps all Pods of a namespace from connecting and from being connected to.
func admitNobody(t *testing.T, ns string) {
	t.Helper()
	p := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "nobody"}, Spec: networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}}}
	if _, err := client(t).NetworkingV1().NetworkPolicies(ns).Create(t.Context(), &p, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func limitRange(t *testing.T, ns string, item corev1.LimitRangeItem) {
	t.Helper()
	l := corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "limits"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}}}
	if _, err := client(t).CoreV1().LimitRanges(ns).Create(t.Context(), &l, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// wantNoFailure fails the test for each finding that blames a Service.
func wantNoFailure(t *testing.T, v verify.Verdict) {
	t.Helper()
	for _, s := range v.Services {
		for _, f := range s.Findings {
			if f.Severity == verify.SeverityFailure {
				t.Errorf("%s/%s: %s %s", s.Namespace, s.Name, f.ID, f.Message)
			}
		}
	}
}
