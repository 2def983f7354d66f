// Package validate checks manifests and kustomize trees offline: each object
// against the schema of an API server, and what no schema knows: that a Service's
// selector matches, that its target ports exist, that a patch does what it seems
// to. It reads files and asks nobody.
package validate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Severity says how bad a finding is.
type Severity string

// The severities: an error is refused by the API server or does not work, a
// warning works and probably is not meant, a note says what was not checked.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is one thing wrong, and where.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"` // from 1; 0 when it is about the whole file
	Object   string   `json:"object,omitempty"`
	Field    string   `json:"field,omitempty"`
	Severity Severity `json:"severity"`
	// Rule is a stable name of what was checked, such as schema or selector.
	Rule    string `json:"rule"`
	Message string `json:"message"`
	Next    string `json:"next,omitempty"`

	at path
}

// String returns the finding in one line, as compilers write theirs.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(printable(f.File))
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	fmt.Fprintf(&b, ": %s: ", f.Severity)
	subject := strings.TrimSpace(f.Object + " " + printable(f.Field))
	if subject != "" {
		b.WriteString(subject + ": ")
	}
	b.WriteString(printable(f.Message))
	if f.Next != "" {
		b.WriteString("; " + printable(f.Next))
	}
	return b.String()
}

// Result is what was looked at and what was found.
type Result struct {
	Files    int       `json:"files"`
	Objects  int       `json:"objects"`
	Overlays int       `json:"kustomizations"`
	Findings []Finding `json:"findings"`
}

// Count returns how many findings there are of a severity.
func (r *Result) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// sort orders the findings by place and drops what was found twice.
func (r *Result) sort() {
	order := func(x, y Finding) int {
		return cmp.Or(strings.Compare(x.File, y.File), x.Line-y.Line, strings.Compare(x.Field, y.Field), strings.Compare(x.Message, y.Message), strings.Compare(x.Object, y.Object))
	}
	slices.SortStableFunc(r.Findings, order)
	r.Findings = slices.CompactFunc(r.Findings, func(x, y Finding) bool { return order(x, y) == 0 })
}

// Files checks plain YAML files, all of them as one set of objects; "-" is stdin.
func Files(ctx context.Context, files []string, stdin io.Reader) (*Result, error) {
	all, r, err := read(ctx, files, stdin)
	if err != nil {
		return nil, err
	}
	for _, f := range rules(all) {
		r.Findings = append(r.Findings, f.locate(f.about.sources()))
	}
	r.sort()
	return r, nil
}

// Read reads the objects of plain YAML files, each as JSON, and holds them against
// the schema; of what is between objects it finds only those that are there twice.
// What is read with errors is not to be used.
func Read(ctx context.Context, files []string, stdin io.Reader) ([][]byte, *Result, error) {
	all, r, err := read(ctx, files, stdin)
	if err != nil {
		return nil, nil, err
	}
	r.sort()
	var out [][]byte
	for _, o := range all {
		data, err := json.Marshal(plain(o.doc.root))
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", o.doc.file, o.doc.root.Line, err)
		}
		out = append(out, data)
	}
	return out, r, nil
}

func read(ctx context.Context, files []string, stdin io.Reader) ([]*object, *Result, error) {
	kinds, err := loadCatalogue()
	if err != nil {
		return nil, nil, err
	}
	r := &Result{}
	var all []*object
	for _, from := range files {
		name := from
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		var data []byte
		var err error
		if name == "-" {
			name = "stdin"
			data, err = readAll(stdin)
		} else {
			data, err = readFile("", name)
		}
		r.Files++
		if err != nil {
			r.Findings = append(r.Findings, unreadable(name, err))
			continue
		}
		docs, findings := parse(name, data)
		r.Findings = append(r.Findings, findings...)
		docs = flatten(docs)
		if len(docs) == 0 && !broken(findings) {
			f := Finding{File: name, Severity: Note, Rule: "file", Message: "holds no object, so there was nothing to check"}
			if len(bytes.TrimSpace(data)) == 0 && from == "-" { // a gate would pass on what could not be made
				f.Severity, f.Message, f.Next = Error, "is empty, so there was nothing to check", "did the command before the pipe fail?"
			}
			r.Findings = append(r.Findings, f)
		}
		for _, d := range docs {
			r.Objects++
			found := structure(kinds, d, false)
			r.Findings = append(r.Findings, found...)
			all = append(all, newObject(d, broken(found)))
		}
	}
	r.Findings = append(r.Findings, sameName(all)...)
	return all, r, nil
}

func unreadable(file string, err error) Finding {
	return Finding{File: file, Severity: Error, Rule: "file", Message: err.Error()}
}

func broken(found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool { return f.Severity == Error })
}

// sameName finds objects that are there twice: the second would overwrite the first.
func sameName(all []*object) []Finding {
	type key struct{ group, kind, namespace, name string }
	seen := map[key]*object{}
	var out []Finding
	for _, o := range all {
		group, _, _ := strings.Cut(o.apiVersion, "/")
		k := key{group, o.kind, o.namespace, o.name}
		if first := seen[k]; first != nil && o.name != "" {
			out = append(out, Finding{File: o.doc.file, Line: o.doc.root.Line, Object: objectName(o.doc.root), Severity: Error, Rule: "duplicate-object",
				Message: fmt.Sprintf("is there twice, first in %s:%d", first.doc.file, first.doc.root.Line), Next: "remove one"})
			continue
		}
		seen[k] = o
	}
	return out
}
