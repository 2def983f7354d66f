// Package report writes what other packages found out: a Verdict or a Plan, for
// people or for programs. It knows no flag and no terminal; it is told the
// format, the width and whether colour is welcome, and writes to an io.Writer.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// Format is a way to write a result.
type Format string

// The formats. Text is for people: a page for one Service, a table for many.
// Wide says more in the same way. The others are for programs.
const (
	Text Format = "text"
	Wide Format = "wide"
	JSON Format = "json"
	YAML Format = "yaml"
	Name Format = "name"
	// For a Verdict only.
	JUnit Format = "junit"
	SARIF Format = "sarif"
	HTML  Format = "html"
)

// Formats lists the formats that every result has, in the order in which help shows them.
func Formats() []Format { return []Format{Text, Wide, JSON, YAML, Name} }

// VerdictFormats lists the formats of a Verdict.
func VerdictFormats() []Format { return append(Formats(), JUnit, SARIF, HTML) }

// Options say how to write.
type Options struct {
	// Format is how to write; empty means Text.
	Format Format
	// Color allows ANSI colour. It never carries a meaning that words do not.
	Color bool
	// Width is the number of columns to keep to; 0 means that nothing is wrapped or cut.
	Width int
	// ASCII replaces every sign outside ASCII by one within, for terminals that cannot show it.
	ASCII bool
	// FixCommand, when set, is the command that writes the fixes into the tree.
	FixCommand string
	// Cluster is put into the commands of a text for people: the flags that choose the
	// cluster, each led by a space. Other formats are kept and compared.
	Cluster string
	// Unchanged names also what stays as it is, in the Name of a Plan.
	Unchanged bool
	// Patches shows the patch of a fix beside its command.
	Patches bool
	// Help, when set, gives a rule's title and a text about it; empty where it has none.
	Help func(id string) (title, text string)
	// Explain says that "kubectl svcx explain ID" exists, and is worth naming.
	Explain bool
	// Version of the program, for formats that name their maker.
	Version string
}

// Verdict writes v. Text is one page for one Service and a table for any other
// number; JSON and YAML are v itself; Name is one service/NAME a line.
func Verdict(w io.Writer, v *verify.Verdict, o Options) error {
	switch o.Format {
	case "", Text, Wide:
		out := newCanvas(o)
		if len(v.Services) == 1 {
			out.page(&v.Services[0], v)
		} else {
			out.table(v)
		}
		return out.flush(w)
	case Name:
		var b strings.Builder
		for i := range v.Services {
			fmt.Fprintf(&b, "service/%s\n", clean(v.Services[i].Name))
		}
		_, err := io.WriteString(w, b.String())
		return err
	case JUnit:
		return junit(w, v)
	case SARIF:
		return sarif(w, v, o)
	case HTML:
		return htmlVerdict(w, v, o)
	default:
		if v.Services == nil { // a list for whoever reads it, not null
			none := *v
			none.Services, v = []verify.ServiceVerdict{}, &none
		}
		return machine(w, v, o.Format)
	}
}

// ObjectName is an object's name as kubectl's -o name prints it: service/redis, and
// deployment.apps/redis for a kind that has a group.
func ObjectName(apiVersion, kind, name string) string {
	kind = strings.ToLower(kind)
	if group, _, ok := strings.Cut(apiVersion, "/"); ok {
		kind += "." + group
	}
	return clean(kind) + "/" + clean(name)
}

// Plan writes p: what applying would change, one object after the other.
func Plan(w io.Writer, p *apply.Plan, o Options) error {
	switch o.Format {
	case "", Text, Wide:
		out := newCanvas(o)
		out.plan(p)
		return out.flush(w)
	case Name:
		var b strings.Builder
		for _, ns := range p.NewNamespaces() {
			fmt.Fprintf(&b, "namespace/%s\n", clean(ns))
		}
		for i := range p.Changes {
			c := &p.Changes[i]
			if c.Action == apply.ActionUnchanged && !o.Unchanged {
				continue
			}
			fmt.Fprintln(&b, ObjectName(c.Object.APIVersion, c.Object.Kind, c.Object.Name))
		}
		_, err := io.WriteString(w, b.String())
		return err
	default:
		return machine(w, p, o.Format)
	}
}

// machine writes v as JSON or YAML.
func machine(w io.Writer, v any, f Format) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	var data []byte
	switch f {
	case JSON:
		data = escape(b.Bytes())
	case YAML:
		// YAML's writer lets some of them through as they are, and has no escape
		// for them outside quotes.
		plain := bytes.Map(func(r rune) rune {
			if r > unicode.MaxASCII && unicode.Is(unicode.C, r) {
				return -1
			}
			return r
		}, b.Bytes())
		var err error
		if data, err = yaml.JSONToYAML(plain); err != nil {
			return fmt.Errorf("writing the result as YAML: %w", err)
		}
	default:
		return fmt.Errorf("unknown format %q", f)
	}
	_, err := w.Write(data)
	return err
}

// escape writes the control and format characters in JSON's strings as \uXXXX.
// encoding/json does so below U+0020 only, but a terminal also obeys the C1
// controls, and a direction override turns what follows around.
func escape(data []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(data) {
		switch {
		case r <= unicode.MaxASCII || !unicode.Is(unicode.C, r):
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, "\\u%04x", unit)
			}
		}
	}
	return b.Bytes()
}
