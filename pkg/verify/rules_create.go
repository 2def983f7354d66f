package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// ruleCannotCreate: SVC315 to SVC318. The API server refuses the Pods of the
// workload; who refuses them stands in its own words.
func ruleCannotCreate(c *serviceCase) []finding {
	if c.has("SVC301") || c.v.gap("pods", c.svc.Namespace) != nil {
		return nil
	}
	var out []finding
	for _, w := range c.makers {
		want := w.desired()
		if _, one := w.ordinal(c.svc.Spec.Selector); one {
			want = min(want, 1)
		}
		if len(c.podsOf(w)) >= want {
			continue
		}
		if text, evidence := c.refusal(w); text != "" {
			out = append(out, finding{Finding: c.cannotCreate(w, text, evidence)})
		}
	}
	return out
}

// cannotCreate says of one workload who refuses its Pods.
func (c *serviceCase) cannotCreate(w *workload, text, evidence string) Finding {
	f := Finding{Severity: c.workloadSeverity(), Object: w.ref, Field: "spec.template.spec", Evidence: []string{evidence}}
	cause, fix := "the API server refuses them", "change what the message names"
	for _, r := range refusals {
		if containsAny(strings.ToLower(text), r.words...) {
			f.ID, cause, fix = r.id, r.cause, r.fix
			break
		}
	}
	f.Message = fmt.Sprintf("%s cannot create its Pods: %s: %s", w.ref, cause, probe.Printable(text, maxEventText))
	f.Fix = &Fix{Summary: fix}
	switch f.ID {
	case "SVC316":
		f.Fix.Summary = shell.Advice(fix, shell.Kubectl("describe limitrange -n %s", w.ref.Namespace))
	case "SVC317":
		f.Fix = restrictedFix(fix, w, strings.ToLower(text))
	}
	if n := len(c.podsOf(w)); n > 0 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("%d of %d Pods exist", n, w.desired()))
	}
	return f
}

// refusals sorts the API server's words. The order counts: a webhook's text may
// hold the words of the others.
var refusals = []struct {
	id         string
	words      []string
	cause, fix string
}{
	{"SVC317", []string{"admission webhook", "failed calling webhook"}, "an admission webhook refuses them", "change what the webhook names, or restore the webhook"},
	{"SVC317", []string{"validatingadmissionpolicy"}, "an admission policy refuses them", "change what the policy names"},
	{"SVC317", []string{"violates podsecurity", "security context constraint"}, "Pod Security refuses them", "set the securityContext fields that the message names"},
	{"SVC315", []string{"exceeded quota", "failed quota", "insufficient quota"}, "the namespace's quota refuses them", "raise the quota, or reduce or state what the Pods request"},
	{"SVC318", []string{"serviceaccount", "service account"}, "their ServiceAccount does not exist", "create the ServiceAccount, or correct serviceAccountName"},
	{"SVC318", []string{"priorityclass"}, "their PriorityClass does not exist", "create the PriorityClass, or correct priorityClassName"},
	// The template states no such limit, or the API server would not have taken it.
	{"SVC316", []string{"less than or equal to cpu limit", "less than or equal to memory limit", "less than or equal to ephemeral-storage limit"},
		"a LimitRange gives them a default limit below what they request", "state a limit that is no less than the request, or raise the LimitRange's default"},
	{"SVC316", []string{"usage per container", "usage per pod", "limit to request ratio", "usage per persistentvolumeclaim"}, "a LimitRange refuses them", "keep the requests and limits within the LimitRange"},
}

// desired returns how many Pods a workload should have, as far as that is known.
func (w *workload) desired() int {
	if w.idle {
		return 0
	}
	if w.replicas != nil {
		return int(*w.replicas)
	}
	return 1
}

// podsOf returns the selected Pods that belong to a workload.
func (c *serviceCase) podsOf(w *workload) []*corev1.Pod {
	var out []*corev1.Pod
	for _, p := range c.pods {
		if c.v.ownerOf(p) == w.ref {
			out = append(out, p)
		}
	}
	return out
}

