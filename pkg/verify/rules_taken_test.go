package verify

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestTakenPort(t *testing.T) {
	for words, want := range map[string]int32{
		"listen tcp :18080: bind: address already in use":                                   18080,
		"Error: listen EADDRINUSE: address already in use :::3000\n    at Server.listen":    3000,
		"nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)":           80,
		"Web server failed to start. Port 8080 was already in use.":                         8080,
		"Could not create server TCP listening socket *:6379: bind: Address already in use": 6379,
		"bind: address already in use (os error 98), [::]:99999":                            0,
		"OSError: [Errno 98] Address already in use":                                        0,
	} {
		if got, taken := takenPort(words); got != want || !taken {
			t.Errorf("%q: %d, %t; want %d", words, got, taken, want)
		}
	}
	if _, taken := takenPort("dial tcp 10.0.0.1:5432: connection refused"); taken {
		t.Error("a refused connection is no port that is taken")
	}
}

func TestWantsPort(t *testing.T) {
	for text, want := range map[string]bool{
		"--http=:8080": true, "8080": true, "0.0.0.0:8080": true, "http://localhost:8080/": true,
		"--http=:18080": false, "80801": false, "v1.8080": false,
	} {
		if got := wantsPort(&corev1.Container{Args: []string{text}}, 8080); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	if wantsPort(&corev1.Container{Args: []string{"0"}}, 0) {
		t.Error("a port that is not known is nobody's")
	}
}
