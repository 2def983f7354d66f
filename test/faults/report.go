package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// printTable prints the results, what is not right last, and the sums.
func printTable(w io.Writer, results []Result, absent []Fault) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tVARIANT\tRESULT\tSETTLED\tVERDICT")
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Variant, b.Variant) })
	for _, r := range results {
		ids := strings.Join(r.IDs, "+")
		if ids == "" {
			ids = "none"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.1f s\t%.1f s\n", ids, r.Variant, r.Mark, r.Settled, r.Seconds)
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
	if len(absent) > 0 {
		fmt.Fprintln(w, "\nNot exhibited by the lab:")
		for _, f := range absent {
			fmt.Fprintf(w, "  %s  %s: %s\n", f.ID, f.Title, f.NotHere)
		}
	}
	_, err := fmt.Fprintln(w, "\n"+summary(results))
	return err
}

// summary is the last line: sums by mark, and the median time to a verdict.
func summary(results []Result) string {
	count := map[Mark]int{}
	faults, sound := 0, 0
	var seconds []float64
	for _, r := range results {
		count[r.Mark]++
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
	return fmt.Sprintf("%d with faults, %d healthy: %d right, %d wrong, %d missed, %d false alarms, %d not proven, %d errors; median verdict %.1f s",
		faults, sound, count[MarkRight], count[MarkWrong], count[MarkMissed], count[MarkFalseAlarm], count[MarkUnproven], count[MarkError], median)
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
