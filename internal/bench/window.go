package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// spent is the CPU time that a program took in a window of time.
type spent struct{ cpu, window time.Duration }

// share is how much of one CPU that is.
func (s spent) share() float64 { return float64(s.cpu) / float64(s.window) }

// sample is one measurement, and how far off it can be at least: half of what stood
// between two measurements of what should be the same.
type sample struct{ value, doubt float64 }

// perChange is what one of n changes took, in ms, that were made in a window: what
// is left of it without what the program takes anyway, as it did in the idle windows
// before and after. Their difference is what the sample can be off by.
func perChange(busy spent, n int, before, after spent) sample {
	if n == 0 {
		return sample{}
	}
	idle := (before.share() + after.share()) / 2 * float64(busy.window)
	apart := math.Abs(before.share()-after.share()) / 2 * float64(busy.window)
	return sample{(float64(busy.cpu) - idle) / 1e6 / float64(n), apart / 1e6 / float64(n)}
}

// figure is what the samples of one thing say: their median, and how far off it can
// be, which is half of the way from the least to the most, and no less than the samples'
// own doubt (their median).
type figure struct{ value, spread float64 }

func figureOf(samples []sample) figure {
	var values, doubts []float64
	for _, s := range samples {
		values, doubts = append(values, s.value), append(doubts, s.doubt)
	}
	if len(values) == 0 {
		return figure{}
	}
	return figure{medianOf(values), max((slices.Max(values)-slices.Min(values))/2, medianOf(doubts))}
}

// isNoise is set where the figure cannot be told from nothing.
func (f figure) isNoise() bool { return f.value <= f.spread }

// most is the most that the figure may be: no less than what is written at all.
func (f figure) most() float64 { return max(0.1, max(f.value, 0)+f.spread) }

// text is the figure with its unit.
func (f figure) text(unit string) string {
	switch {
	case f.isNoise():
		return fmt.Sprintf("< %s %s", upward(f.most()), unit)
	case digits(f.spread) == "0.0":
		return fmt.Sprintf("%s %s", digits(f.value), unit)
	default:
		return fmt.Sprintf("%s ± %s %s", digits(f.value), digits(f.spread), unit)
	}
}

// beside is how often as much another figure is, or this one: "1/12" where this is a
// twelfth. Where this is less than what can be told it is "< 1/12". It is empty where
// the other is.
func (f figure) beside(other figure) string {
	switch {
	case other.isNoise():
		return ""
	case f.isNoise() && f.most() < other.value:
		return "< 1/" + digits(other.value/f.most())
	case f.isNoise():
		return ""
	case f.value <= other.value:
		return "1/" + digits(other.value/f.value)
	default:
		return digits(f.value/other.value) + " times"
	}
}

// digits writes a number with as many digits as are of use.
func digits(v float64) string {
	if math.Abs(v) < 9.95 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// upward is digits, rounded up: what is less than v is less than that.
func upward(v float64) string {
	if v < 9.9 {
		return fmt.Sprintf("%.1f", math.Ceil(v*10-1e-9)/10)
	}
	return fmt.Sprintf("%.0f", math.Ceil(v-1e-9))
}

// medianOf is the value in the middle, or halfway between the two in the middle; 0: there
// are none.
func medianOf(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
