package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/konfig"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/validate"
)

// readManifests reads what -f names as kubectl does: files, the files of
// folders, and stdin.
func (p *program) readManifests(ctx context.Context, names []string, recursive bool) ([]*unstructured.Unstructured, error) {
	files, err := allManifestFiles(names, recursive)
	if err != nil {
		return nil, err
	}
	if err := isTreeRoot(files); err != nil {
		return nil, err
	}
	return p.readObjects(ctx, files)
}

// allManifestFiles are the files that -f names.
func allManifestFiles(names []string, recursive bool) ([]string, error) {
	var files []string
	for _, name := range names {
		found, err := manifestFiles(name, recursive)
		if err != nil {
			if text, ok := pathError(err); ok {
				err = errors.New(text)
			}
			return nil, fmt.Errorf("-f: %w", err)
		}
		files = append(files, found...)
	}
	return files, nil
}

// manifestEndings are those of the files that a folder is read for.
var manifestEndings = []string{".yaml", ".yml", ".json"}

func manifestFiles(name string, recursive bool) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}
	var out []string
	err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != name && !recursive:
			return fs.SkipDir
		case !d.IsDir() && slices.Contains(manifestEndings, filepath.Ext(path)):
			out = append(out, path)
		}
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("folder %s has no file that ends in %s", name, strings.Join(manifestEndings, ", "))
	}
	return out, err
}

// kustomizeGroup is the API group of what kustomize reads; no API server has it.
const kustomizeGroup = "kustomize.config.k8s.io"

// kustomizationAmong is the first of files that has the name of a kustomization.
func kustomizationAmong(files []string) string {
	for _, f := range files {
		if slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(f)) {
			return f
		}
	}
	return ""
}

// isKustomization is the error for a folder that -f names and -k is for.
func isKustomization(files []string) error {
	dir := "DIR"
	if f := kustomizationAmong(files); f != "" {
		dir = shell.Word(filepath.ToSlash(filepath.Dir(f)))
	}
	return withHints(errors.New("-f: there is a kustomization among the manifests, which is built and not applied as it is"),
		"give its folder instead: -k "+dir)
}

// isTreeRoot is the error for the root of a tree, which -f names and -k is for; nil where
// files are of none.
func isTreeRoot(files []string) error {
	at := slices.IndexFunc(files, func(f string) bool { return filepath.Base(f) == generate.SpecFile })
	if at < 0 || kustomizationAmong(files) != "" {
		return nil
	}
	dir := filepath.Dir(files[at])
	app, err := generate.LoadApp(dir)
	if err != nil {
		return nil //nolint:nilerr // whatever it is, it is read like the rest
	}
	return withHints(fmt.Errorf("-f: %s is the tree of %q, whose overlays are built and not applied as they are", filepath.ToSlash(dir), app.Metadata.Name),
		"give one instead: -k "+shell.Word(filepath.ToSlash(filepath.Join(dir, app.OverlayDir("")))))
}

// readObjects reads manifests, strictly.
func (p *program) readObjects(ctx context.Context, files []string) ([]*unstructured.Unstructured, error) {
	if kustomizationAmong(files) != "" { // it need not say what kind it is of
		return nil, isKustomization(files)
	}
	docs, result, err := validate.Read(ctx, files, p.In)
	if err != nil {
		return nil, err
	}
	if result.Count(validate.Error) > 0 {
		var lines []string
		for _, f := range result.Findings {
			if f.Severity == validate.Error {
				lines = append(lines, f.String())
			}
		}
		return nil, errors.New(head(strings.Join(lines, "\n"), maxDiffLines))
	}
	var objs []*unstructured.Unstructured
	for _, d := range docs {
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(d); err != nil {
			return nil, fmt.Errorf("reading the objects: %w", err)
		}
		if u.GroupVersionKind().Group == kustomizeGroup {
			return nil, isKustomization(files)
		}
		objs = append(objs, u)
	}
	if len(objs) == 0 {
		return nil, errors.New("there are no objects in what -f names")
	}
	return objs, nil
}
