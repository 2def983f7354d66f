package generate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// A Compose file is read here, by the fields that have a meaning for an App. The
// Compose project's own library would cost every start of the program more than
// all the rest of it (it compiles a JSON schema when it is loaded).

// Compose is what is read of a Compose file.
type Compose struct {
	file     string
	services map[string]map[string]any
	lines    map[string]int
	readFile func(name string) ([]byte, error)
}

// ParseCompose reads a Compose file; getenv gives the variables in it their
// values, readFile the content of env files.
func ParseCompose(data []byte, file string, getenv func(string) string, readFile func(string) ([]byte, error)) (*Compose, error) {
	fail := func(line int, format string, args ...any) error {
		p := Problem{Line: line, Reason: fmt.Sprintf(format, args...)}
		return &InvalidError{File: file, Problems: []Problem{p}}
	}
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
	if p := text(data); p != nil {
		return nil, &InvalidError{File: file, Problems: []Problem{*p}}
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, &InvalidError{File: file, Problems: []Problem{*syntaxProblem(data, err)}}
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fail(1, "is no Compose file: it has no services")
	}
	if n := field(doc.Content[0], "include"); n != nil {
		return nil, fail(n.Line, "includes other files; import what \"docker compose config\" prints")
	}
	services := field(doc.Content[0], "services")
	if services == nil || services.Kind != yaml.MappingNode {
		return nil, fail(1, "is no Compose file: it has no services")
	}
	c := &Compose{file: file, services: map[string]map[string]any{}, lines: map[string]int{}, readFile: readFile}
	x := &expander{getenv: getenv}
	for i := 0; i+1 < len(services.Content); i += 2 {
		name := services.Content[i].Value
		value, err := x.value(services.Content[i+1])
		if err != nil {
			return nil, fail(x.line, "services.%s: %v", shorten(name), err)
		}
		m, ok := value.(map[string]any)
		if !ok {
			return nil, fail(services.Content[i].Line, "services.%s is not a map of fields", shorten(name))
		}
		c.services[name], c.lines[name] = m, services.Content[i].Line
	}
	return c, nil
}

// Services are the names in the file, sorted.
func (c *Compose) Services() []string { return slices.Sorted(maps.Keys(c.services)) }

// expander turns nodes into values, with aliases and variables expanded, and
// bounds what they may expand to.
type expander struct {
	getenv func(string) string
	count  int
	line   int
	depth  int
}

func (x *expander) value(n *yaml.Node) (any, error) {
	x.count++
	x.depth++
	defer func() { x.depth-- }()
	if x.line = n.Line; x.count > 50_000 || x.depth > 100 {
		return nil, errors.New("its aliases expand to too much")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return x.value(n.Alias)
	case yaml.MappingNode:
		m := map[string]any{}
		var merged []map[string]any
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			value, err := x.value(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			if key.Tag == "!!merge" {
				for _, from := range append(asList(value), value) {
					if m, ok := from.(map[string]any); ok {
						merged = append(merged, m)
					}
				}
				continue
			}
			if _, twice := m[key.Value]; twice {
				x.line = key.Line
				return nil, fmt.Errorf("%q is there twice", shorten(key.Value))
			}
			m[key.Value] = value
		}
		for _, from := range merged {
			for k, v := range from {
				if _, there := m[k]; !there {
					m[k] = v
				}
			}
		}
		return m, nil
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := x.value(c)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	if n.Tag == "!!null" {
		return nil, nil
	}
	return interpolate(n.Value, x.getenv)
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

// interpolate puts variables into a text by the rules of Compose: $NAME, ${NAME},
// ${NAME:-default}, ${NAME-default}, ${NAME:?why}, and $$ for a dollar.
func interpolate(s string, getenv func(string) string) (string, error) {
	var out strings.Builder
	for {
		at := strings.IndexByte(s, '$')
		if at < 0 || at == len(s)-1 {
			out.WriteString(s)
			return out.String(), nil
		}
		out.WriteString(s[:at])
		s = s[at+1:]
		switch {
		case s[0] == '$':
			out.WriteByte('$')
			s = s[1:]
		case s[0] == '{':
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return "", fmt.Errorf("%q has no end", shorten("$"+s))
			}
			expr := s[1:end]
			s = s[end+1:]
			name := expr[:variableLength(expr)]
			rest := strings.TrimPrefix(expr[len(name):], ":")
			value := getenv(name)
			switch {
			case name == "" || rest != "" && !strings.ContainsRune("-?+", rune(rest[0])):
				return "", fmt.Errorf("${%s} is no variable", shorten(expr))
			case rest != "" && rest[0] == '+':
				if value != "" {
					value = rest[1:]
				}
			case value != "":
			case rest == "":
				return "", fmt.Errorf("the variable %s is not set; set it, or give it a default: ${%s:-VALUE}", name, name)
			case rest[0] == '-':
				value = rest[1:]
			default:
				return "", fmt.Errorf("the variable %s is not set: %s", name, shorten(rest[1:]))
			}
			out.WriteString(value)
		default:
			n := variableLength(s)
			if n == 0 {
				out.WriteByte('$')
				continue
			}
			value := getenv(s[:n])
			if value == "" {
				return "", fmt.Errorf("the variable %s is not set", s[:n])
			}
			out.WriteString(value)
			s = s[n:]
		}
	}
}

func variableLength(s string) int {
	n := 0
	for n < len(s) && (s[n] == '_' || s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z' || n > 0 && s[n] >= '0' && s[n] <= '9') {
		n++
	}
	return n
}
