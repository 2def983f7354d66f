package cli

import (
	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// faultHelp gives the formats that carry a fault's help text the catalogue's;
// the others get none, since reading it takes a moment.
func faultHelp(f report.Format) (func(id string) (title, text string), error) {
	if f != report.SARIF && f != report.HTML {
		return nil, nil
	}
	list, err := verify.Catalogue()
	if err != nil {
		return nil, err
	}
	byID := map[string]verify.Fault{}
	for _, x := range list {
		byID[x.ID] = x
	}
	return func(id string) (title, text string) {
		x, ok := byID[id]
		if !ok {
			return "", ""
		}
		return x.Title, x.Means + "\n\nHow it is told from its neighbours: " + x.Told + "\n\nHow to mend it: " + x.Fix
	}, nil
}
