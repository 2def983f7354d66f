package verify

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// rulePaused: SVC333 of a Deployment that was paused before it had any Pods.
func rulePaused(c *serviceCase) []finding {
	if len(c.pods) > 0 || c.v.gap("pods", c.svc.Namespace) != nil || c.v.gap("replicasets", c.svc.Namespace) != nil {
		return nil
	}
	for _, w := range c.makers {
		d := c.v.deployment(w.ref)
		if d == nil || !d.Spec.Paused || w.desired() == 0 || len(c.v.replicaSetsOf(w.ref)) > 0 {
			continue
		}
		return []finding{{Finding: Finding{ID: "SVC333", Severity: SeverityFailure, Object: w.ref, Field: "spec.paused",
			Message:  fmt.Sprintf("%s is paused, and makes no Pods of its template until it is resumed.", w.ref),
			Evidence: []string{"spec.paused is true, and it has no ReplicaSet"},
			Fix:      resumeFix(w)}}}
	}
	return nil
}

func resumeFix(w *workload) *Fix {
	f := patchFix("resume the rollout", w.ref, map[string]any{"spec": map[string]any{"paused": false}})
	f.Command = shell.Kubectl("rollout resume deployment %s -n %s", w.ref.Name, w.ref.Namespace)
	return f
}

// deployment returns a Deployment, or nil.
func (v *view) deployment(ref ObjectRef) *appsv1.Deployment {
	if ref.Kind != "Deployment" {
		return nil
	}
	return objectOf(v.s.Deployments, ref.Namespace, ref.Name)
}

// laggard says why Pods stay at a revision before that of their workload's template.
type laggard struct {
	field, why string
	evidence   string
	fix        *Fix
	// spec is what a Pod was made of.
	spec *corev1.PodSpec
}

// overtaken looks again at what a rule has found in Pods that are older than their
// workload's template: where the template says something else by now, it is not the
// template that is to be mended. All findings pass through here.
func (c *serviceCase) overtaken(found []finding) []finding {
	var out []finding
	for _, f := range found {
		if g, ok := c.mended(f); ok {
			at := slices.IndexFunc(c.findings, func(h finding) bool { return h.ID == g.ID && h.Object == g.Object })
			if at >= 0 {
				c.findings[at].Evidence = append(c.findings[at].Evidence, g.Evidence[len(g.Evidence)-1])
				c.findings[at].port = ""
				continue
			}
			f = g
		}
		out = append(out, f)
	}
	return out
}

// mended returns SVC333 in the place of a finding, if all Pods that it is about are
// of an older revision, and the template differs in what it blames.
func (c *serviceCase) mended(f finding) (finding, bool) {
	pods := c.blamed(f)
	if len(pods) == 0 {
		return finding{}, false
	}
	w := c.v.workloadOf(pods[0])
	if w == nil {
		return finding{}, false
	}
	var first *laggard
	var differs []string
	for _, p := range pods {
		l := c.lagOf(w, p)
		if l == nil || c.v.ownerOf(p) != w.ref {
			return finding{}, false
		}
		if first == nil {
			first, differs = l, changed(f.Field, l.spec, &w.template.Spec)
		}
	}
	if len(differs) == 0 {
		return finding{}, false
	}
	g := finding{port: f.port, checks: f.checks, pods: f.pods, Finding: Finding{ID: "SVC333", Severity: f.Severity, Object: w.ref, Field: first.field,
		Message:  fmt.Sprintf("the Pods of %s are older than its template, which has changed since (%s): %s.", w.ref, shortList(differs, 3), first.why),
		Evidence: slices.Concat(f.Evidence, []string{first.evidence, "seen in the old Pods: " + f.Message}),
		Fix:      first.fix}}
	if g.Fix == nil {
		g.Fix = deleteFix(w, pods)
	}
	return g, true
}

// ofWhatRuns are the causes that are told from what the Pods listen on or declare,
// whether the Service is blamed for it or the Pods' template.
var ofWhatRuns = []string{"SVC201", "SVC202", "SVC203", "SVC204", "SVC205", "SVC207", "SVC208"}

