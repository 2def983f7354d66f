package lab

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestFreeSlot(t *testing.T) {
	all := map[int]bool{}
	for i := range layout.Slots {
		all[i] = true
	}
	for name, test := range map[string]struct {
		taken map[int]bool
		used  []netip.Prefix
		slot  int
		ok    bool
	}{
		"first":                             {nil, nil, 0, true},
		"another lab has the first":         {map[int]bool{0: true}, nil, 1, true},
		"the machine has an address there":  {nil, prefixes("10.89.0.0/24"), 1, true},
		"a host route into it":              {nil, prefixes("10.89.0.77/32"), 1, true},
		"a wide route is no obstacle":       {nil, prefixes("10.0.0.0/8"), 0, true},
		"but a narrow one beside it is":     {map[int]bool{1: true}, prefixes("10.0.0.0/8", "10.89.0.0/24"), 2, true},
		"a link-local route is no obstacle": {nil, prefixes("fe80::/64", "192.0.2.0/24"), 0, true},
		"an IPv6 network there":             {nil, prefixes("fd89::/64"), 1, true},
		"none left":                         {all, nil, 0, false},
		"all of them on the machine":        {nil, prefixes("10.89.0.0/16"), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			slot, ok := freeSlot(test.taken, test.used)
			if slot != test.slot || ok != test.ok {
				t.Errorf("slot %d, %v; want %d, %v", slot, ok, test.slot, test.ok)
			}
		})
	}
}

func TestResolveComponent(t *testing.T) {
	for name, test := range map[string]struct {
		hosts     string
		component string
		err       string
	}{
		"kubelet":        {"control-plane worker", "kubelet", ""},
		"worker/kubelet": {"worker", "kubelet", ""},
		"etcd":           {"control-plane", "etcd", ""},
		"registry":       {"outside", "registry", ""},
		"worker/etcd":    {"", "", "it runs on control-plane"},
		"kublet":         {"", "", "one of etcd, kube-apiserver"},
		"":               {"", "", "no component"},
	} {
		hosts, component, err := resolveComponent(name)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: error %v, want one with %q", name, err, test.err)
			}
			continue
		}
		if err != nil || strings.Join(hosts, " ") != test.hosts || component != test.component {
			t.Errorf("%q: %v %q %v", name, hosts, component, err)
		}
	}
}

func TestMissingPackagesAreNamedOnce(t *testing.T) {
	_, missing := missingPackages(func(name string) (string, error) {
		if name == "runc" {
			return "/usr/sbin/runc", nil
		}
		return "", errors.New("not found")
	}, t.TempDir())
	got := strings.Join(missing, " ")
	if want := "containerd iptables nftables redis-tools util-linux mount containernetworking-plugins"; got != want {
		t.Errorf("missing: %s\nwant:    %s", got, want)
	}
	if !strings.Contains(InstallCommand(missing), "apt-get install -y --no-install-recommends containerd ") {
		t.Errorf("install command: %s", InstallCommand(missing))
	}
}

func TestFindProgramsNamesTheBuild(t *testing.T) {
	dir := t.TempDir()
	_, err := FindPrograms(filepath.Join(dir, "svcx-lab"))
	if err == nil || !strings.Contains(err.Error(), "test/lab/build.sh") || !strings.Contains(err.Error(), "svcx-lab-components") {
		t.Errorf("error is %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "lab"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"real", "lab/svcx-lab-init", "lab/svcx-testserver", "lab/svcx-netpol"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "lab/svcx-lab-components")); err != nil {
		t.Fatal(err)
	}
	p, err := FindPrograms(filepath.Join(dir, "svcx-lab"))
	if err != nil || p.Components != filepath.Join(dir, "real") || p.Probe != "" {
		t.Errorf("programs are %+v (%v)", p, err)
	}
}

func TestLoadOfALabThatIsNotUp(t *testing.T) {
	_, err := Load("no-such-lab")
	var notUp *NotUpError
	if !errors.As(err, &notUp) || !strings.Contains(err.Error(), "svcx-lab up --name no-such-lab") {
		t.Errorf("error is %v", err)
	}
}

func TestBadNameTouchesNothing(t *testing.T) {
	for _, name := range []string{"../x", "", "Toolongforaninterface"} {
		if err := Down(context.Background(), name); err == nil {
			t.Errorf("down of %q succeeds", name)
		}
		if _, err := Up(context.Background(), Options{Name: name}); err == nil {
			t.Errorf("up of %q succeeds", name)
		}
	}
}

func TestLockIsExclusiveAndSurvivesRemoval(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan func())
	go func() {
		second, err := lock(dir)
		if err != nil {
			t.Error(err)
		}
		got <- second
	}()
	select {
	case <-got:
		t.Fatal("two hold the lock")
	default:
	}
	// As "down" does: who waits must get a lock on the directory that is there then.
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	unlock()
	second := <-got
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the second holder's directory is missing: %v", err)
	}
	second()
}

func TestTailIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 1<<20)+"\nlast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := tail(path, 3)
	if len(got) > 2000 || !strings.HasSuffix(got, "  last\n") {
		t.Errorf("tail has %d bytes and ends with %q", len(got), got[max(0, len(got)-20):])
	}
	if got := tail(filepath.Join(t.TempDir(), "none"), 3); !strings.Contains(got, "no log") {
		t.Errorf("tail of no file is %q", got)
	}
}

func TestAPTErrorIsTheFirst(t *testing.T) {
	out := "Err:1 http://deb.example.com redis-tools\n  Temporary failure resolving\nE: Failed to fetch http://deb.example.com  Temporary failure\nE: Unable to fetch some archives\n"
	if got, want := aptError([]byte(out)), "E: Failed to fetch http://deb.example.com  Temporary failure"; got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
	if got, want := aptError([]byte("one\ntwo\n")), "two"; got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
}

// What is waited for must not be ended by the kubelet meanwhile.
func TestDNSMayStartForAsLongAsUpWaits(t *testing.T) {
	const timeout = 25 * time.Minute
	probe := dnsDeployment(metav1.ObjectMeta{}, timeout).Spec.Template.Spec.Containers[0].StartupProbe
	if got := time.Duration(probe.PeriodSeconds*probe.FailureThreshold) * time.Second; got != timeout {
		t.Errorf("it may take %s, want %s", got, timeout)
	}
}
