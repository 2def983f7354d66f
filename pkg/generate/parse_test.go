package generate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

const specHead = "apiVersion: svcx/v1alpha1\nkind: App\n"

func TestParseApp(t *testing.T) {
	a, err := ParseApp([]byte(specByHand), "svcx.yaml")
	if err != nil {
		t.Fatal(err)
	}
	a.APIVersion, a.Kind = "", ""
	if want := redisApp(); !reflect.DeepEqual(a, want) {
		t.Errorf("got %+v, want %+v", a, want)
	}
	// What is null is absent, as for the Kubernetes API.
	a, err = ParseApp([]byte(specHead+"metadata:\n  name: x\nspec:\n  workload:\n  service:\n    ports: ~\n"), "svcx.yaml")
	if err != nil || a.Spec.Workload != nil || a.Spec.Service.Ports != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestParseAppRefuses(t *testing.T) {
	tests := map[string]struct{ data, want string }{
		"nothing":                     {"", "f.yaml: is empty; a Spec begins with apiVersion: svcx/v1alpha1"},
		"a comment only":              {"# x\n", "f.yaml: is empty; a Spec begins with apiVersion: svcx/v1alpha1"},
		"a document of nothing":       {"---\n", "f.yaml:2: holds nothing, not a map of fields; a Spec begins with apiVersion: svcx/v1alpha1"},
		"a list":                      {"- a\n", "f.yaml:1: holds a list, not a map of fields; a Spec begins with apiVersion: svcx/v1alpha1"},
		"text":                        {"hello\n", "f.yaml:1: holds text, not a map of fields; a Spec begins with apiVersion: svcx/v1alpha1"},
		"an unknown field":            {specHead + "spec:\n  service:\n    prots: []\n", "f.yaml:5: spec.service.prots: unknown field; did you mean ports?"},
		"a field in another case":     {specHead + "Metadata:\n  name: a\n", "f.yaml:3: Metadata: unknown field; did you mean metadata?"},
		"a field like none":           {specHead + "metadata:\n  zzzzzzzz: a\n", "f.yaml:4: metadata.zzzzzzzz: unknown field; one of name, namespace"},
		"an unknown field in a list":  {specHead + "spec:\n  service:\n    ports:\n    - port: 1\n    - prt: 2\n", "f.yaml:7: spec.service.ports[1].prt: unknown field; did you mean port?"},
		"a field twice":               {specHead + "metadata:\n  name: a\n  name: b\n", "f.yaml:5: metadata.name: is there twice, first on line 4; remove one"},
		"text for a number":           {specHead + "spec:\n  service:\n    ports:\n    - port: http\n", `f.yaml:6: spec.service.ports[0].port: "http": is not a whole number`},
		"a number in quotes":          {specHead + "spec:\n  service:\n    ports:\n    - port: \"80\"\n", `f.yaml:6: spec.service.ports[0].port: "80": is text where a whole number is wanted; remove the quotes`},
		"half a number":               {specHead + "spec:\n  workload:\n    replicas: 1.5\n", `f.yaml:5: spec.workload.replicas: "1.5": is not a whole number`},
		"a number in hex":             {specHead + "spec:\n  workload:\n    replicas: 0x10\n", `f.yaml:5: spec.workload.replicas: "0x10": is not a whole number`},
		"a number beyond 32 bits":     {specHead + "spec:\n  workload:\n    replicas: 4294967297\n", `f.yaml:5: spec.workload.replicas: "4294967297": is out of range`},
		"a number for text":           {specHead + "metadata:\n  name: 5\n", `f.yaml:4: metadata.name: "5": is a number where text is wanted; put it in quotes: "5"`},
		"true for text":               {specHead + "metadata:\n  name: true\n", `f.yaml:4: metadata.name: "true": is true or false where text is wanted; put it in quotes: "true"`},
		"a map for text":              {specHead + "metadata:\n  name: {a: b}\n", "f.yaml:4: metadata.name: is a map where text is wanted"},
		"text for a map":              {specHead + "spec: redis\n", "f.yaml:3: spec: is text where a map of fields is wanted"},
		"a map for a list":            {specHead + "spec:\n  service:\n    ports:\n      port: 1\n", `f.yaml:6: spec.service.ports: is a map where a list (each item after "- ") is wanted`},
		"another version":             {"apiVersion: svcx/v2\nkind: App\n", `f.yaml:1: apiVersion: "svcx/v2": is not a version this program knows; it reads svcx/v1alpha1`},
		"another kind":                {"apiVersion: svcx/v1alpha1\nkind: Pod\n", `f.yaml:2: kind: "Pod": is not a kind this program knows; it reads App`},
		"an anchor":                   {specHead + "metadata:\n  name: &a x\n", "f.yaml:4: metadata.name: uses a YAML anchor or alias; write the value out"},
		"an alias":                    {specHead + "metadata: &m\n  name: x\nspec: *m\n", "f.yaml:3: metadata: uses a YAML anchor or alias; write the value out\nf.yaml:5: spec: uses a YAML anchor or alias; write the value out"},
		"a merge key":                 {specHead + "metadata:\n  <<: {name: x}\n", "f.yaml:4: metadata: uses a YAML feature that this file has no use for (a merge key, an anchor or a map as a key); write the fields out"},
		"a tag":                       {specHead + "metadata:\n  name: !!binary eA==\n", `f.yaml:4: metadata.name: "!!binary": is a YAML tag, which this file has no use for; remove it`},
		"two documents":               {specHead + "---\n" + specHead, "f.yaml:3: holds a second YAML document; keep one app in one file, each in a folder of its own"},
		"a tab":                       {specHead + "metadata:\n\tname: a\n", "f.yaml:4: is indented with a tab, which YAML does not allow; use spaces"},
		"a BOM":                       {"\ufeff" + specHead, "f.yaml:1: begins with a byte order mark (BOM); save it as UTF-8 without one"},
		"UTF-16":                      {"\xff\xfea\x00", "f.yaml:1: begins with a byte order mark (BOM); save it as UTF-8 without one"},
		"CRLF":                        {"apiVersion: svcx/v1alpha1\nkind: App\r\n", "f.yaml:2: has Windows line ends (CRLF); save it with LF; in Git, the line \"* text eol=lf\" in .gitattributes keeps it so"},
		"other than UTF-8":            {specHead + "# caf\xe9\n", "f.yaml:3: is not UTF-8; save it as UTF-8"},
		"a NUL byte":                  {specHead + "\x00", "f.yaml:3: holds a NUL byte; it is no text file"},
		"broken YAML":                 {specHead + "metadata: {\n", "f.yaml:3: is not YAML: did not find expected node content"},
		"a terminal escape in a name": {specHead + `"\e[2J": x` + "\n", "f.yaml:3: ?[2J: unknown field; one of apiVersion, kind, metadata, spec"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := ParseApp([]byte(test.data), "f.yaml")
			var invalid *InvalidError
			if a != nil || !errors.As(err, &invalid) || err.Error() != test.want {
				t.Errorf("error is\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

// Input made to hurt is refused within a moment.
func TestParseAppIsBounded(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		previous := "*" + string(c-1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat(previous+",", 8) + previous + "]\n"
	}
	for name, data := range map[string]string{
		"an alias bomb":   specHead + bomb,
		"a large file":    specHead + strings.Repeat("# x\n", 1<<20),
		"deep nesting":    specHead + "spec: " + strings.Repeat("[", 20000),
		"deep flow maps":  specHead + "spec: " + strings.Repeat("{a: ", 20000),
		"many fields":     specHead + strings.Repeat("x: 1\n", 100000),
		"many duplicates": specHead + strings.Repeat("spec: {}\n", 100000),
		"a long name":     specHead + strings.Repeat("y", 1<<19) + ": 1\n",
	} {
		start := time.Now()
		_, err := ParseApp([]byte(data), "f.yaml")
		var invalid *InvalidError
		if !errors.As(err, &invalid) || len(err.Error()) > 10000 {
			t.Errorf("%s: error is %.200v", name, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func TestLoadAppTellsWhere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, SpecFile)
	if _, err := LoadApp(dir); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), file) {
		t.Errorf("error is %v", err)
	}
	put(t, dir, SpecFile, strings.NewReplacer("6379", "0", "replicas: 2", "replicas: -2", "redis-svc", "Redis").Replace(specByHand))
	_, err := LoadApp(dir)
	want := file + `:9: spec.workload.replicas: "-2": is negative; 0 or more
` + file + `:11: spec.service.name: "Redis": has capital letters; only lower-case letters, digits and '-' may be in it; it becomes a DNS name, such as redis-svc
` + file + `:14: spec.service.ports[0].port: "0": is not a port; 1 to 65535`
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
	put(t, dir, SpecFile, specHead+"metadata:\n  name: x\nspec:\n  workload:\n    replicas: 1\n")
	if _, err := LoadApp(dir); err == nil || !strings.Contains(err.Error(), file+":6: spec.workload.image: is missing") {
		t.Errorf("a missing field is told of with the one around it: %v", err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(file, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadApp(dir); err == nil || !strings.Contains(err.Error(), "not a plain file") {
			t.Errorf("error is %v", err)
		}
	}
}

func TestIsApp(t *testing.T) {
	for data, want := range map[string]bool{
		specByHand:                               true,
		"kind: App\napiVersion: svcx/v2\n":       true,
		specByHand + "---\na: b\n":               true,
		"apiVersion: svcx.example/v1\nkind: App": false,
		"apiVersion: apps/v1\nkind: Deployment":  false,
		"kind: {App: 1}\napiVersion: [svcx/v1]":  false,
		"[]":                                     false,
		"":                                       false,
		"a: &a [":                                false,
	} {
		if got := IsApp([]byte(data)); got != want {
			t.Errorf("%q: %v", data, got)
		}
	}
	if _, err := CheckApp([]byte(strings.Replace(specByHand, "6379", "0", 1)), "f.yaml"); err == nil || !strings.HasPrefix(err.Error(), "f.yaml:14: spec.service.ports[0].port: ") {
		t.Errorf("error is %v", err)
	}
}

// A tab is blamed where it is one that YAML does not allow, and at its line.
func TestTabs(t *testing.T) {
	for text, want := range map[string]string{
		"a:\n\tb: 1\n":                            "2 is indented with a tab",
		"\ta: 1\n":                                "1 is indented with a tab",
		"a: 1\nb:\n  c: 1\n\td: 2\n":              "4 is indented with a tab",
		"a: |\n  x\n  \ty\nb: \"open\nc: d\n":     "unexpected end of stream",
		"a: |\n  x\n  \ty\nb: @x\n":               "4 is not YAML: found character that cannot start any token",
		"a: |\n  x\n  \ty\nb:\n  - c\n\t- d\n":    "6 is indented with a tab",
		"a: >\n  x\n  \ty\nb: [1\nc: {\nd: e\n\n": "is not YAML",
	} {
		_, p := document([]byte(text))
		if p == nil || !strings.Contains(fmt.Sprint(p.Line, " ", p.Reason), want) {
			t.Errorf("%q: %+v, want %q", text, p, want)
		}
	}
}
