package generate

import (
	"regexp"
	"strings"
)

// The grammar of an image reference, as the container runtimes read it
// (github.com/distribution/reference, regexp.go).
var (
	imageHost      = regexp.MustCompile(`^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$`)
	imageComponent = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`)
	imageTag       = regexp.MustCompile(`^[\w][\w.-]{0,127}$`)
	imageDigest    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$`)
	sha256Digest   = regexp.MustCompile(`^sha256:[a-f0-9]{64}$`)
)

// image is an image reference taken apart.
type image struct {
	host       string // registry; empty: the runtime's default
	repository string // path without the registry
	tag        string
	digest     string
}

// parseImage takes a reference apart; the reason is empty when it is well formed.
func parseImage(ref string) (img image, reason string) {
	if strings.ContainsAny(ref, " \t\r\n") {
		return img, "contains white space"
	}
	if strings.Contains(ref, "://") {
		return img, "is a URL; an image reference has no scheme"
	}
	rest := ref
	if name, digest, ok := strings.Cut(rest, "@"); ok {
		rest, img.digest = name, digest
		if !imageDigest.MatchString(digest) || strings.HasPrefix(digest, "sha256:") && !sha256Digest.MatchString(digest) {
			return img, "has a malformed digest; it looks like sha256: and 64 of 0-9a-f"
		}
	}
	if slash, colon := strings.LastIndex(rest, "/"), strings.LastIndex(rest, ":"); colon > slash {
		rest, img.tag = rest[:colon], rest[colon+1:]
		if !imageTag.MatchString(img.tag) {
			return img, "has a malformed tag; it is 1 to 128 letters, digits, '_', '.' or '-', and begins with none of the last two"
		}
	}
	img.repository = rest
	if first, path, ok := strings.Cut(rest, "/"); ok && (strings.ContainsAny(first, ".:[") || first == "localhost" || strings.ToLower(first) != first) {
		img.host, img.repository = first, path
		if !imageHost.MatchString(first) {
			return img, "has a malformed registry name"
		}
	}
	if len(rest) > 255 {
		return img, "has a name of more than 255 letters"
	}
	for _, component := range strings.Split(img.repository, "/") {
		if imageComponent.MatchString(component) {
			continue
		}
		switch {
		case component == "":
			return img, "has no name, or an empty part in it"
		case strings.ToLower(component) != component:
			return img, "has capital letters in its name"
		default:
			return img, "has a malformed name; each part is lower-case letters and digits, with '.', '_', '__' or '-' between them"
		}
	}
	return img, ""
}

// base is the last part of the repository: "redis" for ghcr.io/team/redis:7.
func (i image) base() string {
	return i.repository[strings.LastIndex(i.repository, "/")+1:]
}
