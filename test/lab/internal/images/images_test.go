package images

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// program writes a file that stands for a program.
func program(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func headers(t *testing.T, img v1.Image) map[string]*tar.Header {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, error %v; want one", len(layers), err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := map[string]*tar.Header{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = h
	}
}

func TestBuildLeavesOutWhatHasNoProgram(t *testing.T) {
	got, err := Build(t.Context(), Config{TestServer: program(t, "server"), Probe: program(t, "#!/bin/sh\necho svcx-probe v1.2.3"), CoreDNS: program(t, "dns"), CoreDNSArgs: []string{"coredns"}})
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, img := range got {
		refs = append(refs, img.Refs...)
	}
	want := []string{
		"kubectlsvcx/svcx-testserver:latest", "kubectlsvcx/svcx-probe:v1.2.3", "kubectlsvcx/svcx-probe:latest",
		"coredns/coredns:v1.15.0", "coredns/coredns:latest",
	}
	if !slices.Equal(refs, want) {
		t.Errorf("references %q, want %q", refs, want)
	}
	for _, img := range got {
		if err := validate.Image(img.Image, validate.Fast); err != nil {
			t.Errorf("%s: %v", img.Refs[0], err)
		}
	}
	config, err := got[2].Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/coredns", "coredns"}; !slices.Equal(config.Config.Entrypoint, want) {
		t.Errorf("entrypoint of coredns %q, want %q", config.Config.Entrypoint, want)
	}
}

func TestRedisImageIsLikeTheOfficialOne(t *testing.T) {
	got, err := Build(t.Context(), Config{Init: program(t, "init"), RedisServer: "/bin/ls", RedisCLI: program(t, "#!/bin/sh\necho redis-cli 7.0.15")})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("%d images, want pause and redis", len(got))
	}
	redis := got[1]
	for _, want := range []string{"library/redis:alpine", "library/redis:latest", "library/redis:7", "library/redis:7-alpine", "library/redis:7.0.15"} {
		if !slices.Contains(redis.Refs, want) {
			t.Errorf("no reference %s in %q", want, redis.Refs)
		}
	}
	if err := validate.Image(redis.Image, validate.Fast); err != nil {
		t.Error(err)
	}
	config, err := redis.Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.WorkingDir != "/data" || !slices.Equal(c.Cmd, []string{"redis-server"}) || len(c.Volumes) != 1 || c.User != "" {
		t.Errorf("configuration %+v", c)
	}
	files := headers(t, redis.Image)
	if h := files["data/"]; h == nil || h.Mode != 0o777 || h.Uid != redisUser {
		t.Errorf("/data: %+v, want mode 0777 and user %d", h, redisUser)
	}
	if h := files["usr/local/bin/redis-server"]; h == nil || h.Linkname != "docker-entrypoint.sh" {
		t.Errorf("redis-server: %+v, want a link to the entrypoint", h)
	}
	if h := files["bin/sh"]; h == nil || h.Mode != 0o755 {
		t.Errorf("/bin/sh: %+v, want a shell", h)
	}
	hasLibC := false
	for name := range files {
		hasLibC = hasLibC || strings.Contains(name, "libc.so")
	}
	if !hasLibC {
		t.Error("the C library that the server needs is missing")
	}
}

