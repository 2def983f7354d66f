package lab

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/components"
)

// Programs are the paths of what the lab runs and was built from this module, and of the
// programs that go into its images.
type Programs struct {
	Lab        string // svcx-lab itself
	Components string // svcx-lab-components
	Init       string // svcx-lab-init
	TestServer string // svcx-testserver
	Probe      string // svcx-probe; may be missing

	PolicyPlugin string // svcx-netpol
}

// FindPrograms looks for the programs beside svcx-lab, where the build puts them.
func FindPrograms(self string) (Programs, error) {
	dir := filepath.Dir(self)
	p := Programs{
		Lab:        self,
		Components: filepath.Join(dir, "lab", "svcx-lab-components"),
		Init:       filepath.Join(dir, "lab", "svcx-lab-init"),
		TestServer: filepath.Join(dir, "lab", "svcx-testserver"),
		Probe:      filepath.Join(dir, "svcx-probe"),

		PolicyPlugin: filepath.Join(dir, "lab", components.PolicyPlugin),
	}
	var missing []string
	for _, path := range []string{p.Components, p.Init, p.TestServer, p.PolicyPlugin} {
		if fileExists(path) != nil {
			missing = append(missing, filepath.Base(path))
		}
	}
	if len(missing) > 0 {
		return p, fmt.Errorf("%s not built yet in %s: run test/lab/build.sh", strings.Join(missing, ", "), filepath.Join(dir, "lab"))
	}
	if fileExists(p.Probe) != nil {
		p.Probe = ""
	}
	// A component is bound into the hosts as a file, not as the link that the build makes.
	resolved, err := filepath.EvalSymlinks(p.Components)
	if err != nil {
		return p, err
	}
	p.Components = resolved
	return p, nil
}
