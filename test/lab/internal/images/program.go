package images

import (
	"fmt"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Program builds an image of one static program, which is its entrypoint. The reference
// is "repository:tag"; without a tag it gets "latest".
func Program(ref, path string) (Image, error) {
	if !strings.Contains(ref, ":") {
		ref += ":latest"
	}
	img, err := single(path, "/"+filepath.Base(path), nil, v1.Config{User: "65532:65532"})
	if err != nil {
		return Image{}, fmt.Errorf("build image %s: %w", ref, err)
	}
	return Image{[]string{ref}, img}, nil
}
