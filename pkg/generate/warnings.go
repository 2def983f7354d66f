package generate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The range of node ports of an API server that was not told otherwise.
const (
	firstNodePort = 30000
	lastNodePort  = 32767
)

// Warnings returns what is valid in a completed App and yet likely to
// disappoint, or to be refused by some clusters.
func (a *App) Warnings() []Problem {
	w := &validator{}
	s := a.Spec.Service
	if len(s.ExternalIPs) > 0 {
		w.add("spec.service.externalIPs", "", "whoever may set them can take over other people's traffic (CVE-2020-8554); many clusters refuse them, and Kubernetes routes nothing to them by itself",
			"prefer the type LoadBalancer")
	}
	for i, p := range s.Ports {
		w.nodePortRange(fmt.Sprintf("spec.service.ports[%d].nodePort", i), p.NodePort)
	}
	w.nodePortRange("spec.service.healthCheckNodePort", s.HealthCheckNodePort)
	if s.PublishNotReadyAddresses {
		w.add("spec.service.publishNotReadyAddresses", "", "sends clients to Pods that are not ready", "use it only where peers must find each other first")
	}
	if s.SessionAffinity == corev1.ServiceAffinityClientIP && s.Type == Headless {
		w.add("spec.service.sessionAffinity", "", "has no effect in the headless overlay: no proxy is in the way", "")
	}
	for i, secret := range a.Spec.Secrets {
		if len(secret.StringData) > 0 {
			w.add(fmt.Sprintf("spec.secrets[%d].stringData", i), "", "is committed for everyone who reads the tree to see", "keep it in a file that is not committed, and name that in envs or files")
		}
	}
	if wl := a.Spec.Workload; wl != nil {
		if known, ok := presetFor(wl.Image); ok && known.wants != nil && !a.hasEnv(known.wants) {
			w.add("spec.workload.env", "", fmt.Sprintf("the image %s does not start without one of %s", wl.Image, strings.Join(known.wants, ", ")), "give it with valueFrom.secretKeyRef, or all of a Secret with envFrom")
		}
		if a.Spec.HorizontalPodAutoscaler == nil && (wl.Replicas == nil || *wl.Replicas == 1) && a.Spec.PodDisruptionBudget.blocks() {
			w.add("spec.podDisruptionBudget", "", "with one replica it keeps a node from being drained", "run two or more, or say maxUnavailable: 1")
		}
	}
	if p := a.Spec.NetworkPolicy; p != nil && len(p.From) > 0 && !slices.ContainsFunc(p.From, func(c networkingv1.NetworkPolicyPeer) bool { return c.IPBlock != nil }) {
		if open := a.openOutside(); open != "" {
			w.add("spec.networkPolicy.from", "", "admits no address from outside the cluster, and the Service is of type "+open, "add an ipBlock with the nodes' or the clients' addresses")
		}
	}
	return w.problems
}

// openOutside is the type of the Service by which clients come from outside of the
// cluster, with the environment where it is of that type; empty where it is of none.
func (a *App) openOutside() string {
	outside := func(t ServiceType) bool { return t == NodePort || t == LoadBalancer }
	if outside(a.Spec.Service.Type) {
		return string(a.Spec.Service.Type)
	}
	for _, e := range a.Spec.Overlays {
		if outside(e.Type) {
			return string(e.Type) + " in overlays/" + e.Name
		}
	}
	return ""
}

func (v *validator) nodePortRange(field string, port int32) {
	if port != 0 && (port < firstNodePort || port > lastNodePort) {
		v.add(field, strconv.Itoa(int(port)), "is outside of the usual range of node ports", "30000 to 32767, unless the cluster has another")
	}
}

// hasEnv reports whether the container gets one of the variables, as far as can
// be told: what envFrom brings is not known.
func (a *App) hasEnv(names []string) bool {
	w := a.Spec.Workload
	if len(w.EnvFrom) > 0 {
		return true
	}
	for _, e := range w.Env {
		for _, name := range names {
			if e.Name == name || e.Name == name+"_FILE" {
				return true
			}
		}
	}
	return false
}

// blocks reports whether the one Pod of an app may never be evicted. The API rounds
// percentages up.
func (p *PodDisruptionBudget) blocks() bool {
	if p == nil {
		return false
	}
	of := func(n *intstr.IntOrString) int {
		pods, err := intstr.GetScaledValueFromIntOrPercent(n, 1, true)
		if err != nil {
			return 0 // Validate tells of it
		}
		return pods
	}
	return p.MinAvailable != nil && of(p.MinAvailable) > 0 || p.MaxUnavailable != nil && of(p.MaxUnavailable) == 0
}
