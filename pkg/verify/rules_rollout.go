package verify

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// revision returns a ReplicaSet's place in its Deployment's history.
func revision(rs *appsv1.ReplicaSet) int {
	n, _ := strconv.Atoi(rs.Annotations["deployment.kubernetes.io/revision"])
	return n
}

// ruleRolloutStuck: SVC320. The Pods of the newest ReplicaSet fail while those
// of an older one serve.
func ruleRolloutStuck(c *serviceCase) []finding {
	var out []finding
	for _, w := range c.v.workload {
		if w.ref.Kind != "Deployment" || w.ref.Namespace != c.svc.Namespace || !selects(c.svc, w.labels) {
			continue
		}
		sets := c.v.replicaSetsOf(w.ref)
		if len(sets) < 2 || revision(sets[0]) == revision(sets[1]) {
			continue
		}
		newest := sets[0]
		var failing *finding
		var broken *corev1.Pod
		oldReady, newReady := 0, 0
		for _, p := range c.podsOf(&w) {
			owner := metav1.GetControllerOf(p)
			switch isNew := owner != nil && owner.UID == newest.UID; {
			case podReady(p) && isNew:
				newReady++
			case podReady(p) && p.DeletionTimestamp == nil:
				oldReady++
			case isNew && failing == nil && p.DeletionTimestamp == nil:
				if f, ok := podCause(c, p); ok {
					failing, broken = &f, p
				}
			}
		}
		refused, _ := "", ""
		if failing == nil && newReady == 0 && newest.Spec.Replicas != nil && *newest.Spec.Replicas > newest.Status.Replicas {
			refused, _ = c.refusal(&w)
			refused = probe.Printable(refused, maxEventText)
		}
		if oldReady == 0 || newReady > 0 || (failing == nil && refused == "") {
			continue
		}
		f := Finding{ID: "SVC320", Severity: SeverityWarning, Object: w.ref, Field: "spec.template.spec"}
		why := refused
		if failing != nil {
			why = failing.Message
			f.Field = failing.Field
			f.Evidence = append(slices.Clone(failing.Evidence), fmt.Sprintf("Pod/%s is of revision %d (ReplicaSet/%s), the newest", broken.Name, revision(newest), newest.Name))
			if failing.ID != "" {
				f.Evidence = append(f.Evidence, "the cause in itself is "+failing.ID)
			}
		} else {
			f.Evidence = append(f.Evidence, fmt.Sprintf("ReplicaSet/%s (revision %d) has no Pods: %s", newest.Name, revision(newest), refused))
		}
		f.Evidence = append(f.Evidence, plural(oldReady, "Pod")+" of older revisions still serve")
		if text := c.v.progressing(w.ref); text != "" {
			f.Evidence = append(f.Evidence, text)
		}
		f.Message = fmt.Sprintf("the rollout of %s is stuck, and its old Pods still serve: %s", w.ref, why)
		f.Fix = &Fix{Summary: "mend the new revision, or go back to the last one",
			Command: shell.Kubectl("rollout undo deployment %s -n %s", w.ref.Name, w.ref.Namespace)}
		out = append(out, finding{Finding: f, pods: podsOfSet(c.pods, newest)})
	}
	return out
}

// podsOfSet returns the keys of the Pods that a ReplicaSet controls.
func podsOfSet(pods []*corev1.Pod, rs *appsv1.ReplicaSet) map[string]bool {
	out := map[string]bool{}
	for _, p := range pods {
		if owner := metav1.GetControllerOf(p); owner != nil && owner.UID == rs.UID {
			out[p.Name] = true
		}
	}
	return out
}

// progressing words a Deployment's own verdict on its rollout, if that is bad.
func (v *view) progressing(ref ObjectRef) string {
	if d := v.deployment(ref); d != nil {
		for _, cond := range d.Status.Conditions {
			if cond.Type == appsv1.DeploymentProgressing && cond.Status == corev1.ConditionFalse {
				return "Deployment/" + d.Name + " Progressing False: " + probe.Printable(cond.Reason, 64)
			}
		}
	}
	return ""
}

