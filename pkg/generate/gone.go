package generate

import (
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Gone are objects that a tree had in a namespace and has there no more: where they
// were applied, they stay until somebody deletes them.
type Gone struct {
	Namespace string   `json:"namespace,omitempty"` // empty where the tree named none
	Objects   []string `json:"objects"`             // as kubectl names them: deployment/redis
}

// Gone lists them by namespace.
func (r *WriteResult) Gone() []Gone { return r.gone }

// placed are objects by the namespace that a tree puts them into.
type placed map[string]map[string]bool

// goneFrom compares where the objects are of what was generated last with where they
// are now. What it cannot tell, as a tree named no namespace, it does not call gone.
func (p *writePlan) goneFrom(files []File) []Gone {
	if p.specIsAsLast(files) {
		return nil // and so are the objects
	}
	last := p.lastApp()
	if last == nil {
		return nil
	}
	was, err := Files(last)
	if err != nil {
		return nil
	}
	before, after := placedBy(was), placedBy(slices.Concat(files, p.keptOf(was, files)))
	var gone []Gone
	for _, namespace := range slices.Sorted(maps.Keys(before)) {
		g := Gone{Namespace: namespace}
		for _, id := range slices.Sorted(maps.Keys(before[namespace])) {
			somewhere := before[""] == nil && after[""][id] || namespace == "" && slices.ContainsFunc(slices.Collect(maps.Values(after)), func(ids map[string]bool) bool { return ids[id] })
			if !after[namespace][id] && !somewhere {
				g.Objects = append(g.Objects, id)
			}
		}
		if len(g.Objects) > 0 {
			gone = append(gone, g)
		}
	}
	return gone
}

// keptOf are the files of the last generation that are in use still without being
// generated, as a person has edited them or one beside them.
func (p *writePlan) keptOf(was, files []File) []File {
	return slices.DeleteFunc(slices.Clone(was), func(f File) bool {
		same := func(g File) bool { return g.Path == f.Path }
		return slices.ContainsFunc(files, same) ||
			!slices.ContainsFunc(p.steps, func(s step) bool { return s.path == f.Path && s.fate == kept && !s.idle })
	})
}

// placedBy finds out what the overlays of a generated tree put where.
func placedBy(files []File) placed {
	base, out := map[string]bool{}, placed{}
	for _, f := range files {
		if id := objectID(f); path.Dir(f.Path) == "base" && id != "" {
			base[id] = true
		}
	}
	for _, f := range files {
		k := kustomization{}
		if path.Dir(f.Path) == "base" || path.Base(f.Path) != "kustomization.yaml" || yaml.Unmarshal(f.Data, &k) != nil {
			continue
		}
		if out[k.Namespace] == nil {
			out[k.Namespace] = map[string]bool{}
		}
		for _, r := range k.Resources {
			if r == "../../base" {
				maps.Copy(out[k.Namespace], base)
				continue
			}
			at := slices.IndexFunc(files, func(g File) bool { return g.Path == path.Join(path.Dir(f.Path), r) })
			if at >= 0 {
				out[k.Namespace][objectID(files[at])] = true
			}
		}
	}
	return out
}

// objectID is KIND/NAME of the object in a file; empty for a kustomization.
func objectID(f File) string {
	var o struct {
		Kind     string
		Metadata struct{ Name string }
	}
	if yaml.Unmarshal(f.Data, &o) != nil || o.Kind == "" || o.Metadata.Name == "" {
		return ""
	}
	return strings.ToLower(o.Kind) + "/" + o.Metadata.Name
}
