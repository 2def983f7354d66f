package generate

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// preset is what is known about an image: enough to run it well under the
// restricted Pod Security standard without being told.
type preset struct {
	// repositories are the names, without a registry, under which exactly this
	// image is published; a mirror may hold them too. Other images of the same
	// program (bitnami/redis) have other users and paths, and are not meant.
	repositories []string
	// before limits the preset to the major versions below it, by the tag; 0 is no limit.
	before int
	// tag limits the preset to tags that hold it, such as alpine.
	tag         string
	port        int32
	appProtocol string
	// user and group that the image itself creates for its program, or anyUser.
	user, group int64
	writable    []mount
	env         []corev1.EnvVar // what it needs to run so
	wants       []string        // variables of which it needs one to start
	requests    resources
	limits      resources
	readiness   func(port corev1.ContainerPort) *corev1.Probe
	liveness    func(port corev1.ContainerPort) *corev1.Probe
}

type mount struct{ name, path, limit string }

type resources struct{ cpu, memory string }

// unknownImage serves for an image that is in no preset. Any user but root does
// for most servers, as a root filesystem that they cannot write does with /tmp.
// It has no liveness probe: how long the program may take is not known, and a
// wrong guess restarts it for ever.
var unknownImage = preset{
	user: anyUser, group: anyUser,
	writable: []mount{{"tmp", "/tmp", "64Mi"}},
	requests: resources{"50m", "64Mi"}, limits: resources{"500m", "256Mi"},
	readiness: tcpProbe,
}

// presetFor returns the preset of an image, and whether there is one.
func presetFor(ref string) (preset, bool) {
	img, reason := parseImage(ref)
	if reason != "" {
		return unknownImage, false
	}
	for _, p := range presets {
		if p.fits(img) {
			return p, true
		}
	}
	return unknownImage, false
}

func (p preset) fits(img image) bool {
	return slices.Contains(p.repositories, img.repository) && (p.before == 0 || img.olderThan(p.before)) && strings.Contains(img.tag, p.tag)
}

// presetKey tells presets apart: two images of one key run in the same way.
func presetKey(ref string) int {
	if img, reason := parseImage(ref); reason == "" {
		return slices.IndexFunc(presets, func(p preset) bool { return p.fits(img) })
	}
	return -1
}

// olderThan reports whether the tag names a major version below one; a tag that
// names none (alpine, latest) stands for a recent one.
func (i image) olderThan(major int) bool {
	digits := i.tag[:len(i.tag)-len(strings.TrimLeft(i.tag, "0123456789"))]
	version, err := strconv.Atoi(digits)
	return err == nil && version < major
}
