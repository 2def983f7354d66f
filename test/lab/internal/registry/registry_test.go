package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ownAddress returns a host:port to listen on, now and after a restart. The host is one
// of the 16 million of loopback, so that nobody else gets the port while it is given back.
func ownAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.N(254), rand.N(256), 1+rand.N(254)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a registry and returns what ends it and waits for it.
func start(t *testing.T, c Config) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, c) }()
	for _, addr := range []string{c.Listen, c.PrivateListen} {
		for addr != "" {
			if resp, err := http.Get("http://" + addr + "/v2/"); err == nil {
				resp.Body.Close()
				break
			}
			select {
			case err := <-ended:
				t.Fatalf("registry ended early: %v", err)
			default:
			}
		}
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func testImage(t *testing.T, content string) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		static.NewLayer([]byte(content), types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func reference(t *testing.T, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// status is the HTTP status that an error of the remote package carries.
func status(err error) int {
	var e *transport.Error
	if errors.As(err, &e) {
		return e.StatusCode
	}
	return 0
}

func TestImagesSurviveARestart(t *testing.T) {
	c := Config{Listen: ownAddress(t), Dir: t.TempDir()}
	stop := start(t, c)
	img := testImage(t, "some content")
	want, _ := img.Digest()
	if err := remote.Write(reference(t, c.Listen+"/library/redis:alpine"), img); err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})
	if err := remote.WriteIndex(reference(t, c.Listen+"/library/redis:index"), index); err != nil {
		t.Fatal(err)
	}
	stop()

	start(t, c)
	got, err := remote.Image(reference(t, c.Listen+"/library/redis:alpine"))
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := got.Digest(); d != want {
		t.Errorf("digest %s after the restart, want %s", d, want)
	}
	layers, err := got.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, error %v", len(layers), err)
	}
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, _ := io.ReadAll(r); string(b) != "some content" {
		t.Errorf("layer content %q", b)
	}
	if _, err := remote.Index(reference(t, c.Listen+"/library/redis:index")); err != nil {
		t.Errorf("index after the restart: %v", err)
	}
}

func TestUnknownImagesAreNotFound(t *testing.T) {
	c := Config{Listen: ownAddress(t)}
	start(t, c)
	if err := remote.Write(reference(t, c.Listen+"/library/redis:alpine"), testImage(t, "x")); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"/library/redis:nosuch", "/library/nosuch:latest"} {
		if _, err := remote.Image(reference(t, c.Listen+ref)); status(err) != http.StatusNotFound {
			t.Errorf("%s: %v, want status 404", ref, err)
		}
	}
}

// containerd asks a mirror with the name of the registry that it stands for.
func TestMirrorsNamespaceIsAccepted(t *testing.T) {
	c := Config{Listen: ownAddress(t), Dir: t.TempDir()}
	start(t, c)
	if err := remote.Write(reference(t, c.Listen+"/library/redis:alpine"), testImage(t, "x")); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		req, _ := http.NewRequest(method, "http://"+c.Listen+"/v2/library/redis/manifests/alpine?ns=docker.io", nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != string(types.OCIManifestSchema1) {
			t.Errorf("%s: status %d, content type %s", method, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
}

func TestPrivateListenerAsksForThePassword(t *testing.T) {
	c := Config{Listen: ownAddress(t), PrivateListen: ownAddress(t), Username: "svcx", Password: "secret", Dir: t.TempDir()}
	start(t, c)
	ref := reference(t, c.PrivateListen+"/private/redis:alpine")
	good := remote.WithAuth(&authn.Basic{Username: "svcx", Password: "secret"})
	if err := remote.Write(ref, testImage(t, "x"), good); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Image(ref, good); err != nil {
		t.Errorf("with the password: %v", err)
	}
	for name, option := range map[string]remote.Option{
		"no password":    remote.WithAuth(authn.Anonymous),
		"wrong password": remote.WithAuth(&authn.Basic{Username: "svcx", Password: "secre"}),
		"wrong user":     remote.WithAuth(&authn.Basic{Username: "svc", Password: "secret"}),
	} {
		if _, err := remote.Image(ref, option); status(err) != http.StatusUnauthorized {
			t.Errorf("%s: %v, want status 401", name, err)
		}
	}
	// What is private must not be had without a password through the other listener.
	if _, err := remote.Image(reference(t, c.Listen+"/private/redis:alpine")); status(err) != http.StatusNotFound {
		t.Errorf("through the public listener: %v, want status 404", err)
	}
}

func TestDeletedManifestsStayDeleted(t *testing.T) {
	c := Config{Listen: ownAddress(t), Dir: t.TempDir()}
	stop := start(t, c)
	ref := reference(t, c.Listen+"/app:v1")
	if err := remote.Write(ref, testImage(t, "x")); err != nil {
		t.Fatal(err)
	}
	if err := remote.Delete(ref); err != nil {
		t.Fatal(err)
	}
	stop()
	start(t, c)
	if _, err := remote.Image(ref); status(err) != http.StatusNotFound {
		t.Errorf("after deletion and restart: %v, want status 404", err)
	}
}

func TestServeRefusesBadSettings(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	broken := t.TempDir()
	if err := os.MkdirAll(filepath.Join(broken, "manifests-public"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "manifests-public", "x.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		config Config
		want   string
	}{
		"private without a password": {Config{Listen: ownAddress(t), PrivateListen: ownAddress(t)}, "password"},
		"address in use":             {Config{Listen: taken.Addr().String()}, "address already in use"},
		"damaged manifest":           {Config{Listen: ownAddress(t), Dir: broken}, "x.json"},
	} {
		if err := Serve(t.Context(), tc.config); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
	}
}
