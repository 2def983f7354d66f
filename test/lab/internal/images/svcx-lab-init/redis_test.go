package main

import (
	"slices"
	"strings"
	"testing"
)

func TestEntrypointArgs(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "redis-server",
		"--port 6380":                 "redis-server --port 6380",
		"/etc/redis.conf":             "redis-server /etc/redis.conf",
		"redis-server --port 6380":    "redis-server --port 6380",
		"redis-cli ping":              "redis-cli ping",
		"/etc/redis.conf --port 6380": "redis-server /etc/redis.conf --port 6380",
	} {
		if got := entrypointArgs(strings.Fields(in)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("entrypointArgs(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestServerArgsTurnProtectedModeOffUnlessItIsSet(t *testing.T) {
	for _, tc := range []struct{ args, config, want string }{
		{"", "", "--protected-mode no"},
		{"--port 6380", "", "--port 6380 --protected-mode no"},
		{"--protected-mode yes", "", "--protected-mode yes"},
		{"--PROTECTED-MODE yes --port 1", "", "--PROTECTED-MODE yes --port 1"},
		{"/etc/redis.conf", "port 6380\n", "/etc/redis.conf --protected-mode no"},
		{"/etc/redis.conf", "port 6380\n  protected-mode yes\n", "/etc/redis.conf"},
		{"/etc/redis.conf", "# protected-mode yes\n", "/etc/redis.conf --protected-mode no"},
		{"--version", "", "--version"},
		{"-", "", "-"},
	} {
		if got := serverArgs(strings.Fields(tc.args), tc.config); !slices.Equal(got, strings.Fields(tc.want)) {
			t.Errorf("serverArgs(%q, %q) = %q, want %q", tc.args, tc.config, got, tc.want)
		}
	}
}
