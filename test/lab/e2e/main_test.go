//go:build lab

package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestMain gives the tests a machine of their own: they compare it before and after a
// lab, and on the real one interfaces, mounts and processes come and go by themselves,
// those of other labs and other tests among them. Here everything of a kind is compared,
// so nothing of a lab can hide among what belongs to somebody else.
//
// The first process makes the namespaces; the second is their init, which mounts what
// belongs to them and buries orphans; the third runs the tests.
func TestMain(m *testing.M) {
	flag.Parse()
	code := 1
	var err error
	switch stage := os.Getenv(stageVariable); {
	case stage == "test" || flag.Lookup("test.list").Value.String() != "":
		code = m.Run()
	case stage == "init":
		if err = furnish(); err == nil {
			code, err = again(0, stageVariable+"=test")
		}
	default:
		code, err = outside()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "a machine for the tests:", err)
	}
	os.Exit(code)
}

// Variables that one process of TestMain leaves to the next.
const (
	stageVariable = "SVCX_LAB_TEST_STAGE"
	varVariable   = "SVCX_LAB_TEST_VAR" // the folder that becomes /var/lib
	runVariable   = "SVCX_LAB_TEST_RUN" // tells this run of the tests from others
)

// labName names a lab of this run of the tests alone: cgroups are the one thing that the
// tests share with the real machine.
func labName(name string) string { return name + "-" + os.Getenv(runVariable) }

func outside() (int, error) {
	// On a disk, since containers lie in it.
	dir, err := os.MkdirTemp("/var/tmp", "svcx-lab-test-")
	if err != nil {
		return 1, err
	}
	code, err := again(unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWNET|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS,
		stageVariable+"=init", varVariable+"="+dir, runVariable+"="+strconv.FormatInt(int64(os.Getpid()), 36))
	return code, errors.Join(err, os.RemoveAll(dir))
}

// again runs this program in new namespaces, waits for it and whatever it orphans, and
// returns its exit code.
func again(namespaces uintptr, variables ...string) (int, error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), variables...)
	// Should this process be killed, the next goes too, and with it all in its namespaces.
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	runtime.LockOSThread() // whose end would count as this process's
	defer runtime.UnlockOSThread()
	// Ctrl-C ends the tests, and these processes after them.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 1, err
		case pid == cmd.Process.Pid && status.Exited():
			return status.ExitStatus(), nil
		case pid == cmd.Process.Pid && status.Signaled():
			return 1, fmt.Errorf("ended by signal: %s", status.Signal())
		}
	}
}

// furnish makes the folders private that a lab might write to. Changes to those that have
// to keep what they hold are to be found in /run/changes.
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to the tests: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// As systemd mounts it: nothing there can be executed.
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	if err := unix.Mount(os.Getenv(varVariable), "/var/lib", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount /var/lib: %w", err)
	}
	for _, dir := range []string{"/etc", "/root", "/var/log"} {
		upper, work := filepath.Join("/run/changes", dir), filepath.Join("/run/work", dir)
		for _, d := range []string{upper, work} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work)
		if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
			return fmt.Errorf("mount an overlay on %s: %w", dir, err)
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}
