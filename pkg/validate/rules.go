package validate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// ruled is a finding about an object, not yet about a file.
type ruled struct {
	Finding
	about *object
}

// locate finds the file and line where a field of an object stands: the first
// document, patches before what they patch, that has the most of its path.
func (f ruled) locate(sources []*document) Finding {
	best := -1
	for _, d := range sources {
		if depth, line := d.place(f.about.doc.root, f.at); depth > best {
			best, f.File, f.Line = depth, d.file, line
		}
	}
	f.Object, f.Field = objectName(f.about.doc.root), f.at.String()
	return f.Finding
}

// ruling collects what the rules find.
type ruling struct{ out []ruled }

func (r *ruling) add(o *object, s Severity, rule string, at path, message, next string) {
	r.out = append(r.out, ruled{Finding{Severity: s, Rule: rule, Message: message, Next: next, at: at}, o})
}

// rules holds what is applied together against each other.
func rules(all []*object) []ruled {
	r := &ruling{}
	for _, o := range all {
		r.limits(o)
		if o.service != nil {
			r.service(o)
			r.selector(o, all)
		}
		if o.workload != nil {
			r.workload(o)
		}
		r.unread(o)
	}
	r.nodePorts(all)
	r.sharedSelectors(all)
	r.autoscaled(all)
	r.beside(all)
	return r.out
}

// unread tells that an object cannot be read, though the schema has nothing against
// it: then no rule has looked at it either.
func (r *ruling) unread(o *object) {
	if o.unread == nil {
		return
	}
	var at path
	var wrongType *json.UnmarshalTypeError
	if errors.As(o.unread, &wrongType) {
		for _, name := range strings.Split(wrongType.Field, ".") {
			at = at.with(name)
		}
	}
	r.add(o, Error, "schema", at, "cannot be read as the API server reads it: "+strings.TrimPrefix(o.unread.Error(), "json: "), "give the field a value of its type")
}

// volatile are labels that change under a workload's Pods.
var volatile = []string{"pod-template-hash", "controller-revision-hash", "pod-template-generation"}

// selector holds a Service's selector against the workloads beside it.
func (r *ruling) selector(o *object, all []*object) {
	s := o.service
	at := path{"spec", "selector"}
	for _, v := range volatile {
		if _, ok := s.Spec.Selector[v]; ok {
			r.add(o, Error, "selector-volatile", at.with(v), "selects the Pods of one rollout only: none after the next", "remove it")
		}
	}
	if s.Spec.Type == "ExternalName" {
		return
	}
	if len(s.Spec.Selector) == 0 {
		if !slices.ContainsFunc(all, o.leads) {
			r.add(o, Warning, "selector", at, "is missing, and no EndpointSlice beside it is of the Service: nothing is behind it", "select Pods by a label, or write an EndpointSlice with the label kubernetes.io/service-name: "+o.name)
		}
		return
	}
	var near, elsewhere *object
	nearest := 0
	var matched []*object
	for _, w := range all {
		if w.workload == nil {
			continue
		}
		matches := labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(w.workload.template.Labels))
		switch {
		case matches && w.namespace == o.namespace:
			matched = append(matched, w)
		case matches:
			elsewhere = w
		case w.namespace == o.namespace && !w.ends(): // nobody serves by a Job
			if n := likeness(s.Spec.Selector, w.workload.template.Labels); n > nearest {
				near, nearest = w, n
			}
		}
	}
	switch {
	case len(matched) > 0:
		r.targetPorts(o, matched)
	case elsewhere != nil && (elsewhere.namespace == "" || o.namespace == ""):
		r.targetPorts(o, []*object{elsewhere})
		r.add(o, Warning, "selector-namespace", path{"metadata", "namespace"}, fmt.Sprintf("selects the Pods of %s/%s, and only one of the two names a namespace (%s): it works only if the other is applied to the same", elsewhere.kind, elsewhere.name, o.namespace+elsewhere.namespace), "give both the namespace, or none")
	case elsewhere != nil:
		r.add(o, Error, "selector-namespace", path{"metadata", "namespace"}, fmt.Sprintf("selects the Pods of %s/%s, which are in another namespace (%s)", elsewhere.kind, elsewhere.name, elsewhere.namespace), "put both into one namespace")
	case near != nil:
		r.add(o, Error, "selector", at, fmt.Sprintf("%s matches no Pod template beside it; %s/%s has %s", labels.Set(s.Spec.Selector), near.kind, near.name, labels.Set(near.workload.template.Labels)),
			"make the selector a part of the template's labels; in an overlay, change both sides")
	}
}

// leads reports whether another object says by hand where a Service leads.
func (o *object) leads(other *object) bool {
	if other.namespace != o.namespace {
		return false
	}
	return other.kind == "EndpointSlice" && text(other.doc.root, "metadata", "labels", "kubernetes.io/service-name") == o.name ||
		other.kind == "Endpoints" && other.name == o.name
}

// likeness is how much of a selector labels have: two for a label, one for its
// name or its value alone.
func likeness(selector, have map[string]string) int {
	values := slices.Collect(maps.Values(have))
	n := 0
	for k, v := range selector {
		got, ok := have[k]
		switch {
		case ok && got == v:
			n += 2
		case ok || slices.Contains(values, v):
			n++
		}
	}
	return n
}

