package limits

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Metadata checks labels and annotations (ValidateLabels, ValidateAnnotations).
func Metadata(report Report, labels, annotations map[string]string) {
	Labels(report.At("labels"), labels)
	report = report.At("annotations")
	size := 0
	for _, k := range slices.Sorted(maps.Keys(annotations)) {
		size += len(k) + len(annotations[k])
		key(report.At(k), strings.ToLower(k), "an annotation's name", "such as example.com/owner", validation.IsQualifiedName)
	}
	if size > apivalidation.TotalAnnotationSizeLimitB {
		report.wrong(nil, fmt.Sprintf("hold %d bytes in all; %d is the most", size, apivalidation.TotalAnnotationSizeLimitB), "keep large data in a ConfigMap")
	}
}

// Labels checks a map of labels, which a selector is too.
func Labels(report Report, labels map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		key(report.At(k), k, "a label's name", "such as app or example.com/part-of", validation.IsQualifiedName)
		labelValue(report.At(k), labels[k], "a label's value")
	}
}

func labelName(report Report, value string) {
	name(report, value, "a label's name", "such as kubernetes.io/hostname", validation.IsQualifiedName)
}

func labelValue(report Report, value, what string) {
	if errs := validation.IsValidLabelValue(value); len(errs) > 0 {
		report.wrong(value, "is not "+what+": "+errs[0], "")
	}
}

// Selector checks a label selector (ValidateLabelSelector of apimachinery).
func Selector(report Report, s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	Labels(report.At("matchLabels"), s.MatchLabels)
	for i, e := range s.MatchExpressions {
		at := report.At("matchExpressions", i)
		labelName(at.At("key"), e.Key)
		Listed(at.At("operator"), e.Operator, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)
		operands(at.At("values"), string(e.Operator), len(e.Values))
		for j, v := range e.Values {
			labelValue(at.At("values", j), v, "a label's value")
		}
	}
}

// operands checks how many values an operator compares with.
func operands(report Report, operator string, values int) {
	switch operator {
	case "In", "NotIn":
		if values == 0 {
			report.wrong(nil, "is missing: "+operator+" compares with some", "give one at least")
		}
	case "Exists", "DoesNotExist":
		if values > 0 {
			report.wrong(nil, "has no use with operator "+operator, "remove it")
		}
	case "Gt", "Lt":
		if values != 1 {
			report.wrong(nil, fmt.Sprintf("has %d values: %s compares with one number", values, operator), "give one")
		}
	}
}
