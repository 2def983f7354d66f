package verify

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// imageCause: SVC309, SVC310, SVC328 and SVC334.
func imageCause(c *serviceCase, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	for _, cs := range statuses(p) {
		w := cs.State.Waiting
		if w == nil || !slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"}, w.Reason) {
			if f, ok := localImageCause(cs, p, owner); ok {
				return f, true
			}
			continue
		}
		text := w.Message
		// The back-off's message may not repeat why; the event of the pull does.
		for i := range c.v.s.Events {
			ev := &c.v.s.Events[i]
			if ev.InvolvedObject.Name == p.Name && ev.Namespace == p.Namespace && ev.Reason == "Failed" && strings.Contains(ev.Message, "pull") {
				text += " " + ev.Message
			}
		}
		low := strings.ToLower(text)
		image := probe.Printable(cs.Image, 200)
		f := Finding{Object: owner, Field: containerField(p, cs.Name) + ".image",
			Evidence: []string{fmt.Sprintf("Pod/%s container %s %s: %s", p.Name, cs.Name, w.Reason, probe.Printable(w.Message, maxEventText))}}
		missing := func() {
			f.ID = "SVC309"
			f.Message = fmt.Sprintf("%s uses the image %s, which the registry does not have.", owner, image)
			f.Fix = &Fix{Summary: "correct the image's name or tag"}
			if rolledOut(owner) || owner.Kind == "Pod" { // a Pod's image may be changed
				f.Fix.Command = shell.Kubectl("set image %s -n %s %s", strings.ToLower(owner.Kind)+"/"+owner.Name, owner.Namespace, cs.Name+"=IMAGE:TAG")
			}
		}
		switch {
		case containsAny(low, ambiguousPull...) && len(p.Spec.ImagePullSecrets) == 0 && onDockerHub(cs.Image): // a service account's are among them
			missing()
			f.Fix.Command = ""
			f.Message = fmt.Sprintf("%s uses the image %s, which the registry does not have, or shows to nobody without credentials; the Pod has none.", owner, image)
			f.Fix.Summary = "correct the image's name, or name a Secret of type kubernetes.io/dockerconfigjson in spec.template.spec.imagePullSecrets"
		case containsAny(low, ambiguousPull...):
			f.ID = "SVC310"
			f.Message = fmt.Sprintf("%s may not pull the image %s: the registry wants other credentials, or does not have it.", owner, image)
			f.Fix = &Fix{Summary: "correct the Secret in spec.template.spec.imagePullSecrets, or the image's name"}
		case containsAny(low, "unauthorized", "authorization failed", "authentication required", "denied", "403 forbidden", "no basic auth", "authorization_required"):
			f.ID = "SVC310"
			f.Message = fmt.Sprintf("%s may not pull the image %s: the registry wants other credentials.", owner, image)
			f.Fix = &Fix{Summary: "name a Secret of type kubernetes.io/dockerconfigjson in spec.template.spec.imagePullSecrets"}
		case containsAny(low, "not found", "manifest unknown", "does not exist", "notfound"):
			missing()
		case w.Reason == "RegistryUnavailable", containsAny(low, noRegistry...):
			f.ID = "SVC328"
			f.Message = fmt.Sprintf("%s cannot pull the image %s: its registry does not answer the node as it should.", owner, image)
			f.Fix = &Fix{Summary: "correct the registry's name in the image, or mend the way from node " + p.Spec.NodeName + " to it (name resolution, proxy, certificate, rate limit)"}
		default:
			f.Message = fmt.Sprintf("%s cannot pull the image %s: %s", owner, image, probe.Printable(w.Message, maxEventText))
		}
		return finding{Finding: heldCause(c, p, cs.Name, owner, f)}, true
	}
	return finding{}, false
}

// onDockerHub reports whether an image's name says no registry, or Docker Hub: most of
// what is misspelt is there, and most of what other registries hold is private.
func onDockerHub(image string) bool {
	host, _, path := strings.Cut(image, "/")
	return !path || !strings.ContainsAny(host, ".:") && host != "localhost" || host == "docker.io" || host == "index.docker.io"
}

// ambiguousPull are words of registries that tell a client without rights no more
// of what is missing than of what is private, as Docker Hub does.
var ambiguousPull = []string{"insufficient_scope", "requested access to the resource is denied"}

// noRegistry are words of a container runtime that did not get as far as the image.
var noRegistry = []string{"no such host", "dial tcp", "i/o timeout", "connection refused", "no route to host", "network is unreachable", "deadline exceeded", "handshake timeout",
	"x509", "tls: ", "http response to https client", "toomanyrequests", "too many requests", "internal server error", "bad gateway", "service unavailable", "server misbehaving", "proxyconnect"}

