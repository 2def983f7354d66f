package validate

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the schema is a file
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// schemaData is the OpenAPI document of an API server, without its prose; see
// schema_gen.go. Unlike the one in Kubernetes' own repository it has the enums.
//
//go:embed schema.json.gz
var schemaData []byte

// definition is as much of an OpenAPI schema as the checks read.
type definition struct {
	Type                  string                    `json:"type"`
	Format                string                    `json:"format"`
	Ref                   string                    `json:"$ref"`
	Required              []string                  `json:"required"`
	Enum                  []string                  `json:"enum"`
	Properties            map[string]*definition    `json:"properties"`
	Items                 *definition               `json:"items"`
	AdditionalProperties  *definition               `json:"additionalProperties"`
	PreserveUnknownFields bool                      `json:"x-kubernetes-preserve-unknown-fields"`
	Kinds                 []schema.GroupVersionKind `json:"x-kubernetes-group-version-kind"`
}

// catalogue holds the definitions of every kind that Kubernetes brings itself.
type catalogue struct {
	Version     string                 `json:"version"`
	Definitions map[string]*definition `json:"definitions"`

	kinds  map[schema.GroupVersionKind]*definition
	groups map[string]bool
}

// loadCatalogue unpacks the schema; it is never changed, so once is enough.
var loadCatalogue = sync.OnceValues(func() (*catalogue, error) {
	r, err := gzip.NewReader(bytes.NewReader(schemaData))
	if err != nil {
		return nil, fmt.Errorf("the built-in schema: %w", err)
	}
	c := &catalogue{kinds: map[schema.GroupVersionKind]*definition{}, groups: map[string]bool{}}
	if err := json.NewDecoder(r).Decode(c); err != nil {
		return nil, fmt.Errorf("the built-in schema: %w", err)
	}
	for _, d := range c.Definitions {
		for _, gvk := range d.Kinds {
			// DeleteOptions and the like belong to every group, and are no objects.
			if d.Properties["kind"] != nil && len(d.Kinds) == 1 {
				c.kinds[gvk] = d
				c.groups[gvk.Group] = true
			}
		}
	}
	return c, nil
})

// resolve follows references.
func (c *catalogue) resolve(d *definition) (*definition, string) {
	name := ""
	for d != nil && d.Ref != "" {
		name = d.Ref
		d = c.Definitions[name]
	}
	return d, name
}

// builtIn reports whether a group is one of Kubernetes' own.
func (c *catalogue) builtIn(group string) bool {
	return c.groups[group] || !strings.Contains(group, ".")
}

// unknownKind says what is near a kind that a built-in group does not have.
func (c *catalogue) unknownKind(gvk schema.GroupVersionKind) string {
	var elsewhere, names []string
	for k := range c.kinds {
		if k.Kind == gvk.Kind {
			elsewhere = append(elsewhere, k.GroupVersion().String())
		}
		if k.GroupVersion() == gvk.GroupVersion() {
			names = append(names, k.Kind)
		}
	}
	slices.Sort(elsewhere)
	slices.Sort(names)
	if len(elsewhere) > 0 {
		return "it is in " + strings.Join(elsewhere, ", ")
	}
	if near := nearest.Name(gvk.Kind, names); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}
