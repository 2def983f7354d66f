package cli

import (
	"fmt"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// addedTwice says where an object stands already that a file of created, which are
// those of the tree in dir, would bring into the kustomization at at once more; nil
// where there is none. kustomize takes an object for another one if only its version
// differs, and else says less of it.
func addedTwice(fsys filesys.FileSystem, dir, at string, created []string) error {
	where := resourcesOf(fsys, at, map[string]bool{})
	for _, name := range created {
		file := filepath.Join(dir, filepath.FromSlash(name))
		i := slices.IndexFunc(where, func(r resource) bool { return r.file == file })
		if i < 0 {
			continue
		}
		for _, r := range where {
			if r.kind != where[i].kind || r.name != where[i].name || r.file == file {
				continue
			}
			return withHints(fmt.Errorf("%s holds %s/%s already, and svcx.yaml would have another one; nothing was written", filepath.ToSlash(r.file), r.kind.Kind, r.name),
				"change it there, and leave it out of svcx.yaml",
				fmt.Sprintf("or have svcx.yaml say it: remove the file (git rm %s) and its line in %s, then generate again",
					shell.Word(filepath.ToSlash(r.file)), filepath.ToSlash(r.listed)))
		}
	}
	return nil
}

// resource is an object that a kustomization takes from a file.
type resource struct {
	kind         schema.GroupKind
	name         string
	file, listed string // where it stands, and the kustomization.yaml that names that file
}

// resourcesOf are the objects in the files that a kustomization names, and those that
// it names do. What cannot be read is passed over: building it tells of that.
func resourcesOf(fsys filesys.FileSystem, dir string, seen map[string]bool) []resource {
	listed := filepath.Join(dir, "kustomization.yaml")
	data, err := fsys.ReadFile(listed)
	var k struct{ Resources []string }
	if seen[dir] || err != nil || yaml.Unmarshal(data, &k) != nil {
		return nil
	}
	seen[dir] = true
	var out []resource
	for _, name := range k.Resources {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if fsys.IsDir(at) {
			out = append(out, resourcesOf(fsys, at, seen)...)
			continue
		}
		data, err := fsys.ReadFile(at)
		if err != nil {
			continue
		}
		nodes, err := kio.FromBytes(data)
		if err != nil {
			continue
		}
		for _, n := range nodes {
			kind := schema.FromAPIVersionAndKind(n.GetApiVersion(), n.GetKind()).GroupKind()
			out = append(out, resource{kind: kind, name: n.GetName(), file: at, listed: listed})
		}
	}
	return out
}
