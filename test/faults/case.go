package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// healthy begins the name of a case that has no fault.
const healthy = "healthy"

// Case is one seeded fault, one healthy Service that tools tend to accuse, or
// several independent faults at once. It is the first document of its file; the
// documents after it are the objects to create.
type Case struct {
	// About says in a line what is broken, or why it only looks so.
	About string `json:"about"`
	// Expect lists the findings wanted, no more and no fewer; none: a healthy Service.
	Expect []Expect `json:"expect,omitempty"`
	// Verify holds the arguments of kubectl svcx verify; default: all Services
	// of the namespace.
	Verify []string `json:"verify,omitempty"`
	// Tree writes the objects to a kustomization and gives it to verify with -k.
	// With "only" they are not created in the cluster: the API server refuses them.
	Tree string `json:"tree,omitempty"`
	// Namespaces are more of them, each ${ns}-NAME.
	Namespaces []string `json:"namespaces,omitempty"`
	// NamespaceLabels are put on the case's own namespace.
	NamespaceLabels map[string]string `json:"namespaceLabels,omitempty"`
	// Until is the steady state in which to ask; default: all workloads ready.
	Until []Condition `json:"until,omitempty"`
	// Steps follow once Until holds.
	Steps []Step `json:"steps,omitempty"`
	// Alone keeps other cases away: this one breaks what all share.
	Alone bool `json:"alone,omitempty"`
	// NotProven accepts exit code 3 of a healthy case, where the machine can
	// not prove the path; the reason.
	NotProven string `json:"notProven,omitempty"`
	// ByHand says why this variant has no fix that a manifest could hold, where
	// others of its ID have.
	ByHand string `json:"byHand,omitempty"`
	// Recorded says on what cluster the fault was seen that the lab cannot show as
	// it stands. In place of objects the case has what verify saw there, a snapshot:
	// testdata/recorded/NAME.json.
	Recorded string `json:"recorded,omitempty"`

	name    string
	objects [][]byte
}

// Expect is one finding that has to be there.
type Expect struct {
	ID string `json:"id"` // "SVC204"
	// Object is Kind/name, as a regular expression for all of it; empty: any.
	Object string `json:"object,omitempty"`
	// Field is a regular expression that has to match a part of the field; empty: any.
	Field string `json:"field,omitempty"`
}

// Condition holds when enough objects of a kind show a value.
type Condition struct {
	// Of is the resource: pods, events, deployments, services, endpointslices, …
	Of        string `json:"of"`
	Namespace string `json:"namespace,omitempty"` // default: the case's own
	Labels    string `json:"labels,omitempty"`    // a label selector
	Name      string `json:"name,omitempty"`      // a regular expression for all of the name
	// Path is a JSONPath template of kubectl's, {.status.phase} say; what it
	// gives has to match the regular expression Is, somewhere.
	Path string `json:"path,omitempty"`
	Is   string `json:"is,omitempty"`
	// Count is how many objects have to; default 1. None wants that none does.
	Count int  `json:"count,omitempty"`
	None  bool `json:"none,omitempty"`
	// Older, in place of Path, wants the object to be of that age: what is pending
	// counts as a fault only after a while.
	Older string `json:"older,omitempty"`
	// Connects, in place of the rest, is a Service whose load-balancer address
	// has to accept a connection from here.
	Connects string `json:"connects,omitempty"`
}

// Step changes something once Pods run. One field is set.
type Step struct {
	// Patch is a strategic merge patch (a merge patch where the kind has none) of Object; Status patches its status.
	Patch  map[string]any `json:"patch,omitempty"`
	Status map[string]any `json:"status,omitempty"`
	Object string         `json:"object,omitempty"` // resource/name
	Apply  map[string]any `json:"apply,omitempty"`
	Delete string         `json:"delete,omitempty"` // resource/name, or resource by Labels; not waited for
	Labels string         `json:"labels,omitempty"`
	// Exec runs a command in the Pods that Labels select: in all, or in one.
	Exec      []string `json:"exec,omitempty"`
	Container string   `json:"container,omitempty"`
	One       bool     `json:"one,omitempty"`
	// Kubectl runs kubectl with these arguments; Undo runs at the end of the case.
	Kubectl []string   `json:"kubectl,omitempty"`
	Undo    [][]string `json:"undo,omitempty"`
	// Stop stops a component of the lab until the end of the case.
	Stop string `json:"stop,omitempty"`
	// Cut has the Pods of a node and those of other nodes lose what they send each
	// other, until the end of the case.
	Cut   string      `json:"cut,omitempty"`
	Until []Condition `json:"until,omitempty"`
}

