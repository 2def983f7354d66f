package validate

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// scan lists the YAML files and the kustomizations under a folder. The folder itself
// may be a link; links in it are not followed, and hidden folders left out.
func scan(ctx context.Context, dir string) (files, folders []string, err error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dir, shortError(err))
	}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if rel, relErr := filepath.Rel(root, p); relErr == nil {
			p = filepath.Join(dir, rel) // as the user calls it
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, shortError(err))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d.IsDir() {
			if p != filepath.Clean(dir) && strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
			if kustomizationIn(p) != "" {
				folders = append(folders, p)
			}
			return nil
		}
		if ext := filepath.Ext(p); ext == ".yaml" || ext == ".yml" {
			files = append(files, p)
		}
		if len(files) > maxFiles {
			return fmt.Errorf("%s holds more than %d YAML files; name a folder further down", dir, maxFiles)
		}
		return nil
	})
	return files, folders, err
}

// strays finds manifests that nothing refers to. Beside a kustomization they look
// applied and are not; elsewhere they are somebody else's, and were not checked.
func (t *tree) strays(root string, files []string) {
	aside := map[string]int{}
	for _, file := range files {
		dir := filepath.Dir(file)
		if t.opened[absolute(file)] || strings.HasPrefix(filepath.Base(file), ".") || t.mentions(root, file) {
			continue
		}
		data, err := readFile(dir, file)
		if err != nil {
			continue
		}
		docs, _ := parse(file, data)
		if len(docs) == 0 || text(docs[0].root, "kind") == "" || !t.kinds.groups[groupOf(docs[0])] {
			continue
		}
		if kustomizationIn(dir) == "" {
			aside[dir]++
			continue
		}
		t.add(Finding{File: file, Line: docs[0].root.Line, Object: objectName(docs[0].root), Severity: Warning, Rule: "stray-file",
			Message: "no kustomization refers to this file, so it is not applied", Next: "list it under resources or patches, or remove it"})
	}
	for dir, n := range aside {
		t.add(Finding{File: dir, Severity: Note, Rule: "stray-file",
			Message: fmt.Sprintf("no kustomization refers to what is in this folder; manifests that were not checked: %d", n), Next: "check the folder by itself, or list its files under resources"})
	}
}

// mentions reports whether a kustomization has a file in its text: not only resources
// are files. Of one beside a kustomization the name is enough, which is one alarm too
// few rather than one too many.
func (t *tree) mentions(root, file string) bool {
	if kustomizationIn(filepath.Dir(file)) != "" {
		for _, text := range t.mention {
			if strings.Contains(text, filepath.Base(file)) {
				return true
			}
		}
	}
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		rel, err := filepath.Rel(dir, file)
		if err == nil && strings.Contains(t.mention[dir], filepath.ToSlash(rel)) {
			return true
		}
		if dir == filepath.Clean(root) || dir == filepath.Dir(dir) {
			return false
		}
	}
}
