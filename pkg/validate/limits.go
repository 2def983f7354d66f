package validate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// limits holds the values of an object against what the API server admits and no
// schema tells: it is what pkg/apis/*/validation of Kubernetes checks of the fields
// that people write.
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

// least demands a number that is not too small.
func least[T int32 | int64](r *ruling, o *object, at path, n *T, lowest T) {
	if n != nil && *n < lowest {
		r.wrong(o, at, fmt.Sprintf("%d is too small", *n), fmt.Sprintf("%d or more", lowest))
	}
}

// named are the kinds of Kubernetes' own whose names are not those of DNS.
var named = map[string]func(string) []string{
	"Namespace": validation.IsDNS1123Label, "Role": content.IsPathSegmentName, "RoleBinding": content.IsPathSegmentName,
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
	r.marks(o, path{"metadata"}, m.Labels, m.Annotations)
}

// marks checks labels and annotations.
func (r *ruling) marks(o *object, at path, labels, annotations map[string]string) {
	r.labels(o, at.with("labels"), labels)
	size := 0
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		size += len(key) + len(annotations[key])
		r.bad(o, at.with("annotations").with(key), key, "annotation's name", validation.IsQualifiedName(strings.ToLower(key)))
	}
	if size > apivalidation.TotalAnnotationSizeLimitB {
		r.wrong(o, at.with("annotations"), fmt.Sprintf("hold %d bytes in all; %d is the most", size, apivalidation.TotalAnnotationSizeLimitB), "keep large data in a ConfigMap")
	}
}

// labels checks a map of labels, which a selector is too.
func (r *ruling) labels(o *object, at path, labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		r.bad(o, at.with(key), key, "label's name", validation.IsQualifiedName(key))
		r.bad(o, at.with(key), labels[key], "label's value", validation.IsValidLabelValue(labels[key]))
	}
}

// selects checks a label selector.
func (r *ruling) selects(o *object, at path, s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	r.labels(o, at.with("matchLabels"), s.MatchLabels)
	for i, e := range s.MatchExpressions {
		here := at.with("matchExpressions").with(i)
		r.bad(o, here.with("key"), e.Key, "label's name", validation.IsQualifiedName(e.Key))
		r.operator(o, here, string(e.Operator), len(e.Values), "In", "NotIn", "Exists", "DoesNotExist")
		for j, v := range e.Values {
			r.bad(o, here.with("values").with(j), v, "label's value", validation.IsValidLabelValue(v))
		}
	}
}

// operator checks what an expression compares with.
func (r *ruling) operator(o *object, at path, operator string, values int, known ...string) {
	switch {
	case !slices.Contains(known, operator):
		r.wrong(o, at.with("operator"), show(operator)+" is no operator here", "one of "+strings.Join(known, ", "))
	case strings.HasSuffix(operator, "In") && values == 0:
		r.wrong(o, at.with("values"), "is missing: "+operator+" compares with some", "")
	case strings.HasSuffix(operator, "Exist") || operator == "Exists":
		if values > 0 {
			r.wrong(o, at.with("values"), "must not be there: "+operator+" compares with none", "remove it")
		}
	}
}

// isAddress says whether an API server takes an IP address: since 1.36 none of IPv4 that
// is written as one of IPv6.
func isAddress(s string) bool { return len(validation.IsValidIPForLegacyField(nil, s, true, nil)) == 0 }

// port demands the number of a port, for the rule that is named.
func (r *ruling) port(o *object, rule string, at path, port int32) {
	if len(validation.IsValidPortNum(int(port))) > 0 {
		r.add(o, Error, rule, at, fmt.Sprintf("%d is not a port", port), "1 to 65535")
	}
}

// portOrName checks what leads to a port of a container.
func (r *ruling) portOrName(o *object, at path, p intstr.IntOrString) {
	if p.Type == intstr.Int {
		r.port(o, "limits", at, p.IntVal)
		return
	}
	r.bad(o, at, p.StrVal, "port's name", validation.IsValidPortName(p.StrVal))
}

// share demands a number of Pods or a percentage, and returns its number.
func (r *ruling) share(o *object, at path, n *intstr.IntOrString, most int) int {
	if n == nil {
		return -1
	}
	value, percent := int(n.IntVal), false
	if n.Type == intstr.String {
		number, err := strconv.Atoi(strings.TrimSuffix(n.StrVal, "%"))
		if percent = strings.HasSuffix(n.StrVal, "%"); err != nil || !percent || len(validation.IsValidPercent(n.StrVal)) > 0 {
			r.wrong(o, at, show(n.StrVal)+" is neither a number nor a percentage", "such as 1 or 25%")
			return -1
		}
		value = number
	}
	if value < 0 || percent && most > 0 && value > most {
		r.wrong(o, at, n.String()+" is out of range", "0 or more, and 100% at the most")
	}
	return value
}

// oneOf demands that exactly one of some fields is there.
func (r *ruling) oneOf(o *object, at path, fields map[string]bool) {
	var there []string
	for name, set := range fields {
		if set {
			there = append(there, name)
		}
	}
	slices.Sort(there)
	switch len(there) {
	case 0:
		r.wrong(o, at, "says none of "+strings.Join(slices.Sorted(maps.Keys(fields)), ", "), "say one")
	case 1:
	default:
		r.wrong(o, at, "says "+strings.Join(there, " and ")+", and only one of them may be", "remove the others")
	}
}
