package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const (
	// maxFile bounds a file: etcd takes no object over 1.5 MiB, and one file may hold a few.
	maxFile = 8 << 20
	// maxNodes bounds what the aliases of a document may expand to.
	maxNodes = 200_000
)

// document is one YAML document of a file.
type document struct {
	file   string
	root   *yaml.Node
	target *yaml.Node   // of a patch, what it is for where it says so beside itself
	lost   []*yaml.Node // the fields that merges (<<) took the place of, which kustomize may read all the same
}

// readFile reads a plain file of bounded size; a link may lead to another
// file within root only.
func readFile(root, file string) ([]byte, error) {
	if root != "" {
		real, err := filepath.EvalSymlinks(file)
		if err != nil {
			return nil, shortError(err)
		}
		top, err := filepath.EvalSymlinks(root)
		if err != nil {
			return nil, shortError(err)
		}
		if !below(top, real) {
			return nil, errors.New("is a symbolic link that leads out of the folder of its kustomization, from where alone kustomize reads files")
		}
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, shortError(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a plain file")
	case info.Size() > maxFile:
		return nil, fmt.Errorf("is larger than %d MiB, which no manifest is", maxFile>>20)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, shortError(err)
	}
	defer f.Close()
	return readAll(f)
}

// readAll reads a stream that must not be larger than a file may be.
func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("is larger than %d MiB, which no manifest is", maxFile>>20)
	}
	return data, nil
}

// below reports whether a path stays within a folder.
func below(dir, path string) bool {
	rel, err := filepath.Rel(absolute(dir), absolute(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// folder is by what a folder is known, whichever way leads to it.
func folder(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return absolute(dir)
}

// shortError leaves the path out of an error about a file: the finding has it.
func shortError(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

var (
	yamlLine = regexp.MustCompile(`\bline (\d+): `)
	tabbed   = regexp.MustCompile(`(?m)^ *\t+ *[^ \t\n#]`)
)

// parse takes a file's documents apart. What cannot be read is a finding.
func parse(file string, data []byte) ([]*document, []Finding) {
	fail := func(line int, message, next string) []Finding {
		return []Finding{{File: file, Line: line, Severity: Error, Rule: "syntax", Message: message, Next: next}}
	}
	var findings []Finding
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return nil, fail(1, "is UTF-16", "save it as UTF-8")
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		findings = []Finding{{File: file, Line: 1, Severity: Warning, Rule: "syntax",
			Message: "begins with a byte order mark (BOM), which some tools take for a part of the first field's name", Next: "save it as UTF-8 without one"}}
		data = data[3:]
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return nil, fail(lineOf(data, i), "holds a NUL byte", "it is no text file")
	}
	if !utf8.Valid(data) {
		i := 0
		for i < len(data) {
			r, size := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			i += size
		}
		return nil, fail(lineOf(data, i), "is not UTF-8", "save it as UTF-8")
	}
	var docs []*document
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, findings
		}
		if err != nil {
			return nil, append(findings, syntaxError(file, data, err))
		}
		if len(n.Content) == 0 || n.Content[0].Tag == "!!null" {
			continue
		}
		count := 0
		if !weigh(n.Content[0], map[*yaml.Node]bool{}, &count) {
			return nil, append(findings, fail(n.Content[0].Line, fmt.Sprintf("has aliases that expand to more than %d values", maxNodes), "write the values out")...)
		}
		m := expand(file, n.Content[0])
		findings = append(findings, m.out...)
		docs = append(docs, &document{file: file, root: n.Content[0], lost: m.lost})
	}
}

func lineOf(data []byte, offset int) int { return bytes.Count(data[:offset], []byte("\n")) + 1 }

// syntaxError words an error of the YAML reader; a tab is what its own words do not tell.
func syntaxError(file string, data []byte, err error) Finding {
	f := Finding{File: file, Severity: Error, Rule: "syntax"}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if at := yamlLine.FindStringSubmatchIndex(message); at != nil {
		f.Line, _ = strconv.Atoi(message[at[2]:at[3]])
		message = message[:at[0]] + message[at[1]:]
	}
	f.Message = "is not YAML: " + message
	if at := tabbed.FindIndex(data); at != nil && strings.Contains(message, "cannot start any token") {
		f.Line, f.Message, f.Next = lineOf(data, at[1]-1), "is indented with a tab, which YAML does not allow", "use spaces"
	}
	return f
}

// weigh counts the values of a document with its aliases expanded, and refuses
// one that is too large or contains itself.
func weigh(n *yaml.Node, open map[*yaml.Node]bool, count *int) bool {
	*count++
	if *count > maxNodes || open[n] {
		return false
	}
	if n.Kind == yaml.AliasNode {
		return weigh(n.Alias, open, count)
	}
	if len(n.Content) == 0 {
		return true
	}
	open[n] = true
	defer delete(open, n)
	for _, c := range n.Content {
		if !weigh(c, open, count) {
			return false
		}
	}
	return true
}
