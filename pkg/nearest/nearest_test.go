package nearest

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"redis", "redis", 0}, {"redis", "", 5}, {"", "redis", 5},
		{"reddis", "redis", 1}, {"reds", "redis", 1}, {"radis", "redis", 1}, {"reids", "redis", 1},
		{"kitten", "sitting", 3}, {"ab", "ba", 1}, {"abc", "ca", 3},
		{strings.Repeat("a", 65), strings.Repeat("a", 65), tooLong},
	} {
		if got := Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := Distance(tt.b, tt.a); got != tt.want {
			t.Errorf("%q to %q: %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

func TestName(t *testing.T) {
	names := []string{"namespace", "name", "ClusterIP", "NodePort", "LoadBalancer", "up", "-n"}
	for written, want := range map[string]string{
		"LoadBlancer": "LoadBalancer", "clusterip": "ClusterIP", "nodeprot": "NodePort", "load": "LoadBalancer", "nam": "name", "names": "name", "ip": "up",
		"": "", "Ingress": "", strings.Repeat("NodePort", 20): "",
	} {
		if got := Name(written, names); got != want {
			t.Errorf("%q: %q, want %q", written, got, want)
		}
	}
}
