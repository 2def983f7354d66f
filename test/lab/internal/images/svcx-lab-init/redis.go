package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	realRedisServer = "/usr/libexec/redis/redis-server"
	redisUser       = 999
)

// entrypoint follows the official image's docker-entrypoint.sh: options or a
// configuration file alone mean redis-server, and redis-server is not run as root.
func entrypoint(args []string) error {
	args = entrypointArgs(args)
	if args[0] == "redis-server" && os.Getuid() == 0 {
		dropRoot()
	}
	program, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return replaceBy(program, args)
}

func entrypointArgs(args []string) []string {
	if len(args) == 0 {
		return []string{"redis-server"}
	}
	if strings.HasPrefix(args[0], "-") || strings.HasSuffix(args[0], ".conf") {
		return append([]string{"redis-server"}, args...)
	}
	return args
}

// dropRoot hands the working folder to the user redis and becomes it. Where the Pod took
// the capabilities for that away, Redis runs as root, as the official image does.
func dropRoot() {
	if err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, redisUser, redisUser)
	}); err != nil {
		return
	}
	if syscall.Setgroups([]int{redisUser}) != nil || syscall.Setgid(redisUser) != nil {
		return
	}
	_ = syscall.Setuid(redisUser)
}

// redisServer starts the server with protected mode off unless it is spoken of.
func redisServer(args []string) error {
	config := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		// A file that cannot be read is the server's to complain about.
		if b, err := os.ReadFile(args[0]); err == nil {
			config = string(b)
		}
	}
	return replaceBy(realRedisServer, append([]string{"redis-server"}, serverArgs(args, config)...))
}

// serverArgs adds "--protected-mode no" unless the arguments or the configuration file
// set the mode, or the arguments ask for something other than a server. The official
// image has the same default compiled in.
func serverArgs(args []string, config string) []string {
	if len(args) > 0 && slices.Contains([]string{"-v", "--version", "-h", "--help", "--test-memory", "--check-system", "-"}, args[0]) {
		return args
	}
	if slices.ContainsFunc(args, func(a string) bool {
		return strings.EqualFold(firstWord(a), "--protected-mode")
	}) || setsProtectedMode(config) {
		return args
	}
	return append(slices.Clone(args), "--protected-mode", "no")
}

func setsProtectedMode(config string) bool {
	lines := bufio.NewScanner(bytes.NewReader([]byte(config)))
	for lines.Scan() {
		if strings.EqualFold(firstWord(lines.Text()), "protected-mode") {
			return true
		}
	}
	return false
}

func firstWord(s string) string {
	if words := strings.Fields(s); len(words) > 0 {
		return words[0]
	}
	return ""
}

func replaceBy(program string, args []string) error {
	return fmt.Errorf("start %s: %w", program, syscall.Exec(program, args, os.Environ()))
}