// blamed returns the Pods from which a finding was told that blames a template.
func (c *serviceCase) blamed(f finding) []*corev1.Pod {
	var out []*corev1.Pod
	switch {
	case f.Severity == SeverityNote, f.ID == "SVC326":
	case len(f.pods) > 0 && strings.HasPrefix(f.Field, "spec.template."):
		for _, p := range c.pods {
			if f.pods[p.Name] {
				out = append(out, p)
			}
		}
	case slices.Contains(ofWhatRuns, f.ID):
		for _, pv := range c.ports {
			for _, e := range slices.Concat(pv.usable, pv.noPort) {
				if pv.key == f.port && e.pod != nil && !slices.Contains(out, e.pod) {
					out = append(out, e.pod)
				}
			}
		}
	}
	return out
}

// workloadOf returns the workload that a Pod belongs to, or nil.
func (v *view) workloadOf(p *corev1.Pod) *workload { return v.named(v.ownerOf(p)) }

// named returns the workload that is meant, or nil.
func (v *view) named(ref ObjectRef) *workload {
	i := slices.IndexFunc(v.workload, func(w workload) bool { return w.ref == ref })
	if i < 0 {
		return nil
	}
	return &v.workload[i]
}

// lagOf returns why a Pod stays older than its workload's template; nil where it is
// not, or where its controller is about to replace it.
func (c *serviceCase) lagOf(w *workload, p *corev1.Pod) *laggard {
	if w.unseen {
		return nil
	}
	switch w.ref.Kind {
	case "Deployment":
		d, owner := c.v.deployment(w.ref), metav1.GetControllerOf(p)
		if d == nil || !d.Spec.Paused || owner == nil {
			return nil
		}
		for _, rs := range c.v.replicaSetsOf(w.ref) {
			if rs.UID == owner.UID {
				return &laggard{field: "spec.paused", why: "the Deployment is paused", fix: resumeFix(w), spec: &rs.Spec.Template.Spec,
					evidence: fmt.Sprintf("spec.paused is true, and ReplicaSet/%s of Pod/%s has another template", rs.Name, p.Name)}
			}
		}
	case "StatefulSet":
		if s := objectOf(c.v.s.StatefulSets, w.ref.Namespace, w.ref.Name); s != nil {
			return c.lagOfSet(s, p)
		}
	case "DaemonSet":
		d := objectOf(c.v.s.DaemonSets, w.ref.Namespace, w.ref.Name)
		if d != nil && d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType && d.Status.UpdatedNumberScheduled < d.Status.CurrentNumberScheduled {
			return &laggard{field: "spec.updateStrategy.type", why: onDelete, spec: &p.Spec,
				evidence: fmt.Sprintf("status.updatedNumberScheduled is %d of %d", d.Status.UpdatedNumberScheduled, d.Status.CurrentNumberScheduled)}
		}
	}
	return nil
}

const onDelete = "its updateStrategy OnDelete leaves each Pod as it is until somebody deletes it"

// lagOfSet is lagOf for a Pod of a StatefulSet.
func (c *serviceCase) lagOfSet(s *appsv1.StatefulSet, p *corev1.Pod) *laggard {
	have := p.Labels[appsv1.ControllerRevisionHashLabelKey]
	if have == "" || s.Status.UpdateRevision == "" || have == s.Status.UpdateRevision {
		return nil
	}
	l := &laggard{spec: &p.Spec, evidence: fmt.Sprintf("Pod/%s is of revision %s, and status.updateRevision is %s", p.Name, have, s.Status.UpdateRevision)}
	if s.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		l.field, l.why = "spec.updateStrategy.type", onDelete
		return l
	}
	if r := s.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
		place, err := strconv.Atoi(p.Name[strings.LastIndexByte(p.Name, '-')+1:])
		if s.Spec.Ordinals != nil {
			place -= int(s.Spec.Ordinals.Start)
		}
		if err == nil && place < int(*r.Partition) {
			l.field, l.why = "spec.updateStrategy.rollingUpdate.partition", fmt.Sprintf("the partition %d keeps it from Pod/%s", *r.Partition, p.Name)
			l.fix = &Fix{Summary: "lower the partition, and then delete those of the Pods that are not ready"}
			return l
		}
	}
	// One at a time, and none before the others are ready: nobody replaces what is broken.
	if s.Spec.PodManagementPolicy == appsv1.ParallelPodManagement || podReady(p) {
		return nil
	}
	l.field, l.why = "spec.podManagementPolicy", "a StatefulSet waits for a Pod that is not ready, and does not replace it"
	return l
}

