package tree

import (
	"os"
	"testing"
)

// A fix is written beside the file and takes its place: what the file was is whole
// until then. A link stays a link, and the file keeps its mode.
func TestWriteReplaces(t *testing.T) {
	lay(t, map[string]string{"tree/kustomization.yaml": baseK, "tree/shared/service.yaml": service, "tree/deployment.yaml": deployment})
	if err := os.Symlink("shared/service.yaml", "tree/service.yaml"); err != nil {
		t.Skip(err)
	}
	if err := os.Chmod("tree/shared/service.yaml", 0o664); err != nil {
		t.Fatal(err)
	}
	if err := os.Link("tree/shared/service.yaml", "before.yaml"); err != nil {
		t.Skip(err)
	}
	tr, err := Open(OnDisk(), "tree")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Mend(Ref{Kind: "Service", Name: "redis-svc"}, portPatch); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Write(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile("before.yaml")
	if err != nil || string(before) != service {
		t.Errorf("the old file was written over: %v\n%s", err, before)
	}
	after, err := os.ReadFile("tree/shared/service.yaml")
	if err != nil || string(after) == service {
		t.Errorf("nothing was written: %v", err)
	}
	if info, err := os.Lstat("tree/service.yaml"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v %v", info, err)
	}
	if info, err := os.Stat("tree/shared/service.yaml"); err != nil || info.Mode().Perm() != 0o664 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if names, err := os.ReadDir("tree/shared"); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v %v", names, err)
	}
}

// Where the new file cannot be written, the old one stays.
func TestWriteFails(t *testing.T) {
	lay(t, map[string]string{"a.yaml": "old\n", "a.yaml.svcx-new/file": ""})
	if err := OnDisk().WriteFile("a.yaml", []byte("new\n")); err == nil {
		t.Error("no error")
	}
	if data, err := os.ReadFile("a.yaml"); err != nil || string(data) != "old\n" {
		t.Errorf("%q %v", data, err)
	}
}
