package components

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
)

var dual = layout.Lab{Name: "x", Slot: 3, IPv6: true}

func TestNodeFilesParse(t *testing.T) {
	for _, lab := range []layout.Lab{dual, {Name: "x"}} {
		for _, node := range layout.Nodes() {
			for path, content := range NodeFiles(lab, node, Options{Snapshotter: "overlayfs"}) {
				var parsed any
				var err error
				switch filepath.Ext(path) {
				case ".yaml":
					err = yaml.UnmarshalStrict([]byte(content), &parsed)
				case ".conflist":
					err = json.Unmarshal([]byte(content), &parsed)
				}
				if err != nil {
					t.Errorf("%s: %v\n%s", path, err, content)
				}
				if strings.Contains(content, "%!") {
					t.Errorf("%s has a formatting mistake:\n%s", path, content)
				}
				// In /run, systemd lets nothing be executed.
				dir := lab.RunDir()
				if strings.HasPrefix(content, "#!") {
					dir = lab.StateDir()
				}
				if !strings.HasPrefix(path, dir+"/") {
					t.Errorf("%s is outside %s", path, dir)
				}
			}
		}
	}
}

func TestEveryRegistryNameLeadsToTheLab(t *testing.T) {
	files := NodeFiles(dual, layout.Worker, Options{})
	certs := filepath.Join(dual.HostRunDir(layout.Worker), "certs.d")
	for name, addr := range map[string]string{
		"_default": dual.Registry(), layout.PrivateRegistry: dual.PrivateRegistryAddr(), dual.PrivateRegistryAddr(): dual.PrivateRegistryAddr(),
	} {
		content := files[filepath.Join(certs, name, "hosts.toml")]
		if !strings.Contains(content, `server = "http://`+addr+`"`) || !strings.Contains(content, `[host."http://`+addr+`"]`) {
			t.Errorf("%s does not lead to %s only:\n%s", name, addr, content)
		}
	}
}

func TestPodRangesInTheNetworkConfiguration(t *testing.T) {
	for _, node := range layout.Nodes() {
		content := NodeFiles(dual, node, Options{})[filepath.Join(dual.HostRunDir(node), "cni/lab.conflist")]
		for _, cidr := range dual.PodCIDRs(node) {
			if !strings.Contains(content, cidr.String()) {
				t.Errorf("network of %s lacks %s:\n%s", node, cidr, content)
			}
		}
	}
}

func TestEveryNameHasAHost(t *testing.T) {
	for _, name := range Names() {
		if len(Where(name)) == 0 {
			t.Errorf("component %s runs nowhere", name)
		}
	}
	if Where("nope") != nil {
		t.Error("an unknown component runs somewhere")
	}
}

func TestComponentsLogWithinTheLab(t *testing.T) {
	list := []string{
		EtcdComponent(dual).Log, APIServerComponent(dual).Log, ControllerManagerComponent(dual).Log,
		SchedulerComponent(dual).Log, RegistryComponent(dual).Log, LoadBalancerComponent(dual).Log,
		ExternalHostComponent(dual).Log, NetworkPolicyComponent(dual, layout.Worker).Log,
		ContainerdComponent(dual, layout.Worker, Options{}).Log, KubeletComponent(dual, layout.Worker).Log,
		KubeProxyComponent(dual, layout.Worker).Log, KubeProxyComponent(dual, layout.ControlPlane).Log,
	}
	for _, log := range list {
		if !strings.HasPrefix(log, dual.StateDir()+"/logs/") {
			t.Errorf("log %s is outside the lab's folder", log)
		}
	}
	slices.Sort(list)
	if len(slices.Compact(list)) != 12 {
		t.Errorf("components share a log: %v", list)
	}
}

func TestAPIServerIsGuarded(t *testing.T) {
	args := strings.Join(APIServerComponent(dual).Args, " ")
	for _, want := range []string{"--authorization-mode=Node,RBAC", "PodSecurity", "--kubelet-preferred-address-types=InternalIP", "10.96.0.0/16,fd44:96::/112"} {
		if !strings.Contains(args, want) {
			t.Errorf("API server runs without %s: %s", want, args)
		}
	}
}
