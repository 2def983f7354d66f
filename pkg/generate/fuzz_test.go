package generate

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzMerge: a merge of lines has no favourite but the one it is given, takes no line
// from anywhere else, and never loses one that only one side has touched. One of fields
// has a conflict whichever side it begins with, or none.
func FuzzMerge(f *testing.F) {
	f.Add("a: 1\nb: 2\nc: 3\n", "a: 1\n# why\nb: 2\nc: 3\n", "a: 1\nb: 2\nc: 4\n")
	f.Add("a: 1\nb: 2\n", "a: 1\nb: 8\n", "a: 1\nb: 9\n")
	f.Add("l:\n- a\n- b\n- c\n", "l:\n- c\n- b\n- a\n", "l:\n- a\n- b\n- x\n- c\n")
	f.Add("a: |\n  x\n  y\n", "a: |\n  x\n\n  y", "a: |\n  x\n  z\n")
	f.Add("a: 1\n", "", "a: 1\nb: 2\n")
	f.Add("l:\n- a\nx: 1\n", "l:\n- a\n# c\n- b\nx: 1\n", "l:\n- a\n- d: 1\n  e: 2\nx: 1\n")
	f.Add("l:\n- a\nx: 1\n", "l:\n- b\n- a\nx: 1\n", "l:\n- a\n- b\nx: 2\n")
	f.Add("l:\n- a\nx: 1\n", "l:\n- a\n- name: b\nx: 1\n", "l:\n- a\n- name: b\n  v: 1\nx: 2\n")
	f.Fuzz(func(t *testing.T, base, edited, wanted string) {
		if strings.Count(base+edited+wanted, "\n") > 300 {
			t.Skip() // the merge is quadratic in lines; two hundred say as much
		}
		merge := func(x, y string, wins winner) (string, bool) {
			text, ok := mergeLines([]byte(base), []byte(x), []byte(y), wins)
			return string(text), ok
		}
		text, ok := merge(edited, wanted, nobodyWins)
		if mirrored, ok2 := merge(wanted, edited, nobodyWins); ok != ok2 || text != mirrored {
			t.Fatalf("the other way round: %v %q, %v %q", ok, text, ok2, mirrored)
		}
		if m, merged := mergedFields([]byte(base), []byte(edited), []byte(wanted), nobodyWins); merged != nil {
			if m2, _ := mergedFields([]byte(base), []byte(wanted), []byte(edited), nobodyWins); m.conflict != m2.conflict {
				t.Fatalf("the other way round, a conflict of fields: %v, %v", m.conflict, m2.conflict)
			}
		}
		e, w, b := lines([]byte(edited)), lines([]byte(wanted)), lines([]byte(base))
		for _, side := range []struct {
			wins         winner
			mine, theirs []string
		}{{nobodyWins, e, w}, {generatedWins, w, e}, {editsWin, e, w}} {
			won, ok2 := merge(edited, wanted, side.wins)
			if ok && (!ok2 || won != text) {
				t.Fatalf("without a conflict the winner %d changes %q to %v %q", side.wins, text, ok2, won)
			}
			for _, line := range lines([]byte(won)) {
				if !slices.Contains(e, line) && !slices.Contains(w, line) {
					t.Fatalf("%q is from nowhere", line)
				}
			}
			if !ok2 {
				continue
			}
			for _, line := range side.mine {
				if !slices.Contains(b, line) && !slices.Contains(lines([]byte(won)), line) {
					t.Fatalf("%q of the winner %d is lost in %q", line, side.wins, won)
				}
			}
		}
	})
}

// FuzzCompose: a Compose file becomes an App that is written and read back, or is
// refused with an error of a bearable length.
func FuzzCompose(f *testing.F) {
	f.Add([]byte(composeFile), "A=1\nB='x y'\n")
	f.Add([]byte("services: {web: {image: 'x:${T:-${U:-1}}', ports: ['80'], env_file: [{path: a, required: false}]}}\n"), "export X=\"a\nb\"\n# c\n")
	f.Add([]byte("services: {web: &w {image: x, x-y: *w}}\n"), "")
	f.Add([]byte("services: {a: {image: x, command: \"a 'b c' \\\" d\", expose: [1-2], user: '0', mem_limit: 1gb, healthcheck: {disable: true}}}\n"), "=\n")
	f.Fuzz(func(t *testing.T, data []byte, env string) {
		getenv := func(name string) string { return map[string]string{"T": "1", "HOME": "/root"}[name] }
		c, err := ParseCompose(data, "compose.yaml", getenv, func(string) ([]byte, error) { return []byte(env), nil })
		bearable(t, err)
		if err != nil {
			return
		}
		for _, name := range c.Services() {
			a, _, err := c.App(name)
			bearable(t, err)
			if err != nil {
				continue
			}
			if _, err := Files(a); err != nil {
				t.Fatal(err)
			}
			written, err := MarshalApp(a)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseApp(written, SpecFile); err != nil {
				t.Fatalf("%v\n%s", err, written)
			}
		}
	})
}

func bearable(t *testing.T, err error) {
	t.Helper()
	if err != nil && len(err.Error()) > 20000 {
		t.Fatalf("an error of %d bytes: %.200v", len(err.Error()), err)
	}
}

// FuzzSet: an assignment is carried out, or refused with the App as it was.
func FuzzSet(f *testing.F) {
	for _, s := range []string{"service.externalTrafficPolicy=Local", "service.ports[0].nodePort=30080", "service.annotations.example.com/owner=a", "workload.env[0].name=A", "a[99999999999]=x", "overlays[0]={name: [}", "=", ".=", "[0]=", "service.ports="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, assignment string) {
		a := redisApp()
		a.Complete()
		before, err := encode(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Set(assignment); err != nil {
			after, err2 := encode(a)
			if !errors.As(err, new(*InvalidError)) || err2 != nil || string(after) != string(before) {
				t.Fatalf("%v (%v): the App became\n%s", err, err2, after)
			}
			bearable(t, err)
			return
		}
		if err := a.Validate(); err != nil {
			bearable(t, err)
			return
		}
		if _, err := Files(a); err != nil {
			t.Fatal(err)
		}
	})
}
