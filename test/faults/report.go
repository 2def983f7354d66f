package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// printTable prints the results, what is not right last, and the sums.
func printTable(w io.Writer, results []Result) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tVARIANT\tRESULT\tSETTLED\tVERDICT\tMENDED")
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Variant, b.Variant) })
	for _, r := range results {
		ids := strings.Join(r.IDs, "+")
		if ids == "" {
			ids = "none"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.1f s\t%.1f s\t%s\n", ids, r.Variant, r.Mark, r.Settled, r.Seconds, r.Mended)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		if r.Mark != MarkRight {
			fmt.Fprintf(w, "\n%s  %s\n  %s\n", r.Mark, r.Variant, shorten(r.Why, 600))
			for _, n := range r.Named {
				fmt.Fprintf(w, "  named    %s\n", n)
			}
			if r.Verdict != "" {
				fmt.Fprintf(w, "  verdict  %s\n", r.Verdict)
			}
		}
	}
	for _, r := range results {
		if r.Mended == MendedNo {
			fmt.Fprintf(w, "\nnot mended  %s\n  %s\n", r.Variant, shorten(r.MendWhy, 600))
		}
	}
	reasons(w, "Mended by hand only, since no manifest can be derived:", handReasons(results))
	reasons(w, "Not on this lab but on what was recorded elsewhere:", recordings(results))
	_, err := fmt.Fprintln(w, "\n"+summary(results))
	return err
}

// handReasons collects why faults have no fix, by ID or by case.
func handReasons(results []Result) map[string]string {
	out := map[string]string{}
	for _, r := range results {
		if r.Mended == MendedByHand {
			out[strings.Join(r.IDs, "+")] = r.MendWhy
		}
	}
	return out
}

// recordings collects on what clusters the recorded cases were seen, by case.
func recordings(results []Result) map[string]string {
	out := map[string]string{}
	for _, r := range results {
		if r.Recorded != "" {
			out[r.Variant] = r.Recorded
		}
	}
	return out
}

func reasons(w io.Writer, title string, why map[string]string) {
	if len(why) == 0 {
		return
	}
	fmt.Fprintln(w, "\n"+title)
	for _, id := range slices.Sorted(maps.Keys(why)) {
		fmt.Fprintf(w, "  %s  %s\n", id, why[id])
	}
}

// summary is the last line: sums by mark, and the median time to a verdict.
func summary(results []Result) string {
	count := map[Mark]int{}
	faults, sound := 0, 0
	var seconds []float64
	mended := map[Mended]int{}
	for _, r := range results {
		count[r.Mark]++
		mended[r.Mended]++
		if len(r.IDs) > 0 {
			faults++
		} else {
			sound++
		}
		if r.Seconds > 0 {
			seconds = append(seconds, r.Seconds)
		}
	}
	median := 0.0
	if len(seconds) > 0 {
		slices.Sort(seconds)
		median = seconds[len(seconds)/2]
	}
	return fmt.Sprintf("%d with faults, %d healthy: %d right, %d wrong, %d missed, %d false alarms, %d not proven, %d errors; median verdict %.1f s\n%d mended by their fix, %d not, %d by hand only",
		faults, sound, count[MarkRight], count[MarkWrong], count[MarkMissed], count[MarkFalseAlarm], count[MarkUnproven], count[MarkError], median,
		mended[MendedYes], mended[MendedNo], mended[MendedByHand])
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
