// Package limits knows what values an API server takes: ranges, forms of names, lists
// of values, fields that cannot stand together. It is what
// k8s.io/kubernetes/pkg/apis/*/validation checks of the fields that people write, once
// for svcx.yaml and for manifests: pkg/generate and pkg/validate call it, and each tells
// of a problem in its own way.
//
// A function is named for the API's type or field that it checks, and takes the Report
// that stands there:
//
//	limits.Tolerations(report.At("tolerations"), spec.Tolerations)
package limits

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Problem is what an API server has against a value.
type Problem struct {
	// At is the value's place below that of the Report: names of fields, numbers of items.
	At []any
	// Value is what is there: a text, or a number or quantity; nil or empty where there
	// is none, or the reason says enough.
	Value any
	// Reason goes on from the value: is out of range.
	Reason string
	// Next says what to write; may be empty.
	Next string
	// Known are the values that are taken, where they can be listed.
	Known []string
	// Schema says that the schema of an API server tells of it too.
	Schema bool
}

// Report is told of each problem at one place.
type Report func(Problem)

// At is the report for a place below: at.At("ports", 0, "name").
func (report Report) At(parts ...any) Report {
	return func(p Problem) {
		p.At = slices.Concat(parts, p.At)
		report(p)
	}
}

func (report Report) wrong(value any, reason, next string) {
	report(Problem{Value: value, Reason: reason, Next: next})
}

// OneOf demands one of the values that the schema lists too, or none.
func OneOf[T ~string](report Report, value T, known ...T) {
	if value != "" {
		mustBeOneOf(report, value, known...)
	}
}

// mustBeOneOf is OneOf for what has to be there.
func mustBeOneOf[T ~string](report Report, value T, known ...T) {
	if p := notOneOf(value, known...); p != nil {
		p.Schema = true
		report(*p)
	}
}

// Listed is OneOf for what has to be there and the schema does not list.
func Listed[T ~string](report Report, value T, known ...T) {
	if p := notOneOf(value, known...); p != nil {
		report(*p)
	}
}

func notOneOf[T ~string](value T, known ...T) *Problem {
	if slices.Contains(known, value) {
		return nil
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	reason := "is not a value that it takes"
	if value == "" {
		reason = "is missing"
	}
	return &Problem{Value: string(value), Reason: reason, Next: "one of " + strings.Join(names, ", "), Known: names}
}

// ExactlyOne demands that one of some fields is there and no more, which the reason says.
func ExactlyOne(report Report, reason string, fields map[string]bool) {
	all := slices.Sorted(maps.Keys(fields))
	there := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !fields[name] })
	switch len(there) {
	case 0:
		report.wrong(nil, reason, "one of "+strings.Join(all, ", "))
	case 1:
	default:
		report.wrong(nil, reason+", and here are "+strings.Join(there, " and "), "remove the others")
	}
}

// name demands a text that a check of apimachinery's has nothing against.
func name(report Report, value, what, next string, check func(string) []string) {
	if value == "" {
		needed(report, value, next)
	} else if errs := check(value); len(errs) > 0 {
		report.wrong(value, "is not "+what+": "+errs[0], next)
	}
}

// key is name for the key of a map, which ends the place of the report.
func key(report Report, key, what, next string, check func(string) []string) {
	if key == "" {
		report.wrong(nil, "is empty", next)
	} else if errs := check(key); len(errs) > 0 {
		report.wrong(nil, "is not "+what+": "+errs[0], next)
	}
}

// needed demands a value.
func needed(report Report, value, next string) {
	if value == "" {
		report.wrong(nil, "is missing", next)
	}
}

// Least demands a number that is not too small, where there is one.
func Least[T int32 | int64](report Report, n *T, lowest T) {
	if n == nil || *n >= lowest {
		return
	}
	reason := "is too small"
	if lowest == 0 {
		reason = "is negative"
	}
	report.wrong(*n, reason, fmt.Sprintf("%d or more", lowest))
}

// Within demands a number of a range.
func Within[T int32 | int64](report Report, n, lowest, highest T) {
	if n < lowest || n > highest {
		report.wrong(n, "is out of range", fmt.Sprintf("%d to %d", lowest, highest))
	}
}

// id demands the number of a user or group (validation.IsValidUserID).
func id(report Report, id *int64) {
	if id != nil {
		Within(report, *id, 0, math.MaxInt32)
	}
}

// Port demands the number of a port.
func Port(report Report, port int32) {
	if len(validation.IsValidPortNum(int(port))) > 0 {
		report.wrong(port, "is not a port", "1 to 65535")
	}
}

// PortOrName demands the number or the name of a port (ValidatePortNumOrName).
func PortOrName(report Report, port intstr.IntOrString) {
	if port.Type == intstr.Int {
		Port(report, port.IntVal)
	} else {
		name(report, port.StrVal, "a port's name", "such as http, or the port's number", validation.IsValidPortName)
	}
}

// ObjectName demands the name of an object of most kinds.
func ObjectName(report Report, object string) {
	name(report, object, "the name of an object", "", validation.IsDNS1123Subdomain)
}

// DataKey demands a key of a ConfigMap or Secret, which ends the place of the report.
func DataKey(report Report, k string) {
	key(report, k, "a key", "such as password or redis.conf", validation.IsConfigMapKey)
}
