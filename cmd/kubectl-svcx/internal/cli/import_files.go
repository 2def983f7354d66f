package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// importedFiles reads what -f names: files, the files of folders, and stdin. What
// another flag or program is for is told.
func (p *program) importedFiles(ctx context.Context, names []string) ([]*unstructured.Unstructured, error) {
	files, err := allManifestFiles(names, false)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(f)) {
			return nil, withHints(fmt.Errorf("-f: %s is a kustomization, of which the built objects are imported", f),
				"kubectl kustomize "+shell.Word(filepath.ToSlash(filepath.Dir(f)))+" | kubectl svcx import -f -")
		}
	}
	objs, err := p.readObjects(ctx, files)
	if err == nil {
		return objs, nil
	}
	for _, f := range files {
		if top := topFields(f); top["services"] && !top["apiVersion"] {
			return nil, withHints(fmt.Errorf("-f: %s holds no manifests, and looks like a Compose file", f), "give it with --compose "+shell.Word(f))
		}
	}
	return nil, err
}

// notCompose says what a file is that --compose names, where it is no Compose file.
func notCompose(name string, err error) error {
	if info, statErr := os.Stat(name); statErr == nil && info.IsDir() {
		for _, file := range []string{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"} {
			if at := filepath.Join(name, file); topFields(at) != nil {
				return withHints(fmt.Errorf("--compose: %s is a folder", name), "name the file in it: --compose "+shell.Word(at))
			}
		}
	}
	if top := topFields(name); top["apiVersion"] && top["kind"] {
		return withHints(fmt.Errorf("--compose: %s holds manifests", name), "give them with -f "+shell.Word(name))
	}
	return err
}

// topFields are the fields that the first document of a file has; nil for none.
func topFields(name string) map[string]bool {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCompose))
	if err != nil {
		return nil
	}
	var fields map[string]any
	if yaml.Unmarshal(data, &fields) != nil {
		return nil
	}
	out := map[string]bool{}
	for name := range fields {
		out[name] = true
	}
	return out
}
