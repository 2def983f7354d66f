// Package lines finds the lines in which two texts differ.
package lines

import "strings"

// most bounds the table of common parts, in cells; above it, everything between
// what is alike at both ends counts as changed.
const most = 4 << 20

// Diff returns the first line that changes and all that do, each led by "-" or
// "+". What is alike at both ends is left out first: the rest is short, so a
// table of longest common parts will do.
func Diff(before, after string) (int, string) {
	a, b := strings.Split(strings.TrimSuffix(before, "\n"), "\n"), strings.Split(strings.TrimSuffix(after, "\n"), "\n")
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	for len(a) > start && len(b) > start && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	a, b = a[start:], b[start:]
	var out []string
	if (len(a)+1)*(len(b)+1) > most {
		for _, l := range a {
			out = append(out, "-"+strings.TrimRight(l, "\r"))
		}
		for _, l := range b {
			out = append(out, "+"+strings.TrimRight(l, "\r"))
		}
		return start + 1, strings.Join(out, "\n")
	}
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "-"+strings.TrimRight(a[i], "\r"))
			i++
		default:
			out = append(out, "+"+strings.TrimRight(b[j], "\r"))
			j++
		}
	}
	return start + 1, strings.Join(out, "\n")
}
