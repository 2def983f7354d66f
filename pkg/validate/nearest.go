package validate

import "strings"

// nearest returns the name with the smallest edit distance to s, ignoring case;
// empty when none is near.
func nearest(s string, names []string) string {
	best, least := "", -1
	for _, name := range names {
		d := distance(strings.ToLower(s), strings.ToLower(name))
		if d <= max(1, len(name)/3) && (least < 0 || d < least) {
			best, least = name, d
		}
	}
	return best
}

// distance is the least number of letters to insert, delete or replace.
func distance(a, b string) int {
	const tooLong = 64 // no name is near that; keeps hostile input cheap
	if len(a) > tooLong || len(b) > tooLong {
		return tooLong
	}
	previous, current := make([]int, len(b)+1), make([]int, len(b)+1)
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
		}
		previous, current = current, previous
	}
	return previous[len(b)]
}
