package images

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Target is a registry to push to. It is spoken to over plain HTTP.
type Target struct {
	Addr               string // host:port
	Username, Password string // empty for a registry that asks for none
}

// pushes is how many images travel at once: each is one layer, and the registry is on
// this machine, so more would only compete for its cores.
const pushes = 4

// Push pushes the images under all their references. Layers that the registry has are
// not sent again.
func Push(ctx context.Context, t Target, images []Image) error {
	todo := map[name.Reference]remote.Taggable{}
	for _, img := range images {
		for _, ref := range img.Refs {
			r, err := name.ParseReference(t.Addr+"/"+ref, name.Insecure, name.StrictValidation)
			if err != nil {
				return fmt.Errorf("image reference %s: %w", ref, err)
			}
			todo[r] = img.Image
		}
	}
	auth := authn.Anonymous
	if t.Username != "" {
		auth = &authn.Basic{Username: t.Username, Password: t.Password}
	}
	// The transport is our own so that no proxy of the environment gets between.
	transport := &http.Transport{MaxIdleConnsPerHost: pushes}
	defer transport.CloseIdleConnections()
	if err := remote.MultiWrite(todo,
		remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(transport), remote.WithJobs(pushes),
	); err != nil {
		return fmt.Errorf("push %d images to %s: %w", len(images), t.Addr, err)
	}
	return nil
}
