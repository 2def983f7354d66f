package verify

import (
	_ "embed" // the catalogue's text
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed catalogue.yaml
var catalogueText []byte

// Fault is one entry of the catalogue: what an ID stands for.
type Fault struct {
	ID    string `json:"id"`    // "SVC201"
	Title string `json:"title"` // a few words, in lower case, without a full stop
	Means string `json:"means"` // what is wrong, and what a client notices
	Told  string `json:"told"`  // by what evidence it is told from its neighbours
	Fix   string `json:"fix"`
}

// families name the groups of IDs by their first digit.
var families = [...]string{1: "Selection", 2: "Ports", 3: "Workload", 4: "Network and DNS", 5: "Node port and load balancer",
	6: "ExternalName and address families", 7: "Application protocol", 8: "Tree"}

// Family returns the name of the group that the ID belongs to.
func (f Fault) Family() string {
	if len(f.ID) > 3 && int(f.ID[3]-'0') < len(families) {
		return families[f.ID[3]-'0']
	}
	return ""
}

// Catalogue returns every fault that Judge can name, in the order of the IDs.
// The text is part of the program; an error means that it was built wrong.
func Catalogue() ([]Fault, error) {
	var list []Fault
	if err := yaml.UnmarshalStrict(catalogueText, &list); err != nil {
		return nil, fmt.Errorf("reading the catalogue of faults: %w", err)
	}
	return list, nil
}

// Page returns a fault's page in Markdown.
func (f Fault) Page() string {
	return fmt.Sprintf("# %s: %s\n\n%s\n\n## How it is told from its neighbours\n\n%s\n\n## How to mend it\n\n%s\n", f.ID, f.Title, f.Means, f.Told, f.Fix)
}

// CatalogueIndex returns the page in Markdown that lists all faults.
func CatalogueIndex(list []Fault) string {
	var b strings.Builder
	b.WriteString("# Faults\n\nEach fault has an ID that never changes. `kubectl svcx explain ID` prints the same text.\n")
	family := ""
	for _, f := range list {
		if f.Family() != family {
			family = f.Family()
			fmt.Fprintf(&b, "\n## %s\n\n", family)
		}
		fmt.Fprintf(&b, "- [%s](%s.md): %s\n", f.ID, f.ID, f.Title)
	}
	return b.String()
}
