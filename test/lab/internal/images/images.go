// Package images builds the lab's container images without a container engine and
// pushes them to the lab's registry.
//
// Every image is one layer, written by this program and not compressed: a layer stays
// on the machine, so compressing it would only cost time. Times are zero and entries
// are sorted, so the same files give the same digests on every run.
package images

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Config names the programs that go into the images, as paths on this machine. A path
// left empty leaves its image out. All of them but Redis must be static.
type Config struct {
	// Init is svcx-lab-init: it is the pause image, and the entrypoint of the Redis image.
	Init string
	// RedisServer and RedisCLI are dynamic programs of the Debian package redis-tools;
	// the libraries they need are found with ldd. When RedisServer is empty, redis-server
	// or else redis-check-rdb (the same program, in the package without a service) is
	// looked up on PATH. They are used only together with Init.
	RedisServer, RedisCLI string
	// TestServer is svcx-testserver.
	TestServer string
	// Probe is svcx-probe. ProbeVersion is its tag; empty means what `svcx-probe
	// --version` prints.
	Probe, ProbeVersion string
	// CoreDNS is a program that serves DNS; CoreDNSArgs come before a Pod's own arguments.
	CoreDNS     string
	CoreDNSArgs []string
}

// Image is a built image and the references to push it under, each "repository:tag"
// without a registry.
type Image struct {
	Refs  []string
	Image v1.Image
}

// Build makes every image that the configuration names a program for.
func Build(ctx context.Context, c Config) ([]Image, error) {
	var out []Image
	if c.Init != "" {
		pause, err := single(c.Init, "/pause", nil, v1.Config{})
		if err != nil {
			return nil, fmt.Errorf("build image pause: %w", err)
		}
		out = append(out, Image{[]string{"pause:3.10", "pause:latest"}, pause})

		redis, err := redisImage(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("build image redis: %w", err)
		}
		out = append(out, redis)
	}
	if c.TestServer != "" {
		img, err := single(c.TestServer, "/svcx-testserver", nil, v1.Config{User: "65532:65532"})
		if err != nil {
			return nil, fmt.Errorf("build image svcx-testserver: %w", err)
		}
		out = append(out, Image{[]string{"kubectlsvcx/svcx-testserver:latest"}, img})
	}
	if c.Probe != "" {
		version := c.ProbeVersion
		if version == "" {
			var err error
			if version, err = programVersion(ctx, c.Probe); err != nil {
				return nil, err
			}
		}
		img, err := single(c.Probe, "/svcx-probe", nil, v1.Config{User: "65532:65532"})
		if err != nil {
			return nil, fmt.Errorf("build image svcx-probe: %w", err)
		}
		out = append(out, Image{[]string{
			"kubectlsvcx/svcx-probe:" + version, "kubectlsvcx/svcx-probe:latest",
		}, img})
	}
	if c.CoreDNS != "" {
		img, err := single(c.CoreDNS, "/coredns", c.CoreDNSArgs, v1.Config{})
		if err != nil {
			return nil, fmt.Errorf("build image coredns: %w", err)
		}
		out = append(out, Image{[]string{"coredns/coredns:v1.15.0", "coredns/coredns:latest"}, img})
	}
	return out, nil
}

// Private returns the same images under "private/" names, for the registry's listener
// that asks for a password: "library/redis:alpine" becomes "private/redis:alpine".
func Private(images []Image) []Image {
	out := make([]Image, len(images))
	for i, img := range images {
		refs := make([]string, len(img.Refs))
		for j, ref := range img.Refs {
			refs[j] = "private/" + ref[strings.LastIndex(ref, "/")+1:]
		}
		out[i] = Image{refs, img.Image}
	}
	return out
}

// single builds an image of one static program at path inside.
func single(program, path string, args []string, config v1.Config) (v1.Image, error) {
	l := newLayer()
	l.dir("/tmp", 0o1777, 0)
	l.text("/etc/passwd", "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n", 0o644)
	l.text("/etc/group", "root:x:0:\nnonroot:x:65532:\n", 0o644)
	if err := l.file(path, program, 0o755); err != nil {
		return nil, err
	}
	config.Entrypoint = append([]string{path}, args...)
	if config.Env == nil {
		config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/"}
	}
	return assemble(l, config)
}

// assemble makes an OCI image of one layer.
func assemble(l *layer, config v1.Config) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.ConfigFile(img, &v1.ConfigFile{
		Architecture: runtime.GOARCH,
		OS:           "linux",
		Config:       config,
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(img, mutate.Addendum{
		Layer:   l,
		History: v1.History{CreatedBy: "svcx-lab"},
	})
}

// tagPattern is what a registry accepts as a tag.
var tagPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// programVersion asks a program for its version and returns it as a tag. What is printed
// may be the bare version or "name version …".
func programVersion(ctx context.Context, program string) (string, error) {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", program, err)
	}
	tag, err := versionTag(string(out))
	if err != nil {
		return "", fmt.Errorf("version of %s: %w", program, err)
	}
	return tag, nil
}

// versionTag finds the version in what a program printed: the first word with a digit
// that is not the program's name, or else the last word of the first line.
func versionTag(printed string) (string, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(printed), "\n")
	words := strings.Fields(line)
	if len(words) == 0 {
		return "", errors.New("nothing was printed")
	}
	tag := words[0]
	if len(words) > 1 {
		tag = words[1]
		if tag == "version" && len(words) > 2 {
			tag = words[2]
		}
	}
	// "+" separates build metadata in a version but is not allowed in a tag.
	tag = strings.ReplaceAll(strings.Trim(tag, ",;"), "+", "-")
	if !tagPattern.MatchString(tag) {
		return "", fmt.Errorf("%q is not a valid image tag", tag)
	}
	return tag, nil
}
