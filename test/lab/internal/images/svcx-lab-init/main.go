// Command svcx-lab-init is what runs first inside the lab's images. The name it is called
// by says what to be: "pause" keeps a Pod's namespaces alive, "docker-entrypoint.sh" and
// "redis-server" start Redis the way the official image does.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	var err error
	switch name := filepath.Base(os.Args[0]); name {
	case "pause":
		pause()
	case "docker-entrypoint.sh":
		err = entrypoint(os.Args[1:])
	case "redis-server":
		err = redisServer(os.Args[1:])
	default:
		err = fmt.Errorf("unknown name %q: call it pause, docker-entrypoint.sh or redis-server", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "svcx-lab-init:", err)
		os.Exit(1)
	}
}
