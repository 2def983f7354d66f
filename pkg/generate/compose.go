package generate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/sirupsen/logrus"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// A Compose file is read here, by the fields that have a meaning for an App; what
// has none is named, and what is not understood refused. Variables and env files
// are read by the Compose project's own packages. Its loader is not used: with it
// the program starts 8 ms of processor time later, whatever it is asked (measured
// with v2.16.2; it compiles the meta-schemas of JSON Schema when it is loaded),
// which is half of all that a start takes.

// composeTop are the fields of a Compose file. Of all but services nothing is
// needed: what a service asks of them is carried over, or named, with the service.
var composeTop = []string{"version", "name", "services", "networks", "volumes", "configs", "secrets", "include", "models"}

// Compose is what is read of a Compose file.
type Compose struct {
	file     string
	services map[string]map[string]any
	lines    map[string]int
	root     *yaml.Node
	getenv   func(string) string
	readFile func(name string) ([]byte, error)
}

// ParseCompose reads a Compose file; getenv gives the variables in it their
// values, readFile the content of env files.
func ParseCompose(data []byte, file string, getenv func(string) string, readFile func(string) ([]byte, error)) (*Compose, error) {
	fail := func(line int, format string, args ...any) error {
		p := Problem{Line: line, Reason: fmt.Sprintf(format, args...)}
		return &InvalidError{File: file, Problems: []Problem{p}}
	}
	data = unixText(data)
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
	for i := 0; i+1 < len(doc.Content[0].Content); i += 2 {
		name := doc.Content[0].Content[i].Value
		if !slices.Contains(composeTop, name) && !strings.HasPrefix(name, "x-") {
			return nil, fail(doc.Content[0].Content[i].Line, "%s is no field of a Compose file%s", shorten(name), didYouMean(name, composeTop))
		}
	}
	services := field(doc.Content[0], "services")
	if services == nil || services.Kind != yaml.MappingNode {
		return nil, fail(1, "is no Compose file: it has no services")
	}
	c := &Compose{file: file, services: map[string]map[string]any{}, lines: map[string]int{}, root: doc.Content[0], getenv: getenv, readFile: readFile}
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

// WithDotEnv adds to the variables of getenv those of a .env file; as with Compose,
// the environment's win. A variable that is set to nothing counts as not set. Notes
// say which variables the file asks for that are not set.
func WithDotEnv(data []byte, file string, getenv func(string) string) (with func(string) string, notes []string, err error) {
	values, notes, err := readDotEnv(data, file, getenv)
	if err != nil {
		return nil, nil, err
	}
	return func(name string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return values[name]
	}, notes, nil
}

// readDotEnv reads the variables of an env file by the rules and the code of Compose;
// a value may hold those before it, and those of getenv.
func readDotEnv(data []byte, file string, getenv func(string) string) (values map[string]string, notes []string, err error) {
	fail := func(p Problem) (map[string]string, []string, error) {
		return nil, nil, &InvalidError{File: file, Problems: []Problem{p}}
	}
	data = unixText(data)
	if p := text(data); p != nil {
		return fail(*p)
	}
	// The library warns of variables that are not set, at each reading and in its own
	// words; they are told here.
	level := logrus.GetLevel()
	logrus.SetLevel(logrus.ErrorLevel)
	defer logrus.SetLevel(level)
	missing := map[string]bool{}
	parse := func(data []byte) (map[string]string, error) {
		return dotenv.ParseWithLookup(bytes.NewReader(data), func(name string) (string, bool) {
			value := getenv(name)
			missing[name] = value == ""
			return value, value != ""
		})
	}
	if line := swells(data, parse); line > 0 {
		return fail(Problem{Line: line, Reason: "asks for variables that become too long, or there are too many that do"})
	}
	if values, err = parse(data); err != nil {
		return fail(dotEnvProblem(data, err))
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if _, there := values[name]; missing[name] && !there && plainly(string(data), name) {
			notes = append(notes, fmt.Sprintf("%s: the variable %s is not set, and counts as empty; a $ that stands for itself is written $$", file, shorten(name)))
		}
	}
	return values, notes, nil
}

// What the values of an env file may become, in bytes, and how many lines may ask for
// variables: the library bounds neither.
const (
	maxSwollen  = 16 << 20
	maxSwelling = 1000
	longEnviron = 4 << 10 // of a variable of the environment
)

// swells returns the line of an env file that, with those before it, may make values
// of more than maxSwollen; 0: none does.
func swells(data []byte, parse func([]byte) (map[string]string, error)) int {
	longest, asked, asking, start := longEnviron, 0, 0, 0
	for i, line := range bytes.SplitAfter(data, []byte("\n")) {
		if n := bytes.Count(line, []byte("$")); n > 0 {
			// Within quotes that go on, the lines before are no file yet.
			if values, err := parse(data[:start]); err == nil {
				asked = 0
				for _, v := range values {
					longest = max(longest, len(v))
				}
			}
			asked += n
			if asking++; asked > maxSwollen/longest || asking > maxSwelling {
				return i + 1
			}
		}
		start += len(line)
	}
	return 0
}

var (
	dotEnvLine = regexp.MustCompile(`^line (\d+): `)
	dotEnvText = regexp.MustCompile(`(?s)^(unexpected character \S+|unterminated quoted value) (.*)$`)
)

// dotEnvProblem says what is wrong with a .env file without what stands there, which
// may be a password.
func dotEnvProblem(data []byte, err error) Problem {
	p := Problem{Reason: err.Error()}
	if m := dotEnvLine.FindStringSubmatch(p.Reason); m != nil {
		p.Line, _ = strconv.Atoi(m[1]) // 0, for none, beyond any file
		p.Reason = p.Reason[len(m[0]):]
	}
	if m := dotEnvText.FindStringSubmatch(p.Reason); m != nil {
		if at := bytes.LastIndex(data, []byte(m[2])); at >= 0 {
			p.Line = lineOf(data, at) // where the quote begins; the other line is the last one
		}
		p.Reason = m[1]
	}
	var invalid *template.InvalidTemplateError
	if errors.As(err, &invalid) {
		p.Reason = "a value asks for a variable in a way that is not understood; a $ that stands for itself is written $$"
	}
	p.Reason = "is not what an env file holds: " + shorten(p.Reason)
	return p
}

// unixText is a text without a byte order mark and with plain line ends.
func unixText(data []byte) []byte {
	return bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
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

// interpolate puts variables into a text, by the rules and the code of Compose. A
// variable that is not set and has no default is an error here: Compose warns, and
// an image without its tag would be committed.
func interpolate(s string, getenv func(string) string) (string, error) {
	if !strings.Contains(s, "$") {
		return s, nil
	}
	var missing []string
	out, err := template.SubstituteWithOptions(s, func(name string) (string, bool) {
		value := getenv(name)
		if value == "" {
			missing = append(missing, name)
		}
		return value, value != ""
	}, template.WithoutLogging)
	if err != nil {
		return "", errors.New(shorten(err.Error()))
	}
	for _, name := range missing {
		if plainly(s, name) {
			return "", fmt.Errorf("the variable %s is not set; set it, or give it a default: ${%s:-VALUE}", shorten(name), shorten(name))
		}
	}
	return out, nil
}

// plainly tells whether a text asks for a variable without a default.
func plainly(s, name string) bool {
	s = strings.ReplaceAll(s, "$$", " ") // a dollar sign, and no variable
	if strings.Contains(s, "${"+name+"}") {
		return true
	}
	for _, rest := range strings.Split(s, "$"+name)[1:] {
		if rest == "" || !strings.ContainsAny(rest[:1], "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") {
			return true
		}
	}
	return false
}
