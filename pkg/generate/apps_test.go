package generate

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
)

var update = flag.Bool("update", false, "write the golden files anew")

func int32p(n int32) *int32 { return &n }

// defaultApp is the example of the README, as the flags make it.
func defaultApp() *App {
	a := redisApp()
	a.Harden()
	return a
}

// redisApp is that before it is hardened.
func redisApp() *App {
	return &App{
		Metadata: Metadata{Name: "redis"},
		Spec: Spec{
			Workload: &Workload{Image: "redis:alpine", Replicas: int32p(2)},
			Service: Service{
				Name:         "redis-svc",
				ExternalName: "server.example.com",
				Ports:        []ServicePort{{Port: 6379}},
			},
		},
	}
}

// exampleApps is the matrix of Apps that the golden files, and what must hold of
// every tree, are tested with.
func exampleApps() map[string]*App {
	return map[string]*App{
		"redis": defaultApp(),
		"nginx-in-namespace": {
			Metadata: Metadata{Name: "web", Namespace: "shop"},
			Spec: Spec{
				Workload: &Workload{Image: "docker.io/library/nginx:1.29"},
				Service:  Service{Type: NodePort},
			},
		},
		"unknown-image": {
			Metadata: Metadata{Name: "api"},
			Spec: Spec{
				Workload: &Workload{
					Image:    "registry.example.com:5000/team/api@sha256:" + strings.Repeat("ab", 32),
					Replicas: int32p(0),
					Command:  []string{"/api"},
					Args:     []string{"--addr=:8080", "on", "", "1e3", "~", "multi\nline\n", "tab\tand 'quotes' \"both\"", "# no comment", "é🚀", "\u2028", " lead", "a: b", "$(POD_IP)", "---"},
				},
				Service: Service{
					Name: "api-v1",
					Type: LoadBalancer,
					Ports: []ServicePort{
						{Port: 80, TargetPort: intstr.FromInt32(8080)},
						{Port: 81, TargetPort: intstr.FromInt32(8080), Name: "on"},
						{Port: 53, Protocol: "udp"},
						{Port: 53},
						{Port: 9999, Protocol: "SCTP", Name: "1e3"},
						{Port: 50052, AppProtocol: "kubernetes.io/h2c"},
					},
				},
			},
		},
		"udp-only": {
			Metadata: Metadata{Name: "syslog"},
			Spec: Spec{
				Workload: &Workload{Image: "example/syslog:1"},
				Service:  Service{Type: Headless, Ports: []ServicePort{{Port: 514, Protocol: "UDP"}}},
			},
		},
		"alias": {
			Metadata: Metadata{Name: "legacy-db", Namespace: "prod"},
			Spec:     Spec{Service: Service{ExternalName: "db.example.com", Ports: []ServicePort{{Port: 5432}}}},
		},
	}
}

func mustFiles(t *testing.T, a *App) []File {
	t.Helper()
	files, err := Files(a)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// readTree returns a directory's files by slash-separated path, the directories
// in it with a trailing slash.
func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir():
			tree[rel+"/"] = ""
		case d.Type()&fs.ModeSymlink != 0:
			tree[rel], err = os.Readlink(name)
		default:
			var data []byte
			data, err = os.ReadFile(name)
			tree[rel] = string(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// compareTree compares a directory with files, and writes it anew with -update.
func compareTree(t *testing.T, dir string, files []File) {
	t.Helper()
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name := filepath.Join(dir, filepath.FromSlash(f.Path))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	have := readTree(t, dir)
	for _, f := range files {
		got, ok := have[f.Path]
		if !ok {
			t.Errorf("%s is generated, and not in %s (-update writes it)", f.Path, dir)
		} else if !bytes.Equal([]byte(got), f.Data) {
			t.Errorf("%s differs from %s (-update writes it):\n%s", f.Path, dir, f.Data)
		}
		delete(have, f.Path)
	}
	for name := range have {
		if !strings.HasSuffix(name, "/") {
			t.Errorf("%s is in %s, and not generated", name, dir)
		}
	}
}

func TestGolden(t *testing.T) {
	for name, app := range exampleApps() {
		t.Run(name, func(t *testing.T) {
			compareTree(t, filepath.Join("testdata", "golden", name), mustFiles(t, app))
		})
	}
}

// The tree in manifests/redis is what the README's command generates.
func TestManifestsRedis(t *testing.T) {
	compareTree(t, filepath.Join("..", "..", "manifests", "redis"), mustFiles(t, defaultApp()))
}
