package apply

import (
	"errors"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/openapi/kubernetesapi"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// buildLock keeps builds apart: kustomize holds its OpenAPI schema in package
// variables, so two builds at once in one process corrupt each other.
var buildLock sync.Mutex

// BuildError says that a kustomization cannot be built, or holds something that
// is plainly wrong.
type BuildError struct {
	Dir  string
	File string // the file at fault, where it is known
	Err  error
}

// Error names the file, or the folder when the file is not known.
func (e *BuildError) Error() string {
	where := e.File
	if where == "" {
		where = e.Dir
	}
	return fmt.Sprintf("building %s: %v", where, e.Err)
}

// Unwrap returns the cause.
func (e *BuildError) Unwrap() error { return e.Err }

// BuildYAML builds the kustomization in dir. The bytes are those of
// `kustomize build dir` and `kubectl kustomize dir`.
func BuildYAML(fsys filesys.FileSystem, dir string) ([]byte, error) {
	m, err := build(fsys, dir)
	if err != nil {
		return nil, err
	}
	data, err := m.AsYaml()
	if err != nil {
		return nil, &BuildError{Dir: dir, Err: err}
	}
	return data, nil
}

// Build builds the kustomization in dir and checks each object offline:
// kustomize itself passes on fields and kinds that do not exist.
func Build(fsys filesys.FileSystem, dir string) ([]*unstructured.Unstructured, error) {
	m, err := build(fsys, dir)
	if err != nil {
		return nil, err
	}
	if m.Size() == 0 {
		return nil, &BuildError{Dir: dir, Err: errors.New("the kustomization holds no objects; list some under resources")}
	}
	objs := make([]*unstructured.Unstructured, 0, m.Size())
	var problems []error
	for _, r := range m.Resources() {
		content, err := r.Map()
		if err != nil {
			return nil, &BuildError{Dir: dir, Err: fmt.Errorf("%s/%s: %w", r.GetKind(), r.GetName(), err)}
		}
		u, err := fromMap(content)
		if err != nil {
			return nil, &BuildError{Dir: dir, Err: fmt.Errorf("%s/%s: %w", r.GetKind(), r.GetName(), err)}
		}
		for _, err := range checkStrict(u) {
			file := locate(fsys, dir, u, err)
			problems = append(problems, &BuildError{Dir: dir, File: file, Err: fmt.Errorf("%s/%s: %w", u.GetKind(), u.GetName(), err)})
		}
		objs = append(objs, u)
	}
	return objs, errors.Join(problems...)
}

func build(fsys filesys.FileSystem, dir string) (resmap.ResMap, error) {
	if err := checkDir(fsys, dir); err != nil {
		return nil, err
	}
	buildLock.Lock()
	defer buildLock.Unlock()
	o := krusty.MakeDefaultOptions()
	// What both commands do when nothing is said: the kustomization's own
	// sortOptions, else the legacy order.
	o.Reorder = krusty.ReorderOptionUnspecified
	m, err := runKustomize(krusty.MakeKustomizer(o), fsys, dir)
	if err != nil {
		return nil, &BuildError{Dir: dir, File: fileIn(fsys, dir, err), Err: oneLine(err)}
	}
	return m, nil
}

// runKustomize builds and leaves nothing of a kustomization's own schema (openapi) behind, which
// the next build would take for its own. Of one that is no schema kustomize panics. What it
// logs, with a date and without a file, is for its own command.
func runKustomize(k *krusty.Kustomizer, fsys filesys.FileSystem, dir string) (m resmap.ResMap, err error) {
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard)
	defer func() {
		if problem := recover(); problem != nil {
			m, err = nil, fmt.Errorf("%v", problem)
		}
		if openapi.GetSchemaVersion() != kubernetesapi.DefaultOpenAPI {
			openapi.ResetOpenAPI()
		}
	}()
	return k.Run(fsys, dir)
}

// checkDir gives the two commonest mistakes better words than kustomize has:
// a folder that is not there, and the root of a tree instead of an overlay.
func checkDir(fsys filesys.FileSystem, dir string) error {
	if strings.Contains(dir, "://") || strings.Contains(dir, "?ref=") {
		return nil // a remote one, which kustomize fetches
	}
	if !fsys.Exists(dir) {
		msg := "no such folder"
		if near := kustomizationBeside(fsys, dir); near != "" {
			msg += "; did you mean " + near + "?"
		}
		return &BuildError{Dir: dir, Err: errors.New(msg)}
	}
	if !fsys.IsDir(dir) {
		return &BuildError{Dir: dir, Err: errors.New("not a folder; -k takes the folder of a kustomization")}
	}
	if kustomizationFile(fsys, dir) != "" {
		return nil
	}
	msg := "no kustomization.yaml in this folder"
	if near := kustomizationsUnder(fsys, dir); len(near) > 0 {
		msg += "; there is one in " + strings.Join(near, ", ")
	}
	return &BuildError{Dir: dir, Err: errors.New(msg)}
}

// kustomizationFile returns the path of dir's kustomization, or "".
func kustomizationFile(fsys filesys.FileSystem, dir string) string {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if p := filepath.Join(dir, name); fsys.Exists(p) && !fsys.IsDir(p) {
			return p
		}
	}
	return ""
}

// kustomizationBeside is the folder with a kustomization, in it or below, whose name is
// nearest to that of one that is not there.
func kustomizationBeside(fsys filesys.FileSystem, dir string) string {
	parent := filepath.Dir(dir)
	names, err := fsys.ReadDir(parent)
	if err != nil {
		return ""
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		sub := filepath.Join(parent, name)
		return !fsys.IsDir(sub) || kustomizationFile(fsys, sub) == "" && len(kustomizationsUnder(fsys, sub)) == 0
	})
	if near := nearest.Name(filepath.Base(dir), names); near != "" {
		return filepath.ToSlash(filepath.Join(parent, near))
	}
	return ""
}

// kustomizationsUnder looks two levels down, where a generated tree has its
// overlays; base comes last, since overlays are what one applies.
func kustomizationsUnder(fsys filesys.FileSystem, dir string) []string {
	var found []string
	var walk func(dir string, levels int)
	walk = func(dir string, levels int) {
		names, err := fsys.ReadDir(dir)
		if err != nil {
			return
		}
		for _, name := range names {
			sub := filepath.Join(dir, filepath.Base(name))
			if !fsys.IsDir(sub) {
				continue
			}
			if kustomizationFile(fsys, sub) != "" {
				found = append(found, sub)
			} else if levels > 1 {
				walk(sub, levels-1)
			}
		}
	}
	walk(dir, 2)
	sort.SliceStable(found, func(i, j int) bool {
		return filepath.Base(found[i]) != "base" && filepath.Base(found[j]) == "base"
	})
	const enough = 8
	if len(found) > enough {
		found = append(found[:enough], "…")
	}
	return found
}

// fileIn names the kustomization at fault: the innermost folder whose name
// kustomize wraps around the error, else the one that was asked for.
func fileIn(fsys filesys.FileSystem, dir string, err error) string {
	best := kustomizationFile(fsys, dir)
	for _, k := range kustomizations(fsys, dir) {
		abs, _, cerr := fsys.CleanedAbs(filepath.Dir(k))
		if cerr == nil && strings.Contains(err.Error(), "'"+abs.String()+"'") && filepath.Dir(k) != filepath.Clean(dir) {
			best = k
		}
	}
	return best
}

// oneLine drops the line breaks that kustomize puts into some errors.
func oneLine(err error) error {
	text := err.Error()
	if !strings.ContainsAny(text, "\n\r") {
		return err
	}
	return fmt.Errorf("%s", plain(text))
}