// deleteFix has a workload make Pods anew.
func deleteFix(w *workload, pods []*corev1.Pod) *Fix {
	f := &Fix{Summary: "delete the old Pods, one after the other; new ones are made of the template as it is now"}
	if len(pods) == 1 {
		f.Summary = "delete the old Pod; a new one is made of the template as it is now"
	}
	if len(pods) > maxDeleted {
		return f
	}
	args := []string{w.ref.Namespace}
	for _, p := range pods {
		args = append(args, p.Name)
	}
	f.Command = shell.Kubectl("delete pod -n %s"+strings.Repeat(" %s", len(pods)), args...)
	return f
}

// maxDeleted is how many Pods a command may name.
const maxDeleted = 5

var (
	inContainer = regexp.MustCompile(`ontainers\[name=([^\]]+)\](?:\.(\w+))?`)
	// decides are the fields of a container that decide how it runs.
	decides = []string{"image", "command", "args", "workingDir", "env", "envFrom", "ports", "lifecycle", "livenessProbe", "startupProbe", "securityContext"}
	// listens are those that decide what it listens on.
	listens = []string{"command", "args", "env", "envFrom", "ports"}
	// places are the fields of a Pod that decide where it can run.
	places = []string{"nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "runtimeClassName", "securityContext"}
	// added are those that a Pod may have more of than its template: defaults, and
	// what an admission plugin has put there.
	added = []string{"env", "envFrom", "resources", "volumes", "tolerations", "affinity", "enableServiceLinks", "securityContext"}
)

// changed returns in which of the fields that a finding blames a template differs
// from what a Pod was made of.
func changed(field string, was, is *corev1.PodSpec) []string {
	before, after := asMap(was), asMap(is)
	var out []string
	fields := func(prefix string, a, b map[string]any, names ...string) {
		for _, n := range names {
			if slices.Contains(added, n) && holds(a[n], b[n]) || reflect.DeepEqual(a[n], b[n]) {
				continue
			}
			out = append(out, prefix+n)
		}
	}
	containers := func(only string, names ...string) {
		for _, list := range []string{"initContainers", "containers"} {
			now := byName(after[list])
			for _, item := range asList(before[list]) {
				ctr, _ := item.(map[string]any)
				name, _ := ctr["name"].(string)
				switch there, ok := now[name]; {
				case only != "" && only != name:
				case !ok:
					out = append(out, fmt.Sprintf("%s[name=%s]", list, name))
				default:
					fields(fmt.Sprintf("%s[name=%s].", list, name), ctr, there, names...)
				}
			}
		}
	}
	m := inContainer.FindStringSubmatch(field)
	own, inTemplate := strings.CutPrefix(field, "spec.template.spec")
	switch own, _, _ = strings.Cut(strings.TrimPrefix(own, "."), "."); {
	case m != nil && m[2] == "":
		containers(m[1], decides...)
	case m != nil && m[2] == "env":
		containers(m[1], "env", "envFrom")
	case m != nil:
		containers(m[1], m[2])
	case !inTemplate || strings.HasPrefix(own, "containers"):
		containers("", listens...)
	case own == "":
		fields("", before, after, places...)
		containers("", "resources")
	default:
		fields("", before, after, own)
	}
	return out
}

// holds reports whether one value has all of another.
func holds(all, part any) bool {
	switch part := part.(type) {
	case nil:
		return true
	case map[string]any:
		have, _ := all.(map[string]any)
		for k, v := range part {
			if !holds(have[k], v) {
				return false
			}
		}
		return true
	case []any:
		return !slices.ContainsFunc(part, func(v any) bool {
			return !slices.ContainsFunc(asList(all), func(w any) bool { return sameName(w, v) && holds(w, v) })
		})
	}
	return reflect.DeepEqual(all, part)
}

// sameName reports whether two items of a list may be the same one.
func sameName(a, b any) bool {
	x, _ := a.(map[string]any)
	y, _ := b.(map[string]any)
	return x["name"] == y["name"]
}

func byName(list any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, item := range asList(list) {
		if m, ok := item.(map[string]any); ok {
			name, _ := m["name"].(string)
			out[name] = m
		}
	}
	return out
}

func asList(v any) []any { l, _ := v.([]any); return l }

// asMap returns the fields of an object as the API writes them.
func asMap(v any) map[string]any {
	var out map[string]any
	if data, err := json.Marshal(v); err == nil {
		_ = json.Unmarshal(data, &out)
	}
	return out
}
