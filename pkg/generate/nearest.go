package generate

import (
	"fmt"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
)

// didYouMean returns "; did you mean X?" for the name nearest to what was
// written, or nothing when none is near.
func didYouMean(written string, names []string) string {
	if near := nearest.Name(written, names); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}
