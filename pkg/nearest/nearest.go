// Package nearest finds the name that somebody probably meant.
package nearest

import "strings"

// tooLong is the length in bytes from which names are not compared: none is
// near a text that long, and what is compared may be hostile.
const tooLong = 64

// Name returns the one of names that is nearest to what was written, ignoring
// case; empty when even that one differs by more than a third of its letters
// (or by more than one letter where it is short). A name that begins with the
// three letters or more that were written is near too, however long it is. Of
// names equally near it returns the first.
func Name(written string, names []string) string {
	written = strings.ToLower(written)
	best, least := "", -1
	for _, name := range names {
		lower := strings.ToLower(name)
		d := Distance(written, lower)
		begins := len(written) >= 3 && strings.HasPrefix(lower, written)
		if (begins || d <= max(1, len(name)/3)) && (least < 0 || d < least) {
			best, least = name, d
		}
	}
	return best
}

// Distance is the least number of letters to insert, delete, replace or swap
// with their neighbour that turns a into b (optimal string alignment). Texts of
// more than 64 bytes are 64 apart from everything.
func Distance(a, b string) int {
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
