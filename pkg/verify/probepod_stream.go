package verify

import (
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Prober is the program svcx-probe as a file, for Linux nodes of one architecture.
type Prober struct {
	Arch string // as kubernetes.io/arch says it: amd64, arm64
	Size int64  // bytes
	Open func() (io.ReadCloser, error)
}

// streamed is how svcx-probe gets into a Pod whose image does not hold it: a
// shell takes it from stdin. No registry is asked for an image that the node
// does not have already.
type streamed struct {
	prober  Prober
	nodes   []string // that hold the image; none: any node
	secrets []corev1.LocalObjectReference
}

const (
	// maxShellImages is how many images are tried for a shell.
	maxShellImages = 3
	streamVolume   = "svcx"
	streamDir      = "/svcx"
)

// script has a shell save n bytes of stdin as a program and become it. A
// connection that is cut off must not leave half a program to run.
func (s *streamed) script() string {
	const file = streamDir + "/svcx-probe"
	return fmt.Sprintf(`cat >%[1]s || exit 1
n=$(wc -c <%[1]s) || n=%[2]d
[ "$n" -eq %[2]d ] || { echo "incomplete: $n of %[2]d bytes"; exit 1; }
chmod 700 %[1]s && exec %[1]s`, file, s.prober.Size)
}

// prepare makes a probe Pod one that waits for its program.
func (s *streamed) prepare(pod *corev1.Pod, node string) {
	c := &pod.Spec.Containers[0]
	c.Command = []string{"sh", "-c", s.script()}
	c.Stdin, c.StdinOnce = true, true
	// The image is there: it is the one that runs on these nodes.
	c.ImagePullPolicy = corev1.PullIfNotPresent
	c.VolumeMounts = []corev1.VolumeMount{{Name: streamVolume, MountPath: streamDir}}
	size := resource.MustParse("64Mi")
	pod.Spec.Volumes = []corev1.Volume{{Name: streamVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &size}}}}
	pod.Spec.ImagePullSecrets = s.secrets
	pod.Spec.NodeSelector = map[string]string{corev1.LabelArchStable: s.prober.Arch, corev1.LabelOSStable: string(corev1.Linux)}
	if node == "" && len(s.nodes) > 0 {
		pinTo(pod, s.nodes...)
	}
}

// holder is an image that runs somewhere, with what it takes to start it there.
type holder struct {
	image   string
	nodes   []string
	secrets []corev1.LocalObjectReference
}

// hold notes the images of a Pod.
func hold(list []holder, spec *corev1.PodSpec, node string) []holder {
	for i := range spec.Containers {
		image := spec.Containers[i].Image
		at := slices.IndexFunc(list, func(h holder) bool { return h.image == image })
		if at < 0 {
			at = len(list)
			list = append(list, holder{image: image, secrets: spec.ImagePullSecrets})
		}
		if node != "" && !slices.Contains(list[at].nodes, node) {
			list[at].nodes = append(list[at].nodes, node)
		}
	}
	return list
}

// streams lists the ways to stream svcx-probe into a Pod at a place, the best
// first: into the client's own image, or those of the Pods asked about there.
// image, when set, is taken instead of them.
func streams(s *Snapshot, at place, c *client, probes []probe.Probe, probers []Prober, image string) ([]podRun, error) {
	v := newView(s)
	var list []holder
	switch {
	case image != "":
		list = []holder{{image: image}}
	case c != nil:
		list = hold(nil, &c.spec, c.Node)
	default:
		// Any Pod asked about in the namespace will do: its image is on its node.
		for _, p := range probes {
			if pod := v.pods[p.Pod]; pod != nil && pod.Namespace == at.namespace && running(pod) {
				list = hold(list, &pod.Spec, pod.Spec.NodeName)
			}
		}
	}
	if len(list) == 0 {
		return nil, fail("an image with a shell that the nodes hold (--probe-image)", "no Pod of the target runs in namespace %s, whose image svcx-probe could be streamed into", at.namespace)
	}
	var out []podRun
	var strange []string // architectures that no prober is for
	for _, h := range list[:min(len(list), maxShellImages)] {
		if at.node != "" {
			h.nodes = []string{at.node}
		}
		prober, nodes, arch := proberFor(v, h.nodes, probers)
		if prober == nil {
			strange = append(strange, arch)
			continue
		}
		out = append(out, podRun{namespace: at.namespace, node: at.node, image: h.image, stream: &streamed{prober: *prober, nodes: nodes, secrets: h.secrets}})
	}
	if len(out) == 0 {
		return nil, fail("svcx-probe for linux/"+strange[0]+" (--probe-binary)", "svcx-probe is there for %s, and the nodes are linux/%s",
			proberNames(probers), strings.Join(slices.Compact(strange), ", linux/"))
	}
	return out, nil
}

// proberFor chooses the prober for the first of some nodes that there is one
// for, and those of the nodes that are like it. Of a node that could not be
// read, the first prober is assumed to be right: the scheduler knows.
func proberFor(v *view, nodes []string, probers []Prober) (p *Prober, like []string, arch string) {
	for _, n := range nodes {
		if arch = v.arch(n); arch == "" {
			continue
		}
		i := slices.IndexFunc(probers, func(p Prober) bool { return p.Arch == arch })
		if i >= 0 && p == nil {
			p = &probers[i]
		}
		if p != nil && p.Arch == arch {
			like = append(like, n)
		}
	}
	if p == nil && arch == "" {
		return &probers[0], nodes, ""
	}
	return p, like, arch
}

// arch returns a node's architecture, or "" where it was not seen.
func (v *view) arch(node string) string {
	for i := range v.s.Nodes {
		n := &v.s.Nodes[i]
		if n.Name != node {
			continue
		}
		if a := n.Labels[corev1.LabelArchStable]; a != "" {
			return a
		}
		return n.Status.NodeInfo.Architecture
	}
	return ""
}

func proberNames(list []Prober) string {
	var names []string
	for _, p := range list {
		names = append(names, "linux/"+p.Arch)
	}
	return strings.Join(names, ", ")
}
