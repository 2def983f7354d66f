package shell

import (
	"context"
	"os/exec"
	"testing"
)

func TestWord(t *testing.T) {
	for s, want := range map[string]string{
		"":                        "''",
		"redis/overlays/nodeport": "redis/overlays/nodeport",
		"two words":               "'two words'",
		"a'b":                     `'a'\''b'`,
		"$(reboot)":               "'$(reboot)'",
		"line\nbreak":             "'line\nbreak'",
		"~/tree":                  "~/tree",
		"~/my tree":               "~/'my tree'",
		"~root":                   "'~root'",
		"=ls":                     "'=ls'",
		"key=value":               "key=value",
		"-x":                      "-x",
		"http://[fd00::1]:80/":    "'http://[fd00::1]:80/'",
		"büro":                    "'büro'",
	} {
		if got := Word(s); got != want {
			t.Errorf("Word(%q) = %s, want %s", s, got, want)
		}
	}
}

// A shell gives back what was made a word, to the byte.
func FuzzWord(f *testing.F) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("DID NOT RUN: there is no sh here")
	}
	for _, s := range []string{"", "a b", "'", `\`, "$HOME", "`id`", "*", "#", "a;b", "!x", "{a,b}", "\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range []byte(s) {
			if r == 0 || r == '~' {
				t.Skip() // no argument holds the one, the other is the home folder
			}
		}
		out, err := exec.CommandContext(context.WithoutCancel(t.Context()), sh, "-c", "printf %s "+Word(s)+" x").Output()
		if err != nil || string(out) != s+"x" {
			t.Errorf("%q: a shell takes it for %q: %v", s, out, err)
		}
	})
}
