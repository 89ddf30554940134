package main

import (
	_ "embed"
	"encoding/xml"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// How fast it goes: as the demo went, and before each step with time to read the one
// before; then it stays a while, and begins again.
const (
	readLine = 300 * time.Millisecond
	stay     = 8 * time.Second
)

// row is a line of the picture, as XML, and when it appears.
type row struct {
	at    time.Duration
	Text  string
	Class string
}

//go:embed picture.svg.template
var pictureText string

// y is where the n-th row's text stands.
func y(n int) int { return (n+1)*lineHeight - 4 }

// picture draws the recording: a terminal whose lines appear as they did. All lines
// are there from the beginning, under a cover that goes down, and the whole moves up.
// Who does not want things to move sees the end.
func picture(r recording) (string, error) {
	all := wrapped(paced(r))
	length := all[len(all)-1].at + stay
	t, err := template.New("").Funcs(template.FuncMap{"y": y}).Parse(pictureText)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"Width": width, "Height": height, "FrameWidth": width - 2, "FrameHeight": height - 2, "InnerWidth": width - 2*border, "InnerHeight": rows * lineHeight,
		"Left": border, "Top": titleBar, "LineHeight": lineHeight,
		"Rows": all, "Length": fmt.Sprintf("%.2fs", length.Seconds()),
		"Covered": steps(all, length, func(lines int) int { return lines * lineHeight }), "CoveredAtLast": len(all) * lineHeight,
		"Scrolled": steps(all, length, scrolled), "ScrolledAtLast": scrolled(len(all)),
	})
	return b.String(), err
}

// scrolled is where the terminal's first line is, in pixels, when it has so many.
func scrolled(lines int) int { return -max(0, lines-rows) * lineHeight }

// step is where something is moved to, in pixels, at a time in percent of the whole.
type step struct {
	percent float64
	To      int
}

// At is the time as the picture has it.
func (s step) At() string { return fmt.Sprintf("%.2f%%", s.percent) }

// percent is how much of the whole is over at a time.
func percent(at, length time.Duration) float64 { return 100 * at.Seconds() / length.Seconds() }

// steps are the moves of what is moved to where says for the lines that there are.
func steps(all []row, length time.Duration, where func(lines int) int) []step {
	var out []step
	for i, r := range all {
		last := i+1 == len(all) || all[i+1].at > r.at
		if to := where(i + 1); last && (len(out) == 0 || out[len(out)-1].To != to) {
			out = append(out, step{percent(r.at, length), to})
		}
	}
	return out
}

// paced are the recording's lines with time to read them: each step waits until there
// was some for the lines of the one before.
func paced(r recording) recording {
	var out recording
	pause, lines := time.Duration(0), 0
	for i, l := range r {
		if l.text == "" && i > 0 {
			pause += time.Duration(lines) * readLine
			lines = 0
		}
		lines++
		out = append(out, line{l.at + pause, l.text})
	}
	return out
}

// wrapped are the lines as they fit into the columns, continued below their text.
func wrapped(r recording) []row {
	var all []row
	for _, l := range r {
		indent := strings.Repeat(" ", len(l.text)-len(strings.TrimLeft(l.text, " "))+2)
		text, class := l.text, class(l.text)
		for len(text) > columns {
			cut := strings.LastIndex(text[:columns+1], " ")
			if cut <= len(indent) {
				cut = columns
			}
			all = append(all, row{l.at, markup(text[:cut]), class})
			text = indent + strings.TrimLeft(text[cut:], " ")
		}
		all = append(all, row{l.at, markup(text), class})
	}
	return all
}

// class is how a line looks.
func class(text string) string {
	rest := strings.TrimLeft(text, " ")
	switch {
	case text == rest: // a step, the command, the end
		return "step"
	case strings.HasPrefix(rest, "!"), strings.HasPrefix(rest, "level=WARN"):
		return "warn"
	case strings.HasSuffix(rest, " ms"):
		return "wait"
	}
	return ""
}

// markup is text as XML has it.
func markup(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
