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

// sample is one measurement, and how far off it can be.
type sample struct{ value, doubt float64 }

// changing is a window in which changes were made, between two idle ones.
type changing struct {
	busy, before, after spent
	changes             int
}

// each is what one of the changes took, in ms: what is left without what the program
// takes anyway, as it did before and after. wavering is by how much of one CPU that is
// more or less from one window to the next: the sample can be off by it.
func (c changing) each(wavering float64) sample {
	if c.changes == 0 {
		return sample{}
	}
	of := func(share float64) float64 { return share * ms(c.busy.window) / float64(c.changes) }
	idle := (c.before.share() + c.after.share()) / 2
	return sample{of(c.busy.share() - idle), of(max(wavering, math.Abs(c.before.share()-c.after.share())/2))}
}

// wavering is the standard deviation of the shares of windows that should be alike.
func wavering(windows []spent) float64 {
	if len(windows) < 2 {
		return 0
	}
	var sum, squares float64
	for _, s := range windows {
		sum += s.share()
	}
	mean := sum / float64(len(windows))
	for _, s := range windows {
		squares += (s.share() - mean) * (s.share() - mean)
	}
	return math.Sqrt(squares / float64(len(windows)-1))
}

// figure is what the samples of one thing say: their median, and how far off it can
// be, which is half of the way from the least to the most, and no less than the samples'
// own doubt, of which the more of them the less is left.
type figure struct{ value, spread float64 }

func figureOf(samples []sample) figure {
	var values, doubts []float64
	for _, s := range samples {
		values, doubts = append(values, s.value), append(doubts, s.doubt)
	}
	if len(values) == 0 {
		return figure{}
	}
	return figure{medianOf(values), max((slices.Max(values)-slices.Min(values))/2, medianOf(doubts)/math.Sqrt(float64(len(doubts))))}
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
