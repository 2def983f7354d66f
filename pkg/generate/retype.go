package generate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
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
		var names []string
		for _, e := range a.Spec.Overlays {
			names = append(names, e.Name)
		}
		next := "there is none; generate one with --overlay=" + printable(shorten(overlay)) + "=" + string(t)
		if len(names) > 0 {
			next = "one of " + strings.Join(names, ", ")
		}
		if known, err := ParseServiceType(overlay); err == nil {
			next = "overlays/" + strings.ToLower(string(known)) + " is that of the type, which stays; " + next
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

// typedSpec names the fields of a Service's spec that only some types have a use
// for, and those types.
var typedSpec = map[string][]ServiceType{
	"allocateLoadBalancerNodePorts": {LoadBalancer},
	"healthCheckNodePort":           {LoadBalancer},
	"loadBalancerClass":             {LoadBalancer},
	"loadBalancerIP":                {LoadBalancer},
	"loadBalancerSourceRanges":      {LoadBalancer},
	"externalTrafficPolicy":         {NodePort, LoadBalancer},
	"externalName":                  {ExternalName},
	"clusterIP":                     {ClusterIP, NodePort, LoadBalancer, Headless},
	"clusterIPs":                    {ClusterIP, NodePort, LoadBalancer, Headless},
	"ipFamilies":                    {ClusterIP, NodePort, LoadBalancer, Headless},
	"ipFamilyPolicy":                {ClusterIP, NodePort, LoadBalancer, Headless},
	"selector":                      {ClusterIP, NodePort, LoadBalancer, Headless},
	"publishNotReadyAddresses":      {ClusterIP, NodePort, LoadBalancer, Headless},
	"internalTrafficPolicy":         {ClusterIP, NodePort, LoadBalancer},
	"trafficDistribution":           {ClusterIP, NodePort, LoadBalancer},
	"sessionAffinity":               {ClusterIP, NodePort, LoadBalancer},
	"sessionAffinityConfig":         {ClusterIP, NodePort, LoadBalancer},
	"externalIPs":                   {ClusterIP, NodePort, LoadBalancer},
}

// StaleField is a field of a Service that its type has no use for.
type StaleField struct {
	// Path is the field's: spec.ports[0].nodePort.
	Path string
	// Line is its line in the file, from 1.
	Line int
}

// Stale lists the fields of a Service, or of a patch of one, that are of no use
// to a type; the file may hold several objects, and only the Service of that
// name counts.
func Stale(data []byte, service string, t ServiceType) []StaleField {
	var out []StaleField
	for _, f := range stale(data, service, t) {
		out = append(out, f.StaleField)
	}
	return out
}

type staleField struct {
	StaleField
	last int // its last line
	dash bool
}

func stale(data []byte, service string, t ServiceType) []staleField {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var out []staleField
	for {
		var doc yaml.Node
		if err := d.Decode(&doc); err != nil {
			return out // the end, or no YAML: kustomize tells what is wrong with that
		}
		if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
			continue
		}
		root := doc.Content[0]
		kind, meta, spec := field(root, "kind"), field(root, "metadata"), field(root, "spec")
		if kind == nil || kind.Value != "Service" || spec == nil || spec.Kind != yaml.MappingNode {
			continue
		}
		if meta != nil {
			if name := field(meta, "name"); name != nil && name.Value != service {
				continue
			}
		}
		out = append(out, staleSpec(spec, t)...)
	}
}

func staleSpec(spec *yaml.Node, t ServiceType) []staleField {
	var out []staleField
	for i := 0; i+1 < len(spec.Content); i += 2 {
		key, value := spec.Content[i], spec.Content[i+1]
		types, typed := typedSpec[key.Value]
		if key.Value == "clusterIP" && value.Value == "None" {
			types = []ServiceType{Headless}
		}
		if key.Value == "externalTrafficPolicy" && field(spec, "externalIPs") != nil {
			types = []ServiceType{ClusterIP, NodePort, LoadBalancer}
		}
		if typed && !slices.Contains(types, t) {
			out = append(out, staleField{StaleField{"spec." + key.Value, key.Line}, lastLine(value), false})
		}
		if key.Value != "ports" || t == NodePort || t == LoadBalancer {
			continue
		}
		for j, port := range value.Content {
			for k := 0; port.Kind == yaml.MappingNode && k+1 < len(port.Content); k += 2 {
				if name := port.Content[k]; name.Value == "nodePort" {
					out = append(out, staleField{StaleField{fmt.Sprintf("spec.ports[%d].nodePort", j), name.Line}, lastLine(port.Content[k+1]), k == 0})
				}
			}
		}
	}
	return out
}

// lastLine is the last line that a node is on.
func lastLine(n *yaml.Node) int {
	last := n.Line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		last += strings.Count(n.Value, "\n")
	}
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}

// RemoveStale returns a file without the fields that Stale lists, and those that
// it could take out: fields with lines of their own. All other lines stay as they are.
func RemoveStale(data []byte, service string, t ServiceType) ([]byte, []StaleField) {
	lines := strings.SplitAfter(string(data), "\n")
	gone := map[int]bool{}
	var removed []StaleField
	for _, f := range stale(data, service, t) {
		name := f.Path[strings.LastIndexByte(f.Path, '.')+1:]
		line := strings.TrimLeft(lines[f.Line-1], " ")
		if !strings.HasPrefix(strings.Trim(strings.TrimPrefix(line, "- "), `"' `), name) || f.dash && !strings.HasPrefix(line, "- ") {
			continue // within [] or {}
		}
		if f.dash {
			// The item's first field: the next one takes its place behind the dash.
			if f.Line >= len(lines) || f.last != f.Line {
				continue
			}
			indent := strings.Index(lines[f.Line-1], "- ")
			next := lines[f.Line]
			if len(next) <= indent+2 || strings.TrimSpace(next[:indent+2]) != "" || strings.HasPrefix(strings.TrimSpace(next), "#") || strings.HasPrefix(next[indent:], "- ") {
				continue
			}
			lines[f.Line] = next[:indent] + "- " + next[indent+2:]
		}
		for l := f.Line; l <= f.last; l++ {
			gone[l-1] = true
		}
		removed = append(removed, f.StaleField)
	}
	var out strings.Builder
	for i, l := range lines {
		if !gone[i] {
			out.WriteString(l)
		}
	}
	cleaned := spelledOut([]byte(out.String()))
	if len(removed) > 0 && len(stale(cleaned, service, t)) != len(stale(data, service, t))-len(removed) {
		return data, nil // the lines were not what they seemed
	}
	return cleaned, removed
}

// spelledOut writes a spec of which nothing is left as {}: without a value it is
// null, by which a patch removes the whole spec.
func spelledOut(data []byte) []byte {
	d := yaml.NewDecoder(bytes.NewReader(data))
	lines := bytes.SplitAfter(data, []byte("\n"))
	for {
		var doc yaml.Node
		if err := d.Decode(&doc); err != nil {
			return bytes.Join(lines, nil)
		}
		if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
			continue
		}
		for i, root := 0, doc.Content[0]; i+1 < len(root.Content); i += 2 {
			key, value := root.Content[i], root.Content[i+1]
			if key.Value != "spec" || value.Tag != "!!null" || value.Value != "" {
				continue
			}
			line := lines[key.Line-1]
			if at := bytes.Index(line, []byte("spec:")); at >= 0 {
				at += len("spec:")
				lines[key.Line-1] = slices.Concat(line[:at], []byte(" {}"), line[at:])
			}
		}
	}
}
