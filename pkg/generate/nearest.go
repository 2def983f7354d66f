package generate

import (
	"fmt"
	"strings"
)

// didYouMean returns "; did you mean X?" for the name nearest to what was
// written, or nothing when none is near.
func didYouMean(written string, names []string) string {
	if near := nearest(written, names); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// nearest returns the name with the smallest edit distance to s, ignoring case;
// empty when even that one differs by more than a third of its letters (or by
// more than one letter where it is short).
func nearest(s string, names []string) string {
	s = strings.ToLower(s)
	best, bestDistance := "", -1
	for _, name := range names {
		d := editDistance(s, strings.ToLower(name))
		if d <= max(1, len(name)/3) && (bestDistance < 0 || d < bestDistance) {
			best, bestDistance = name, d
		}
	}
	return best
}

// editDistance is the least number of letters to insert, delete, replace or
// swap with their neighbour that turns a into b.
func editDistance(a, b string) int {
	const tooLong = 64 // no name here is near that; keeps hostile input cheap
	if len(a) > tooLong || len(b) > tooLong {
		return tooLong
	}
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
