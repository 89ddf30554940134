package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// row is one line of the table: medians, in ms and MB.
type row struct {
	result
	figures []float64
}

// columns are the figures of a row, in order.
func columns() []string {
	return []string{
		"one-shot wall ms", "one-shot CPU ms", "one-shot RSS MB",
		"start to first file ms", "start CPU ms",
		"change to file ms", "change to BIRD ms", "change CPU ms", "its checks' CPU ms",
		"daemon RSS MB",
	}
}

func (r result) row() row {
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	mb := func(n int64) float64 { return float64(n) / 1e6 }
	written, reconfigured := -1.0, -1.0 // none
	if !r.unaffected {
		written = median(r.changes, func(c changeCost) float64 { return ms(c.written) })
		reconfigured = median(r.changes, func(c changeCost) float64 { return ms(c.reconfigured) })
	}
	return row{r, []float64{
		median(r.oneShot, func(u usage) float64 { return ms(u.wall) }),
		median(r.oneShot, func(u usage) float64 { return ms(u.cpu) }),
		median(r.oneShot, func(u usage) float64 { return mb(u.rss) }),
		ms(r.start.wall), ms(r.start.cpu),
		written, reconfigured,
		median(r.changes, func(c changeCost) float64 { return ms(c.cpu) }),
		median(r.changes, func(c changeCost) float64 { return ms(c.childCPU) }),
		mb(r.start.rss),
	}}
}

func median[T any](all []T, of func(T) float64) float64 {
	var values []float64
	for _, v := range all {
		values = append(values, of(v))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// printTables prints the figures, and how they grow from the second largest
// number of nodes to the largest.
func printTables(w io.Writer, o options, results []result) {
	var rows []row
	for _, r := range results {
		rows = append(rows, r.row())
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.store, b.store)) })
	fmt.Fprintf(w, "Medians of %d runs. A change adds one node, or one BGPPeer where those are counted, or what is said; "+
		"times are from the write into the store. -: nothing to write.\n\n", o.runs)
	printHead(w, "nodes")
	for _, r := range rows {
		printRow(w, r, fmt.Sprint(r.nodes), r.figures, "%.0f")
	}
	printRatios(w, o, rows)
}

func printRatios(w io.Writer, o options, rows []row) {
	if len(o.sizes) < 2 {
		return
	}
	sizes := slices.Sorted(slices.Values(o.sizes))
	small, large := sizes[len(sizes)-2], sizes[len(sizes)-1]
	if !slices.ContainsFunc(rows, func(r row) bool { return r.nodes == small }) {
		return
	}
	fmt.Fprintf(w, "\nHow often as much for %d nodes as for %d:\n\n", large, small)
	printHead(w, "ratio of nodes")
	for _, l := range rows {
		i := slices.IndexFunc(rows, func(s row) bool { return s.nodes == small && s.name == l.name && s.store == l.store })
		if l.nodes != large || i < 0 {
			continue
		}
		ratios := make([]float64, len(l.figures))
		for k, f := range l.figures {
			ratios[k] = f / rows[i].figures[k]
			if f < 0 || rows[i].figures[k] <= 0 {
				ratios[k] = -1
			}
		}
		printRow(w, l, fmt.Sprintf("%.1f", float64(large)/float64(small)), ratios, "%.1f")
	}
}

func printHead(w io.Writer, nodes string) {
	names := append([]string{"cluster", "from", nodes}, columns()...)
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(names, " | "), strings.Repeat(" --- |", len(names)))
}

func printRow(w io.Writer, r row, nodes string, figures []float64, format string) {
	fmt.Fprintf(w, "| %s | %s | %s |", r.name, r.store, nodes)
	for _, f := range figures {
		text := "-"
		if f >= 0 {
			text = fmt.Sprintf(format, f)
		}
		fmt.Fprintf(w, " %s |", text)
	}
	fmt.Fprintln(w)
}
