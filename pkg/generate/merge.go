package generate

import (
	"bytes"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// winner is the side whose lines stay where both have changed the same.
type winner int

const (
	nobodyWins winner = iota
	generatedWins
	editsWin
)

func (o WriteOptions) winner() winner {
	switch {
	case o.Overwrite:
		return generatedWins
	case o.KeepEdits:
		return editsWin
	}
	return nobodyWins
}

// mergeText brings the changes from base to wanted into a person's text that came
// from base too: line by line, so that comments, blank lines, order and
// indentation stay where nothing must change. Where both have changed the same
// lines, the winner's stay; with none the merge has failed. So it has when the
// outcome is no YAML any more.
func mergeText(base, edited, wanted []byte, wins winner) ([]byte, bool) {
	b, e, w := lines(base), lines(edited), lines(wanted)
	const most = 4000 // generated files have a hundred; keeps hostile input cheap
	if len(b) > most || len(e) > most || len(w) > most {
		return nil, false
	}
	inEdited, inWanted := matches(b, e), matches(b, w)
	var out []string
	i, j, k := 0, 0, 0
	for {
		// The next line of base that both still have ends a chunk.
		next := i
		for next < len(b) && (inEdited[next] < 0 || inWanted[next] < 0) {
			next++
		}
		toE, toW := len(e), len(w)
		if next < len(b) {
			toE, toW = inEdited[next], inWanted[next]
		}
		chunk, ok := mergeChunk(b[i:next], e[j:toE], w[k:toW], wins)
		if !ok {
			return nil, false
		}
		out = append(out, chunk...)
		if next == len(b) {
			break
		}
		out = append(out, b[next])
		i, j, k = next+1, toE+1, toW+1
	}
	merged := []byte(strings.Join(out, ""))
	var doc map[string]any
	if yaml.NewDecoder(bytes.NewReader(merged)).Decode(&doc) != nil { // refuses a field that is there twice
		return nil, false
	}
	return merged, true
}

// mergeChunk decides on lines between two that all three have.
func mergeChunk(base, edited, wanted []string, wins winner) ([]string, bool) {
	switch {
	case slices.Equal(base, edited):
		return wanted, true
	case slices.Equal(base, wanted), slices.Equal(edited, wanted):
		return edited, true
	case len(base) == len(edited) && len(base) == len(wanted) && len(base) > 1:
		// Changes of neighbouring lines do not stand against each other.
		var out []string
		for i := range base {
			line, ok := mergeChunk(base[i:i+1], edited[i:i+1], wanted[i:i+1], wins)
			if !ok {
				return nil, false
			}
			out = append(out, line...)
		}
		return out, true
	}
	if wins == editsWin {
		return edited, true
	}
	return wanted, wins == generatedWins
}

func lines(text []byte) []string {
	out := strings.SplitAfter(string(text), "\n")
	if last := len(out) - 1; out[last] == "" {
		return out[:last]
	}
	out[len(out)-1] += "\n"
	return out
}

// matches gives for each line of a the line of b that it is, -1 for none: a
// longest common subsequence.
func matches(a, b []string) []int {
	length := make([][]int32, len(a)+1)
	cells := make([]int32, (len(a)+1)*(len(b)+1))
	for i := range length {
		length[i] = cells[i*(len(b)+1) : (i+1)*(len(b)+1)]
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	out := make([]int, len(a))
	i, j := 0, 0
	for i < len(a) {
		switch {
		case j < len(b) && a[i] == b[j]:
			out[i] = j
			i, j = i+1, j+1
		case j == len(b) || length[i+1][j] >= length[i][j+1]:
			out[i] = -1
			i++
		default:
			j++
		}
	}
	return out
}
