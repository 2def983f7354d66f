package lab

import (
	"os"
	"path/filepath"
	"testing"
)

// The process's first thread is among those that examine the machine, sooner or later;
// were it left in the namespace of the attempt, a lab's interface would be made there.
func TestExamineLeavesNoThreadElsewhere(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s DID NOT RUN: it needs root, to make network namespaces", t.Name())
	}
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		// What the machine lacks does not matter here.
		if _, err := kernelLacks(nil); err != nil {
			t.Fatal(err)
		}
		threads, err := filepath.Glob("/proc/self/task/*/ns/net")
		if err != nil || len(threads) == 0 {
			t.Fatal(err, threads)
		}
		for _, path := range threads {
			// A thread may end between the two.
			if ns, err := os.Readlink(path); err == nil && ns != home {
				t.Fatalf("%s is %s, not %s", path, ns, home)
			}
		}
	}
}
