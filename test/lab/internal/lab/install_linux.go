package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// policy is what Debian's packages ask whether they may start their services; 101 is no.
// The machine's own is left alone, should it have one.
const (
	policy     = "/usr/sbin/policy-rc.d"
	policyText = "#!/bin/sh\n# svcx-lab, while it installs packages: start no service.\nexit 101\n"
)

// InstallCommand is the line that installs packages by hand.
func InstallCommand(packages []string) string {
	return "apt-get update && apt-get install -y --no-install-recommends " + strings.Join(packages, " ")
}

const noAPT = "and there is no apt-get to install them with"

// Install installs Debian packages without starting their services: the lab runs its own
// containerd, and the machine shall not get one running because of it.
func Install(ctx context.Context, packages []string, progress func(string)) error {
	cannot := func(reason string) error {
		return &CannotRunError{
			Reasons: []string{"these packages are missing: " + strings.Join(packages, " ") + " (" + reason + ")"},
			Next:    "install them: " + InstallCommand(packages),
		}
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return cannot(noAPT)
	}
	progress("installing packages: " + strings.Join(packages, " "))
	undo, err := forbidServices()
	if err != nil {
		return err
	}
	defer undo()
	for _, args := range [][]string{
		{"update", "-q"},
		// A fresh machine may be updating itself just now.
		append([]string{"install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"}, packages...),
	} {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		out, err := cmd.CombinedOutput()
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		// A list that cannot be fetched does not matter when the packages can.
		if err != nil && args[0] == "install" {
			return cannot(fmt.Sprintf("apt-get install failed: %s", aptError(out)))
		}
	}
	return dontEnable(ctx, packages)
}

// dontEnable keeps a service that came with a package from starting at the next boot.
func dontEnable(ctx context.Context, packages []string) error {
	systemctl, err := exec.LookPath("systemctl")
	if err != nil {
		return nil
	}
	for _, p := range packages {
		if p != "containerd" {
			continue
		}
		if out, err := exec.CommandContext(ctx, systemctl, "disable", p+".service").CombinedOutput(); err != nil {
			return fmt.Errorf("disable the service of package %s: %w: %s", p, err, lastLine(out))
		}
	}
	return nil
}

func forbidServices() (undo func(), err error) {
	data, err := os.ReadFile(policy)
	switch {
	case err == nil && string(data) != policyText:
		return func() {}, nil // the machine's own
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.WriteFile(policy, []byte(policyText), 0o755); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(policy) }, nil
}

// aptError is the first error that apt-get names; the last one only sums up.
func aptError(out []byte) string {
	for line := range bytes.Lines(out) {
		if bytes.HasPrefix(line, []byte("E: ")) {
			return string(bytes.TrimSpace(line))
		}
	}
	return lastLine(out)
}

func lastLine(out []byte) string {
	out = bytes.TrimSpace(out)
	return string(out[bytes.LastIndexByte(out, '\n')+1:])
}
