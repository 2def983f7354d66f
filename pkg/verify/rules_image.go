package verify

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

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