// targetPorts holds a Service's target ports against the containers behind it.
func (r *ruling) targetPorts(o *object, behind []*object) {
	// Labels that a whole tree has are those of its Jobs too, which serve nothing.
	if lasting := slices.DeleteFunc(slices.Clone(behind), (*object).ends); len(lasting) > 0 {
		behind = lasting
	}
	for i, p := range o.service.Spec.Ports {
		at := path{"spec", "ports", i, "targetPort"}
		if p.TargetPort.StrVal != "" {
			r.namedTarget(o, p, at, behind)
			continue
		}
		number := p.TargetPort.IntVal
		if number == 0 {
			number = p.Port
			at = path{"spec", "ports", i, "port"}
		}
		for _, w := range behind {
			ports := w.workload.containerPorts()
			declared := slices.ContainsFunc(ports, func(c declaredPort) bool { return c.number == number })
			if len(ports) > 0 && !declared {
				r.add(o, Warning, "target-port", at, fmt.Sprintf("leads to port %d; the containers of %s/%s declare %s", number, w.kind, w.name, listed(ports)), "is it the right one? A port need not be declared")
			}
		}
	}
}

// namedTarget looks for the port that a Service names. Pods without it take no part
// in the Service's port, so it works as long as others have it.
func (r *ruling) namedTarget(o *object, p corev1.ServicePort, at path, behind []*object) {
	name, protocol := p.TargetPort.StrVal, string(p.Protocol)
	if protocol == "" {
		protocol = string(corev1.ProtocolTCP)
	}
	fits := func(w *object) bool {
		return slices.ContainsFunc(w.workload.containerPorts(), func(c declaredPort) bool { return c.name == name && c.protocol == protocol })
	}
	severity, only := Error, ""
	if slices.ContainsFunc(behind, fits) {
		severity, only = Warning, ", so that the others alone serve this port"
	}
	for _, w := range behind {
		ports := w.workload.containerPorts()
		switch {
		case fits(w):
		case slices.ContainsFunc(ports, func(c declaredPort) bool { return c.name == name }):
			r.add(o, severity, "target-port", at, fmt.Sprintf("the port %q of %s/%s has another protocol than %s", name, w.kind, w.name, protocol)+only, "make the protocols the same")
		default:
			r.add(o, severity, "target-port", at, fmt.Sprintf("no container of %s/%s has a port named %q; they declare %s", w.kind, w.name, name, listed(ports))+only, "name the container's port, or write its number")
		}
	}
}

type declaredPort struct {
	name, protocol string
	number         int32
}

func (w *workload) containerPorts() []declaredPort {
	var out []declaredPort
	for _, c := range slices.Concat(w.template.Spec.InitContainers, w.template.Spec.Containers) {
		for _, p := range c.Ports {
			protocol := string(p.Protocol)
			if protocol == "" {
				protocol = "TCP"
			}
			out = append(out, declaredPort{p.Name, protocol, p.ContainerPort})
		}
	}
	return out
}

func listed(ports []declaredPort) string {
	if len(ports) == 0 {
		return "none"
	}
	var out []string
	for _, p := range ports {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d/%s", p.name, p.number, p.protocol)))
	}
	return strings.Join(out, ", ")
}

// nodePorts finds a node port that two ports ask for. The API server gives it away
// without its protocol; two ports of one Service share it if their numbers are the same.
func (r *ruling) nodePorts(all []*object) {
	type owner struct {
		service   *object
		port      int32
		protocols []corev1.Protocol
	}
	taken := map[int32]*owner{}
	for _, o := range all {
		if o.service == nil || o.service.Spec.Type == corev1.ServiceTypeExternalName { // which gets none
			continue
		}
		for i, p := range o.service.Spec.Ports {
			if p.NodePort == 0 {
				continue
			}
			protocol := cmp.Or(p.Protocol, corev1.ProtocolTCP)
			first := taken[p.NodePort]
			if first == nil {
				first = &owner{service: o, port: p.Port}
				taken[p.NodePort] = first
			}
			if first.service != o || first.port != p.Port || slices.Contains(first.protocols, protocol) {
				r.add(o, Error, "node-port", path{"spec", "ports", i, "nodePort"}, fmt.Sprintf("%d is asked for by port %d of Service/%s too", p.NodePort, first.port, first.service.name), "choose another, or leave it out")
				continue
			}
			first.protocols = append(first.protocols, protocol)
		}
	}
}

// sharedSelectors finds workloads that select each other's Pods. Each knows its own
// by their owner; what goes by the selector alone does not.
func (r *ruling) sharedSelectors(all []*object) {
	for i, o := range all {
		if o.workload == nil || !o.workload.selectable || o.workload.selector == nil || o.kind == "ReplicaSet" {
			continue
		}
		for _, other := range all[:i] {
			if other.workload != nil && other.workload.selector != nil && other.kind == o.kind && other.namespace == o.namespace && other.name != o.name &&
				metav1.FormatLabelSelector(other.workload.selector) == metav1.FormatLabelSelector(o.workload.selector) {
				r.add(o, Warning, "shared-selector", path{"spec", "selector"}, fmt.Sprintf("is the selector of %s/%s too: an autoscaler or a disruption budget of one counts the Pods of both", other.kind, other.name), "give each a label of its own; a selector can never change")
			}
		}
	}
}

// autoscaled finds replicas that an autoscaler would set back and forth.
func (r *ruling) autoscaled(all []*object) {
	for _, h := range all {
		if h.kind != "HorizontalPodAutoscaler" {
			continue
		}
		kind, name := text(h.doc.root, "spec", "scaleTargetRef", "kind"), text(h.doc.root, "spec", "scaleTargetRef", "name")
		for _, o := range all {
			if o.workload != nil && o.kind == kind && o.name == name && o.namespace == h.namespace && o.workload.replicas != nil {
				r.add(o, Warning, "autoscaled-replicas", path{"spec", "replicas"}, fmt.Sprintf("every apply sets back what HorizontalPodAutoscaler/%s has chosen", h.name), "leave replicas out")
			}
		}
	}
}