// IDs are the faults that a case seeds.
func (c *Case) IDs() []string {
	var out []string
	for _, e := range c.Expect {
		out = append(out, e.ID)
	}
	return out
}

// matches reports whether a selection of IDs, IDs without SVC, parts of names
// or "healthy" and "pair" means this case.
func (c *Case) matches(words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool {
		return strings.Contains(strings.ToLower(c.name), strings.ToLower(w))
	})
}

// Catalogue says of faults what their cases cannot: the keys are IDs of
// verify.Catalogue, the values reasons.
type Catalogue struct {
	// ByHand are those for which no manifest that mends them can be derived.
	ByHand map[string]string `json:"byHand"`
}

// loadCatalogue reads catalogue.yaml.
func loadCatalogue(fsys fs.FS) (*Catalogue, error) {
	data, err := fs.ReadFile(fsys, "catalogue.yaml")
	if err != nil {
		return nil, err
	}
	c := &Catalogue{}
	return c, sigsyaml.UnmarshalStrict(data, c)
}

// loadCases reads every case, in the order of their names.
func loadCases(fsys fs.FS) ([]*Case, error) {
	files, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, err
	}
	var out []*Case
	var problems []error
	for _, file := range files {
		if file == "catalogue.yaml" {
			continue
		}
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		c, err := parseCase(strings.TrimSuffix(path.Base(file), ".yaml"), data)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", file, err))
			continue
		}
		out = append(out, c)
	}
	return out, errors.Join(problems...)
}

// parseCase reads a case's file.
func parseCase(name string, data []byte) (*Case, error) {
	docs := documents(data)
	if len(docs) == 0 {
		return nil, errors.New("the file is empty")
	}
	c := &Case{}
	if err := sigsyaml.UnmarshalStrict(docs[0], c); err != nil {
		return nil, err
	}
	c.name, c.objects = name, docs[1:]
	if c.About == "" {
		return nil, errors.New("about: say in a line what is broken")
	}
	if strings.HasPrefix(name, healthy) != (len(c.Expect) == 0) {
		return nil, errors.New("expect: a healthy case expects nothing, any other a finding")
	}
	for _, e := range c.Expect {
		if !strings.Contains(name, e.ID) {
			return nil, fmt.Errorf("expect: the file's name lacks %s", e.ID)
		}
	}
	for _, e := range c.Expect {
		for _, re := range []string{e.Object, e.Field} {
			if _, err := regexp.Compile(re); err != nil {
				return nil, fmt.Errorf("expect: %w", err)
			}
		}
	}
	if (len(c.objects) == 0) != (c.Recorded != "") {
		return nil, errors.New("the objects follow the first document, unless it is recorded what was seen")
	}
	if _, err := c.build(place{"ns", "192.0.2.1"}); err != nil {
		return nil, err
	}
	return c, nil
}

// documents splits YAML at its separators and leaves out empty ones.
func documents(data []byte) [][]byte {
	var out [][]byte
	for _, doc := range bytes.Split(append([]byte("\n"), data...), []byte("\n---")) {
		if len(bytes.TrimSpace(doc)) > 0 {
			out = append(out, bytes.TrimSpace(doc))
		}
	}
	return out
}

// place is what only a run knows and a case may name: ${ns}, its namespace, and
// ${canary}, the address of a Pod that answers TCP on 9000.
type place struct{ ns, canary string }

// fill puts the names and addresses of a run into a text.
func (p place) fill(text string) string {
	return strings.NewReplacer("${ns}", p.ns, "${canary}", p.canary).Replace(text)
}

// filled fills a list.
func (p place) filled(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = p.fill(t)
	}
	return out
}

// build returns the objects for a place.
func (c *Case) build(p place) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for i, doc := range c.objects {
		obj := &unstructured.Unstructured{}
		data, err := yaml.ToJSON([]byte(p.fill(string(doc))))
		if err == nil {
			err = obj.UnmarshalJSON(data)
		}
		if err != nil {
			return nil, fmt.Errorf("object %d: %w", i+1, err)
		}
		out = append(out, obj)
	}
	return out, nil
}
