package main

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
)

// The real program, killed by the kernel at random moments while it writes a tree:
// the tree is the old one or the new one, each time. Where the program stands in
// the tree, and so has to write it in place, it may be one that says that it waits
// to be put back; then the next run does that.
func TestKilledWhileItWrites(t *testing.T) {
	for name, inPlace := range map[string]bool{"from outside": false, "from within": true} {
		t.Run(name, func(t *testing.T) {
			parent, err := os.MkdirTemp("/dev/shm", "svcx-test-")
			if err != nil {
				parent = t.TempDir()
			}
			t.Cleanup(func() { _ = os.RemoveAll(parent) })
			dir := filepath.Join(parent, "redis")
			command := func(n int) *exec.Cmd {
				cmd := exec.CommandContext(t.Context(), "kubectl-svcx", "generate", "redis", "--image=redis:alpine",
					"--dir="+dir, fmt.Sprintf("--replicas=%d", n), fmt.Sprintf("--namespace=shop-%d", n))
				if cmd.Dir = parent; inPlace {
					cmd.Dir = dir
				}
				return cmd
			}
			state := func(n int) map[string]string {
				cmd := command(n)
				if n == 1 {
					cmd.Dir = parent
				}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				return content(t, dir)
			}
			states := []map[string]string{state(1), state(2)}
			signs := []string{filepath.Join(parent, ".redis.svcx-tmp"), filepath.Join(dir, "..svcx-undo.svcx-tmp"), filepath.Join(dir, ".svcx-undo")}
			const most, enough = 150, 25
			amid := 0
			for i := 0; i < most && amid < enough; i++ {
				if killAmid(t, command(1+i%2), signs) {
					amid++
				}
				if tree := content(t, dir); generate.Interrupted(dir) == nil && !maps.Equal(tree, states[0]) && !maps.Equal(tree, states[1]) {
					t.Fatalf("kill %d left neither the old tree nor the new one: %v", i, tree)
				}
			}
			if amid == 0 {
				t.Errorf("none of %d kills came while the tree was written", most)
			}
			t.Logf("%d kills came while the tree was written", amid)
			if tree := state(2); !maps.Equal(tree, states[1]) {
				t.Errorf("after the last kill the next run left %v", tree)
			}
			for _, sign := range signs {
				if _, err := os.Lstat(sign); err == nil {
					t.Errorf("%s is still there", sign)
				}
			}
		})
	}
}

// killAmid starts the program and kills it a moment after a sign that it writes;
// true when the sign is still there then.
func killAmid(t *testing.T, cmd *exec.Cmd, signs []string) bool {
	t.Helper()
	seen := func() bool {
		for _, sign := range signs {
			if _, err := os.Lstat(sign); err == nil {
				return true
			}
		}
		return false
	}
	left := seen() // by the kill before
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	moment := time.Duration(rand.IntN(1500)) * time.Microsecond
	for written := false; ; {
		select {
		case <-ended:
			return false
		default:
		}
		if written = written || !left && seen(); written || left {
			break
		}
	}
	if left {
		moment = time.Duration(rand.IntN(80)) * time.Millisecond
	}
	time.Sleep(moment) // of the kill: any will do
	_ = cmd.Process.Kill()
	<-ended
	return seen()
}

// content is what the files of a tree hold, but for what a killed run leaves.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(name, ".svcx-tmp") && d.IsDir(), d.Name() == ".svcx-undo":
			return fs.SkipDir
		case d.IsDir(), strings.HasSuffix(name, ".svcx-tmp"):
			return nil
		}
		data, err := os.ReadFile(name)
		tree[strings.TrimPrefix(name, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