// ruleTerminating: SVC306. What is left of the backends is going away.
func ruleTerminating(c *serviceCase) []finding {
	if len(c.pods) == 0 || c.svc.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	for _, p := range c.pods {
		if p.DeletionTimestamp == nil {
			return nil
		}
	}
	f := Finding{ID: "SVC306", Severity: SeverityFailure, Object: c.v.ownerOf(c.pods[0]), Field: "spec.replicas",
		Message: fmt.Sprintf("all %s behind %s are terminating, and none takes their place.", plural(len(c.pods), "Pod"), c.ref()),
		Fix:     &Fix{Summary: "wait for their successors, or create anew what made them"}}
	if len(c.pods) == 1 {
		f.Message = fmt.Sprintf("the only Pod behind %s is terminating, and none takes its place.", c.ref())
	}
	var end time.Time
	for _, p := range c.pods {
		if p.DeletionTimestamp.After(end) {
			end = p.DeletionTimestamp.Time
		}
	}
	for _, p := range sample(c.pods, 3) {
		since, may := p.DeletionTimestamp.UTC(), "" // by then it is to be gone
		if g := p.DeletionGracePeriodSeconds; g != nil {
			grace := time.Duration(*g) * time.Second
			since, may = since.Add(-grace), ", which may take "+lasting(grace)
		}
		f.Evidence = append(f.Evidence, fmt.Sprintf("Pod/%s is terminating since %s%s", p.Name, since.Format(time.TimeOnly), may))
	}
	if off := c.stopped(); len(off) > 0 && !off[0].toEnd() {
		w := off[0]
		f.Evidence = append(f.Evidence, w.ref.String()+" spec.replicas is 0")
		f.Object = w.ref
		f.Fix = c.scaleFix(w)
	} else if w := c.v.workloadOf(c.pods[0]); w != nil && w.makesFor(c.svc) {
		f.Object = w.ref
		f.Fix.Summary = fmt.Sprintf("wait until they have ended, by %s UTC at the latest: %s makes others then", end.UTC().Format(time.TimeOnly), w.ref)
		if end.Before(c.v.s.Taken.Time) {
			f.Fix.Summary = fmt.Sprintf("they were to have ended by %s UTC: see whether their node is up, and which finalizers they have", end.UTC().Format(time.TimeOnly))
		}
		if d := c.v.deployment(w.ref); d != nil && d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
			f.Field = "spec.strategy.type"
			f.Evidence = append(f.Evidence, "spec.strategy.type is Recreate: new Pods are made when the old ones have ended")
			f.Fix.Summary += "; RollingUpdate would make them before"
		}
	}
	if anyUsable(c.ports) {
		f.Severity = SeverityWarning
		f.Evidence = append(f.Evidence, "they still serve until they end")
	}
	return []finding{{Finding: f}}
}

// ruleNotReadyPublished: SVC305. A headless Service publishes such addresses so
// that peers find each other before they are ready; through a cluster IP they
// get the traffic of clients.
func ruleNotReadyPublished(c *serviceCase) []finding {
	if !c.svc.Spec.PublishNotReadyAddresses || headless(c.svc) || c.svc.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	var names, why []string
	seen := map[string]bool{}
	ready, silent := 0, 0
	for _, pv := range c.ports {
		for _, e := range pv.usable {
			if e.pod == nil || seen[e.podName] {
				continue
			}
			seen[e.podName] = true
			if e.serving && podReady(e.pod) {
				ready++
				continue
			}
			if !running(e.pod) {
				continue // why it does not run is the cause
			}
			names = append(names, e.pod.Name)
			if f, ok := podCause(c, e.pod); ok && len(why) == 0 {
				why = f.Evidence
			}
			if a := c.ev.on(probe.PathPod, "", pv.key).ofPod(e.podName); len(a.asked()) > 0 && len(a.where(probe.ClassOK)) == 0 {
				silent++
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	f := Finding{ID: "SVC305", Severity: SeverityWarning, Object: c.ref(), Field: "spec.publishNotReadyAddresses",
		Message: fmt.Sprintf("%s sends traffic to Pods that are not ready (%s), since publishNotReadyAddresses is set.", c.ref(), shortList(names, 3)),
		Evidence: append([]string{
			"spec.publishNotReadyAddresses is true, and the Service has a cluster IP",
			fmt.Sprintf("EndpointSlice: %s ready and not serving", plural(len(names), "endpoint")),
		}, why...),
		Fix: patchFix("unset publishNotReadyAddresses, and make the Pods ready", c.ref(), map[string]any{"spec": map[string]any{"publishNotReadyAddresses": false}})}
	if silent > 0 || ready == 0 {
		f.Severity = SeverityFailure
	}
	if ready == 0 {
		f.Fix = &Fix{Summary: "make the Pods ready, and unset publishNotReadyAddresses then: without it nobody would be left"}
	}
	pods := map[string]bool{}
	for _, n := range names {
		pods[n] = true
	}
	return []finding{{Finding: f, pods: pods}}
}

// ofPod returns the answers about one Pod, given as namespace/name.
func (e evidence) ofPod(pod string) evidence {
	var out evidence
	for _, a := range e {
		if a.probe.Pod == pod {
			out = append(out, a)
		}
	}
	return out
}