func TestBuildIsReproducible(t *testing.T) {
	digest := func() v1.Hash {
		// Another path and another time, the same content.
		got, err := Build(t.Context(), Config{TestServer: program(t, "server")})
		if err != nil {
			t.Fatal(err)
		}
		d, err := got[0].Image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if a, b := digest(), digest(); a != b {
		t.Errorf("two builds gave %s and %s", a, b)
	}
}

func TestLayerBytesAreWhatItsDigestSays(t *testing.T) {
	l := newLayer()
	l.text("/etc/passwd", "root", 0o644)
	l.link("/bin/sh", "busybox")
	b, err := l.bytes()
	if err != nil {
		t.Fatal(err)
	}
	want, size, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Digest(); err != nil || got != want {
		t.Errorf("digest %s, error %v; want %s", got, err, want)
	}
	if got, err := l.Size(); err != nil || got != size {
		t.Errorf("size %d, error %v; want %d", got, err, size)
	}
}

func TestPushUnderEveryReference(t *testing.T) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	built, err := Build(t.Context(), Config{TestServer: program(t, "server"), Probe: program(t, "probe"), ProbeVersion: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	all := append(built, Private(built)...)
	// The second push finds everything there.
	for range 2 {
		if err := Push(t.Context(), Target{Addr: addr}, all); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"kubectlsvcx/svcx-testserver:latest", "kubectlsvcx/svcx-probe:v1", "private/svcx-probe:v1"} {
		ref, err := name.ParseReference(addr+"/"+want, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := remote.Head(ref); err != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestBuildNamesWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		config Config
		want   string
	}{
		"missing program":        {Config{TestServer: "/nosuch/program"}, "/nosuch/program"},
		"folder for a program":   {Config{TestServer: t.TempDir()}, "is not a file"},
		"probe without version":  {Config{Probe: program(t, "#!/bin/sh\n")}, "nothing was printed"},
		"probe that fails":       {Config{Probe: program(t, "#!/bin/sh\nexit 3")}, "exit status 3"},
		"redis without version":  {Config{Init: program(t, ""), RedisServer: "/bin/ls", RedisCLI: program(t, "#!/bin/sh\necho hello")}, "printed no version"},
		"redis server not there": {Config{Init: program(t, ""), RedisServer: "/nosuch/redis", RedisCLI: program(t, "#!/bin/sh\necho 7.0.15")}, "/nosuch/redis"},
	} {
		if _, err := Build(t.Context(), tc.config); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	built, err := Build(t.Context(), Config{TestServer: program(t, "server")})
	if err != nil {
		t.Fatal(err)
	}
	if err := Push(ctx, Target{Addr: "127.0.0.1:1"}, built); err == nil {
		t.Error("push with an ended context succeeded")
	}
}

func TestVersionTag(t *testing.T) {
	for printed, want := range map[string]string{
		"v0.1.0\n":                      "v0.1.0",
		"svcx-probe v0.1.0 (abc)\n":     "v0.1.0",
		"svcx-probe version v0.1.0\n":   "v0.1.0",
		"v0.1.0-3-gabc+dirty":           "v0.1.0-3-gabc-dirty",
		"svcx-probe 0.1.0, commit abc":  "0.1.0",
		"svcx-probe dev\ngo1.26\nlinux": "dev",
	} {
		if got, err := versionTag(printed); err != nil || got != want {
			t.Errorf("versionTag(%q) = %q, %v; want %q", printed, got, err, want)
		}
	}
	for _, printed := range []string{"", "\n", "svcx-probe ???"} {
		if got, err := versionTag(printed); err == nil {
			t.Errorf("versionTag(%q) = %q, want an error", printed, got)
		}
	}
}

func TestParseLdd(t *testing.T) {
	got, err := parseLdd("\tlinux-vdso.so.1 (0x00007efd05af3000)\n" +
		"\tlibssl.so.3 => /lib/x86_64-linux-gnu/libssl.so.3 (0x00007efd05287000)\n" +
		"\t/lib64/ld-linux-x86-64.so.2 (0x00007efd05af5000)\n")
	want := []string{"/lib/x86_64-linux-gnu/libssl.so.3", "/lib64/ld-linux-x86-64.so.2"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("parseLdd = %q, %v; want %q", got, err, want)
	}
	if _, err := parseLdd("\tliblzf.so.1 => not found\n"); err == nil || !strings.Contains(err.Error(), "liblzf.so.1") {
		t.Errorf("a missing library gave %v, want an error that names it", err)
	}
}
