package generate

import (
	"slices"
	"strings"
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
// from base too, so that comments, blank lines, order and indentation stay where
// nothing must change: line by line, or where both have changed the same lines, field
// by field. Where both have changed the same field, the winner's stays; with none the
// merge has failed. So it has when the outcome is not sound.
func mergeText(base, edited, wanted []byte, wins winner) ([]byte, bool) {
	type merge func(base, edited, wanted []byte, wins winner) ([]byte, bool)
	for _, try := range []struct {
		merge merge
		wins  winner
	}{{mergeLines, nobodyWins}, {mergeFields, nobodyWins}, {mergeFields, wins}, {mergeLines, wins}} {
		if text, ok := try.merge(base, edited, wanted, try.wins); ok && sound(text, edited, wanted) {
			return text, true
		}
	}
	return nil, false
}

// mergeLines is mergeText line by line. Items that both have added to a list at one
// place are both kept, where their order says nothing.
func mergeLines(base, edited, wanted []byte, wins winner) ([]byte, bool) {
	b, e, w := lines(base), lines(edited), lines(wanted)
	if len(b) > maxMatched || len(e) > maxMatched || len(w) > maxMatched {
		return nil, false
	}
	m := &merger{base: b, edited: e, wanted: w, inEdited: matches(b, e), inWanted: matches(b, w), wins: wins}
	for m.joins = true; ; m.joins = false {
		if text, ok := m.merge(); ok && sound(text, edited, wanted) {
			return text, true
		}
		if !m.joined {
			return nil, false
		}
	}
}

// merger merges three texts, given as lines.
type merger struct {
	base, edited, wanted []string
	inEdited, inWanted   []int // the line there that one of base is, -1 for none
	wins                 winner
	joins                bool // items added by both are both kept,
	joined               bool // and there were some
}

func (m *merger) merge() ([]byte, bool) {
	b, e, w := m.base, m.edited, m.wanted
	m.joined = false
	var out []string
	i, j, k := 0, 0, 0
	for {
		// The next line of base that both still have ends a chunk.
		next := i
		for next < len(b) && (m.inEdited[next] < 0 || m.inWanted[next] < 0) {
			next++
		}
		toE, toW := len(e), len(w)
		if next < len(b) {
			toE, toW = m.inEdited[next], m.inWanted[next]
		}
		chunk, ok := m.join(b[i:next], e[j:toE], w[k:toW], out, e[toE:], w[toW:])
		if !ok {
			chunk, ok = mergeChunk(b[i:next], e[j:toE], w[k:toW], m.wins)
		}
		if !ok {
			return nil, false
		}
		out = append(out, chunk...)
		if next == len(b) {
			return []byte(strings.Join(out, "")), true
		}
		out = append(out, b[next])
		i, j, k = next+1, toE+1, toW+1
	}
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

// maxMatched bounds what matches is asked for, as it takes memory by the square:
// generated files have a hundred lines; hostile ones stay cheap.
const maxMatched = 4000

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
