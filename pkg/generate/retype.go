package generate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/servicetype"
)

// Retype gives an environment's Service another type, and takes out of it what
// only the old one had a use for; overlay "" is the app itself, whose type says
// which overlay to apply. host is what an ExternalName Service stands for, when
// it is not known yet. The App is completed and validated.
func (a *App) Retype(overlay string, t ServiceType, host string) (from ServiceType, err error) {
	a.Complete()
	if overlay == "" {
		from, a.Spec.Service.Type = a.Spec.Service.Type, t
		if host != "" {
			a.Spec.Service.ExternalName = host
		}
		return from, a.Validate()
	}
	e := a.Environment(overlay)
	if e == nil {
		names := a.EnvironmentNames()
		known, err := ParseServiceType(overlay)
		ofType, name := err == nil, overlay
		if ofType {
			name = "prod"
		}
		next := "there is none; generate one with --overlay=" + printable(shorten(name)) + "=" + string(t)
		if len(names) > 0 {
			next = "one of " + strings.Join(names, ", ")
		}
		if ofType {
			next = Overlay(known) + " is that of the type, which stays; " + next
		}
		return "", &InvalidError{Problems: []Problem{{Field: "spec.overlays", Value: overlay, Reason: "is no overlay of a name of its own" + didYouMean(overlay, names), Next: next}}}
	}
	from, e.Type = a.typeOf(*e), t
	if t == ExternalName {
		if host != "" {
			e.ExternalName = host
		}
		e.Replicas, e.Image = nil, "" // nothing runs there
	} else {
		e.ExternalName = host
	}
	return from, a.Validate()
}

// OverlayDir returns the folder of the overlay that a name or, with none, the
// app's type stands for.
func (a *App) OverlayDir(overlay string) string {
	if e := a.Environment(overlay); e != nil {
		return e.Dir()
	}
	return Overlay(a.Spec.Service.Type)
}

// StaleField is a field of a Service that its type has no use for.
type StaleField struct {
	// Path is the field's: spec.ports[0].nodePort, metadata.annotations.NAME.
	Path string
	// Line is its line in the file, from 1.
	Line int
}

// Stale lists the fields of a Service, or of a patch of one, that are of no use
// to a type; the file may hold several objects, and only the Service of that
// name counts.
func Stale(data []byte, service string, t ServiceType) []StaleField {
	docs, _ := documents(data) // up to what is no YAML: kustomize tells what is wrong with that
	var out []StaleField
	for _, f := range stale(docs, service, t) {
		out = append(out, f.StaleField)
	}
	return out
}

// documents reads the YAML documents of a file; with an error, those before it.
func documents(data []byte) ([]*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var docs []*yaml.Node
	for {
		doc := &yaml.Node{}
		err := d.Decode(doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return docs, err
		}
		docs = append(docs, doc)
	}
}

type staleField struct {
	StaleField
	within *yaml.Node // the map that the field is in,
	at     int        // and its place there
	name   *yaml.Node // the name of that map; nil for a port, which has none
}

func stale(docs []*yaml.Node, service string, t ServiceType) []staleField {
	var out []staleField
	for _, doc := range docs {
		if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
			continue
		}
		root := doc.Content[0]
		kind, meta, spec := field(root, "kind"), field(root, "metadata"), field(root, "spec")
		if kind == nil || kind.Value != "Service" {
			continue
		}
		var found []staleField
		if meta != nil {
			if name := field(meta, "name"); name != nil && name.Value != service {
				continue
			}
			found = staleAnnotations(meta, t)
		}
		if spec != nil && spec.Kind == yaml.MappingNode {
			found = append(found, staleSpec(nameOf(root, spec), spec, t)...)
		}
		slices.SortStableFunc(found, func(a, b staleField) int { return a.Line - b.Line })
		out = append(out, found...)
	}
	return out
}

// nameOf is the name of a field of a map.
func nameOf(within, value *yaml.Node) *yaml.Node {
	return within.Content[slices.Index(within.Content, value)-1]
}

// staleAnnotations finds the older form of loadBalancerSourceRanges.
func staleAnnotations(meta *yaml.Node, t ServiceType) []staleField {
	annotations := field(meta, "annotations")
	if t == LoadBalancer || annotations == nil || annotations.Kind != yaml.MappingNode {
		return nil
	}
	var out []staleField
	for i := 0; i+1 < len(annotations.Content); i += 2 {
		if key := annotations.Content[i]; key.Value == corev1.AnnotationLoadBalancerSourceRangesKey {
			out = append(out, staleField{StaleField{"metadata.annotations." + key.Value, key.Line}, annotations, i, nameOf(meta, annotations)})
		}
	}
	return out
}

