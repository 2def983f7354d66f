package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/cgroup"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/network"
)

// Down takes a lab down and leaves nothing of it. A lab that is not up, or was killed,
// is fine.
func Down(ctx context.Context, name string) error {
	lab := layout.Lab{Name: name}
	if err := layout.CheckName(name); err != nil {
		return err
	}
	if err := CheckRoot(); err != nil {
		return err
	}
	hs, err := cgroup.Hierarchies("/proc/self/mounts")
	if err != nil {
		return err
	}
	unlock, err := lock(lab.RunDir())
	if err != nil {
		return err
	}
	defer unlock()
	return clear(ctx, lab, hs)
}

// clear removes everything that a lab of this name may have left, in whatever state.
func clear(ctx context.Context, lab layout.Lab, hs []cgroup.Hierarchy) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	hosts, err := findHosts(lab)
	if err != nil {
		return err
	}
	// First the interface: nothing of the lab can then speak to the machine while it ends.
	if err := network.Down(lab); err != nil {
		return err
	}
	if err := killHosts(ctx, hosts); err != nil {
		return err
	}
	if err := cgroup.Remove(ctx, hs, lab.Cgroup()); err != nil {
		return err
	}
	for _, dir := range []string{lab.StateDir(), lab.RunDir()} {
		if err := removeDir(dir); err != nil {
			return err
		}
	}
	// Other labs may be there; then these are not empty, which is fine.
	for _, root := range []string{layout.StateRoot, layout.RunRoot} {
		if err := os.Remove(root); err != nil && !errors.Is(err, fs.ErrNotExist) &&
			!errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return nil
}

// removeDir removes a directory of the lab. Its mounts are all in namespaces that ended;
// should one have leaked to the machine, RemoveAll fails rather than reach through it.
func removeDir(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}
