package main

import (
	"testing"
	"time"
)

func TestWhatAChangeTook(t *testing.T) {
	in := func(cpu, window int) spent {
		return spent{time.Duration(cpu) * time.Millisecond, time.Duration(window) * time.Second}
	}
	for _, c := range []struct {
		name     string
		changing changing
		wavering float64
		want     sample
	}{
		{"idle windows alike", changing{in(300, 10), in(100, 10), in(100, 10), 20}, 0, sample{10, 0}},
		{"idle windows apart", changing{in(300, 10), in(80, 10), in(120, 10), 20}, 0, sample{10, 1}},
		{"idle windows of another length", changing{in(300, 10), in(200, 20), in(50, 5), 20}, 0, sample{10, 0}},
		{"idle windows that waver more than these", changing{in(300, 10), in(80, 10), in(120, 10), 20}, 0.004, sample{10, 2}},
		{"nothing but what is taken anyway", changing{in(100, 10), in(90, 10), in(110, 10), 10}, 0, sample{0, 1}},
		{"less than what is taken anyway", changing{in(80, 10), in(100, 10), in(100, 10), 10}, 0, sample{-2, 0}},
		{"no change was made", changing{in(80, 10), in(100, 10), in(100, 10), 0}, 0.1, sample{}},
	} {
		if got := c.changing.each(c.wavering); !near(got.value, c.want.value) || !near(got.doubt, c.want.doubt) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestHowMuchWindowsWaver(t *testing.T) {
	at := func(ms ...int) (windows []spent) {
		for _, n := range ms {
			windows = append(windows, spent{time.Duration(n) * time.Millisecond, time.Second})
		}
		return windows
	}
	for _, c := range []struct {
		windows []spent
		want    float64
	}{{nil, 0}, {at(5), 0}, {at(5, 5, 5), 0}, {at(4, 6, 5, 5, 3, 7), 0.001414213562}} {
		if got := wavering(c.windows); got-c.want > 1e-9 || c.want-got > 1e-9 {
			t.Errorf("%v: %v, want %v", c.windows, got, c.want)
		}
	}
}

func TestFiguresOfSamples(t *testing.T) {
	for _, c := range []struct {
		name    string
		samples []sample
		want    figure
	}{
		{"none", nil, figure{}},
		{"one: its doubt is all that is known", []sample{{5, 2}}, figure{5, 2}},
		{"two", []sample{{4, 0}, {8, 0}}, figure{6, 2}},
		{"half of the way from least to most", []sample{{9, 0.1}, {5, 0.1}, {6, 0.1}}, figure{6, 2}},
		{"no less than their doubt", []sample{{5, 3}, {5, 3}, {5, 3}, {5, 3}}, figure{5, 1.5}},
	} {
		if got := figureOf(c.samples); !near(got.value, c.want.value) || !near(got.spread, c.want.spread) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestFiguresAsText(t *testing.T) {
	for _, c := range []struct {
		figure, other figure
		text, beside  string
	}{
		{figure{3.14, 0.26}, figure{31.4, 2}, "3.1 ± 0.3 ms", "1/10"},
		{figure{123.4, 12}, figure{246.8, 1}, "123 ± 12 ms", "1/2.0"},
		{figure{50, 1}, figure{20, 1}, "50 ± 1.0 ms", "2.5 times"},
		{figure{50, 0}, figure{50, 0}, "50 ms", "1/1.0"},
		{figure{0.4, 0.6}, figure{20, 1}, "< 1.0 ms", "< 1/20"},
		{figure{-3, 0.52}, figure{20, 1}, "< 0.6 ms", "< 1/38"},
		{figure{0, 0}, figure{20, 1}, "< 0.1 ms", "< 1/200"},
		{figure{8, 9}, figure{20, 1}, "< 17 ms", "< 1/1.2"},
		{figure{8, 9}, figure{10, 1}, "< 17 ms", ""}, // may be more
		{figure{5, 1}, figure{1, 2}, "5.0 ± 1.0 ms", ""},
		{figure{9.97, 0}, figure{}, "10 ms", ""},
	} {
		if got := c.figure.text("ms"); got != c.text {
			t.Errorf("%+v: %q, want %q", c.figure, got, c.text)
		}
		if got := c.figure.beside(c.other); got != c.beside {
			t.Errorf("%+v beside %+v: %q, want %q", c.figure, c.other, got, c.beside)
		}
	}
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
