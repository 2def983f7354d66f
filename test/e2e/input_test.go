//go:build e2e

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestUpOnBadInput gives up what it cannot use. Each mistake is told by the
// flag, its value and the reason; nothing is written, nothing reaches the
// cluster. (Every rule on its own is tested in pkg/generate.)
func TestUpOnBadInput(t *testing.T) {
	t.Parallel()
	c, ns := client(t), namespace(t, restricted)
	good := []string{"redis", "--image=redis:alpine", "--port=6379"}
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, dir string) // before the tree is looked at
		args    []string
		says    []string
	}{
		{"capital letters in the name", nil, []string{"Redis", "--image=redis"}, []string{`NAME: "Redis"`, "capital letters"}},
		{"underscore in the name", nil, []string{"my_redis", "--image=redis"}, []string{`NAME: "my_redis"`}},
		{"a name too long", nil, []string{strings.Repeat("r", 64), "--image=redis"}, []string{"NAME: ", "63"}},
		{"a path for a name", nil, []string{"../redis", "--image=redis"}, []string{`NAME: "../redis"`}},
		{"the Service's name", nil, append(good, "--service-name=-redis"), []string{`--service-name: "-redis"`}},
		{"port 0", nil, []string{"redis", "--image=redis", "--port=0"}, []string{"--port: 0 is out of range"}},
		{"port 65536", nil, []string{"redis", "--image=redis", "--port=65536"}, []string{"--port: 65536 is out of range"}},
		{"port in words", nil, []string{"redis", "--image=redis", "--port=six"}, []string{`--port: "six"`}},
		{"unknown type", nil, append(good, "--type=LoadBlancer"), []string{`unknown Service type "LoadBlancer"`, "did you mean LoadBalancer?"}},
		{"a file of somebody else in the way", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "redis", "base", "service.yaml"), "# somebody else's\n")
		}, good, []string{"base/service.yaml"}},
		{"a file where the folder is to be", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "redis"), "no folder\n") }, good, []string{"redis", "not a directory"}},
		{"a conflict with an edit by hand", func(t *testing.T, dir string) {
			svcx(t, dir, append([]string{"generate"}, good...)...).want(t, 0)
			path := filepath.Join(dir, "redis", "base", "deployment.yaml")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, strings.Replace(string(data), "replicas: 1", "replicas: 3", 1))
		}, append(good, "--replicas=2"), []string{"base/deployment.yaml", "--overwrite", "-  replicas: 3"}},
		{"a full disk", func(t *testing.T, dir string) {
			mount(t, dir, "size=64k")
			write(t, filepath.Join(dir, "ballast"), strings.Repeat("x", 60<<10))
		}, good, []string{"no space left", "nothing was changed"}},
		{"a read-only disk", func(t *testing.T, dir string) { mount(t, dir, "ro") }, good, []string{"read-only file system"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if tc.prepare != nil {
				tc.prepare(t, dir)
			}
			before := tree(t, dir)
			r := svcx(t, dir, append(append([]string{"up"}, tc.args...), "-n", ns)...).want(t, 1)
			for _, text := range tc.says {
				if !strings.Contains(r.stderr, text) {
					t.Errorf("stderr lacks %q\n%s", text, r)
				}
			}
			if r.stdout != "" || !strings.Contains(r.stderr, "error: ") {
				t.Errorf("an error belongs to stderr alone\n%s", r)
			}
			if after := tree(t, dir); !maps.Equal(before, after) {
				t.Errorf("the folder changed from %v to %v\n%s", before, after, r)
			}
		})
	}
	if list, err := c.CoreV1().Services(ns).List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 0 {
		t.Errorf("%d Services came to the cluster (%v)", len(list.Items), err)
	}
	// The tutorial writes the type in another case.
	svcx(t, t.TempDir(), append([]string{"up", "--type=clusterIP", "--dry-run=server", "-n", ns}, good...)...).want(t, 0)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// mount puts an empty file system on a folder for the time of the test.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may mount a disk that is full, or read-only")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// tree is the content of every file of a folder, by its path.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