func staleSpec(name, spec *yaml.Node, t ServiceType) []staleField {
	var out []staleField
	for i := 0; i+1 < len(spec.Content); i += 2 {
		key, value := spec.Content[i], spec.Content[i+1]
		uses := servicetype.Uses(t, key.Value)
		switch {
		case key.Value == "clusterIP" && value.Value == "None":
			uses = t == Headless
		case key.Value == "externalTrafficPolicy" && field(spec, "externalIPs") != nil:
			uses = servicetype.Uses(t, "externalIPs")
		}
		if !uses {
			out = append(out, staleField{StaleField{"spec." + key.Value, key.Line}, spec, i, name})
		}
		if key.Value != "ports" || t == NodePort || t == LoadBalancer {
			continue
		}
		for j, port := range value.Content {
			for k := 0; port.Kind == yaml.MappingNode && k+1 < len(port.Content); k += 2 {
				if name := port.Content[k]; name.Value == "nodePort" {
					out = append(out, staleField{StaleField{fmt.Sprintf("spec.ports[%d].nodePort", j), name.Line}, port, k, nil})
				}
			}
		}
	}
	return out
}

// RemoveStale returns a file without the fields that Stale lists, and those that
// it could take out: fields with lines of their own. All other lines stay as they
// are. Whatever lines go, the file is read again without them, and has to say what
// it said but for the field; a field of which that is not so stays, and so does
// all of a file that is no YAML.
func RemoveStale(data []byte, service string, t ServiceType) ([]byte, []StaleField) {
	docs, err := documents(data)
	if err != nil {
		return data, nil
	}
	lines := strings.SplitAfter(string(data), "\n")
	var removed []StaleField
	// From the last to the first, so that the others keep their lines.
	for _, f := range slices.Backward(stale(docs, service, t)) {
		if rest := f.removeFrom(lines, docs); rest != nil {
			lines, removed = rest, append(removed, f.StaleField)
		}
	}
	if len(removed) == 0 {
		return data, nil
	}
	slices.Reverse(removed)
	return []byte(strings.Join(lines, "")), removed
}

// maxStaleLines bounds the lines that a value may have beyond those that its nodes
// begin on.
const maxStaleLines = 50

// removeFrom takes a field out of the lines and of the documents that they say, or
// out of neither and returns nil.
func (f *staleField) removeFrom(lines []string, docs []*yaml.Node) []string {
	all := f.within.Content
	value := all[f.at+1]
	if slices.ContainsFunc(docs, func(doc *yaml.Node) bool { return leadsInto(doc, value) }) {
		return nil // what is said elsewhere is said here
	}
	f.within.Content = slices.Delete(slices.Clone(all), f.at, f.at+2)
	// Nodes know where they begin. Where a value ends (a bracket on a line of its
	// own, the last line of a block of text) shows in what is left without it.
	last, most := lastLine(value), maxStaleLines
	if value.Kind == yaml.ScalarNode && value.Style == 0 {
		most = 0
	}
	for end := last; end <= min(last+most, len(lines)); end++ {
		rest := f.without(lines, end)
		if rest == nil {
			break
		}
		got, err := documents([]byte(strings.Join(rest, "")))
		if err == nil && slices.EqualFunc(docs, got, same) {
			return rest
		}
	}
	f.within.Content = all
	return nil
}

// without returns the lines without those from the field's first to the one
// called end; nil where they cannot be what they seem to be.
func (f *staleField) without(lines []string, end int) []string {
	if f.Line < 1 || end < f.Line || end > len(lines) {
		return nil // its lines do not end as these do
	}
	rest := slices.Delete(slices.Clone(lines), f.Line-1, end)
	switch {
	case f.name == nil && f.at == 0:
		// The item's first field: the next one takes its place behind the dash.
		indent := strings.Index(lines[f.Line-1], "- ")
		if indent < 0 || f.Line > len(rest) {
			return nil
		}
		next := rest[f.Line-1]
		if len(next) <= indent+2 || strings.TrimSpace(next[:indent+2]) != "" || strings.HasPrefix(strings.TrimSpace(next), "#") {
			return nil
		}
		rest[f.Line-1] = lines[f.Line-1][:indent] + "- " + next[indent+2:]
	case f.name != nil && len(f.within.Content) == 0:
		// Without a value the map is null, by which a patch removes all of it.
		name := f.name.Value + ":"
		if f.name.Line > len(rest) {
			return nil
		}
		line := rest[f.name.Line-1]
		at := strings.Index(line, name)
		if at < 0 {
			return nil
		}
		at += len(name)
		rest[f.name.Line-1] = line[:at] + " {}" + line[at:]
	}
	return rest
}

// lastLine is the last line that something in a node begins on.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}

// leadsInto reports whether an alias in a node stands for something within another.
func leadsInto(n, within *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return holdsNode(within, n.Alias)
	}
	return slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return leadsInto(c, within) })
}

func holdsNode(n, wanted *yaml.Node) bool {
	return n == wanted || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return holdsNode(c, wanted) })
}
