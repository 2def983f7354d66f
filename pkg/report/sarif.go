package report

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

const (
	sarifSchema  = "https://json.schemastore.org/sarif-2.1.0.json"
	sarifVersion = "2.1.0"
	sarifHome    = "https://github.com/kubectl-svcx/kubectl-svcx"
	// The rules for what has no ID in the catalogue.
	ruleNotProven = "not-proven"
	ruleUnnamed   = "unnamed"
)

// The parts of SARIF 2.1.0 that are used.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string     `json:"id"`
		Short   sarifText  `json:"shortDescription"`
		Help    *sarifText `json:"help,omitempty"`
		Default sarifLevel `json:"defaultConfiguration"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Kind         string            `json:"kind,omitempty"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"name"`
		Full string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
)

// sarif writes one result a finding, and an open one for each Service of which
// something is not proven. The field at fault is a line of the tree where that
// is known, and always a logical location: namespace/Kind/name/field.
func sarif(w io.Writer, v *verify.Verdict, o Options) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "kubectl-svcx", Version: o.Version, InformationURI: sarifHome, Rules: []sarifRule{}}
	for i := range v.Services {
		s := &v.Services[i]
		for j := range s.Findings {
			run.add(resultOf(&s.Findings[j]), o)
		}
		if s.State == verify.StateNotProven {
			ref := verify.ObjectRef{Kind: "Service", Namespace: s.Namespace, Name: s.Name}
			run.add(sarifResult{RuleID: ruleNotProven, Kind: "open", Level: "none",
				Message:   sarifText{"Service/" + clean(s.Name) + ": " + cmp.Or(clean(s.NotProven), "not every check could be made.")},
				Locations: []sarifLocation{{Logical: logical(ref, "")}}, Fingerprints: fingerprint(ruleNotProven, ref, "")}, o)
		}
	}
	return machine(w, sarifLog{Schema: sarifSchema, Version: sarifVersion, Runs: []sarifRun{run}}, JSON)
}

// add appends a result, and its rule at its first use.
func (r *sarifRun) add(res sarifResult, o Options) {
	rules := &r.Tool.Driver.Rules
	res.RuleIndex = slices.IndexFunc(*rules, func(x sarifRule) bool { return x.ID == res.RuleID })
	if res.RuleIndex < 0 {
		res.RuleIndex = len(*rules)
		rule := sarifRule{ID: res.RuleID, Default: sarifLevel{res.Level}}
		title, text := "", ""
		if o.Help != nil {
			title, text = o.Help(res.RuleID)
		}
		switch res.RuleID {
		case ruleNotProven:
			title, text = "Not proven", "Evidence is missing; the message says what would prove it."
		case ruleUnnamed:
			title, text = "A failure without a name", "A check failed, and no rule of the catalogue names the cause."
		}
		rule.Short.Text = cmp.Or(title, res.RuleID)
		if text != "" {
			rule.Help = &sarifText{text}
		}
		*rules = append(*rules, rule)
	}
	r.Results = append(r.Results, res)
}

func resultOf(f *verify.Finding) sarifResult {
	id := cmp.Or(clean(f.ID), ruleUnnamed)
	loc := sarifLocation{Logical: logical(f.Object, f.Field)}
	if s := f.Source; s != nil {
		loc.Physical = &sarifPhysical{Artifact: sarifArtifact{uri(s.File)}}
		if s.Line > 0 {
			loc.Physical.Region = &sarifRegion{s.Line}
		}
	}
	text := clean(f.Message)
	if fix := f.Fix; fix != nil && fix.Summary != "" {
		text += " Fix: " + clean(fix.Summary) + "."
	}
	if len(f.Evidence) > 0 {
		ev := make([]string, 0, len(f.Evidence))
		for _, e := range f.Evidence {
			ev = append(ev, clean(e))
		}
		text += " Evidence: " + strings.Join(ev, "; ") + "."
	}
	return sarifResult{RuleID: id, Level: level(f.Severity), Message: sarifText{text},
		Locations: []sarifLocation{loc}, Fingerprints: fingerprint(id, f.Object, f.Field)}
}

func level(s verify.Severity) string {
	switch s {
	case verify.SeverityFailure:
		return "error"
	case verify.SeverityWarning:
		return "warning"
	}
	return "note"
}

func logical(ref verify.ObjectRef, field string) []sarifLogical {
	full := strings.TrimPrefix(clean(ref.Namespace)+"/"+clean(ref.Kind)+"/"+clean(ref.Name), "/")
	if field != "" {
		full += "/" + clean(field)
	}
	return []sarifLogical{{Name: clean(ref.Name), Full: full, Kind: "resource"}}
}

// fingerprint tells the same finding of two runs from another one.
func fingerprint(id string, ref verify.ObjectRef, field string) map[string]string {
	sum := sha256.Sum256([]byte(strings.Join([]string{id, ref.Kind, ref.Namespace, ref.Name, field}, "\x00")))
	return map[string]string{"svcx/v1": fmt.Sprintf("%x", sum[:16])}
}

// uri is a path as a URI reference.
func uri(file string) string {
	file = path.Clean(strings.ReplaceAll(clean(file), "\\", "/"))
	return strings.NewReplacer("%", "%25", " ", "%20", "#", "%23", "?", "%3F").Replace(file)
}
