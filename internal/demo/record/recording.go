package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What the picture is like, in characters and in pixels.
const (
	columns    = 112
	rows       = 34
	lineHeight = 17
	border     = 14
	titleBar   = 30
	width      = 2*border + columns*783/100 // a character of most monospaced fonts at 13 px
	height     = titleBar + rows*lineHeight + border
)

// line is a line of the demo, and when it was printed, since the beginning.
type line struct {
	at   time.Duration
	text string
}

// recording is a run of the demo.
type recording []line

// command is what a user types to see the demo: the first line of a recording.
const command = "$ make demo"

// runDemo runs the script with the program, and records what it prints. A demo that
// fails is an error, with the end of what it said.
func runDemo(ctx context.Context, script, confd string) (recording, error) {
	cmd := exec.CommandContext(ctx, script, confd)
	// The script ends what it has started; where it does not, the end of its namespaces does.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), "COLUMNS="+strconv.Itoa(columns))
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("running the demo: %w", err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("running the demo: %w", err)
	}
	r := recording{{text: command}}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		r = append(r, line{time.Since(start).Round(10 * time.Millisecond), clean(lines.Text())})
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		return nil, fmt.Errorf("the demo failed: %w\n%s", err, complaint.String())
	}
	return r, nil
}

// clean is a line without tabs, and without what nobody sees at its end.
func clean(text string) string {
	return strings.TrimRight(strings.ReplaceAll(text, "\t", "  "), " ")
}

// inNamespaces says that the demo had namespaces, which it shows more in.
func (r recording) inNamespaces() bool {
	return slices.ContainsFunc(r, func(l line) bool { return strings.Contains(l.text, "network namespaces on a bridge") })
}

// String is the recording as text: seconds, two spaces, and what was printed then.
func (r recording) String() string {
	var b strings.Builder
	for _, l := range r {
		b.WriteString(clean(fmt.Sprintf("%6.2f  %s", l.at.Seconds(), l.text)) + "\n")
	}
	return b.String()
}

var recorded = regexp.MustCompile(`^ *([0-9]+\.[0-9]{2})(?:  (.*))?$`)

// parse reads what String writes.
func parse(text string) (recording, error) {
	var r recording
	for l := range strings.Lines(text) {
		m := recorded.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		if m == nil {
			return nil, fmt.Errorf("line %d is not SECONDS, two spaces and text: %q", len(r)+1, l)
		}
		at, err := time.ParseDuration(m[1] + "s")
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(r)+1, err)
		}
		r = append(r, line{at, m[2]})
	}
	return r, nil
}

// masks are what is another one in each run, and what stands for it: times, and what
// depends on them or on the machine.
func masks() [][2]string {
	return [][2]string{
		{` +[0-9]+ ms$`, " N ms"},
		{`[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}`, "DATE"},
		{`[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}`, "TIME"},
		{`\b([0-9]+m)?[0-9]+s (ago|old)`, "N s $2"},
		{`confd [^ ,]+, runs as process [0-9]+`, "confd V, runs as process N"},
		{`BIRD [0-9.]+ `, "BIRD V "},
		{`of revision [0-9]+`, "of revision N"},
		{`[0-9]+ (of BGP|static|of the kernel|of interfaces|of BIRD's)\b`, "N $1"},
	}
}

// masked are the lines without their times and without what varies.
func (r recording) masked() []string {
	var lines []string
	for _, l := range r {
		lines = append(lines, l.text)
	}
	for _, m := range masks() {
		varying := regexp.MustCompile(m[0])
		for i := range lines {
			lines[i] = varying.ReplaceAllString(lines[i], m[1])
		}
	}
	return lines
}
