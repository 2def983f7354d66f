package generate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// maxSpecSize bounds svcx.yaml: a Spec is a page or two, and the API server
// takes no object larger than this either.
const maxSpecSize = 1 << 20

// ParseApp reads the content of svcx.yaml; file is the name for errors. It is
// strict: an unknown field, one that is there twice or one of the wrong kind is
// a Problem of the *InvalidError it returns, each with its line. The App is as
// written, neither completed nor validated.
func ParseApp(data []byte, file string) (*App, error) {
	root, problem := document(data)
	if problem != nil {
		return nil, &InvalidError{File: file, Problems: []Problem{*problem}}
	}
	a := &App{}
	d := &decoder{}
	d.decode(root, a)
	if len(d.problems) == 0 {
		d.identity(root, a)
	}
	if len(d.problems) > 0 {
		return nil, &InvalidError{File: file, Problems: d.problems}
	}
	return a, nil
}

// LoadApp reads, completes and validates the svcx.yaml of the tree at dir; its
// problems carry file and line.
func LoadApp(dir string) (*App, error) {
	file := filepath.Join(dir, SpecFile)
	info, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist (%w); name the app and its image to make one", file, os.ErrNotExist)
	}
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file; move it away, or choose another --dir", file) // a pipe would be waited on for ever
	}
	var data []byte
	if err == nil {
		data, err = readBounded(os.Open(file))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, cause(err))
	}
	return CheckApp(data, file)
}

// IsApp reports whether a file says of itself that it is a svcx.yaml, of this version
// or another.
func IsApp(data []byte) bool {
	var doc yaml.Node
	if yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc) != nil || len(doc.Content) == 0 {
		return false
	}
	version, kind := child(doc.Content[0], "apiVersion"), child(doc.Content[0], "kind")
	group, _, _ := strings.Cut(APIVersion, "/")
	return version != nil && kind != nil && strings.HasPrefix(version.Value, group+"/") && kind.Value == Kind
}

// CheckApp reads, completes and validates the content of svcx.yaml; file is the name
// for its problems, which carry lines.
func CheckApp(data []byte, file string) (*App, error) {
	a, err := ParseApp(data, file)
	if err != nil {
		return nil, err
	}
	a.Complete()
	if err := a.Validate(); err != nil {
		return nil, located(err, data, file)
	}
	return a, nil
}

// readBounded reads a file to its end, or to just beyond the largest size that
// is of use: whoever judges the content refuses it then.
func readBounded(f io.ReadCloser, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSpecSize+1))
}

// identity tells a file of another program, or of a later version, from a
// misspelt one.
func (d *decoder) identity(root *yaml.Node, a *App) {
	if a.APIVersion != APIVersion {
		d.add(fieldLine(root, "apiVersion"), Problem{Field: "apiVersion", Value: a.APIVersion,
			Reason: "is not a version this program knows", Next: "it reads " + APIVersion})
	}
	if a.Kind != Kind {
		d.add(fieldLine(root, "kind"), Problem{Field: "kind", Value: a.Kind,
			Reason: "is not a kind this program knows", Next: "it reads " + Kind})
	}
}

// document parses one YAML document that holds a map, and nothing of YAML that
// could make it mean or weigh more than what is seen in it.
func document(data []byte) (*yaml.Node, *Problem) {
	if p := text(data); p != nil {
		return nil, p
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, &Problem{Reason: "is empty", Next: "a Spec begins with apiVersion: " + APIVersion}
	} else if err != nil {
		return nil, syntaxProblem(data, err)
	}
	if len(doc.Content) == 0 {
		return nil, &Problem{Reason: "is empty", Next: "a Spec begins with apiVersion: " + APIVersion}
	}
	var second yaml.Node
	if err := d.Decode(&second); err == nil {
		return nil, &Problem{Line: second.Line, Reason: "holds a second YAML document", Next: "keep one app in one file, each in a folder of its own"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxProblem(data, err)
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, &Problem{Line: root.Line, Reason: "holds " + nodeKind(root) + ", not a map of fields", Next: "a Spec begins with apiVersion: " + APIVersion}
	}
	return root, nil
}

// text refuses what is not plain text, with the line where that shows.
func text(data []byte) *Problem {
	switch {
	case len(data) > maxSpecSize:
		return &Problem{Reason: fmt.Sprintf("is larger than %d KiB", maxSpecSize>>10), Next: "it is no Spec, or far more than one"}
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")), bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return &Problem{Line: 1, Reason: "begins with a byte order mark (BOM)", Next: "save it as UTF-8 without one"}
	case bytes.ContainsRune(data, '\r'):
		return &Problem{Line: lineOf(data, bytes.IndexByte(data, '\r')), Reason: "has Windows line ends (CRLF)",
			Next: "save it with LF; in Git, the line \"* text eol=lf\" in .gitattributes keeps it so"}
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return &Problem{Line: lineOf(data, i), Reason: "is not UTF-8", Next: "save it as UTF-8"}
		}
		if r == 0 {
			return &Problem{Line: lineOf(data, i), Reason: "holds a NUL byte", Next: "it is no text file"}
		}
		i += size
	}
	return nil
}

func lineOf(data []byte, offset int) int {
	return bytes.Count(data[:offset], []byte("\n")) + 1
}

var (
	yamlLine   = regexp.MustCompile(`\bline (\d+): `)
	tabbedLine = regexp.MustCompile(`(?m)^ *\t`)
)

// syntaxProblem words an error of the YAML reader. A tab in the indentation is
// the one that its own words do not tell, or not well.
func syntaxProblem(data []byte, err error) *Problem {
	message, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if at := yamlLine.FindStringSubmatchIndex(message); at != nil {
		line, _ = strconv.Atoi(message[at[2]:at[3]])
		message = message[:at[0]] + message[at[1]:]
	}
	if tabbed := tabFrom(data, max(line, 1)); tabbed == max(line, 1) && strings.Contains(message, "cannot start any token") ||
		tabbed > 0 && strings.Contains(message, "tab character") { // whose line is that of what comes before
		return &Problem{Line: tabbed, Reason: "is indented with a tab, which YAML does not allow", Next: "use spaces"}
	}
	return &Problem{Line: line, Reason: "is not YAML: " + message}
}

// tabFrom is the first line, from one on, that is indented with a tab; 0 for none.
func tabFrom(data []byte, line int) int {
	for _, at := range tabbedLine.FindAllIndex(data, -1) {
		if tabbed := lineOf(data, at[1]-1); tabbed >= line {
			return tabbed
		}
	}
	return 0
}

// located gives the problems of an *InvalidError their file and lines.
func located(err error, data []byte, file string) error {
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	root, problem := document(data)
	if problem != nil {
		return err
	}
	out := &InvalidError{File: file, Problems: append([]Problem(nil), invalid.Problems...)}
	for i := range out.Problems {
		out.Problems[i].Line = fieldLine(root, out.Problems[i].Field)
	}
	return out
}

// fieldLine returns the line of a field, or that of the nearest one around it
// when it is not there itself.
func fieldLine(root *yaml.Node, field string) int {
	line := root.Line
	for _, part := range strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next := child(root, part)
		if next == nil {
			break
		}
		root, line = next, next.Line
	}
	return line
}

func child(n *yaml.Node, part string) *yaml.Node {
	if n.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(part); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
		return nil
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == part {
			value := n.Content[i+1]
			if value.Kind != yaml.ScalarNode {
				// A map or list begins on the line below its name.
				shifted := *value
				shifted.Line = n.Content[i].Line
				return &shifted
			}
			return value
		}
	}
	return nil
}
