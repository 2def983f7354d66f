package images

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// redisUser is the user that the official image drops to.
const redisUser = 999

// redisImage builds an image that behaves like the official one towards a Pod: the same
// entrypoint rules, user, volume and working folder, and protected mode off, so that
// redis without arguments answers other Pods.
func redisImage(ctx context.Context, c Config) (Image, error) {
	server, err := findProgram(c.RedisServer, "redis-server", "redis-check-rdb")
	if err != nil {
		return Image{}, err
	}
	client, err := findProgram(c.RedisCLI, "redis-cli")
	if err != nil {
		return Image{}, err
	}
	// The official image has a shell, and readiness probes use it. Debian's is dash.
	// Of what else there is for it to call, these are the least that scripts need.
	programs := map[string]string{"/bin/sh": "dash", "/bin/cat": "cat", "/bin/chmod": "chmod", "/bin/wc": "wc"}
	for path, name := range programs {
		if programs[path], err = findProgram("", name); err != nil {
			return Image{}, err
		}
	}
	version, err := redisVersion(ctx, client)
	if err != nil {
		return Image{}, err
	}

	l := newLayer()
	l.dir("/tmp", 0o1777, 0)
	// Any user may write /data: Pods that must not run as root choose their own.
	l.dir("/data", 0o777, redisUser)
	l.text("/etc/passwd", fmt.Sprintf("root:x:0:0:root:/root:/sbin/nologin\nredis:x:%d:%[1]d:redis:/data:/sbin/nologin\n", redisUser), 0o644)
	l.text("/etc/group", fmt.Sprintf("root:x:0:\nredis:x:%d:\n", redisUser), 0o644)
	// The server proper lies out of PATH: what is called redis-server turns protected
	// mode off first, as the official image's build does.
	if err := errors.Join(
		l.file("/usr/local/bin/docker-entrypoint.sh", c.Init, 0o755),
		l.file("/usr/libexec/redis/redis-server", server, 0o755),
		l.file("/usr/local/bin/redis-cli", client, 0o755),
	); err != nil {
		return Image{}, err
	}
	for path, program := range programs {
		if err := l.file(path, program, 0o755); err != nil {
			return Image{}, err
		}
	}
	l.link("/usr/local/bin/redis-server", "docker-entrypoint.sh")
	for _, program := range append(slices.Collect(maps.Values(programs)), server, client) {
		libraries, err := sharedLibraries(ctx, program)
		if err != nil {
			return Image{}, err
		}
		for _, library := range libraries {
			if err := l.file(library, library, 0o755); err != nil {
				return Image{}, err
			}
		}
	}

	img, err := assemble(l, v1.Config{
		Entrypoint:   []string{"docker-entrypoint.sh"},
		Cmd:          []string{"redis-server"},
		Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "REDIS_VERSION=" + version},
		WorkingDir:   "/data",
		Volumes:      map[string]struct{}{"/data": {}},
		ExposedPorts: map[string]struct{}{"6379/tcp": {}},
	})
	return Image{redisRefs(version), img}, err
}

// redisRefs are the tags that a version is known by: 7.0.15 gives latest, 7, 7.0 and
// 7.0.15, and the same with "-alpine" ("alpine" for latest).
func redisRefs(version string) []string {
	refs := []string{"library/redis:latest", "library/redis:alpine"}
	parts := strings.Split(version, ".")
	for i := range parts {
		tag := strings.Join(parts[:i+1], ".")
		refs = append(refs, "library/redis:"+tag, "library/redis:"+tag+"-alpine")
	}
	return refs
}

// findProgram returns the path given, or else the first of the names on PATH.
func findProgram(given string, names ...string) (string, error) {
	if given != "" {
		return given, nil
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no %s on PATH; install the package that has it (redis-tools for Redis)", names[0])
}

var redisVersionPattern = regexp.MustCompile(`\b(\d+\.\d+\.\d+)\b`)

// redisVersion asks redis-cli: it comes from the same package as the server, and unlike
// the server it is named so even where only redis-tools is installed.
func redisVersion(ctx context.Context, client string) (string, error) {
	out, err := exec.CommandContext(ctx, client, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", client, err)
	}
	m := redisVersionPattern.FindString(string(out))
	if m == "" {
		return "", fmt.Errorf("%s --version printed no version: %q", client, out)
	}
	return m, nil
}

// sharedLibraries lists the libraries and the loader that a dynamic program needs.
func sharedLibraries(ctx context.Context, program string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "ldd", program).CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "not a dynamic executable") || strings.Contains(string(out), "statically linked") {
			return nil, nil
		}
		return nil, fmt.Errorf("list the libraries of %s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return parseLdd(string(out))
}

// parseLdd reads ldd's lines: "name => path (address)", "path (address)" for the loader,
// and names without a path for what the kernel provides.
func parseLdd(out string) ([]string, error) {
	var paths []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if name, found, ok := strings.Cut(line, " => "); ok {
			if strings.HasPrefix(found, "not found") {
				return nil, fmt.Errorf("library %s is not installed", name)
			}
			line = found
		}
		if path, _, _ := strings.Cut(line, " "); strings.HasPrefix(path, "/") {
			paths = append(paths, path)
		}
	}
	return paths, nil
}
