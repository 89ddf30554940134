package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestLogIsReadable: what is logged reads the same in each form.
func TestLogIsReadable(t *testing.T) {
	for format, want := range map[string]string{
		"text": `level=WARN msg=x retry_in=1s bird.took=1.5ms n=0 why=gone` + "\n",
		"json": `"level":"WARN","msg":"x","retry_in":"1s","bird":{"took":"1.5ms"},"n":0,"why":"gone"}` + "\n",
	} {
		var b bytes.Buffer
		log := slog.New(logHandler(&b, format, slog.LevelInfo))
		var none error
		log.Warn("x", "retry_in", time.Second, "error", none, slog.Group("bird", "took", 1500*time.Microsecond), "n", 0, "why", errors.New("gone"))
		log.Debug("y")
		if _, got, _ := strings.Cut(b.String(), "level"); !strings.HasSuffix(want, got) {
			t.Errorf("%s: got %s, want %s", format, b.String(), want)
		}
	}
}

// TestStatusWatch: the time may stand behind the flag, as it does with others, or
// be left out.
func TestStatusWatch(t *testing.T) {
	for in, want := range map[string]string{
		"status --watch 2s":                  "status --watch=2s",
		"status -w 150ms -o json":            "status --watch=150ms -o json",
		"status -o json --watch":             "status -o json --watch",
		"status --watch --bird-dir /x":       "status --watch --bird-dir /x",
		"status --watch=3s":                  "status --watch=3s",
		"status --watch soon":                "status --watch=soon",
		"status -w":                          "status -w",
		"status -w2s -owide":                 "status --watch=2s -owide",
		"render --node -w x":                 "render --node -w x",
		"--bird-dir /x status --watch 500ms": "--bird-dir /x status --watch=500ms",
	} {
		if got := strings.Join(watchTime(strings.Fields(in)), " "); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for args, want := range map[string]string{
		"status --watch 20ms":    "--watch: 20ms: expected a duration such as 2s, 100ms or more",
		"status --watch soon":    `invalid argument "soon"`,
		"status --watch 2s more": `"more": confd status takes no arguments besides flags`,
		"status 2s":              `"2s": confd status takes no arguments besides flags`,
	} {
		if c := call(t, nil, strings.Fields(args)...); c.code != exitUsage || !strings.Contains(c.stderr, want) {
			t.Errorf("%s: %d %s, want %s", args, c.code, c.stderr, want)
		}
	}
}

// TestStatusBeforeAnythingRuns: where nothing has run yet, the BIRDs that are missing are
// those that the version has.
func TestStatusBeforeAnythingRuns(t *testing.T) {
	dir := t.TempDir()
	for version, second := range map[string]bool{"1": true, "2": false, "3": false} {
		c := call(t, nil, "status", "--bird", version, "--bird-dir", dir, "--socket", dir+"/bird.ctl")
		c.want(t, exitFailed, "nobody listens on "+dir+"/bird.ctl")
		if got := strings.Contains(c.stdout, "bird6"); got != second {
			t.Errorf("BIRD %s: a second daemon is missing: %v, want %v:\n%s", version, got, second, c.stdout)
		}
	}
}
