package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// enter turns the fresh namespaces that this process is the first of into the host: its
// own /proc, /run, /var and name.
func enter(c Config) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("host %s: not the first process of its namespace; the lab starts it", c.Host)
	}
	// Nothing that is mounted from here on may reach the machine.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Sethostname([]byte(c.Host)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := replaceRun(c); err != nil {
		return err
	}
	if err := replaceVar(c); err != nil {
		return err
	}
	if err := mask(c.Mask); err != nil {
		return err
	}
	// Mounts made by Pods with mount propagation must reach the kubelet and back.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts within the host: %w", err)
	}
	return sysctls(c.Sysctls)
}

// replaceRun gives the host an empty /run of its own: sockets, lock files (xtables.lock)
// and network namespaces of containers stay in it and vanish with it.
func replaceRun(c Config) error {
	staging := filepath.Join(filepath.Dir(c.Var), "run")
	if err := os.MkdirAll(staging, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", staging, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	for _, inside := range sortedKeys(c.Files) {
		target := filepath.Join(staging, strings.TrimPrefix(inside, "/run"))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, nil, 0o755); err != nil {
			return err
		}
		if err := bind(c.Files[inside], target); err != nil {
			return err
		}
	}
	for _, dir := range c.Keep {
		if rest, ok := strings.CutPrefix(dir, "/run/"); ok {
			if err := bindDir(dir, filepath.Join(staging, rest)); err != nil {
				return err
			}
		}
	}
	if err := unix.Mount(staging, "/run", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("put the host's /run in place: %w", err)
	}
	return nil
}

// replaceVar gives the host a /var of its own, so that programs with fixed paths there
// (CNI's cache, the kubelet's container logs) write into the lab's state.
func replaceVar(c Config) error {
	for _, dir := range []string{"lib", "log", "tmp", "cache"} {
		if err := os.MkdirAll(filepath.Join(c.Var, dir), 0o755); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"run": "/run", "lock": "/run/lock"} {
		if err := os.Symlink(target, filepath.Join(c.Var, name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	for _, dir := range c.Keep {
		if rest, ok := strings.CutPrefix(dir, "/var/"); ok {
			if err := bindDir(dir, filepath.Join(c.Var, rest)); err != nil {
				return err
			}
		}
	}
	if err := unix.Mount(c.Var, "/var", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("put the host's /var in place: %w", err)
	}
	return nil
}

// mask lets a component read the value it wants where it would otherwise write a setting
// of the whole machine (the kubelet does, for kernel.panic and others).
func mask(values map[string]string) error {
	dir := "/run/svcx-lab-sysctl"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, key := range sortedKeys(values) {
		target := filepath.Join("/proc/sys", key)
		if _, err := os.Stat(target); err != nil {
			continue
		}
		source := filepath.Join(dir, strings.ReplaceAll(key, "/", "."))
		if err := os.WriteFile(source, []byte(values[key]+"\n"), 0o644); err != nil {
			return err
		}
		if err := bind(source, target); err != nil {
			return err
		}
	}
	return nil
}

func sysctls(values map[string]string) error {
	for _, key := range sortedKeys(values) {
		err := os.WriteFile(filepath.Join("/proc/sys", key), []byte(values[key]), 0o644)
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("set %s: %w", key, err)
		}
	}
	return nil
}

func bindDir(source, target string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	return bind(source, target)
}

func bind(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", source, target, err)
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
