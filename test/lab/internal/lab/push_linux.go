package lab

import (
	"context"
	"fmt"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/images"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
)

// PushImages builds the lab's images and pushes them to its registries.
func PushImages(ctx context.Context, lab layout.Lab, p Programs) error {
	built, err := images.Build(ctx, images.Config{Init: p.Init, TestServer: p.TestServer, Probe: p.Probe})
	if err != nil {
		return fmt.Errorf("build images: %w", err)
	}
	if err := images.Push(ctx, images.Target{Addr: lab.Registry()}, built); err != nil {
		return err
	}
	return images.Push(ctx, images.Target{
		Addr: lab.PrivateRegistryAddr(), Username: layout.PrivateUsername, Password: layout.PrivatePassword,
	}, images.Private(built))
}

// PushBinary makes an image of one static program and pushes it to both registries.
func PushBinary(ctx context.Context, lab layout.Lab, image, binary string) error {
	built, err := images.Program(image, binary)
	if err != nil {
		return err
	}
	list := []images.Image{built}
	if err := images.Push(ctx, images.Target{Addr: lab.Registry()}, list); err != nil {
		return err
	}
	return images.Push(ctx, images.Target{
		Addr: lab.PrivateRegistryAddr(), Username: layout.PrivateUsername, Password: layout.PrivatePassword,
	}, images.Private(list))
}
