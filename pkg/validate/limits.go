package validate

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// limits holds the values of an object against what the API server admits and no
// schema tells. What generate needs to know too is in pkg/limits.
func (r *ruling) limits(o *object) {
	r.metadata(o)
	switch {
	case o.service != nil:
		r.serviceLimits(o)
	case o.workload != nil:
		r.workloadLimits(o)
		r.podLimits(o)
	default:
		r.kindLimits(o)
	}
}

// at tells of what pkg/limits finds at a place.
func (r *ruling) at(o *object, at path) limits.Report { return r.report(o, "limits", at) }

// report is at for a rule of another name.
func (r *ruling) report(o *object, rule string, at path) limits.Report {
	return func(p limits.Problem) {
		if p.Schema {
			return // structure has told of it
		}
		message, next := p.Reason, p.Next
		text, isText := p.Value.(string)
		if isText && text != "" {
			message = show(text) + " " + message
		} else if !isText && p.Value != nil {
			message = fmt.Sprint(p.Value) + " " + message
		}
		if near := nearest.Name(text, p.Known); near != "" {
			next = "did you mean " + near + "? " + next
		}
		r.add(o, Error, rule, slices.Concat(at, p.At), message, next)
	}
}

// bad adds what a rule of the API's says against a value.
func (r *ruling) bad(o *object, at path, value, what string, reasons []string) {
	switch {
	case len(reasons) == 0:
	case value == "":
		r.wrong(o, at, "is empty", "write a "+what)
	default:
		r.add(o, Error, "limits", at, show(value)+" is no "+what+": "+reasons[0], "")
	}
}

// wrong adds that a value is refused, and what it should be.
func (r *ruling) wrong(o *object, at path, message, next string) {
	r.add(o, Error, "limits", at, message, next)
}

// named are the kinds of Kubernetes' own whose names are not those of DNS.
var named = map[string]func(string) []string{
	"Namespace": validation.IsDNS1123Label, "StatefulSet": validation.IsDNS1123Label,
	"Role": content.IsPathSegmentName, "RoleBinding": content.IsPathSegmentName,
	"ClusterRole": content.IsPathSegmentName, "ClusterRoleBinding": content.IsPathSegmentName,
}

// metadata checks what every object has.
func (r *ruling) metadata(o *object) {
	m := as[metav1.PartialObjectMetadata](o)
	if m == nil {
		return
	}
	if o.service == nil && o.name != "" { // a Service's has rules of its own
		check := named[o.kind]
		if check == nil {
			check = validation.IsDNS1123Subdomain
		}
		r.bad(o, path{"metadata", "name"}, o.name, "name of a "+printable(o.kind), check(o.name))
	}
	if o.namespace != "" {
		r.bad(o, path{"metadata", "namespace"}, o.namespace, "namespace", validation.IsDNS1123Label(o.namespace))
	}
	limits.Metadata(r.at(o, path{"metadata"}), m.Labels, m.Annotations)
}
