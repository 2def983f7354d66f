package cli

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// machines maps what an ELF file says to how Kubernetes names it.
var machines = map[elf.Machine]string{
	elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_ARM: "arm", elf.EM_S390: "s390x", elf.EM_PPC64: "ppc64le", elf.EM_RISCV: "riscv64",
}

// findProbers opens the svcx-probe files given, or looks for them beside this
// program: svcx-probe itself, and svcx-probe-linux-ARCH.
func findProbers(files []string) ([]verify.Prober, error) {
	given := len(files) > 0
	where := ""
	if !given {
		self, err := os.Executable()
		if err == nil {
			// Krew links the plugin to where its archive was unpacked.
			self, err = filepath.EvalSymlinks(self)
		}
		if err != nil {
			return nil, withHints(fmt.Errorf("--probe-via=stream: where this program is was not found: %w", err), "name svcx-probe with --probe-binary")
		}
		where = filepath.Dir(self)
		files, _ = filepath.Glob(filepath.Join(where, "svcx-probe-linux-*"))
		files = append(files, filepath.Join(where, "svcx-probe"))
	}
	var out []verify.Prober
	for _, file := range files {
		p, err := proberFile(file)
		switch {
		case !given && errors.Is(err, os.ErrNotExist):
			continue
		case err != nil && given:
			return nil, withHints(fmt.Errorf("--probe-binary: %w", err), "it is svcx-probe for Linux, from a release or make build")
		case err != nil:
			continue // the plugin's own platform need not be Linux
		}
		if !slices.ContainsFunc(out, func(q verify.Prober) bool { return q.Arch == p.Arch }) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, withHints(fmt.Errorf("--probe-via=stream: no svcx-probe for Linux in %s", where),
			"name the file with --probe-binary; it comes with a release, or from make build")
	}
	return out, nil
}

// proberFile reads from a program's header for which nodes it is.
func proberFile(path string) (verify.Prober, error) {
	info, err := os.Stat(path)
	if err != nil {
		return verify.Prober{}, err
	}
	f, err := elf.Open(path)
	if err != nil {
		var format *elf.FormatError
		if errors.As(err, &format) || errors.Is(err, io.EOF) {
			return verify.Prober{}, fmt.Errorf("%s is no program for Linux", path)
		}
		return verify.Prober{}, err
	}
	defer func() { _ = f.Close() }()
	arch := machines[f.Machine]
	switch {
	case arch == "" || f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN:
		return verify.Prober{}, fmt.Errorf("%s is no program for a node that is known (%s, %s)", path, f.Machine, f.Type)
	case slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }):
		return verify.Prober{}, fmt.Errorf("%s needs libraries that the image may not have; build it with CGO_ENABLED=0", path)
	}
	return verify.Prober{Arch: arch, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(path) }}, nil
}