// maxRefusal bounds the API server's words, in bytes: Pod Security lists every
// field that is missing.
const maxRefusal = 1200

// refusal returns why the Pods of a workload cannot be created, and where that
// was read: in a condition, which ends with its cause, or in an event.
func (c *serviceCase) refusal(w *workload) (text, evidence string) {
	names := []string{w.ref.Name}
	for _, rs := range c.v.replicaSetsOf(w.ref) {
		names = append(names, rs.Name)
		for _, cond := range rs.Status.Conditions {
			if cond.Type == appsv1.ReplicaSetReplicaFailure && cond.Status == corev1.ConditionTrue && cond.Reason == "FailedCreate" {
				text = probe.Printable(cond.Message, maxRefusal)
				return text, fmt.Sprintf("ReplicaSet/%s ReplicaFailure: %s", rs.Name, text)
			}
		}
	}
	var last *corev1.Event
	for i := range c.v.s.Events {
		ev := &c.v.s.Events[i]
		if ev.Reason == "FailedCreate" && ev.Namespace == c.svc.Namespace && slices.Contains(names, ev.InvolvedObject.Name) &&
			(last == nil || eventTime(ev).After(eventTime(last))) {
			last = ev
		}
	}
	if last == nil {
		return "", ""
	}
	text = probe.Printable(last.Message, maxRefusal)
	return text, fmt.Sprintf("event FailedCreate on %s/%s: %s", last.InvolvedObject.Kind, last.InvolvedObject.Name, text)
}

// replicaSetsOf returns the ReplicaSets of a Deployment, the newest revision
// first, as the Deployment controller counts them.
func (v *view) replicaSetsOf(owner ObjectRef) []*appsv1.ReplicaSet {
	var out []*appsv1.ReplicaSet
	for i := range v.s.ReplicaSets {
		rs := &v.s.ReplicaSets[i]
		up := metav1.GetControllerOf(rs)
		if rs.Namespace == owner.Namespace && up != nil && up.Kind == owner.Kind && up.Name == owner.Name {
			out = append(out, rs)
		}
	}
	slices.SortStableFunc(out, func(a, b *appsv1.ReplicaSet) int { return revision(b) - revision(a) })
	return out
}

// restrictedFix sets the fields that the restricted Pod Security standard wants
// to be said, where nothing else is missing; what a Pod asks for beyond the
// standard it may need, and is not taken from it.
func restrictedFix(summary string, w *workload, text string) *Fix {
	wanted := map[string]map[string]any{
		"allowprivilegeescalation":  {"allowPrivilegeEscalation": false},
		"unrestricted capabilities": {"capabilities": map[string]any{"drop": []any{"ALL"}}},
		"runasnonroot":              {"runAsNonRoot": true},
		"seccompprofile":            {"seccompProfile": map[string]any{"type": "RuntimeDefault"}},
	}
	_, list, _ := strings.Cut(text, `violates podsecurity "restricted:`)
	_, list, ok := strings.Cut(list, `": `)
	if !ok || len(w.template.Spec.InitContainers) > 0 || strings.HasSuffix(text, "…") {
		return &Fix{Summary: summary}
	}
	fields := map[string]any{}
	for _, part := range strings.Split(list, "), ") {
		words, _, _ := strings.Cut(part, " (")
		known := false
		for word, set := range wanted {
			if strings.HasPrefix(words, word) {
				maps.Copy(fields, set)
				known = true
			}
		}
		if !known {
			return &Fix{Summary: summary}
		}
	}
	by := map[string]map[string]any{}
	for i := range w.template.Spec.Containers {
		by[w.template.Spec.Containers[i].Name] = map[string]any{"securityContext": fields}
	}
	return containersFix(summary, w.ref, nil, by)
}
