package verify

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// departed leaves out of what is judged the Pods that went while they were
// asked, as in a rollout, and takes the status of those of which a container ended
// meanwhile: the Snapshot is older than the questions. Pods are read again only where
// one did not answer; where they cannot be, all stays.
func (r *runner) departed(ctx context.Context, s *Snapshot) {
	silent := unanswering(r.asked, r.outcomes)
	namespaces := map[string]bool{}
	for key := range silent {
		namespace, _, _ := strings.Cut(key, "/")
		namespaces[namespace] = true
	}
	there := map[string]*corev1.Pod{}
	for namespace := range namespaces {
		list, err := listAll(ctx, r.c.core.Pods(namespace).List, func(l *corev1.PodList) []corev1.Pod { return l.Items })
		if err != nil {
			return
		}
		for i := range list {
			there[namespace+"/"+list[i].Name] = &list[i]
		}
	}
	v := newView(s)
	gone := map[string]bool{}
	for key := range silent {
		was, is := v.pods[key], there[key]
		switch {
		case is == nil || is.DeletionTimestamp != nil || was != nil && was.UID != is.UID:
			gone[key] = true
		case was != nil && endedSince(was, is):
			was.Status = is.Status // what ran between two crashes seemed to run and refuse
		}
	}
	if len(gone) > 0 {
		r.asked, r.outcomes = forget(s, gone, r.asked, r.outcomes)
	}
}

// endedSince reports whether a container of a Pod that ran has ended, or was started
// anew.
func endedSince(was, is *corev1.Pod) bool {
	return slices.ContainsFunc(statuses(was), func(then corev1.ContainerStatus) bool {
		return then.State.Running != nil && slices.ContainsFunc(statuses(is), func(now corev1.ContainerStatus) bool {
			return now.Name == then.Name && (now.State.Running == nil || now.RestartCount > then.RestartCount)
		})
	})
}

// unanswering returns the Pods, as namespace/name, that were asked and of which
// some answer was not good.
func unanswering(probes []probe.Probe, outcomes []probe.Outcome) map[string]bool {
	out := map[string]bool{}
	for _, e := range gather(probes, outcomes) {
		for _, a := range e {
			if a.probe.Pod == "" || a.probe.Exploratory || a.outcome == nil || a.good() {
				continue
			}
			// The tunnel to a Pod that is gone fails on this side.
			if a.asked() || a.probe.Path == probe.PathTunnel && a.outcome.Class == probe.ClassLocal {
				out[a.probe.Pod] = true
			}
		}
	}
	return out
}

// forget takes Pods out of a Snapshot and of what was asked. A Service that has no
// other backend keeps them: its new ones were not asked, so that nothing is known.
func forget(s *Snapshot, gone map[string]bool, probes []probe.Probe, outcomes []probe.Outcome) ([]probe.Probe, []probe.Outcome) {
	v := newView(s)
	bare := map[string]bool{}   // Services of which all backends are gone
	needed := map[string]bool{} // Pods that these keep
	for _, key := range s.Targets {
		svc := v.service(key)
		if svc == nil {
			continue
		}
		for _, pv := range v.ports(svc, Checks{}) {
			if len(pv.usable) > 0 && !slices.ContainsFunc(pv.usable, func(e endpoint) bool { return !gone[e.podName] }) {
				bare[key] = true
				for _, e := range pv.usable {
					needed[e.podName] = true
				}
			}
		}
	}
	for i := range s.EndpointSlices {
		slice := &s.EndpointSlices[i]
		if bare[slice.Namespace+"/"+slice.Labels[discoveryv1.LabelServiceName]] {
			continue
		}
		slice.Endpoints = slices.DeleteFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool { return gone[v.endpoint(slice, &e, 0).podName] })
	}
	s.Pods = slices.DeleteFunc(s.Pods, func(p corev1.Pod) bool {
		key := p.Namespace + "/" + p.Name
		return gone[key] && !needed[key]
	})
	left := map[string]string{} // what stays asked in vain, by probe: its Pod
	dropped := map[string]bool{}
	probes = slices.DeleteFunc(slices.Clone(probes), func(p probe.Probe) bool {
		switch {
		case !gone[p.Pod]:
			return false
		case bare[p.Service]:
			left[p.ID] = p.Pod
			return false
		}
		dropped[p.ID] = true
		return true
	})
	outcomes = slices.DeleteFunc(slices.Clone(outcomes), func(o probe.Outcome) bool { return dropped[o.Probe] })
	for i := range outcomes {
		if pod := left[outcomes[i].Probe]; pod != "" {
			outcomes[i] = probe.Outcome{Probe: outcomes[i].Probe, Class: probe.ClassLocal,
				Detail: "Pod/" + pod[strings.IndexByte(pod, '/')+1:] + " was removed while it was asked", Facts: map[string]string{factNeeds: "another run"}}
		}
	}
	return probes, outcomes
}