// localImageCause: SVC311. No registry was asked.
func localImageCause(cs corev1.ContainerStatus, p *corev1.Pod, owner ObjectRef) (finding, bool) {
	if cs.State.Waiting == nil {
		return finding{}, false
	}
	image := probe.Printable(cs.Image, 200)
	if ctr := containerOf(p, cs.Name); ctr != nil {
		image = probe.Printable(ctr.Image, 200)
	}
	f := Finding{ID: "SVC311", Object: owner, Field: containerField(p, cs.Name) + ".image",
		Evidence: []string{fmt.Sprintf("Pod/%s container %s %s: %s", p.Name, cs.Name, cs.State.Waiting.Reason, probe.Printable(cs.State.Waiting.Message, maxEventText))}}
	switch cs.State.Waiting.Reason {
	case "InvalidImageName":
		f.Message = fmt.Sprintf("%s uses the image %q, which is no valid image name.", owner, image)
		f.Fix = &Fix{Summary: "correct the image's name: [REGISTRY/]NAME[:TAG], in lower case"}
	case "ErrImageNeverPull":
		f.Message = fmt.Sprintf("%s may not pull the image %s (imagePullPolicy Never), and its node does not have it.", owner, image)
		f.Fix = &Fix{Summary: "load the image onto the nodes, or use imagePullPolicy IfNotPresent"}
		f.Fix = containersFix(f.Fix.Summary, owner, p, map[string]map[string]any{cs.Name: {"imagePullPolicy": "IfNotPresent"}})
	default:
		return finding{}, false
	}
	return finding{Finding: f}, true
}

// heldCause returns SVC334 in the place of what kept an image from being pulled, when
// it need not be: each node that waits for it has it, and only the pull policy has the
// registry asked. A registry that wants credentials is to be asked, lest an image that
// was pulled with those of one Pod is run by all.
func heldCause(c *serviceCase, p *corev1.Pod, container string, owner ObjectRef, f Finding) Finding {
	why, told := map[string]string{"SVC309": "has no such image", "SVC328": "does not answer"}[f.ID]
	ctr := containerOf(p, container)
	if !told || ctr == nil || ctr.ImagePullPolicy != corev1.PullAlways {
		return f
	}
	ref := familiar(ctr.Image)
	var nodes []string
	for _, other := range c.pods {
		if !slices.Contains(pulled(other), ref) || slices.Contains(nodes, other.Spec.NodeName) {
			continue
		}
		if !c.v.holds(other.Spec.NodeName, ref) {
			return f
		}
		nodes = append(nodes, other.Spec.NodeName)
	}
	if len(nodes) == 0 {
		return f
	}
	has := "node " + nodes[0] + " has"
	if len(nodes) > 1 {
		has = fmt.Sprintf("%d nodes have", len(nodes))
	}
	image := probe.Printable(ctr.Image, 200)
	return Finding{ID: "SVC334", Object: owner, Field: containerField(p, container) + ".imagePullPolicy",
		Message:  fmt.Sprintf("%s has the registry asked for the image %s at each start (imagePullPolicy Always); it %s, and the node has the image already.", owner, image, why),
		Evidence: append(slices.Clone(f.Evidence), fmt.Sprintf("%s the image %s (status.images)", has, image)),
		Fix: containersFix("run the image that the node has, with imagePullPolicy IfNotPresent", owner, p,
			map[string]map[string]any{container: {"imagePullPolicy": string(corev1.PullIfNotPresent)}}),
	}
}

// pulled are the images that a Pod waits for, as a registry is asked for them at each
// start.
func pulled(p *corev1.Pod) []string {
	var refs []string
	for _, cs := range statuses(p) {
		ctr := containerOf(p, cs.Name)
		if cs.State.Waiting != nil && ctr != nil && ctr.ImagePullPolicy == corev1.PullAlways {
			refs = append(refs, familiar(ctr.Image))
		}
	}
	return refs
}

// holds reports whether a node has an image.
func (v *view) holds(node, ref string) bool {
	return slices.ContainsFunc(v.s.Nodes, func(n corev1.Node) bool {
		return n.Name == node && slices.ContainsFunc(n.Status.Images, func(i corev1.ContainerImage) bool {
			return slices.ContainsFunc(i.Names, func(name string) bool { return familiar(name) == ref })
		})
	})
}

// familiar is an image's name without what is understood: a runtime tells the whole.
func familiar(ref string) string {
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "index."), "docker.io/")
	ref = strings.TrimPrefix(ref, "library/")
	if !strings.Contains(ref[strings.LastIndex(ref, "/")+1:], ":") {
		ref += ":latest"
	}
	return ref
}

// keepImages keeps of the images that nodes have the names that Pods wait for.
func keepImages(s *Snapshot) {
	var wanted []string
	for i := range s.Pods {
		wanted = append(wanted, pulled(&s.Pods[i])...)
	}
	for i := range s.Nodes {
		var kept []corev1.ContainerImage
		for _, image := range s.Nodes[i].Status.Images {
			names := slices.DeleteFunc(image.Names, func(name string) bool { return !slices.Contains(wanted, familiar(name)) })
			if len(names) > 0 {
				kept = append(kept, corev1.ContainerImage{Names: names})
			}
		}
		s.Nodes[i].Status.Images = kept
	}
}
